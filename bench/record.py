"""Train a small grid for real and write it down: `python -m bench.record` makes bench/recorded_runs.csv.

The table is a search problem whose every answer is known: `bench.search` asks it instead of training.
What is there already is not trained again. 160 runs on drawn photographs at 64 × 64 pixels.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import torch

from agent.config import Config, from_settings
from agent.training import models
from agent.training.loader import feed
from agent.training.loop import evaluate, train_epoch
from data import puzzle, synthetic
from data.augment import Augmenter

TABLE = Path(__file__).with_name("recorded_runs.csv")
AXES: dict[str, tuple[object, ...]] = {
    "model": (
        "unet_transposed",
        "unet_bilinear",
        "unet/resnet18/none",
        "unet/tu-tf_efficientnet_lite0/imagenet",
    ),
    "augmentation": ("none", "light", "medium", "strong"),
    "learning_rate": (0.0001, 0.0003, 0.001, 0.003, 0.01),
    "batch_size": (2, 5),
}
FIXED = {"width": 16, "epochs": 12, "image_size": 64, "data": "drawn", "seed": 1}


def grid() -> Iterator[dict[str, object]]:
    for values in itertools.product(*AXES.values()):
        yield dict(zip(AXES, values, strict=True))


def best_val_iou(config: Config) -> float:
    """Best validation IoU over the epochs of one run."""
    dataset = puzzle.load(synthetic.resolve(config.data), config.split_seed, config.image_size)
    torch.manual_seed(config.seed)
    model = models.build(config.architecture, config.backbone, config.weights, config.width)
    optimizer = torch.optim.Adam(model.parameters(), lr=config.learning_rate)
    augment = Augmenter(config.augmentation, config.image_size, config.seed)
    best = 0.0
    for epoch in range(1, config.epochs + 1):
        drawn = feed(dataset.train, augment, config.batch_size, config.seed, range(epoch, epoch + 1))
        train_epoch(model, optimizer, drawn)
        best = max(best, evaluate(model, dataset.val, config.batch_size).pooled.iou)
    return best


def recorded(path: Path = TABLE) -> dict[tuple[str, ...], float]:
    """Best validation IoU by the values of `AXES`, as text; empty if nothing is recorded."""
    if not path.exists():
        return {}
    with path.open(newline="") as file:
        return {tuple(row[name] for name in AXES): float(row["val_iou"]) for row in csv.DictReader(file)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--out", type=Path, default=TABLE, help="CSV to add to (default: bench/recorded_runs.csv)"
    )
    out = parser.parse_args().out
    done = recorded(out)
    cells = [cell for cell in grid() if tuple(map(str, cell.values())) not in done]
    with out.open("a", newline="") as file:
        rows = csv.writer(file)
        if not done:
            rows.writerow([*AXES, "val_iou"])
        for number, cell in enumerate(cells, 1):
            iou = best_val_iou(from_settings(FIXED | cell))
            rows.writerow([*cell.values(), f"{iou:.6f}"])
            file.flush()
            print(f"{number}/{len(cells)}  {iou:.4f}  {cell}", flush=True)


if __name__ == "__main__":
    main()
