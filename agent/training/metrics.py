"""Segmentation metrics of the foreground, from confusion counts.

Pooled metrics add the counts of all pixels first and divide once; an average of per-batch ratios is something else.

0/0 happens when a split or an image has no foreground, or nothing was predicted. A ratio 0/0 is 1 if truth and
prediction agree at every pixel that could have counted (no false positive, no false negative: nothing to find,
nothing found), otherwise 0, so that a model that predicts nothing cannot earn a perfect precision.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.keys import METRICS


@dataclass(frozen=True)
class Counts:
    """Pixels: true positive, false positive, false negative, true negative. Counts of images add up."""

    tp: int = 0
    fp: int = 0
    fn: int = 0
    tn: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn, self.tn + other.tn)

    @property
    def accuracy(self) -> float:
        return self._ratio(self.tp + self.tn, self.tp + self.fp + self.fn + self.tn)

    @property
    def precision(self) -> float:
        return self._ratio(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> float:
        return self._ratio(self.tp, self.tp + self.fn)

    @property
    def f1(self) -> float:
        """Sørensen-Dice coefficient, 2 TP / (2 TP + FP + FN)."""
        return self._ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def iou(self) -> float:
        """Jaccard index, TP / (TP + FP + FN)."""
        return self._ratio(self.tp, self.tp + self.fp + self.fn)

    def _ratio(self, numerator: int, denominator: int) -> float:
        if denominator:
            return numerator / denominator
        return float(self.fp == self.fn == 0)

    def scores(self) -> dict[str, float]:
        """The five metrics by name."""
        return {name: getattr(self, name) for name in METRICS}


def count(
    prediction: NDArray[np.integer] | NDArray[np.bool_], truth: NDArray[np.integer] | NDArray[np.bool_]
) -> Counts:
    """Counts of masks of equal shape; any value but 0 is foreground."""
    predicted, actual = prediction != 0, truth != 0
    tp = int(np.count_nonzero(predicted & actual))
    fp = int(np.count_nonzero(predicted)) - tp
    fn = int(np.count_nonzero(actual)) - tp
    return Counts(tp, fp, fn, prediction.size - tp - fp - fn)


def image_mean(counts: Sequence[Counts]) -> dict[str, float]:
    """Each metric per image, averaged over images with equal weight."""
    return {name: float(np.mean([getattr(c, name) for c in counts])) for name in METRICS}
