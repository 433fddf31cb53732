"""Pictures of a search show the runs that are there, where they are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

from analysis.figures import canvas
from analysis.hyperparameters import plots
from analysis.hyperparameters.best_of_n import budget_curves, expected_best_curves
from tests.analysis.searches import search

PAIR = ["weight_decay", "batch_size"]


@pytest.fixture
def axes() -> Axes:
    return canvas.place(canvas.blank(4, 3), 0.6, 0.2, 3, 2.2)


def draw(axes: Axes) -> None:
    """Renders the figure: warnings would be errors."""
    axes.figure.canvas.draw()


def test_parallel_coordinates_end_at_the_metric_and_pass_below_what_a_run_does_not_have(axes: Axes) -> None:
    runs = search()
    plots.draw_parallel(axes, runs, ["architecture", "weights", "learning_rate"])
    draw(axes)
    lines = np.array([np.asarray(line.get_ydata()) for line in axes.lines])
    by_value = runs.sort_values("val/iou")
    value = by_value["val/iou"].to_numpy()
    without = (by_value["backbone"] == "none").to_numpy()
    rate = np.log(by_value["learning_rate"].to_numpy())
    assert len(lines) == len(runs)
    assert lines[:, 3] == pytest.approx((value - value[0]) / (value[-1] - value[0]))
    assert lines[:, 2] == pytest.approx((rate - rate.min()) / np.ptp(rate))
    assert lines[without, 1].max() < plots.ABSENT / 2
    assert lines[~without, 1].min() > plots.ABSENT / 2
    assert [line.get_linewidth() for line in axes.lines].index(3) == len(runs) - 1


def test_a_few_numbers_stand_evenly_spaced_each_with_its_label(axes: Axes) -> None:
    """On an axis of numbers the label 0 lay under that of 0.0001."""
    decay = np.resize([0.0, 1e-4, 1e-2], 40)
    plots.draw_parallel(axes, search().assign(weight_decay=decay, batch_size=np.resize([8, 1], 40)), PAIR)
    draw(axes)
    heights = {text.get_text(): text.get_position()[1] for text in axes.texts}
    assert [heights[label] for label in ("0", "0.0001", "0.01", "1", "8")] == [0, 0.5, 1, 0, 1]
    lines = np.array([np.asarray(line.get_ydata()) for line in axes.lines])
    counts = np.unique(lines[:, 0].round(1), return_counts=True)
    assert [at.tolist() for at in counts] == [[0, 0.5, 1], [14, 13, 13]]


def test_bars_of_importance_are_grey_where_chance_does_as_much_and_mark_conditional_ones(axes: Axes) -> None:
    table = pd.DataFrame(
        {
            "parameter": ["learning rate", "weights"],
            "importance": [0.6, 0.3],
            "chance": [0.01, 0.4],
            "n": [40, 25],
            "given": ["all runs", "runs with a backbone"],
        }
    )
    plots.draw_importances(axes, table)
    draw(axes)
    bars = axes.patches
    assert [bar.get_width() for bar in bars] == [0.3, 0.6]  # type: ignore[attr-defined]
    assert [bar.get_hatch() for bar in bars] == ["//", ""]
    assert [to_hex(bar.get_facecolor()) for bar in bars] == ["#b2b2b2", plots.CLEAR.lower()]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["weights\n(runs with a backbone)", "learning rate"]


@pytest.mark.parametrize("against", ["trial", "minutes"])
def test_best_so_far_has_a_line_per_architecture_with_its_number_of_trials(axes: Axes, against: str) -> None:
    runs = search()
    curves = budget_curves(runs)
    plots.draw_budget(axes, curves, against=against)
    draw(axes)
    legend = axes.get_legend()
    assert legend is not None
    counts = runs["architecture"].value_counts()
    assert {text.get_text() for text in legend.get_texts()} == {
        f"U-Net ({counts['unet']})",
        f"U-Net, transposed ({counts['unet_transposed']})",
        f"DeepLabV3+ ({counts['deeplabv3plus']})",
    }
    assert len({line.get_color() for line in axes.lines}) == 3


def test_expected_best_has_a_line_in_its_band_for_every_architecture(axes: Axes) -> None:
    curves = expected_best_curves(search(), np.random.default_rng(0), method="random")
    plots.draw_expected_best(axes, curves)
    draw(axes)
    lengths = curves.groupby("architecture", sort=False).size().tolist()
    assert [len(np.asarray(line.get_xdata())) for line in axes.lines] == lengths
    assert len(axes.collections) == 3
