"""Names that runs are written and read with; docs/runs.md explains each.

`agent` writes runs, `server` shows them, `analysis` and `study` read them: each takes the names from here.
"""

from typing import Literal, get_args

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)

Strength = Literal["none", "light", "medium", "strong"]
STRENGTHS: tuple[Strength, ...] = get_args(Strength)
"""Strengths of augmentation, weakest first."""

Rule = Literal["best_loss", "best_iou"]
RULES: tuple[Rule, ...] = get_args(Rule)
"""Rules that choose the best checkpoint of a run, each by one validation value."""

METRICS = ("accuracy", "precision", "recall", "f1", "iou")
"""Ratios of confusion counts, on the test images under `test/`, for each rule under `RULE/test_`."""

TRAIN_LOSS, TRAIN_IOU = "train/loss", "train/iou"
VAL_LOSS, VAL_IOU, BN_GAP = "val/loss", "val/iou", "val/bn_gap"
SECONDS_PER_EPOCH, SECONDS_OF_STEPS = "seconds_per_epoch", "seconds_of_steps"

OF_TRAINING = (TRAIN_LOSS, TRAIN_IOU, SECONDS_PER_EPOCH, SECONDS_OF_STEPS)
OF_VALIDATION = (VAL_LOSS, VAL_IOU, BN_GAP)
HISTORY = ("epoch", *OF_TRAINING, *OF_VALIDATION)
"""The row of an epoch; the summary holds the last values of training, and the best ones of validation."""

GOAL = VAL_IOU
"""The metric that a search maximises by default."""

TEST_IOU, TEST_RULE, PREDICTIONS = "test/iou", "test/rule", "test/predictions"
"""IoU on the test images, the rule that chose its checkpoint, and the picture of the masks."""

SECONDS = ("seconds/train", "seconds/steps", "seconds/total", "seconds/per_image")
SECONDS_TRAIN, SECONDS_STEPS, SECONDS_TOTAL, SECONDS_PER_IMAGE = SECONDS
"""Wall-clock seconds of a run."""

DATA_WARNINGS, BN_REPAIRED = "data_warnings", "bn_repaired"


def test_metric(metric: str) -> str:
    """A metric of `METRICS` on the test images, pooled over their pixels."""
    return f"test/{metric}"


def image_mean(metric: str) -> str:
    """A metric of `METRICS`, the mean over the test images."""
    return f"test/image_mean_{metric}"


def of_rule(rule: str, name: str) -> str:
    """A key of the checkpoint of a rule in the summary: `epoch`, `bn_gap`, `bn_repaired` or `test_METRIC`."""
    return f"{rule}/{name}"


SUMMARY = (
    *(each(metric) for each in (test_metric, image_mean) for metric in METRICS),
    *(of_rule(rule, f"test_{metric}") for rule in RULES for metric in METRICS),
    *(of_rule(rule, name) for rule in RULES for name in ("epoch", "bn_gap")),
    *SECONDS,
)
"""Numbers that a run writes once, at its end."""
