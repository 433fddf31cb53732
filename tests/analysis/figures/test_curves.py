import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image

from analysis import AnalysisError
from analysis.comparison.comparison import compare
from analysis.figures import curves
from analysis.figures.curves import COLOURS, MARKS, block_tops, curves_figure, draw_curves, mark_best, title
from analysis.figures.files import write
from analysis.figures.intervals import draw_intervals, intervals_figure
from analysis.figures.mask_grid import COLOURS as ERRORS
from analysis.notebooks import show
from tests.analysis.studies import MODELS, history, noisy, numbers, run, seen, study


@pytest.fixture
def axes() -> Axes:
    return Figure().add_subplot()


def visible_panels(figure: Figure) -> list[Axes]:
    return [axes for axes in figure.axes if axes.get_visible()]


def test_one_run_is_one_line_per_split_in_its_colour(axes: Axes) -> None:
    drawn = history("r")
    draw_curves(axes, drawn, "loss")
    assert [line.get_color() for line in axes.lines] == [COLOURS["train"], COLOURS["val"]]
    np.testing.assert_allclose(np.asarray(axes.lines[1].get_ydata(), float), drawn["val/loss"])


def test_several_runs_are_their_mean_in_a_band_from_lowest_to_highest(axes: Axes) -> None:
    low, high = history("a"), history("b", noise=0.2)
    draw_curves(axes, pd.concat([low, high]), "loss")
    _, val = axes.lines
    np.testing.assert_allclose(np.asarray(val.get_ydata(), float), history("a", noise=0.1)["val/loss"])
    assert len(axes.collections) == 2
    heights = np.asarray(axes.collections[1].get_paths()[0].vertices)[:, 1]
    assert heights.min() == pytest.approx(low["val/loss"].min())
    assert heights.max() == pytest.approx(high["val/loss"].max())


def test_the_line_is_the_mean_of_the_losses_in_every_panel_of_the_logarithmic_axis() -> None:
    """Losses of three runs far apart: their mean is not that of their logarithms."""
    made = study(seeds=3, models=MODELS[2:5])
    for seed, factor in enumerate((1, 10, 100)):
        made.history.loc[made.history["run_id"].str.endswith(f"s{seed}"), "val/loss"] *= factor
    panels = visible_panels(curves_figure(compare(made), made.history, "command"))[::2]
    drawn = [np.asarray(panel.lines[1].get_ydata(), float) for panel in panels]
    whole = made.history.merge(compare(made).runs[["run_id", "model"]], on="run_id")
    means = whole.groupby(["model", "epoch"])["val/loss"].mean()
    wanted = [means[model].to_numpy() for model in compare(made).table["model"]]
    np.testing.assert_allclose(drawn, wanted)
    assert {panel.get_yscale() for panel in panels} == {"log"}


def test_one_run_has_no_band(axes: Axes) -> None:
    draw_curves(axes, history("a"), "loss")
    assert len(axes.collections) == 0


def test_intervals_have_the_best_on_top_and_the_ceiling_as_a_line(axes: Axes) -> None:
    comparison = compare(noisy())
    draw_intervals(axes, comparison.table, comparison.runs, 0.8)
    names = [label.get_text().replace("\n", " ") for label in axes.get_yticklabels()]
    assert names == list(comparison.table["model"])
    assert axes.get_ylim()[0] > axes.get_ylim()[1]
    ends = [list(np.asarray(line.get_xdata(), float)) for line in axes.lines]
    *spans, ceiling = [at for at in ends if len(at) == 2]
    assert spans == comparison.table[["test_iou_low", "test_iou_high"]].to_numpy().tolist()
    assert ceiling == [0.8, 0.8]


