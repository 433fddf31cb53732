"""intervals.png: test IoU of every model with its interval, its runs, and the one-pixel ceiling."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.comparison.comparison import Comparison, truths_of
from analysis.comparison.definitions import DEFINITIONS, one_pixel_iou
from analysis.evidence.sentences import WORDS
from analysis.figures import canvas
from analysis.figures.curves import COLOURS, MOST_MODELS, title
from analysis.pull.masks import Predictions
from common import keys

LINE: dict[str, Any] = {"linewidth": 2.4}
IMAGES_ONLY: dict[str, Any] = {"linewidth": 1.6, "linestyle": (0, (2, 2)), "alpha": 0.6}
"""Style of the interval of a model with one seed: training again is not in it."""
SPREAD = 0.18
"""Largest distance of a run's point from the middle of its row, rows."""


def draw_intervals(axes: Axes, table: pd.DataFrame, runs: pd.DataFrame, ceiling: float | None = None) -> None:
    """Test IoU of each model of `table`, best on top: its mean with interval, every run of `runs`, and its verdict.

    `ceiling` is the IoU of masks that are right but for one pixel all round (`definitions.one_pixel_iou`): a line.
    """
    order = list(table["model"])
    several = (table["n_runs"] > 1).any()
    for at, row in enumerate(table.to_dict("records")):
        if pd.notna(row["test_iou_low"]) and pd.notna(row["test_iou_high"]):
            style = LINE if row["n_seeds"] > 1 else IMAGES_ONLY
            axes.plot([row["test_iou_low"], row["test_iou_high"]], [at, at], color=COLOURS["val"], **style)
        if several:
            ious = runs.loc[runs["model"] == row["model"], keys.TEST_IOU]
            axes.scatter(ious, at + spread(len(ious)), s=12, color="0.45", alpha=0.7, linewidths=0)
        face = COLOURS["val"] if row["verdict"] == "best" else "white"
        axes.plot(row["test_iou"], at, "D", color=COLOURS["val"], markerfacecolor=face, markersize=6, zorder=4)
        words = "" if pd.isna(row["difference"]) else WORDS[row["verdict"]]
        axes.annotate(words, (1.01, at), xycoords=("axes fraction", "data"), va="center", fontsize=8)
    if ceiling is not None:
        axes.axvline(ceiling, color=COLOURS["train"], linestyle="--", linewidth=1.4)
    axes.set(xlabel="test IoU", ylabel="", xlim=(None, 1.0), ylim=(len(order) - 0.5, -0.5))
    axes.set_yticks(range(len(order)), [title(model) for model in order])
    axes.tick_params(labelsize=8)
    axes.grid(axis="x", color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def spread(n: int) -> npt.NDArray[np.float64]:
    """(n,) heights around a row, so that equal runs do not hide each other."""
    return np.linspace(-SPREAD, SPREAD, n) if n > 1 else np.zeros(n)


def intervals_figure(comparison: Comparison, predictions: Mapping[str, Predictions], command: str) -> Figure:
    """`draw_intervals` of the best `MOST_MODELS`, with its legend, n and the command."""
    table = comparison.table.head(MOST_MODELS)
    runs = comparison.runs[comparison.runs["model"].isin(table["model"])]
    truths = truths_of(comparison.runs, predictions)
    height = 0.42 * len(table)
    figure = canvas.blank(7.5, height + 1.55)
    axes = canvas.place(figure, 2.35, 0.65, 4.2, height + 0.1)
    ceiling = one_pixel_iou(truths.values(), DEFINITIONS[comparison.definition]) if truths else None
    draw_intervals(axes, table, runs, ceiling)
    mark: dict[str, Any] = {"linestyle": "", "color": COLOURS["val"]}
    several, drawn = (table["n_runs"] > 1).any(), table[table[["test_iou_low", "test_iou_high"]].notna().all(axis=1)]
    once, over_seeds = (drawn["n_seeds"] == 1).any(), (drawn["n_seeds"] > 1).any()
    blue = COLOURS["val"]
    shown = (
        (over_seeds and not once, Line2D([], [], color=blue, **LINE, label="95 % interval over seeds and images")),
        (once, Line2D([], [], color=blue, **IMAGES_ONLY, label="95 % interval over test images only")),
        (over_seeds and once, Line2D([], [], color=blue, **LINE, label="over seeds, too")),
        (True, Line2D([], [], marker="D", markerfacecolor="white", label="mean" if several else "the run", **mark)),
        ((table["verdict"] == "best").any(), Line2D([], [], marker="D", label="best: all others are worse", **mark)),
        (several, Line2D([], [], linestyle="", marker="o", color="0.45", markersize=3.5, label="a run")),
        (
            bool(truths),
            Line2D([], [], color=COLOURS["train"], linestyle="--", label="mask off by one pixel of the photograph"),
        ),
    )
    canvas.legend(figure, [handle for there, handle in shown if there], columns=2)
    scores = comparison.scores
    n_images = scores[scores["run_id"].isin(runs["run_id"])]["image"].nunique()
    n_splits = comparison.runs["split"].nunique()
    limits = (
        (once, f"; training again is not in the {'dashed ' if over_seeds else ''}intervals"),
        (n_splits > 1, f"; means over {n_splits} splits have no interval"),
    )
    canvas.caption(
        figure,
        f"n = {len(runs)} runs, {n_images} test images{''.join(words for there, words in limits if there)}"
        f"{'; at the right the verdict against the best' if table['difference'].notna().any() else ''}"
        f"{canvas.command_note(command)}",
    )
    return figure
