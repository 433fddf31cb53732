"""Names that runs are written and read with; docs/runs.md explains each.

`agent` writes runs, `server` shows them, `analysis` and `study` read them: each takes the names from here.
"""

from typing import Literal, get_args

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)

Strength = Literal["none", "light", "medium", "strong"]
STRENGTHS: tuple[Strength, ...] = get_args(Strength)
"""Of augmentation, weakest first."""

Rule = Literal["best_loss", "best_iou"]
RULES: tuple[Rule, ...] = get_args(Rule)
"""By which validation value a checkpoint is the best of its run."""

METRICS = ("accuracy", "precision", "recall", "f1", "iou")
"""Ratios of confusion counts, on the test images under `test/`, for each rule under `RULE/test_`."""

GOAL = "val/iou"
"""The metric that a search maximises where it names no other."""
