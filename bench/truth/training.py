"""Train small networks on many drawn training sets and score each on pictures that none of them saw.

One network costs about 2 s of one core; stored runs are not trained again.
"""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import cv2
import numpy as np
import segmentation_models_pytorch as smp
import torch
from torch import nn

from agent.training import models
from agent.training.loader import make_loader
from agent.training.loop import evaluate, train_epoch
from agent.training.models import weights
from agent.training.performance import to_device
from bench.truth.scores import FURTHER, MODELS, SEEDS, SETS, Run, read_runs, write_runs
from data import synthetic
from data.augment import Augmenter
from data.dataset import Pair

SIDE, VISITS, BATCH, RATE = 48, 24, 5, 3e-3
"""Pixels, visits to the training pictures, pictures a step, and the highest learning rate of one cycle."""
SETS_AT_ONCE = 6
EVENING = 8
"""All drawings share table and lamp: training sets and further pictures are of one kind."""
LITE = "tu-tf_efficientnet_lite0"


@functools.cache
def draw(group: int, count: int) -> list[Pair]:
    """`count` drawings, the same for the same `group`, resized as photographs are."""
    pairs = []
    for number in range(count):
        image, mask = synthetic.draw(np.random.default_rng((group, number)), 144, 192, evening=EVENING)
        small = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        exact = cv2.resize(mask * 255, (SIDE, SIDE), interpolation=cv2.INTER_AREA) > 127
        pairs.append(Pair(str(number), np.asarray(small, np.uint8), exact.astype(np.uint8)))
    return pairs


def build_pretrained() -> nn.Module:
    """The first two levels of EfficientNet Lite0 with ImageNet weights under a small decoder."""
    model: nn.Module = smp.Unet(LITE, encoder_weights=None, encoder_depth=2, decoder_channels=(16, 8), classes=2)
    weights.load_into_encoder(model.get_submodule("encoder"), LITE)
    return model


def build_resnet() -> nn.Module:
    """The first two levels of a ResNet-18 from scratch under the same decoder."""
    model: nn.Module = smp.Unet("resnet18", encoder_weights=None, encoder_depth=2, decoder_channels=(16, 8), classes=2)
    return model


BUILDERS: dict[str, Callable[[], nn.Module]] = dict(
    zip(
        MODELS,
        (
            lambda: models.build("unet_transposed", width=8),
            lambda: models.build("unet_bilinear", width=8),
            build_resnet,
            build_pretrained,
        ),
        strict=True,
    )
)


def train(name: str, pairs: list[Pair], seed: int) -> nn.Module:
    """The network after the last step; nothing is chosen by validation pictures."""
    torch.manual_seed(seed)
    model = to_device(BUILDERS[name](), torch.device("cpu"))
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=VISITS)
    augment = Augmenter("light", SIDE, seed)
    for visit in range(1, VISITS + 1):
        train_epoch(model, optimizer, make_loader(pairs, augment, BATCH, seed, range(visit, visit + 1)))
        schedule.step()
    return model


def jobs(sets: int, seeds: int) -> Iterator[tuple[str, int, int]]:
    """Model, set and seed of every run, six sets after another, so that the first are complete early."""
    for start in range(1, sets + 1, SETS_AT_ONCE):
        for seed, group in itertools.product(range(1, seeds + 1), range(start, min(start + SETS_AT_ONCE, sets + 1))):
            yield from ((name, group, seed) for name in MODELS)


def record(out: Path, *, sets: int = SETS, seeds: int = SEEDS) -> None:
    """Append a line to `out` for every run that it lacks; a half-written last line is trained again."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    done = {run.key for run in read_runs(out)} if out.exists() else set()
    todo = [job for job in jobs(sets, seeds) if job not in done]
    for number, (name, group, seed) in enumerate(todo, start=1):
        pictures = draw(group, 18)
        model = train(name, pictures[:10], 1000 * group + seed)
        iou = [counts.iou for counts in evaluate(model, [*pictures[10:], *draw(0, FURTHER)], 32).counts]
        write_runs(out, [Run(name, group, seed, np.array(iou))])
        print(f"{number} of {len(todo)}: {name}, set {group}, seed {seed}, IoU {np.mean(iou[8:]):.3f}", flush=True)
