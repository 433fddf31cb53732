"""What a run needs before its server hears of it; whatever is wrong with a configuration shows here."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from agent.config import Config
from agent.lifecycle import disk, failures
from agent.training import models, performance
from agent.training.loop import Precision, n_steps
from common import cores
from data import puzzle, synthetic
from data.puzzle import Dataset


@dataclass(frozen=True)
class Material:
    """Data, and a model on its device; `steps` of a visit to all training images, and `n_macs` of one image."""

    dataset: Dataset
    model: nn.Module
    device: torch.device
    precision: Precision
    n_macs: int
    steps: int
    seconds: float
    """That it took to have it."""


def prepare(config: Config, folder: Path) -> Material:
    """Data, room on the disk in the run's `folder`, and the model with its weights.

    Raises:
        DataError, Failed, DiskError, CombinationError, WeightsError: what a person can mend.
    """
    started = time.monotonic()
    dataset = puzzle.load(
        synthetic.resolve(config.data),
        config.split_seed,
        config.image_size,
        config.fold,
        config.folds,
        config.score_size,
    )
    failures.check_batches(config, len(dataset.train))
    named = (config.architecture, config.backbone)
    outline = models.without_memory(lambda: models.build(*named, width=config.width, image_size=config.image_size))
    disk.check_free(folder, disk.disk_of_run(outline, config.score_size, len(dataset.test)))
    torch.set_num_threads(cores.threads(os.environ))
    torch.manual_seed(config.seed)
    imagenet = "imagenet" if config.weights == "imagenet" else "none"
    model = models.build(*named, imagenet, config.width, config.image_size)
    performance.make_deterministic(config.deterministic)
    device = performance.best_device()
    model = performance.prepare(model, device)
    precision, n_macs = performance.precision_of(config.precision, model), performance.n_macs(model, config.image_size)
    steps = n_steps(len(dataset.train), config.batch_size)
    return Material(dataset, model, device, precision, n_macs, steps, time.monotonic() - started)
