import re
from dataclasses import replace
from functools import cache
from html import unescape
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis import AnalysisError
from analysis.comparison.comparison import Comparison, compare
from analysis.comparison.definitions import DEFINITIONS
from analysis.pull.masks import Predictions, image_scores
from analysis.pull.study import Study
from analysis.table import markdown, terminal, write
from analysis.tables.formats import tex
from analysis.tables.sheets import sheets
from common.keys import METRICS, RULES
from tests.analysis.studies import MODELS, history, noisy, predictions, run, seen, square, study


@cache
def compared(seeds: int = 1) -> Comparison:
    """The comparison of the eight models."""
    return compare(study(seeds))


@cache
def unsure() -> Comparison:
    """Three models of which two are too close to be told apart."""
    return compare(noisy(models=3, gap=0.0005))


def test_the_eight_models_are_eight_rows_best_first() -> None:
    table = compared().table
    assert len(table) == 8
    assert table["test_iou"].is_monotonic_decreasing
    assert table["model"].iloc[0] == "U-Net, transposed"


def test_the_row_holds_what_the_lab_asks_for() -> None:
    expected = [
        "model",
        "architecture",
        "backbone",
        "weights",
        "rule",
        "n_runs",
        "n_seeds",
        "n_splits",
        "run_ids",
        *(f"test_{name}" for name in METRICS),
    ]
    assert list(compared().table.columns[: len(expected)]) == expected


def test_a_row_is_the_mean_of_its_runs_and_shows_their_spread() -> None:
    made = study(seeds=2, models=[MODELS[2]])
    made.runs["test/iou"] = [0.90, 0.94]
    row = compare(made).table.iloc[0]
    assert row["n_runs"] == 2
    assert row["test_iou"] == pytest.approx(0.92)
    assert (row["test_iou_min"], row["test_iou_max"]) == (0.90, 0.94)
    assert row["test_iou_sd"] == pytest.approx(0.02 * 2**0.5)


def test_the_other_rule_stands_beside_the_labs() -> None:
    row = compare(study(models=[MODELS[2]])).table.iloc[0]
    # One pixel down as well: 15² of 16² left, 2·256 − 225 in the union.
    assert row["other_rule_test_iou"] == pytest.approx(16 * 15 / (2 * 256 - 16 * 15))
    assert row["test_iou"] == 1


def test_image_sizes_that_vary_become_a_column() -> None:
    rows = [run(f"r{i}s0", MODELS[2], predictions(1), image_size=size) for i, size in enumerate((128, 256))]
    table = compare(replace(study(), runs=pd.DataFrame(rows))).table
    assert sorted(table["image_size"]) == [128, 256]


@pytest.mark.parametrize("seeds", [1, 3])
def test_the_terminal_shows_every_model_in_at_most_100_columns(seeds: int) -> None:
    text = terminal(compared(seeds))
    assert max(map(len, text.splitlines())) <= 100
    assert re.search(rf"^ DeepLabV3\+ / tf_efficientnet_lite0, (ImageNet)? +{seeds} +loss +0\.391 ", text, re.MULTILINE)


def test_a_label_too_long_for_the_terminal_is_broken_and_not_cut() -> None:
    fields = {"augmentation": "medium", "image_size": 512}
    rows = [run("r0s0", MODELS[-1], predictions(1), **fields), run("r0s1", MODELS[-1], predictions(1))]
    text = terminal(compare(replace(study(2), runs=pd.DataFrame(rows))))
    assert max(map(len, text.splitlines())) <= 100
    assert "medium" in text
    assert "512 px" in text


