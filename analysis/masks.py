"""Confusion counts, the five metrics and the one-pixel ceiling, computed from masks alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

Mask = npt.NDArray[np.bool_]
Image = npt.NDArray[np.uint8]

METRICS = ("accuracy", "precision", "recall", "f1", "iou")
RULES = ("best_loss", "best_iou")


@dataclass(frozen=True)
class Predictions:
    """The test images of one run, keyed by file stem, and what its checkpoints made of them.

    `images` are (H, W, 3) uint8, `truth` and `masks[checkpoint]` are (H, W) bool with True for foreground;
    checkpoints are `best_loss` and `best_iou`.
    """

    images: Mapping[str, Image]
    truth: Mapping[str, Mask]
    masks: Mapping[str, Mapping[str, Mask]]
    metadata: Mapping[str, object] = field(default_factory=dict)


def counts(truth: Mask, prediction: Mask) -> dict[str, int]:
    """Pixels that are true positive, false positive, false negative and true negative; both masks (H, W)."""
    return {
        "tp": int((truth & prediction).sum()),
        "fp": int((~truth & prediction).sum()),
        "fn": int((truth & ~prediction).sum()),
        "tn": int((~truth & ~prediction).sum()),
    }


def with_metrics(table: pd.DataFrame) -> pd.DataFrame:
    """`table` with columns tp, fp, fn, tn, plus the five metrics of the foreground, each in 0 … 1.

    0/0 counts as 1 where truth and prediction are both empty (they agree), and as 0 otherwise.
    """
    tp, fp, fn, tn = (table[name].astype(float) for name in ("tp", "fp", "fn", "tn"))
    empty = (tp + fp + fn == 0).astype(float)

    def ratio(numerator: pd.Series[float], denominator: pd.Series[float]) -> pd.Series[float]:
        return (numerator / denominator.where(denominator > 0)).fillna(empty)

    return table.assign(
        accuracy=ratio(tp + tn, tp + fp + fn + tn),
        precision=ratio(tp, tp + fp),
        recall=ratio(tp, tp + fn),
        f1=ratio(2 * tp, 2 * tp + fp + fn),
        iou=ratio(tp, tp + fp + fn),
    )


def image_scores(predictions: Mapping[str, Predictions]) -> pd.DataFrame:
    """One row per run × checkpoint × test image: run_id, checkpoint, image, four counts, five metrics."""
    rows = [
        {"run_id": run_id, "checkpoint": checkpoint, "image": stem, **counts(p.truth[stem], mask)}
        for run_id, p in predictions.items()
        for checkpoint, masks in p.masks.items()
        for stem, mask in masks.items()
    ]
    return with_metrics(pd.DataFrame(rows, columns=["run_id", "checkpoint", "image", "tp", "fp", "fn", "tn"]))


def pooled_scores(scores: pd.DataFrame) -> pd.DataFrame:
    """`image_scores` pooled over all pixels of a run's test images: one row per run × checkpoint."""
    pooled = scores.groupby(["run_id", "checkpoint"], as_index=False)[["tp", "fp", "fn", "tn"]].sum()
    return with_metrics(pooled)


def one_pixel_loss(truths: Iterable[Mask]) -> float:
    """IoU lost by growing or shrinking every mask by one pixel (8 neighbours), pooled, mean of the two.

    Two annotators who differ by one pixel all round differ by this much, so models that are closer to each
    other than this cannot be told apart by their IoU with one annotator's masks.
    """
    pairs = [(truth, *_grown_and_shrunk(truth)) for truth in truths]
    area, grown, shrunk = (sum(int(masks[i].sum()) for masks in pairs) for i in range(3))
    return 1 - (area / grown + shrunk / area) / 2 if area else 0.0


def _grown_and_shrunk(mask: Mask) -> tuple[Mask, Mask]:
    height, width = mask.shape
    padded = np.pad(mask, 1, mode="edge")
    shifted = [padded[y : y + height, x : x + width] for y in range(3) for x in range(3)]
    return np.logical_or.reduce(shifted), np.logical_and.reduce(shifted)
