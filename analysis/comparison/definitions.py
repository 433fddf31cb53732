"""Definitions of "the IoU" that give different numbers for the same confusion counts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from analysis.pull import masks
from analysis.pull.masks import COUNTS, with_metrics
from common.keys import METRICS

SWAPPED = {"tp": "tn", "tn": "tp", "fp": "fn", "fn": "fp"}


@dataclass(frozen=True)
class Definition:
    """`text` says it in words. `pooled`: counts are added over the images before dividing, else images are averaged.

    `classes`: metrics of the foreground; their mean over foreground and background; or of both with their counts added.
    `smooth` is added to the numerator and the denominator of every ratio.
    """

    text: str
    pooled: bool = True
    classes: Literal["foreground", "mean", "added"] = "foreground"
    smooth: float = 0.0


DEFINITIONS = {
    "pooled": Definition("foreground, counts pooled over the pixels of all test images"),
    "image": Definition("foreground, mean over test images", pooled=False),
    "two-class": Definition("mean of foreground and background, pooled", classes="mean"),
    "two-class-micro": Definition("foreground and background counted together, pooled", classes="added"),
    "smoothed": Definition("foreground, (intersection + 1) / (union + 1), mean over test images", False, smooth=1.0),
}


def as_classes(counts: pd.DataFrame, definition: Definition) -> list[pd.DataFrame]:
    """The counts of every class whose metrics are averaged, with tp, fp, fn, tn from that class's point of view."""
    background = counts.assign(**{name: counts[other] for name, other in SWAPPED.items()})
    if definition.classes == "mean":
        return [counts, background]
    if definition.classes == "added":
        return [counts.assign(**{name: counts[name] + background[name] for name in COUNTS})]
    return [counts]


def compute_metrics(counts: pd.DataFrame, definition: Definition) -> pd.DataFrame:
    """`counts` with the five metrics of every row by this definition, each in 0 … 1."""
    classes = [with_metrics(table, definition.smooth) for table in as_classes(counts, definition)]
    return counts.assign(**{name: sum(table[name] for table in classes) / len(classes) for name in METRICS})


def run_scores(scores: pd.DataFrame, definition: Definition) -> pd.DataFrame:
    """One row per run × checkpoint with the five metrics over all its images; `scores` as `masks.image_scores`."""
    keys = ["run_id", "checkpoint"]
    if definition.pooled:
        return compute_metrics(scores.groupby(keys, as_index=False, sort=False)[list(COUNTS)].sum(), definition)
    each = compute_metrics(scores, definition)
    return each.groupby(keys, as_index=False, sort=False)[list(METRICS)].mean()


def one_pixel_iou(truths: Iterable[masks.Mask], definition: Definition) -> float:
    """IoU of masks that are right but for one pixel all round, mean of those too wide and those too narrow.

    Two annotators who differ by one pixel all round agree that much: a bound on the IoU of a model. It does not hide
    the order of models, for a mask that is too wide or too narrow is so for all of them.
    """
    rows = [
        {"run_id": "", "checkpoint": width, **masks.counts(truth, mask)}
        for truth in truths
        for width, mask in zip(("too wide", "too narrow"), masks.dilate_and_erode(truth), strict=True)
    ]
    return float(run_scores(pd.DataFrame(rows), definition)["iou"].mean())


def image_values(scores: pd.DataFrame, definition: Definition) -> pd.Series[float]:
    """For every row of `scores` a value whose mean over the images of a run and checkpoint is that run's IoU.

    Of a pooled IoU it is the linearised contribution, so it may lie a little above 1.
    """
    if not definition.pooled:
        return compute_metrics(scores, definition)["iou"]
    parts = [linearise(counts) for counts in as_classes(scores, definition)]
    return sum(parts[1:], start=parts[0]) / len(parts)


def linearise(counts: pd.DataFrame) -> pd.Series[float]:
    """Each image's share in the pooled IoU of its run and checkpoint; 1 where there is nothing to find or found.

    R + (tp − R · union) / mean union, with R the pooled ratio (Cochran 1977, Sampling Techniques, ch. 6): the mean is
    R, and the spread over images is that of R.
    """
    values = pd.Series(1.0, index=counts.index)
    union = counts["tp"] + counts["fp"] + counts["fn"]
    for rows in counts.groupby(["run_id", "checkpoint"], sort=False).groups.values():
        top, bottom = counts["tp"][rows], union[rows]
        if bottom.sum():
            ratio = top.sum() / bottom.sum()
            values[rows] = ratio + (top - ratio * bottom) / bottom.mean()
    return values
