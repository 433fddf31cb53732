"""Confusion counts, the five metrics, and masks that are off by one pixel, computed from masks alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.ndimage import distance_transform_cdt

Mask = npt.NDArray[np.bool_]
Image = npt.NDArray[np.uint8]

COUNTS = ("tp", "fp", "fn", "tn")
BOUNDARY = 0.02
"""Width of the rim of Boundary IoU over the image's diagonal: the default of its authors."""


@dataclass(frozen=True)
class Predictions:
    """The test images of one run, keyed by file stem, and the masks that its checkpoints predict.

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


def with_metrics(table: pd.DataFrame, smooth: float = 0.0) -> pd.DataFrame:
    """`table` with columns tp, fp, fn, tn, plus the five metrics of the foreground, each in 0 … 1.

    0/0 counts as 1 if truth and prediction are both empty (they agree), and as 0 otherwise. `smooth` is added to
    every numerator and denominator.
    """
    tp, fp, fn, tn = (table[name].astype(float) for name in COUNTS)
    empty = (tp + fp + fn == 0).astype(float)

    def ratio(numerator: pd.Series[float], denominator: pd.Series[float]) -> pd.Series[float]:
        below = denominator + smooth
        return ((numerator + smooth) / below.where(below > 0)).fillna(empty)

    return table.assign(
        accuracy=ratio(tp + tn, tp + fp + fn + tn),
        precision=ratio(tp, tp + fp),
        recall=ratio(tp, tp + fn),
        f1=ratio(2 * tp, 2 * tp + fp + fn),
        iou=ratio(tp, tp + fp + fn),
    )


def rim(mask: Mask) -> Mask:
    """The pixels of the foreground, of (H, W), that lie within `BOUNDARY` of the diagonal from its contour.

    Distances are those of a chess king, at least 1 pixel; where the foreground touches the picture's edge, its contour
    runs along that edge.
    """
    width = max(1, round(BOUNDARY * float(np.hypot(*mask.shape))))
    inside = distance_transform_cdt(np.pad(mask, 1), metric="chessboard")[1:-1, 1:-1]
    return np.asarray(mask & (inside <= width), dtype=np.bool_)


def boundary_iou(truth: Mask, prediction: Mask) -> float:
    """IoU of the two rims, in 0 … 1, for masks (H, W); 1 if both masks are empty.

    Unlike IoU it does not grow lenient with the size of the object (Cheng et al. 2021, Boundary IoU, CVPR).
    """
    a, b = rim(truth), rim(prediction)
    union = int((a | b).sum())
    return int((a & b).sum()) / union if union else 1.0


def image_scores(predictions: Mapping[str, Predictions]) -> pd.DataFrame:
    """One row per run × checkpoint × test image: run_id, checkpoint, image, boundary_iou, four counts, five metrics."""
    rows = [
        {
            **{"run_id": run_id, "checkpoint": checkpoint, "image": stem},
            **{"boundary_iou": boundary_iou(p.truth[stem], mask)},
            **counts(p.truth[stem], mask),
        }
        for run_id, p in predictions.items()
        for checkpoint, masks in p.masks.items()
        for stem, mask in masks.items()
    ]
    columns = ["run_id", "checkpoint", "image", "boundary_iou", *COUNTS]
    table = pd.DataFrame(rows, columns=columns).astype({"boundary_iou": float, **dict.fromkeys(COUNTS, int)})
    return with_metrics(table.astype(dict.fromkeys(columns[:3], str)))


def pool_scores(scores: pd.DataFrame) -> pd.DataFrame:
    """`image_scores` pooled over all pixels of a run's test images: one row per run × checkpoint."""
    pooled = scores.groupby(["run_id", "checkpoint"], as_index=False)[list(COUNTS)].sum()
    return with_metrics(pooled)


def dilate_and_erode(mask: Mask) -> tuple[Mask, Mask]:
    """The mask grown, and shrunk, by one pixel all round (8 neighbours)."""
    height, width = mask.shape
    padded = np.pad(mask, 1, mode="edge")
    shifted = [padded[y : y + height, x : x + width] for y in range(3) for x in range(3)]
    return np.logical_or.reduce(shifted), np.logical_and.reduce(shifted)