def test_the_files_are_a_csv_that_reads_back_and_pages_with_every_note(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = replace(study(models=MODELS[:2]), remarks=("1 of 9 runs are left out: 1 failed (zz).",))
    comparison = compare(made)
    files = write(made, comparison, tmp_path, "python -m analysis lab/puzzle")
    names = [*(f"comparison.{ending}" for ending in ("csv", "md", "tex", "html")), "overfitting.csv"]
    assert [file.name for file in files] == names
    assert pd.read_csv(files[-1])["val_loss_epoch"].tolist() == [12, 12]
    table = pd.read_csv(files[0], keep_default_na=False)
    assert table["weights"].tolist() == ["none"] * 2
    for file in files[1:4]:
        text = unescape(file.read_text())
        for note in (*comparison.notes, "1 failed (zz)"):
            assert (tex(note) if file.suffix == ".tex" else note) in text
        assert "python -m analysis lab/puzzle" in text
    assert "Whether any model overfits cannot be told" in files[1].read_text()
    assert "1 failed (zz)" in capsys.readouterr().out


@pytest.mark.parametrize(("model", "expected"), [(MODELS[0], "r0s2 r0s1 r0s0"), (MODELS[2], "r0s1 r0s2 r0s0")])
def test_a_row_names_its_runs_best_in_validation_by_its_rule_first(model: tuple[str, str, str], expected: str) -> None:
    made = study(seeds=3, models=[model])
    made.runs["val/iou"] = [0.7, 0.8, 0.9]
    made.runs["val/loss"] = [0.3, 0.1, 0.2]
    made.runs["test/iou"] = [0.9, 0.8, 0.7]
    assert compare(made).table["run_ids"].tolist() == [expected]


@pytest.mark.parametrize(("seeds", "words"), [(1, "U-Net, transposed)"), (3, "U-Net, transposed, of its 3 runs")])
def test_the_page_says_how_to_get_the_checkpoints_of_the_best_row(seeds: int, words: str) -> None:
    page = markdown(compared(seeds), "c")
    (line,) = [line for line in page.splitlines() if "`wandb artifact get lab/puzzle/model-r0s0:best`" in line]
    assert f"best row ({words}" in line


def test_a_study_without_predictions_or_curves_still_makes_a_table() -> None:
    made = study()
    comparison = compare(replace(seen(made, {}), history=made.history.iloc[:0]))
    assert len(comparison.table) == 8
    assert set(comparison.table["overfitting"].astype(str)) == {"cannot tell: no curves"}
    assert comparison.table["verdict"].isna().all()
    assert "8" in markdown(comparison, "c")
    assert "8 without a predictions artifact" in comparison.check
    assert any(note.startswith("No verdict: ") for note in comparison.notes)


def test_bold_is_what_is_proven_the_best_and_nothing_else() -> None:
    sure = compare(noisy())
    assert sure.table["verdict"].tolist() == ["best", "worse", "worse"]
    assert f"**{sure.table['model'][0]}**" in markdown(sure, "c")
    close = unsure()
    assert "best" not in set(close.table["verdict"])
    assert "**" not in markdown(close, "c").split("## ")[0]


def test_intervals_hold_their_mean_and_are_those_of_the_runs_and_images() -> None:
    table = unsure().table
    assert (table["test_iou_low"] < table["test_iou"]).all()
    assert (table["test_iou"] < table["test_iou_high"]).all()
    assert table["n_seeds"].tolist() == [3, 3, 3]


def test_other_splits_stand_beside_the_rows_and_do_not_enter_them() -> None:
    alone, more = noisy(2, (0,), models=2), noisy(2, (0, 1, 2), models=2)
    one, several = compare(alone), compare(more)
    own = more.runs[more.runs["fold"] == 0].groupby(more.runs["backbone"])["test/iou"].mean()
    assert several.table.set_index("backbone")["test_iou"].to_dict() == pytest.approx(own.to_dict())
    means = more.runs.groupby(["backbone", "fold"])["test/iou"].mean().groupby("backbone").mean()
    assert several.table.set_index("backbone")["resplit_iou"].to_dict() == pytest.approx(means.to_dict())
    assert several.table["n_resplits"].tolist() == [3, 3]
    assert one.table["resplit_iou"].isna().all()
    assert several.own_evidence is not None
    assert one.own_evidence is None
    assert "IoU over splits" in markdown(several, "c")


def test_a_model_without_runs_on_the_own_split_makes_rows_means_over_all_splits() -> None:
    made = noisy(2, (0, 1), models=2)
    runs = made.runs[(made.runs["fold"] == 1) | (made.runs["backbone"] == "resnet18")]
    comparison = compare(replace(made, runs=runs.reset_index(drop=True)))
    assert "means over 1 to 2 splits" in " ".join(comparison.notes)


def test_runs_that_repeat_a_seed_count_once_and_that_is_said() -> None:
    made = study(seeds=2, models=MODELS[:1])
    made.runs["seed"] = 1
    comparison = compare(made)
    assert comparison.table["run_ids"].tolist() == ["r0s1"]
    assert any(note.startswith("1 of 2 runs repeat ") for note in comparison.notes)


@pytest.mark.parametrize(("definition", "expected"), [("pooled", 0.5), ("two-class-micro", 56 / 72)])
def test_another_definition_measures_anew_from_the_masks(definition: str, expected: float) -> None:
    # Foreground 16 of 64 pixels, half of it found.
    found = square(0, 0, 4, 8) & (np.arange(8) < 2)
    masks = Predictions({}, {"a": square(0, 0, 4, 8)}, {rule: {"a": found} for rule in RULES})
    made = Study(pd.DataFrame([run("r", MODELS[2], masks)]), history("r"), image_scores({"r": masks}), {"r": masks})
    comparison = compare(made, definition)
    assert comparison.table["test_iou"].tolist() == pytest.approx([expected])
    assert comparison.table["image_mean_iou"].tolist() == [0.5]
    assert DEFINITIONS[definition].text in " ".join(comparison.notes)


def test_without_masks_no_other_definition_can_be_had() -> None:
    made = study(models=MODELS[:1])
    with pytest.raises(AnalysisError, match="No run has a predictions artifact"):
        compare(replace(made, scores=made.scores.iloc[:0]), "image")


def test_costs_are_means_over_runs_and_older_runs_leave_them_empty() -> None:
    made = study(seeds=2, models=MODELS[:1])
    assert compare(made).table[["n_macs", "seconds_per_image", "n_bn_repaired", "device"]].isna().all(axis=None)
    made.runs["n_macs"], made.runs["seconds/per_image"] = 2_500_000_000, [0.01, 0.03]
    made.runs["bn_repaired"], made.runs["device"] = [True, False], ["cpu", "cuda: A"]
    comparison = compare(made)
    row = comparison.table.iloc[0]
    assert (row["seconds_per_image"], row["n_bn_repaired"], row["device"]) == (pytest.approx(0.02), 1, "cpu, cuda: A")
    assert sheets(comparison)[-1].columns["BatchNorm repaired"] == ["1 of 2"]
    assert sheets(comparison)[-1].columns["MACs per image, G"] == ["2.50"]
    assert sheets(comparison)[-1].columns["ms per image"] == ["20.0"]


def test_the_choice_of_the_rule_costs_what_the_other_checkpoint_has_more() -> None:
    row = compared().table.iloc[0]
    assert row["rule_cost"] == pytest.approx(row["other_rule_test_iou"] - row["test_iou"])
    assert row["rule_cost"] > 0


def test_what_augmentation_did_to_overfitting_stands_under_the_curves(tmp_path: Path) -> None:
    made = study(seeds=2, models=[MODELS[2], MODELS[2]])
    made.runs["augmentation"] = ["light", "light", "strong", "strong"]
    comparison = compare(made)
    (effect,) = comparison.effects
    assert effect.startswith("U-Net / resnet18: cannot tell ")
    assert effect in markdown(comparison, "c")
