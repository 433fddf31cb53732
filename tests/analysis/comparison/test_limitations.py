import re

import numpy as np
import pandas as pd
import pytest

from analysis.comparison import limitations
from analysis.comparison.advice import ceiling_advice
from analysis.comparison.comparison import compare
from analysis.comparison.definitions import DEFINITIONS, one_pixel_iou
from analysis.comparison.rows import image_means
from analysis.figures.intervals import intervals_figure
from analysis.pull.masks import Mask, image_scores
from tests.analysis.studies import MODELS, noisy, numbers, predictions, run, square, study


def test_summaries_that_come_from_the_masks_agree() -> None:
    made = study()
    agree, text = limitations.agreement(made.runs, image_scores(made.predictions))
    assert agree
    assert "8 of 8 runs agree" in text


@pytest.mark.parametrize("key", ["test/iou", "best_loss/test_recall", "best_iou/test_f1"])
def test_a_summary_that_disagrees_with_its_masks_is_a_warning_that_names_the_run(key: str) -> None:
    predicted = {"good": predictions(1), "bad": predictions(2)}
    runs = pd.DataFrame([run(name, MODELS[2], p) for name, p in predicted.items()])
    runs.loc[runs["run_id"] == "bad", key] += 1e-4
    agree, text = limitations.agreement(runs, image_scores(predicted))
    assert not agree
    assert "(bad by 0.0001)" in text


def test_runs_without_predictions_are_counted_as_unchecked() -> None:
    predicted = {"a": predictions(1)}
    runs = pd.DataFrame([run("a", MODELS[2], predicted["a"]), run("b", MODELS[2], predictions(1))])
    agree, text = limitations.agreement(runs, image_scores(predicted))
    assert agree
    assert "1 of 2 runs agree" in text
    assert "1 without a predictions artifact" in text


@pytest.mark.parametrize("ious", [[0.9], [0.9, 0.7, 0.6]])
def test_the_ceiling_is_told_for_pixels_of_photographs_and_of_what_models_see(ious: list[float]) -> None:
    # Squares of 16² become 18² and 14²: a pixel costs 0.222 on average; seen at half the size, 8² become 10² and 6².
    table, runs = pd.DataFrame({"test_iou": ious}), pd.DataFrame({"image_size": [16]})
    text = limitations.ceiling(table, predictions(0).truth, runs, DEFINITIONS["pooled"])
    assert numbers(text) == [0.778, 32, 32, 16, 16, 0.601, 0.9]
    for sides in ([32], [16, 32], []):
        sized = pd.DataFrame({"image_size": sides})
        told = limitations.ceiling(table, predictions(0).truth, sized, DEFINITIONS["pooled"])
        assert numbers(told) == [0.778, 32, 32, 0.9]


@pytest.mark.parametrize("truth", [{"a": square(0, 0, 4), "b": square(0, 0, 4, 64)}, {}], ids=["two sizes", "none"])
def test_pictures_of_different_size_have_no_common_ceiling(truth: dict[str, Mask]) -> None:
    table = pd.DataFrame({"test_iou": [0.9, 0.8]})
    assert limitations.ceiling(table, truth, pd.DataFrame(), DEFINITIONS["pooled"]) is None


@pytest.mark.parametrize("name", ["pooled", "two-class-micro"])
def test_the_ceiling_is_by_the_definition_of_the_table_in_note_advice_and_figure(name: str) -> None:
    """The pooled IoU of the foreground stood beside a best model's value by another definition."""
    made = noisy(gap=0.2)
    comparison = compare(made, name)
    off = one_pixel_iou(next(iter(made.predictions.values())).truth.values(), DEFINITIONS[name])
    assert any(f"has IoU {off:.3f} at 32×32; the best model has " in note for note in comparison.notes)
    figure = intervals_figure(comparison, made.predictions, "")
    assert [off] * 2 in [list(np.asarray(line.get_xdata(), float)) for line in figure.axes[0].lines]
    for best, there in ((off - 1e-6, False), (off + 1e-6, True)):
        told = ceiling_advice(pd.DataFrame({"test_iou": [best]}), predictions(0).truth, DEFINITIONS[name])
        assert bool(told) == there


def test_the_range_over_images_is_told() -> None:
    runs = {"run_id": ["r", "r", "r2", "r2"], "model": ["m", "m", "m2", "m2"]}
    scores = pd.DataFrame(runs | {"iou": [0.9, 0.8, 0.95, 0.75], "image": [*"abab"]})
    text = limitations.image_range(scores, pd.Series({"worst_image": "b"}))
    assert str(text).startswith("Hardest test image: b, ")
    assert numbers(text) == [0.775, 2, 2, 2, 0.75, 0.95, 0.15]
    other = limitations.image_range(scores, pd.Series({"worst_image": "a"}))
    assert "model it is a." in str(other)
    assert limitations.image_range(scores.iloc[:0], pd.Series()) is None


def test_where_all_images_of_every_run_are_equal_none_is_the_hardest() -> None:
    scores = pd.DataFrame({"run_id": ["r", "r"], "model": "m", "iou": 1.0, "image": [*"ab"]})
    assert limitations.image_range(scores, pd.Series({"worst_image": "a"})) is None


def test_the_hardest_image_is_the_one_that_the_figure_names_where_models_have_unlike_numbers_of_runs() -> None:
    """Three runs of one model fail at a by little, the other model at b by much."""
    names = [(f"m{i}", "m") for i in range(3)] + [("n0", "n")]
    rows = [(run, model, image) for run, model in names for image in "ab"]
    scores = pd.DataFrame(rows, columns=["run_id", "model", "image"]).assign(iou=[0.9, 0.91] * 3 + [0.9, 0.5])
    assert image_means(scores)["image"].tolist() == ["b", "a"]
    text = limitations.image_range(scores, pd.Series({"worst_image": "a"}))
    assert "Hardest test image: b, mean IoU 0.705 over 2 models, the lowest in 1 of 4 runs; " in str(text)


def test_the_hardest_image_is_counted_among_the_runs_that_were_tested_on_it() -> None:
    made = noisy(folds=(1, 2))
    scores = compare(made).tested
    text = str(limitations.image_range(scores, pd.Series({"worst_image": "image-1-0"})))
    assert re.search(r"the lowest in \d of 9 runs that were tested on it", text)


@pytest.mark.parametrize(("n_runs", "words"), [([1], "n = 1 run"), ([3, 3], "n = 3 runs"), ([2, 3], "n = 2 to 3")])
def test_the_number_of_runs_behind_the_rows_is_told(n_runs: list[int], words: str) -> None:
    assert words in str(limitations.repetition(pd.DataFrame({"n_runs": n_runs})))
