"""What analysis reads of the wandb client's runs and artifacts, without a server."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
from PIL import Image

from tests.analysis.studies import square


class FakeRun:
    """What analysis.pull.study reads of a wandb Run."""

    entity, project, id, name, state = "lab", "puzzle", "r1", "a name", "finished"
    sweep_name, created_at, heartbeat_at, history_line_count = "s1", "2026-01-01", "2026-01-02", 3

    def __init__(self, steps: list[dict[str, Any]] | None = None, artifacts: list[Any] | None = None) -> None:
        self.steps, self.artifacts, self.asked = steps or [], artifacts or [], 0
        self.config: dict[str, Any] = {"architecture": "unet", "seed": 3}
        self.summary_metrics: dict[str, Any] = {
            **{"val/iou": {"max": 0.9}, "val/loss": "NaN", "test/rule": "best_loss", "_step": 7},
            "test/predictions": {"_type": "images/separated"},
        }

    def scan_history(self) -> list[dict[str, Any]]:
        self.asked += 1
        return self.steps

    def logged_artifacts(self) -> list[Any]:
        return self.artifacts


class FakeArtifact:
    """A predictions artifact of one image, which counts its downloads."""

    name, type, digest, metadata = "predictions-r1:v0", "predictions", "abc", {"rule": "best_loss"}

    def __init__(self) -> None:
        self.downloads = 0
        self.manifest = SimpleNamespace(entries={"images/image-1.png": None})

    def download(self, root: str, skip_cache: bool) -> None:
        self.downloads += 1
        write_predictions(Path(root), ["image-1"])


def write_predictions(folder: Path, stems: list[str]) -> None:
    """The files of docs/runs.md: truth is a square, best_loss is it, best_iou is empty."""
    mask = square(2, 2, 4, 8).astype(np.uint8) * 255
    pictures = {"images": np.full((8, 8, 3), 7, np.uint8), "truth": mask, "best_loss": mask, "best_iou": mask * 0}
    for name, pixels in pictures.items():
        (folder / name).mkdir(parents=True)
        for stem in stems:
            Image.fromarray(pixels).save(folder / name / f"{stem}.png")


def fake(*arguments: Any) -> Any:
    return cast(Any, FakeRun(*arguments))
