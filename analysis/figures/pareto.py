"""Test IoU against the costs of a model: the Pareto front."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from analysis.comparison.pareto import pareto_front
from analysis.figures import canvas
from analysis.figures.curves import COLOURS


def pareto_figure(table: pd.DataFrame) -> Figure | None:
    """IoU against milliseconds per image; areas are parameters. None if the time of a model is unknown."""
    front = pareto_front(table)
    if front.empty or table["seconds_per_image"].isna().any():
        return None
    figure = canvas.blank(7.5, 3.6)
    axes = canvas.place(figure, 0.7, 0.3, 4.2, 2.7)
    parameters = pd.to_numeric(table["n_parameters"], errors="coerce").fillna(1.0)
    areas = 20 + 180 * parameters / parameters.max()
    ms = 1000 * table["seconds_per_image"].astype(float)
    axes.scatter(ms, table["test_iou"], s=areas, color="0.7", linewidths=0)
    on = front.sort_values("seconds_per_image").index
    axes.plot(ms[on], table["test_iou"][on], color=COLOURS["val"], linewidth=1)
    axes.scatter(ms[on], table["test_iou"][on], s=areas[on], color=COLOURS["val"], linewidths=0)
    for number, row in enumerate(on, start=1):
        axes.annotate(str(number), (ms[row], table["test_iou"][row]), (3, 5), textcoords="offset points", fontsize=8)
    names = [f"{number}  {canvas.wrap_label(str(table['model'][row]), 34)}" for number, row in enumerate(on, start=1)]
    axes.text(1.04, 1.0, "\n".join(names[:10]), transform=axes.transAxes, va="top", fontsize=7.5)
    if ms.max() >= 10 * ms.min():
        axes.set_xscale("log")
    axes.set_xlabel("milliseconds per image; area: parameters", fontsize=8)
    axes.set_ylabel("test IoU", fontsize=8)
    axes.tick_params(labelsize=7.5)
    axes.grid(color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    return figure
