"""Metrics against scikit-learn and against counts made by hand."""

import numpy as np
import pytest
from sklearn import metrics as reference

from agent.training.metrics import Counts, count, image_mean

rng = np.random.default_rng(0)
RANDOM = [(rng.random((16, 16)) < p, rng.random((16, 16)) < q) for p in (0.05, 0.5, 0.9) for q in (0.1, 0.6)]
EMPTY, FULL = np.zeros((8, 8), bool), np.ones((8, 8), bool)
DEGENERATE = [(EMPTY, FULL), (FULL, EMPTY), (EMPTY, EMPTY), (FULL, FULL)]


@pytest.mark.parametrize(("prediction", "truth"), RANDOM + DEGENERATE)
def test_metrics_equal_scikit_learn(prediction: np.ndarray, truth: np.ndarray) -> None:
    nothing_to_find_and_nothing_found = not prediction.any() and not truth.any()
    y, p = truth.ravel(), prediction.ravel()
    zero = {"zero_division": 1.0 if nothing_to_find_and_nothing_found else 0.0}
    expected = {
        "accuracy": reference.accuracy_score(y, p),
        "precision": reference.precision_score(y, p, **zero),
        "recall": reference.recall_score(y, p, **zero),
        "f1": reference.f1_score(y, p, **zero),
        "iou": reference.jaccard_score(y, p, **zero),
    }
    assert count(prediction, truth).scores() == pytest.approx(expected, abs=1e-12)


def test_counts_are_those_counted_by_hand() -> None:
    truth = np.array([[1, 1, 0, 0, 0]])
    prediction = np.array([[1, 0, 1, 1, 0]])
    assert count(prediction, truth) == Counts(tp=1, fp=2, fn=1, tn=1)


def test_masks_of_255_count_like_masks_of_1() -> None:
    mask = np.array([[0, 1, 1]], np.uint8)
    assert count(mask * 255, mask) == Counts(tp=2, tn=1)


def test_pooling_adds_pixels_and_image_mean_averages_ratios() -> None:
    small, large = Counts(tp=1, fn=1), Counts(tp=98, fn=2)
    assert (small + large).iou == 99 / 102
    assert image_mean([small, large])["iou"] == pytest.approx((0.5 + 0.98) / 2)