def test_every_run_is_a_point_in_its_row_always_at_the_same_place(axes: Axes) -> None:
    comparison = compare(noisy())
    draw_intervals(axes, comparison.table, comparison.runs)
    for at, (row, drawn) in enumerate(zip(comparison.table.to_dict("records"), axes.collections, strict=True)):
        points = np.asarray(drawn.get_offsets())
        runs = comparison.runs[comparison.runs["model"] == row["model"]]
        np.testing.assert_allclose(points[:, 0], runs["test/iou"])
        np.testing.assert_allclose(points[:, 1], [at - 0.18, at, at + 0.18])


def test_the_ceiling_is_what_one_pixel_costs_and_the_caption_has_n_and_the_command() -> None:
    made = noisy()
    figure = intervals_figure(compare(made), made.predictions, "python -m analysis a/b")
    # Squares of 16²: grown to 18², shrunk to 14².
    ceiling = (16**2 / 18**2 + 14**2 / 16**2) / 2
    drawn = [list(np.asarray(line.get_xdata(), float)) for line in figure.axes[0].lines]
    assert [pytest.approx(ceiling)] * 2 in drawn
    caption = figure.texts[0].get_text().replace("\n", " ")
    assert numbers(caption)[:2] == [9, 4]
    assert "python -m analysis a/b" in caption


@pytest.mark.parametrize(("seeds", "dashed"), [(1, True), (3, False)])
def test_an_interval_without_seeds_in_it_is_dashed_and_said_to_be(seeds: int, dashed: bool) -> None:
    made = noisy(seeds=seeds)
    figure = intervals_figure(compare(made), made.predictions, "")
    spans = [line for line in figure.axes[0].lines if len(line.get_xdata()) == 2][:3]  # type: ignore[arg-type]
    assert {line.is_dashed() for line in spans} == {dashed}
    text = " ".join(each.get_text() for each in (*figure.legends[0].get_texts(), figure.texts[0]))
    assert ("over test images only" in text, "training again is not in" in text) == (dashed, dashed)
    assert ("a run" in text, "verdict" in text, "seeds" in text) == (not dashed, not dashed, not dashed)
    assert "drawn by" not in text


def test_only_intervals_that_are_drawn_are_in_the_legend() -> None:
    made = noisy(folds=(1, 2))
    figure = intervals_figure(compare(made), made.predictions, "")
    assert all("interval" not in text.get_text() for text in figure.legends[0].get_texts())
    assert "; means over 2 splits have no interval" in figure.texts[0].get_text()


def test_where_some_models_have_one_seed_only_their_intervals_are_said_to_lack_it() -> None:
    made = noisy()
    kept = ~made.runs["run_id"].isin(["m2f0s1", "m2f0s2"])
    figure = intervals_figure(compare(replace(made, runs=made.runs[kept].reset_index(drop=True))), made.predictions, "")
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert words[:2] == ["95 % interval over test images only", "over seeds, too"]
    assert "training again is not in the dashed intervals" in figure.texts[0].get_text()


def test_without_masks_there_is_no_ceiling_and_no_legend_for_it() -> None:
    made = seen(noisy(), {})
    figure = intervals_figure(compare(made), made.predictions, "command")
    assert all("one pixel" not in text.get_text() for text in figure.legends[0].get_texts())


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_run_without_a_finite_value_does_not_hide_the_others(axes: Axes, value: float) -> None:
    low, high, lost = history("a"), history("b", noise=0.2), history("c")
    lost[["train/loss", "val/loss"]] = value
    draw_curves(axes, pd.concat([low, lost, high]), "loss")
    np.testing.assert_allclose(np.asarray(axes.lines[1].get_ydata(), float), history("a", noise=0.1)["val/loss"])
    assert len(axes.collections) == 2


def test_the_caption_counts_the_runs_that_have_no_curve() -> None:
    made = study(seeds=3, models=MODELS[2:4])
    made.history.loc[made.history["run_id"] == "r0s1", ["val/loss", "val/iou"]] = np.nan
    figure = curves_figure(compare(made), made.history, "command")
    assert "n = 6 runs, by test IoU from top left; 1 run without a finite value left out; drawn" in (
        figure.texts[0].get_text().replace("\n", " ")
    )


