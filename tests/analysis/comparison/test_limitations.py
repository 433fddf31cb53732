import math
from typing import Any

import pandas as pd
import pytest
from scipy.stats import wilcoxon

from analysis.comparison import limitations
from analysis.comparison.masks import image_scores
from analysis.stats.evidence import Evidence
from analysis.stats.ranking import RankStability
from analysis.stats.selection import Optimism
from tests.analysis.studies import MODELS, predictions, run, square, study


@pytest.mark.parametrize("n", [2, 4, 6])
def test_the_smallest_p_is_that_of_an_exact_signed_rank_test_when_every_image_agrees(n: int) -> None:
    differences = [0.01 * (i + 1) for i in range(n)]
    expected = wilcoxon(differences, method="exact").pvalue
    assert f"two-sided p below {expected:.3g}" in (limitations.power(n) or "")


def test_four_images_cannot_make_a_difference_significant() -> None:
    assert "p below 0.125, so on these images alone no difference" in (limitations.power(4) or "")


def test_six_images_could() -> None:
    text = limitations.power(6) or ""
    assert "p below 0.0312" in text
    assert "no difference" not in text


def test_summaries_that_come_from_the_masks_agree() -> None:
    made = study()
    assert "8 of 8 runs agree" in limitations.agreement(made.runs, image_scores(made.predictions))


@pytest.mark.parametrize("key", ["test/iou", "best_loss/test_recall", "best_iou/test_f1"])
def test_a_summary_that_disagrees_with_its_masks_is_a_warning_that_names_the_run(key: str) -> None:
    predicted = {"good": predictions(1), "bad": predictions(2)}
    runs = pd.DataFrame([run(name, MODELS[2], p) for name, p in predicted.items()])
    runs.loc[runs["run_id"] == "bad", key] += 1e-4
    text = limitations.agreement(runs, image_scores(predicted))
    assert text.startswith("WARNING: summary and masks DISAGREE for 1 of 2 runs (bad by 0.0001)")


def test_runs_without_predictions_are_counted_as_unchecked() -> None:
    predicted = {"a": predictions(1)}
    runs = pd.DataFrame([run("a", MODELS[2], predicted["a"]), run("b", MODELS[2], predictions(1))])
    assert "1 of 2 runs agree" in limitations.agreement(runs, image_scores(predicted))
    assert "1 without a predictions artifact" in limitations.agreement(runs, image_scores(predicted))


def test_the_ceiling_counts_the_models_that_one_pixel_could_explain() -> None:
    # Squares of 16² become 18² and 14²: a pixel costs 0.222 on average.
    table = pd.DataFrame({"test_iou": [0.9, 0.7, 0.6]})
    text = limitations.ceiling(table, predictions(0).truth)
    assert text is not None
    assert "at 32×32 costs IoU 0.222; 2 of 3 models" in text


def test_without_a_known_number_of_images_nothing_is_said() -> None:
    assert limitations.power(0) is None


def test_one_model_has_a_ceiling_and_nothing_to_compare_it_with() -> None:
    text = limitations.ceiling(pd.DataFrame({"test_iou": [0.9]}), predictions(0).truth)
    assert text is not None
    assert text.endswith("costs IoU 0.222.")


def test_pictures_of_different_size_have_no_common_ceiling() -> None:
    sizes = {"a": square(0, 0, 4), "b": square(0, 0, 4, 64)}
    assert limitations.ceiling(pd.DataFrame({"test_iou": [0.9, 0.8]}), sizes) is None


def test_without_masks_there_is_no_ceiling() -> None:
    assert limitations.ceiling(pd.DataFrame({"test_iou": [0.9]}), {}) is None


def test_the_range_over_images_is_told() -> None:
    scores = pd.DataFrame({"run_id": ["r", "r", "r2", "r2"], "iou": [0.9, 0.8, 0.95, 0.75]})
    text = limitations.image_range(scores)
    assert text is not None
    assert "from 0.750 to 0.950" in text
    assert "0.150 apart" in text
    assert limitations.image_range(scores.iloc[:0]) is None


@pytest.mark.parametrize(
    ("n_runs", "words"), [([1, 1], "n = 1 run"), ([3, 3], "n = 3 runs"), ([2, 3], "n = 2 to 3")]
)
def test_the_number_of_runs_behind_the_rows_is_told(n_runs: list[int], words: str) -> None:
    assert words in limitations.repetition(pd.DataFrame({"n_runs": n_runs}))


def found(names: str = "ab", **fields: Any) -> Evidence:
    """Evidence on models a and b: a is better, p = 0.03, 4 images, 3 seeds."""
    models = pd.DataFrame(
        {"model": list(names), "n_seeds": 3, "stands_out": [True, *[False] * (len(names) - 1)]}
    )
    pairs = pd.DataFrame({"a": ["a"], "b": ["b"], "p_holm": [0.03]})
    known: dict[str, Any] = {
        **{"models": models, "pairs": pairs, "level": 0.95, "test": "a test", "smallest_p": 0.125},
        **{"interval_method": "a method", "coverage": 0.934, "n_images": 4, "n_splits": 1, "stability": None},
        "optimism": Optimism("a", 0.99, 0.004, 0.986, 2, 4),
    }
    return Evidence(**known | fields)


def test_bold_print_and_letters_say_what_they_rest_on() -> None:
    proof = limitations.proof(found(), None)
    assert proof[0] == (
        "Bold: better than each of the others at the 0.05 level; only a is. Models that share a letter cannot be told"
        " apart there: a test, 1 pair, Holm's correction, smallest corrected p 0.03."
    )
    assert proof[1].startswith(
        "n = 4 test images: an exact paired test over them cannot give a two-sided p below 0.125"
    )
    assert proof[2] == (
        "Intervals of IoU are 95% intervals by a method (3 seeds × 4 images); simulated at this n they hold the true"
        " mean in 93.4% of cases."
    )
    assert proof[3] == "Being the best of 2 flatters a by about 0.004: its IoU of 0.990 corrects to 0.986."
    assert len(proof) == 4


def test_where_nobody_wins_that_is_said() -> None:
    evidence = found()
    evidence.models["stands_out"] = False
    assert "at the 0.05 level; no model is." in limitations.proof(evidence, None)[0]


def test_several_splits_decide_and_both_intervals_are_explained() -> None:
    splits = found(n_splits=5, test="over splits", stability=RankStability(0.8, 0.7, 0.01, (0.9, 0.1)))
    proof = " ".join(limitations.proof(found(), splits))
    assert "over splits, 1 pair" in proof
    assert "(3 seeds × 4 images)" in proof
    assert "(5 splits, each of 3 seeds × 4 images)" in proof
    assert "The 5 splits agree on the order of the models with Kendall's W = 0.80" in proof


def test_luck_that_one_image_leaves_unknown_is_said_to_be() -> None:
    told = limitations.proof(found(optimism=Optimism("a", 0.99, math.nan, math.nan, 2, 1)), None)
    assert "How far being the best of 2 flatters a cannot be told from one image." in told


def test_one_model_has_intervals_and_nobody_to_beat() -> None:
    alone = found("a", pairs=pd.DataFrame(columns=["p_holm"]), optimism=None)
    assert [sentence.split()[0] for sentence in limitations.proof(alone, None)] == ["n", "Intervals"]
    assert limitations.proof(None, None) == ()
