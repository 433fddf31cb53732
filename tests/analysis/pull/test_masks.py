import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, jaccard_score, precision_score, recall_score

from analysis.pull.masks import Mask, Predictions, boundary_iou, image_scores, pool_scores, rim
from common.keys import METRICS
from tests.analysis.studies import square


def reference(truth: Mask, prediction: Mask) -> list[float]:
    """The five metrics by scikit-learn, in the order of METRICS; 0/0 is 1 only if both masks are empty."""
    y, z = truth.ravel(), prediction.ravel()
    empty = 0.0 if truth.any() or prediction.any() else 1.0
    ratios = [score(y, z, zero_division=empty) for score in (precision_score, recall_score, f1_score, jaccard_score)]
    return [accuracy_score(y, z), *ratios]


def one_run(truth: Mask, prediction: Mask) -> Predictions:
    image = np.zeros((*truth.shape, 3), np.uint8)
    return Predictions({"a": image}, {"a": truth}, {"best_loss": {"a": prediction}})


EMPTY, FULL = np.zeros((6, 7), bool), np.ones((6, 7), bool)
RANDOM = [np.random.default_rng(seed).random((6, 7)) < 0.4 for seed in range(6)]


@pytest.mark.parametrize(
    ("truth", "prediction"),
    [
        *zip(RANDOM[:3], RANDOM[3:], strict=True),
        *((EMPTY, EMPTY), (EMPTY, FULL), (FULL, EMPTY), (FULL, FULL), (RANDOM[0], EMPTY), (EMPTY, RANDOM[0])),
    ],
)
def test_metrics_are_those_of_scikit_learn_degenerate_masks_included(truth: Mask, prediction: Mask) -> None:
    row = image_scores({"r": one_run(truth, prediction)}).iloc[0]
    np.testing.assert_allclose(row[list(METRICS)].astype(float), reference(truth, prediction), atol=1e-12)


def test_scores_have_one_row_per_run_checkpoint_and_image() -> None:
    truth = {"a": square(0, 0, 4, 8), "b": square(2, 2, 3, 8)}
    images = {stem: np.zeros((8, 8, 3), np.uint8) for stem in truth}
    run = Predictions(images, truth, {"best_loss": truth, "best_iou": truth})
    scores = image_scores({"r1": run, "r2": run})
    assert scores[["run_id", "checkpoint", "image"]].drop_duplicates().shape == (8, 3)


def test_pooled_metrics_add_counts_before_they_divide() -> None:
    truth = {"small": square(0, 0, 1, 8), "large": square(0, 0, 4, 8)}
    masks = {"small": square(5, 5, 1, 8), "large": square(0, 0, 4, 8)}
    run = Predictions({}, truth, {"best_iou": masks})
    pooled = pool_scores(image_scores({"r": run})).iloc[0]
    assert pooled["iou"] == pytest.approx(16 / 18)
    assert pooled["accuracy"] == pytest.approx(126 / 128)


def test_no_predictions_give_an_empty_table_with_all_columns() -> None:
    scores = image_scores({})
    assert scores.empty
    assert {"run_id", "checkpoint", "image", *METRICS} <= set(scores)


def by_brute_force(mask: Mask, width: int) -> Mask:
    """The foreground pixels with background, or the outside, no more than `width` king's moves away."""
    padded = np.pad(mask, width)
    found = np.zeros_like(mask)
    for y, x in zip(*np.nonzero(mask), strict=True):
        found[y, x] = not padded[y : y + 2 * width + 1, x : x + 2 * width + 1].all()
    return found


@pytest.mark.parametrize("seed", range(3))
def test_the_rim_is_what_brute_force_finds(seed: int) -> None:
    mask = np.random.default_rng(seed).random((70, 90)) < 0.995
    # 0.02 · hypot(70, 90) = 2.28: two pixels.
    np.testing.assert_array_equal(rim(mask), by_brute_force(mask, 2))


def test_boundary_iou_of_shifted_squares_is_counted_by_hand() -> None:
    # 32² pictures: a rim of one pixel. Of the 28 rim pixels of an 8² square one column off, the upper and lower rows
    # share 7 each; the vertical sides lie on other columns, where only the rows' own ends are rim.
    assert boundary_iou(square(4, 4, 8), square(4, 5, 8)) == pytest.approx(14 / (28 + 28 - 14))


def test_boundary_iou_punishes_a_pixel_of_a_large_object_more_than_iou_does() -> None:
    large, small = (boundary_iou(square(4, 4, side, 64), square(4, 5, side, 64)) for side in (40, 8))
    assert large < 40 * 39 / (40 * 41)
    assert abs(large - small) < 0.2


def test_boundary_iou_of_equal_empty_and_missed_masks() -> None:
    assert boundary_iou(FULL, FULL) == boundary_iou(EMPTY, EMPTY) == 1
    assert boundary_iou(FULL, EMPTY) == 0