def test_without_any_curve_the_figure_is_left_out_and_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = study(models=MODELS[2:4])
    made = replace(made, history=made.history.iloc[:0])
    comparison = compare(made)
    names = [file.name for file in write(made, comparison, tmp_path, "command")]
    assert names == ["intervals.png", "masks.png", "hardest_images.png"]
    assert "there are no curves to draw" in capsys.readouterr().err
    assert "there are no curves to draw" in str(show.curves(show.part(made)).data)
    with pytest.raises(AnalysisError, match="no curves to draw"):
        curves_figure(comparison, made.history, "command")


def test_the_mean_ends_with_the_shortest_run(axes: Axes) -> None:
    draw_curves(axes, pd.concat([history("a", epochs=20), history("b", epochs=15)]), "iou")
    assert len(np.asarray(axes.lines[-1].get_ydata())) == 15


@pytest.mark.parametrize(("quantity", "filled"), [("loss", True), ("iou", False)])
def test_the_best_epoch_is_marked_and_filled_only_if_it_was_tested(axes: Axes, quantity: str, filled: bool) -> None:
    runs = pd.DataFrame([run("r", MODELS[2], None, **{"best_loss/epoch": 12, "best_iou/epoch": 14})])
    mark_best(axes, history("r"), runs, quantity)
    (mark,) = axes.lines
    assert list(np.asarray(mark.get_xdata())) == [12 if quantity == "loss" else 14]
    assert mark.get_marker() == MARKS[f"best_{quantity}"]
    assert (to_hex(mark.get_markerfacecolor()) == COLOURS["val"].lower()) == filled


@pytest.mark.parametrize(("models", "panels"), [(1, 2), (3, 6), (5, 10), (8, 16)])
def test_every_model_has_a_loss_and_an_iou_panel(models: int, panels: int) -> None:
    made = study(models=MODELS[:models])
    figure = curves_figure(compare(made), made.history, "command")
    assert len(visible_panels(figure)) == panels


@pytest.mark.parametrize(("lowest", "low"), [(0.74, 0.7), (0.97, 0.9), (0.02, 0.0), (-1.0, 0.0), (math.nan, 0.9)])
def test_the_axis_of_iou_begins_a_tenth_below_all_of_it(lowest: float, low: float) -> None:
    made = study()
    made.history[["train/iou", "val/iou"]] = 0.99
    made.history.loc[0, "val/iou"] = lowest
    panels = visible_panels(curves_figure(compare(made), made.history, "command"))
    (limits,) = {axes.get_ylim() for axes in panels if axes.get_yscale() == "linear"}
    assert limits == pytest.approx((low, 1 + 0.02 * (1 - low)))


def test_panels_of_a_kind_share_their_axes() -> None:
    made = study()
    made.history.loc[made.history["run_id"] == "r7s0", ["val/loss"]] *= 30
    panels = visible_panels(curves_figure(compare(made), made.history, "command"))
    limits = {axes.get_yscale(): axes.get_ylim() for axes in panels}
    assert set(limits) == {"log", "linear"}
    assert all(axes.get_ylim() == limits[axes.get_yscale()] for axes in panels)
    assert limits["log"][1] > 15


def test_more_models_than_fit_are_left_out_and_the_caption_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curves, "MOST_MODELS", 3)
    made = study()
    figure = curves_figure(compare(made), made.history, "python -m analysis a/b")
    assert len(visible_panels(figure)) == 6
    text = figure.texts[0].get_text()
    assert numbers(text)[:3] == [3, 8, 3]
    assert "python -m analysis a/b" in text


