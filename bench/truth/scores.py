"""The stored scores: IoU per picture of every network, on its 4 validation, its 4 test and 200 further pictures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

MODELS = ("U-Net, transposed", "U-Net, bilinear", "U-Net / resnet18", "U-Net / lite0, ImageNet")
SETS, SEEDS = 30, 5
FURTHER = 200
"""Pictures that no network was trained on, the same for all."""
SCALE = 10_000
"""IoU is stored as whole ten-thousandths."""


@dataclass(frozen=True)
class Run:
    """One trained network; `iou` (8 + FURTHER,): 4 validation pictures, 4 test pictures, the further ones."""

    model: str
    group: int
    seed: int
    iou: NDArray[np.float64]

    @property
    def key(self) -> tuple[str, int, int]:
        return self.model, self.group, self.seed


def write_runs(path: Path, runs: Iterable[Run]) -> None:
    """Append a line per run: place of the model in `MODELS`, set, seed, then IoU in ten-thousandths."""
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = not path.exists() or path.read_text().endswith("\n")
    with path.open("a") as file:
        file.write("" if whole else "\n")
        for run in runs:
            scores = np.rint(run.iou * SCALE).astype(int).tolist()
            print(MODELS.index(run.model), run.group, run.seed, *scores, file=file, flush=True)


def read_runs(path: Path) -> list[Run]:
    """Every whole line; one that a kill cut short is left out."""
    rows = [line.split() for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]
    return [
        Run(MODELS[int(row[0])], int(row[1]), int(row[2]), np.array(row[3:], float) / SCALE)
        for row in rows
        if len(row) == 3 + 8 + FURTHER
    ]
