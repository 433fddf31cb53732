"""What stands first and last, where models are tested by two rules, were trained once, or collapsed."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from analysis.comparison.advice import longer_advice, more_seeds
from analysis.comparison.answer import answers, curve_sentences, keep_in_mind
from analysis.comparison.comparison import compare
from analysis.tables.sheets import curve_sheet, sheets
from tests.analysis.studies import MODELS, noisy, numbers, study


def test_of_models_trained_once_the_answer_says_so_with_the_next_and_the_images() -> None:
    first, second, *_ = answers(compare(study(models=MODELS[2:4])))
    assert "single try" in first
    assert first.index("U-Net / resnet18") < first.index("U-Net / mobilenet_v2")
    assert numbers(first) == [2, 1.0, 4, 0.882]
    assert "may change" in second


def test_what_one_rule_for_all_would_say_is_told_where_there_are_two() -> None:
    made = study(models=[MODELS[0], MODELS[2]])
    values = {"r0s0": (0.90, 0.94), "r1s0": (0.92, 0.91)}  # by loss, by IoU; tested by IoU and by loss
    for row, run_id in enumerate(made.runs["run_id"]):
        for rule, value in zip(("best_loss", "best_iou"), values[run_id], strict=True):
            made.runs.loc[row, f"{rule}/test_iou"] = value
            if rule == made.runs["test/rule"][row]:
                made.runs.loc[row, "test/iou"] = value
    by_one = answers(compare(made))[-1]
    assert "U-Net / resnet18 would lead by 0.020" in by_one
    assert numbers(by_one) == [0.02, 0.03]
    assert len(answers(compare(study(models=MODELS[2:4])))) == 2


def test_a_lead_that_is_not_of_the_means_of_the_verdicts_is_not_told() -> None:
    """The own split's rows beside verdicts over re-splits."""
    made = noisy(models=2, folds=(0, 1, 2))
    loss = made.runs["run_id"].str.startswith("m0")
    made.runs["test/rule"] = ["best_loss" if each else "best_iou" for each in loss]
    made.runs["best_iou/test_iou"] += 0.03
    own = replace(made, runs=made.runs[made.runs["fold"] == 0].reset_index(drop=True))
    told = [[each for each in answers(compare(study)) if "would lead" in each] for study in (own, made)]
    assert [len(each) for each in told] == [1, 0]


def test_validation_values_and_the_tested_epoch_in_one_row_are_of_one_epoch() -> None:
    made = study(models=MODELS[2:3])
    made.runs["best_loss/epoch"] = 5
    row = compare(made).table.iloc[0]
    (epoch,) = made.history[made.history["epoch"] == 5].to_dict("records")
    assert (row["best_epoch"], row["tested_val_loss"], row["tested_val_iou"]) == (
        5,
        pytest.approx(epoch["val/loss"]),
        pytest.approx(epoch["val/iou"]),
    )


@pytest.mark.parametrize("seeds", [1, 3])
def test_captions_explain_columns_that_are_there_and_no_others(seeds: int) -> None:
    for sheet in sheets(compare(noisy(seeds=seeds))):
        words = [part.split(": ")[0] for part in sheet.caption.partition(". ")[2].split("; ")]
        named = {word.lower() for word in words}
        for column in ("verdict", "difference", "IoU over splits", "IoU over runs", "ms per image", "interval"):
            assert column in sheet.columns or column.lower() not in named
    assert "training again is not in it" in sheets(compare(noisy(seeds=1)))[0].caption
    assert "over seeds and images" in sheets(compare(noisy(seeds=3)))[0].caption


def test_a_collapse_is_told_with_the_epoch_that_is_tested() -> None:
    made = study(models=MODELS[2:4])
    made.history.loc[(made.history["run_id"] == "r1s0") & (made.history["epoch"] == 20), "val/iou"] = 0.2
    best = made.history["val/iou"].max()
    told = curve_sentences(compare(made))
    assert numbers(told[0]) == [3, 1]
    (collapse,) = (line for line in told if line.startswith("U-Net / mobilenet_v2: "))
    assert numbers(collapse) == [round(best, 3), 0.2, 20, 20, 12]


def test_the_figures_of_the_curves_have_a_row_per_model() -> None:
    sheet = curve_sheet(compare(study(seeds=2, models=MODELS[2:4])))
    assert sheet is not None
    assert sheet.columns["lowest val loss at"] == ["12", "12"]
    assert numbers(sheet.caption) == [20]
    bare = study(models=MODELS[2:4])
    assert curve_sheet(compare(bare.__class__(bare.runs, bare.history.iloc[:0], bare.scores, bare.predictions))) is None


def test_runs_that_became_nan_are_none_that_a_verdict_on_overfitting_counts() -> None:
    """The sentence asked for 3 runs and said that there were 3; an end in NaN had counted as one in falling loss."""
    made = noisy(seeds=3, models=2)
    lost = made.history["run_id"].isin(["m0f0s0", "m0f0s1"]) & (made.history["epoch"] > 8)
    made.history.loc[lost, ["train/loss", "val/loss"]] = np.nan
    comparison = compare(made)
    (sentence,) = (line for line in curve_sentences(comparison) if line.startswith("Whether "))
    assert numbers(sentence)[-2:] == [3, 1]
    assert set(comparison.curves["epochs"]) == {20}
    assert longer_advice(comparison) == []


def test_one_epoch_is_no_reason_to_train_longer() -> None:
    made = noisy(seeds=1, models=2)
    one = replace(made, history=made.history[made.history["epoch"] == 1])
    assert longer_advice(compare(one)) == []


def test_a_check_that_was_passed_is_the_last_note() -> None:
    notes = keep_in_mind(compare(noisy()))
    assert notes[-1].startswith("Check passed: ")
    assert np.sum([note.startswith("Check passed") for note in notes]) == 1


@pytest.mark.parametrize(
    ("models", "runs"), [(2, "a new study of 10 runs, about"), (3, "a new study of 15 runs, more than")]
)
def test_the_price_of_more_seeds_counts_the_models_of_the_sweep_that_have_no_run(models: int, runs: str) -> None:
    parameters: dict[str, Any] = {"epochs": {"value": 1}, "image_size": {"value": 32}, "seed": {"values": [1, 2, 3]}}
    parameters["model"] = {"values": [f"m{i}" for i in range(models)]}
    made = replace(noisy(models=2), sweeps={"a/b/c": {"method": "grid", "parameters": parameters}})
    made.runs["seconds_train"] = 60.0
    assert runs in more_seeds(compare(made), 5)