@pytest.mark.parametrize(
    ("model", "lines"),
    [
        ("U-Net, transposed", ["U-Net, transposed"]),
        ("DeepLabV3+ / tf_efficientnet_lite0, ImageNet", ["DeepLabV3+ /", "tf_efficientnet_lite0, ImageNet"]),
        ("DeepLabV3+ / resnet18, from scratch", ["DeepLabV3+ / resnet18,", "from scratch"]),
        ("a" * 40, ["a" * 40]),
    ],
)
def test_names_are_broken_between_their_parts(model: str, lines: list[str]) -> None:
    assert title(model).split("\n") == lines


def test_a_row_of_panels_leaves_room_for_its_longest_name_and_no_more() -> None:
    short, long = "U-Net, bilinear", "DeepLabV3+ / resnet18, from scratch"
    (first, second), end = block_tops([short, short, long], 2)
    assert first == pytest.approx(curves.HEADING + 0.12 + curves.LINE)
    assert second == pytest.approx(first + curves.BLOCK + 2 * curves.LINE)
    assert end == pytest.approx(second + curves.BLOCK - 0.12)


@pytest.mark.parametrize(
    ("models", "shapes"), [(MODELS[:1], {"^"}), (MODELS[2:3], {"v"}), ([MODELS[0], MODELS[2]], {"^", "v"})]
)
def test_the_legend_explains_all_filled_marks_that_are_drawn(
    models: list[tuple[str, str, str]], shapes: set[str]
) -> None:
    made = study(models=models)
    figure = curves_figure(compare(made), made.history, "command")
    filled = {handle.get_label(): handle for handle in figure.legends[0].legend_handles if handle is not None}
    told = [entry for label, entry in filled.items() if str(label).startswith("tested: ")]
    assert {entry.get_marker() for entry in told if isinstance(entry, Line2D)} == shapes
    drawn = {(line.get_marker(), line.get_markerfacecolor()) for axes in figure.axes for line in axes.lines}
    assert {mark for mark, face in drawn if face == COLOURS["val"] and mark in ("^", "v")} == shapes


def test_axes_have_ticks_only_where_they_have_numbers() -> None:
    made = study()
    panels = visible_panels(curves_figure(compare(made), made.history, "command"))
    assert all(len(axes.yaxis.get_minorticklocs()) == 0 for axes in panels)
    with_ticks = [axes.yaxis.get_tick_params()["left"] for axes in panels]
    assert with_ticks == [axes.yaxis.get_tick_params()["labelleft"] for axes in panels]
    assert with_ticks.count(True) == 4


def test_losses_that_are_never_a_number_are_empty_panels() -> None:
    made = study(models=MODELS[:2])
    made.history.loc[made.history["run_id"] == "r0s0", ["train/loss", "val/loss"]] = float("nan")
    comparison = compare(made)
    panels = visible_panels(curves_figure(comparison, made.history, "command"))
    assert len(panels) == 4
    assert [len(axes.texts) for axes in panels].count(1) == 1
    words = comparison.table.set_index("model")["overfitting"]["U-Net, transposed"]
    assert str(words).startswith("cannot tell: ")


def test_the_file_is_a_picture_wide_enough_for_print(tmp_path: Path) -> None:
    made = study(models=MODELS[:4])
    files = write(made, compare(made), tmp_path, "command")
    names = ["curves.png", "intervals.png", "masks.png", "hardest_images.png"]
    assert [file.name for file in files] == names
    with Image.open(files[0]) as picture:
        assert picture.width >= 2000
    with Image.open(files[1]) as picture:
        assert picture.width == 1500
    with Image.open(files[2]) as picture:
        found = {colour for _, colour in picture.convert("RGB").getcolors(1 << 24) or []}
    assert set(ERRORS.values()) <= found


def test_without_masks_the_other_pictures_are_written_and_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = seen(study(models=MODELS[:2]), {})
    files = write(made, compare(made), tmp_path, "command")
    assert [file.name for file in files] == ["curves.png", "intervals.png"]
    assert "no masks to draw" in capsys.readouterr().err
