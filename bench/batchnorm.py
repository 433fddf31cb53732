"""What the BatchNorm doctor is worth, and what it costs: a run with and without it, from the same weights.

`python -m bench.batchnorm --data FOLDER` trains U-Net on SMP's efficientnet-b0 from scratch, whose BatchNorm has
momentum 0.01, at 192 pixels for 20 epochs. For every seed it prints the epoch of the best validation IoU, and its IoU
on validation and test images: of a run that looks at running statistics only, and of one that repairs them. Training
is the same, bit by bit; only what is scored and kept differs. `--model` takes any other, for instance a healthy one,
to see what the doctor costs there.

Measured on the lab's photographs (mean of 8 seeds, lowest to highest): validation IoU of the best epoch 0.169 (0.009 to
0.410) without the doctor, 0.911 (0.891 to 0.937) with it; test IoU 0.175 (0.000 to 0.617) and 0.912 (0.899 to 0.933).
It examined every epoch and took 29 % of the time. With `--at_once 2`, in batches as small as those of training, the
same weights come to 0.901 (0.877 to 0.935) and 0.842 (0.658 to 0.921). A healthy model (`--epochs 40 --image_size 96
--model unet/tu-tf_efficientnet_lite0/imagenet --seeds 1 2`): examined 20 and 22 of 40 epochs, 13 and 15 % of the time,
nothing repaired in the best epoch.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import numpy as np
import torch
from torch import nn

from agent.config import Config, ConfigError, parse
from agent.lifecycle.checkpoints import BestCheckpoints
from agent.training import batchnorm, models, performance
from agent.training.batchnorm import Validation, with_statistics
from agent.training.loader import feed
from agent.training.loop import evaluate, n_steps, train_epoch
from data import puzzle, synthetic
from data.augment import Augmenter
from data.puzzle import DataError, Dataset


@dataclass
class Best:
    """The epoch of the best validation IoU so far, its gap, and how it did on the validation and test images."""

    epoch: int = 0
    gap: float = 0.0
    val: float = -1.0
    test: float = 0.0

    def consider(
        self, epoch: int, judged: Validation, model: nn.Module, dataset: Dataset, batch_size: int
    ) -> None:
        """Test the weights as they would be saved, if they are the best."""
        if judged.evaluation.pooled.iou > self.val:
            with with_statistics(model, judged.statistics):
                test = evaluate(model, dataset.test, batch_size).pooled.iou
            self.epoch, self.gap, self.val, self.test = (
                epoch,
                judged.gap or 0.0,
                judged.evaluation.pooled.iou,
                test,
            )


@dataclass(frozen=True)
class Outcome:
    """Of one seed: best epochs without and with the doctor, how many epochs it examined, and its share of the time."""

    plain: Best
    doctored: Best
    examined: int
    share: float


def train(config: Config, dataset: Dataset, keeper: BestCheckpoints, at_once: int) -> Outcome:
    """One training; every epoch is judged without and with the doctor; `keeper` says what is worth keeping.

    `at_once` training images pass together when the doctor recomputes statistics.
    """
    torch.manual_seed(config.seed)
    device = performance.best_device()
    model = performance.prepare(
        models.build(config.architecture, config.backbone, config.weights, config.width), device
    )
    optimizer = performance.adam(model, config.learning_rate)
    augment = Augmenter(config.augmentation, config.image_size, config.seed)
    batches = feed(dataset.train, augment, config.batch_size, config.seed, range(1, config.epochs + 1))
    plain, doctored = Best(), Best()
    gaps: list[float | None] = []
    training = judging = 0.0
    for epoch in range(1, config.epochs + 1):
        started = time.perf_counter()
        train_epoch(model, optimizer, islice(batches, n_steps(len(dataset.train), config.batch_size)))
        middle = time.perf_counter()
        running = evaluate(model, dataset.val, config.batch_size)
        scored = time.perf_counter()
        judged = batchnorm.validate(
            model,
            dataset.train,
            dataset.val,
            config.batch_size,
            gaps,
            lambda score: bool(keeper.winning(score.loss, score.pooled.iou)),
            at_once,
        )
        ended = time.perf_counter()
        gaps.append(judged.gap)
        keeper.consider(epoch, judged.evaluation.loss, judged.evaluation.pooled.iou)
        training += scored - started
        judging += (ended - scored) - (scored - middle)
        plain.consider(epoch, Validation(running), model, dataset, config.batch_size)
        doctored.consider(epoch, judged, model, dataset, config.batch_size)
    examined = sum(gap is not None for gap in gaps)
    return Outcome(plain, doctored, examined, judging / (training + judging))


def line(seed: int, config: Config, outcome: Outcome) -> str:
    plain, doctored = outcome.plain, outcome.doctored
    return (
        f"seed {seed}: without the doctor epoch {plain.epoch}, val IoU {plain.val:.3f}, test IoU {plain.test:.3f}; "
        f"with it epoch {doctored.epoch}, gap {doctored.gap:+.3f}, val IoU {doctored.val:.3f}, test IoU "
        f"{doctored.test:.3f}; examined {outcome.examined} of {config.epochs} epochs, {outcome.share:.0%} of the time"
    )


def spread(name: str, values: Iterable[float]) -> str:
    found = list(values)
    return f"{name:<28} {np.mean(found):.3f}  {min(found):.3f}  {max(found):.3f}"


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.batchnorm", description="With and without the doctor."
    )
    parser.add_argument("--data", default="drawn", help="a folder of photographs and masks (default: drawn)")
    parser.add_argument(
        "--model", default="unet/efficientnet-b0/none", help="as in a sweep (default: %(default)s)"
    )
    parser.add_argument("--width", type=int, default=16, help="of the U-Nets written here (default: 16)")
    parser.add_argument(
        "--image_size", type=int, default=192, help="side of the square, pixels (default: 192)"
    )
    parser.add_argument(
        "--epochs", type=int, default=20, help="passes over the training images (default: 20)"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(1, 9)), metavar="SEED")
    parser.add_argument(
        "--at_once",
        type=int,
        default=batchnorm.AT_ONCE,
        help="training images at most that pass together when statistics are recomputed (default: %(default)s)",
    )
    chosen = parser.parse_args()
    if chosen.at_once < 2:
        parser.error(f"--at_once is {chosen.at_once}, but must be 2 or more")
    return chosen


def main() -> None:
    chosen = options()
    names = ("data", "model", "width", "image_size", "epochs")
    flags = [f"--{name}={getattr(chosen, name)}" for name in names]
    try:
        config = parse(flags)
        dataset = puzzle.load(synthetic.resolve(config.data), config.split_seed, config.image_size)
    except (ConfigError, DataError) as error:
        sys.exit(str(error))
    outcomes = []
    for seed in chosen.seeds:
        with tempfile.TemporaryDirectory() as folder:
            outcomes.append(
                train(
                    parse([*flags, f"--seed={seed}"]), dataset, BestCheckpoints(Path(folder)), chosen.at_once
                )
            )
        print(line(seed, config, outcomes[-1]), flush=True)
    print(f"\n{f'IoU over {len(outcomes)} seeds':<28} mean  lowest highest")
    for name in ("plain", "doctored"):
        for split in ("val", "test"):
            print(spread(f"{name}, {split}", (getattr(getattr(each, name), split) for each in outcomes)))
    print(spread("share of the time", (each.share for each in outcomes)))


if __name__ == "__main__":
    main()
