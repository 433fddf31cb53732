import pandas as pd
import pytest
from scipy.stats import wilcoxon

from analysis import caveats
from analysis.masks import image_scores
from tests.analysis.studies import MODELS, predictions, run, study


@pytest.mark.parametrize("n", [2, 4, 6])
def test_the_smallest_p_is_that_of_an_exact_signed_rank_test_when_every_image_agrees(n: int) -> None:
    differences = [0.01 * (i + 1) for i in range(n)]
    assert caveats.smallest_p(n) == pytest.approx(wilcoxon(differences, method="exact").pvalue)


def test_one_image_proves_nothing() -> None:
    assert caveats.smallest_p(1) == 1


def test_four_images_cannot_make_a_difference_significant() -> None:
    assert "p below 0.125, so on these images no difference" in (caveats.power(4) or "")


def test_six_images_could() -> None:
    text = caveats.power(6) or ""
    assert "p below 0.0312" in text
    assert "no difference" not in text


def test_summaries_that_come_from_the_masks_agree() -> None:
    made = study()
    assert "8 of 8 runs agree" in caveats.agreement(made.runs, image_scores(made.predictions))


@pytest.mark.parametrize("key", ["test/iou", "best_loss/test_recall", "best_iou/test_f1"])
def test_a_summary_that_disagrees_with_its_masks_is_a_warning_that_names_the_run(key: str) -> None:
    predicted = {"good": predictions(1), "bad": predictions(2)}
    runs = pd.DataFrame([run(name, MODELS[2], p) for name, p in predicted.items()])
    runs.loc[runs["run_id"] == "bad", key] += 1e-4
    text = caveats.agreement(runs, image_scores(predicted))
    assert text.startswith("WARNING: summary and masks DISAGREE for 1 of 2 runs (bad by 0.0001)")


def test_runs_without_predictions_are_counted_as_unchecked() -> None:
    predicted = {"a": predictions(1)}
    runs = pd.DataFrame([run("a", MODELS[2], predicted["a"]), run("b", MODELS[2], predictions(1))])
    assert "1 of 2 runs agree" in caveats.agreement(runs, image_scores(predicted))
    assert "1 without a predictions artifact" in caveats.agreement(runs, image_scores(predicted))


def test_the_ceiling_counts_the_models_that_one_pixel_could_explain() -> None:
    # Squares of 16² become 18² and 14²: a pixel costs 0.222 on average.
    table = pd.DataFrame({"test_iou": [0.9, 0.7, 0.6]})
    text = caveats.ceiling(table, {"r": predictions(0)})
    assert text is not None
    assert "at 32×32 costs IoU 0.222; 2 of 3 models" in text


def test_without_a_known_number_of_images_nothing_is_said() -> None:
    assert caveats.power(0) is None


def test_one_model_has_a_ceiling_and_nothing_to_compare_it_with() -> None:
    text = caveats.ceiling(pd.DataFrame({"test_iou": [0.9]}), {"r": predictions(0)})
    assert text is not None
    assert text.endswith("costs IoU 0.222.")


def test_pictures_of_different_size_have_no_common_ceiling() -> None:
    sizes = {"r": predictions(0), "s": predictions(0, size=64)}
    assert caveats.ceiling(pd.DataFrame({"test_iou": [0.9, 0.8]}), sizes) is None


def test_without_masks_there_is_no_ceiling() -> None:
    assert caveats.ceiling(pd.DataFrame({"test_iou": [0.9]}), {}) is None


def test_the_range_over_images_is_that_of_the_tested_checkpoint() -> None:
    runs = pd.DataFrame({"run_id": ["r", "r2"], "test/rule": ["best_loss", "best_loss"]})
    scores = pd.DataFrame(
        {
            "run_id": ["r", "r", "r", "r2", "r2"],
            "checkpoint": ["best_loss", "best_loss", "best_iou", "best_loss", "best_loss"],
            "image": ["a", "b", "a", "a", "b"],
            "iou": [0.9, 0.8, 0.1, 0.95, 0.75],
        }
    )
    text = caveats.image_range(scores, runs)
    assert text is not None
    assert "from 0.750 to 0.950" in text
    assert "0.150 apart" in text


@pytest.mark.parametrize(
    ("n_runs", "words"), [([1, 1], "n = 1 run"), ([3, 3], "n = 3 runs"), ([2, 3], "n = 2 to 3")]
)
def test_the_number_of_runs_behind_the_rows_is_told(n_runs: list[int], words: str) -> None:
    assert words in caveats.repetition(pd.DataFrame({"n_runs": n_runs}))
