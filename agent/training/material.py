"""Data and model of a run, made before its server hears of it; a wrong configuration fails here."""

import functools
import os
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from agent.config import Config
from agent.lifecycle import disk, failures
from agent.lifecycle.failures import RunFailure
from agent.training import models, performance
from agent.training.loop import Precision, n_steps
from common import cores
from data import synthetic
from data.dataset import Dataset, load_dataset


@dataclass(frozen=True)
class Material:
    """Data, and a model on its device; facts about both are computed from them."""

    config: Config
    dataset: Dataset
    model: nn.Module
    seconds: float = 0.0
    """Seconds spent on making it."""

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    @property
    def precision(self) -> Precision:
        return performance.choose_precision(self.config.precision, self.model)

    @functools.cached_property
    def n_macs(self) -> int:
        """Multiply-accumulates of one image."""
        return performance.n_macs(self.model, self.config.image_size)

    @property
    def steps(self) -> int:
        """Steps of a visit to all training images."""
        return n_steps(len(self.dataset.train), self.config.batch_size)


def prepare(config: Config, folder: Path) -> Material:
    """Data, room on the disk in the run's `folder`, and the model with its weights.

    Raises:
        DataError, RunFailure, DiskError, CombinationError, WeightsError: faults that a person can mend.
    """
    started = time.monotonic()
    dataset = load_dataset(
        synthetic.resolve(config.data),
        config.split_seed,
        config.image_size,
        config.fold,
        config.folds,
        config.score_size,
    )
    check_batches(config, len(dataset.train))
    named = (config.architecture, config.backbone)
    outline = models.without_memory(lambda: models.build(*named, width=config.width, image_size=config.image_size))
    disk.check_free(folder, outline, n_test_pixels(dataset))
    torch.set_num_threads(cores.threads(os.environ))
    torch.manual_seed(config.seed)
    imagenet = "imagenet" if config.weights == "imagenet" else "none"
    with failures.explain_errors(config, performance.best_device(), folder):
        model = models.build(*named, imagenet, config.width, config.image_size)
        model = performance.to_best_device(model, config.deterministic)
    return Material(config, dataset, model, time.monotonic() - started)


def n_test_pixels(dataset: Dataset) -> int:
    """Pixels of all test images together, at the size of the scores."""
    return sum(pair.truth.size for pair in dataset.test)


def check_batches(config: Config, n_train: int) -> None:
    """Raise RunFailure if a training step would have one image and the architecture forbids it."""
    if n_train < 2 and (who := config.needs_two()):
        raise RunFailure(
            f"{who} needs at least 2 images in every training step, but {config.data} has {n_train} training image: "
            f"add images, or take the architecture unet at image_size 64 or more"
        )
