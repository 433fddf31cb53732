from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score, jaccard_score, precision_score, recall_score

from analysis.comparison.definitions import DEFINITIONS, image_values, one_pixel_iou, run_scores
from analysis.pull.masks import Mask, Predictions, image_scores
from common.keys import METRICS
from tests.analysis.studies import square

RNG = np.random.default_rng(0)
TRUTH: dict[str, Mask] = {name: RNG.random((9, 11)) < part for name, part in (("a", 0.2), ("b", 0.6))}
GUESS: dict[str, Mask] = {name: mask ^ (RNG.random(mask.shape) < 0.1) for name, mask in TRUTH.items()}


def scored(truth: dict[str, Mask], guess: dict[str, Mask]) -> pd.DataFrame:
    """Scores of one run whose two checkpoints predict the same."""
    return image_scores({"r": Predictions({}, truth, {"best_loss": guess, "best_iou": guess})})


def measured(name: str, truth: dict[str, Mask] = TRUTH, guess: dict[str, Mask] = GUESS) -> "pd.Series[float]":
    return run_scores(scored(truth, guess), DEFINITIONS[name]).iloc[0]


def pixels(masks: dict[str, Mask]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    return np.concatenate([mask.ravel() for mask in masks.values()])


@pytest.mark.parametrize(
    ("metric", "by"),
    [("iou", jaccard_score), ("f1", f1_score), ("precision", precision_score), ("recall", recall_score)],
)
@pytest.mark.parametrize(
    ("name", "average"), [("pooled", "binary"), ("two-class", "macro"), ("two-class-micro", "micro")]
)
def test_pooled_definitions_are_scikit_learns_averages(name: str, average: str, metric: str, by: object) -> None:
    expected = by(pixels(TRUTH), pixels(GUESS), average=average)  # type: ignore[operator]
    assert measured(name)[metric] == pytest.approx(expected, abs=1e-12)


def test_the_mean_over_images_is_that_of_scikit_learn_image_by_image() -> None:
    expected = np.mean([jaccard_score(TRUTH[stem].ravel(), GUESS[stem].ravel()) for stem in TRUTH])
    assert measured("image")["iou"] == pytest.approx(expected, abs=1e-12)


def test_smoothing_adds_one_above_and_below_in_every_image() -> None:
    truth, guess = (
        {"a": square(0, 0, 2, 8), "b": square(0, 0, 2, 8)},
        {"a": square(0, 0, 2, 8), "b": square(4, 4, 2, 8)},
    )
    assert measured("smoothed", truth, guess)["iou"] == pytest.approx((5 / 5 + 1 / 9) / 2)


@pytest.mark.parametrize("name", DEFINITIONS)
def test_the_values_of_images_have_the_runs_iou_as_their_mean(name: str) -> None:
    values = image_values(scored(TRUTH, GUESS), DEFINITIONS[name])
    assert values[:2].mean() == pytest.approx(measured(name)["iou"])


@pytest.mark.parametrize("name", DEFINITIONS)
def test_perfect_predictions_are_one_by_every_definition_empty_images_included(name: str) -> None:
    empty = {stem: np.zeros((4, 4), bool) for stem in "ab"}
    for masks in (TRUTH, empty):
        assert measured(name, masks, masks)[list(METRICS)].astype(float).tolist() == [1.0] * 5
        assert image_values(scored(masks, masks), DEFINITIONS[name]).tolist() == [1.0] * 4


def test_the_spread_of_pooled_contributions_is_that_of_the_jackknife() -> None:
    rng = np.random.default_rng(0)
    union = rng.integers(900, 1100, size=200)
    tp = (union * rng.uniform(0.9, 1.0, size=200)).astype(int)
    counts = pd.DataFrame({"run_id": "r", "checkpoint": "c", "tp": tp, "fp": union - tp, "fn": 0, "tn": 0})
    left_out = [np.delete(tp, i).sum() / np.delete(union, i).sum() for i in range(200)]
    values = image_values(counts, DEFINITIONS["pooled"])
    assert values.mean() == pytest.approx(tp.sum() / union.sum())
    assert values.std() / 200**0.5 == pytest.approx(np.sqrt(199 * np.var(left_out)), rel=0.01)


@pytest.mark.parametrize(
    ("masks", "iou"),
    [
        # 4² grows to 6² and shrinks to 2²: IoU 16/36 and 4/16; 8² to 10² and 6².
        ([square(4, 4, 4, 16)], (16 / 36 + 4 / 16) / 2),
        ([square(4, 4, 4, 32), square(4, 4, 8, 32)], ((16 + 64) / (36 + 100) + (4 + 36) / (16 + 64)) / 2),
        ([np.ones((8, 8), bool)], 1),
        ([np.zeros((8, 8), bool)], 1),
    ],
    ids=["one", "pooled over images", "nothing is lost at the edge", "empty"],
)
def test_one_pixel_costs_a_square_what_its_rim_weighs(masks: list[Mask], iou: float) -> None:
    assert one_pixel_iou(masks, DEFINITIONS["pooled"]) == pytest.approx(iou)


@pytest.mark.parametrize("name", DEFINITIONS)
def test_one_pixel_costs_what_the_definition_says(name: str) -> None:
    truth = {"a": square(4, 4, 4, 32), "b": square(4, 4, 8, 32)}
    grown = {"a": square(3, 3, 6, 32), "b": square(3, 3, 10, 32)}
    shrunk = {"a": square(5, 5, 2, 32), "b": square(5, 5, 6, 32)}
    ious = [measured(name, truth, off)["iou"] for off in (grown, shrunk)]
    assert one_pixel_iou(truth.values(), DEFINITIONS[name]) == pytest.approx(np.mean(ious))
