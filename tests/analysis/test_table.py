import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from analysis.comparison import compare
from analysis.masks import METRICS
from analysis.table import markdown, terminal, write
from tests.analysis.studies import MODELS, predictions, run, study


def test_the_eight_models_are_eight_rows_best_first() -> None:
    table = compare(study()).table
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
        "run_ids",
        *(f"test_{name}" for name in METRICS),
    ]
    assert list(compare(study()).table.columns[: len(expected)]) == expected


def test_smp_models_are_tested_by_loss_and_the_two_u_nets_by_iou() -> None:
    rules = compare(study()).table.groupby("backbone")["rule"].unique()
    assert rules["none"].tolist() == ["best_iou"]
    assert rules["resnet18"].tolist() == ["best_loss"]


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
    rows = [run(f"r{i}", MODELS[2], predictions(1), image_size=size) for i, size in enumerate((128, 256))]
    table = compare(replace(study(), runs=pd.DataFrame(rows))).table
    assert sorted(table["image_size"]) == [128, 256]


@pytest.mark.parametrize("seeds", [1, 3])
def test_the_terminal_shows_every_model_in_at_most_100_columns(seeds: int) -> None:
    text = terminal(compare(study(seeds)))
    assert max(map(len, text.splitlines())) <= 100
    assert re.search(
        rf"^ DeepLabV3\+ / tf_efficientnet_lite0, ImageNet +{seeds} +0\.391 ", text, re.MULTILINE
    )
    assert ("± sd" in text) == (seeds > 1)


def test_a_label_too_long_for_the_terminal_is_broken_and_not_cut() -> None:
    fields = {"augmentation": "medium", "image_size": 512}
    rows = [run("a", MODELS[-1], predictions(1), **fields), run("b", MODELS[-1], predictions(1))]
    text = terminal(compare(replace(study(2), runs=pd.DataFrame(rows))))
    assert max(map(len, text.splitlines())) <= 100
    assert "medium" in text
    assert "512 px" in text


def test_the_files_are_a_csv_that_reads_back_and_a_markdown_with_every_note(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = replace(study(), remarks=("1 of 9 runs are left out: 1 failed (zz).",))
    assert write(made, tmp_path, "python -m analysis lab/puzzle") == [
        tmp_path / "comparison.csv",
        tmp_path / "comparison.md",
    ]
    table = pd.read_csv(tmp_path / "comparison.csv", keep_default_na=False)
    assert table["weights"].tolist().count("none") == 6
    text = (tmp_path / "comparison.md").read_text()
    for note in (
        *compare(made).notes,
        "1 failed (zz)",
        "`python -m analysis lab/puzzle`",
        "overfits after epoch 12",
    ):
        assert note in text
    assert "1 failed (zz)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("model", "expected"), [(MODELS[0], "r0s2 r0s1 r0s0"), (MODELS[2], "r0s1 r0s2 r0s0")]
)
def test_a_row_names_its_runs_best_in_validation_by_its_rule_first(
    model: tuple[str, str, str], expected: str
) -> None:
    made = study(seeds=3, models=[model])
    made.runs["val/iou"] = [0.7, 0.8, 0.9]
    made.runs["val/loss"] = [0.3, 0.1, 0.2]
    made.runs["test/iou"] = [0.9, 0.8, 0.7]
    assert compare(made).table["run_ids"].tolist() == [expected]


@pytest.mark.parametrize(("seeds", "words"), [(1, ""), (3, ", of its 3 runs the best in validation")])
def test_the_page_says_how_to_get_the_checkpoints_of_the_best_row(seeds: int, words: str) -> None:
    page = markdown(compare(study(seeds)), "c")
    command = "`wandb artifact get lab/puzzle/model-r0s0:best`"
    assert f"Checkpoints of the best row (U-Net, transposed{words}): {command}" in page


def test_markdown_tables_have_as_many_cells_in_every_line_as_in_their_heading() -> None:
    lines = [line for line in markdown(compare(study(3)), "c").splitlines() if line.startswith("|")]
    assert len(lines) == 2 * (2 + 8)
    assert {line.count("|") for line in lines[:10]} == {lines[0].count("|")}
    assert {line.count("|") for line in lines[10:]} == {lines[10].count("|")}


def test_a_study_without_predictions_or_curves_still_makes_a_table() -> None:
    made = study()
    comparison = compare(replace(made, predictions={}, history=made.history.iloc[:0]))
    assert len(comparison.table) == 8
    assert set(comparison.table["overfitting"]) == {"cannot tell: no curves"}
    assert "8 without a predictions artifact" in " ".join(comparison.notes)
    assert "n = 4 test images" in " ".join(comparison.notes)
