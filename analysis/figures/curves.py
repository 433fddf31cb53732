"""curves.png: loss and IoU against epoch for every model."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import LogLocator, NullLocator

from analysis import AnalysisError
from analysis.comparison.comparison import Comparison
from analysis.curves.overfitting import CURVES
from analysis.figures import canvas
from common import keys
from common.colours import MEANINGS
from common.text import plural

COLOURS = {split: MEANINGS[split][0] for split in ("train", "val")}
LINES: dict[str, Literal["--", "-"]] = {"train": "--", "val": "-"}
MARKS = {"best_loss": "v", "best_iou": "^"}
TESTED = {"v": "at the lowest loss", "^": "at the highest IoU"}
NO_CURVES = "None of these runs has a finite loss or IoU in its history: there are no curves to draw."
COLUMNS = 4
MOST_MODELS = 16
WIDTH, HEIGHT, GAP = 2.3, 1.25, 0.14
"""Size of a panel, and gap between two, inches."""
LEFT = 0.64
"""Room for the names and numbers of the axes, inches."""
LINE, HEADING = 0.15, 0.54
"""Room for a line of a model's name and for the legend, inches."""
BLOCK = 2 * HEIGHT + GAP + 0.5
"""Two panels with the axis below and the space around the name above, inches."""


def draw_curves(axes: Axes, history: pd.DataFrame, quantity: str) -> None:
    """`train/QUANTITY` and `val/QUANTITY` against epoch on `axes`: the mean over runs in a band from lowest to highest.

    `history` has run_id, epoch and the two columns. One run has no band; a run without any finite value is left out.
    Mean and band end where the first run ends, so that they never jump because a run dropped out. Seaborn would take
    the mean of the logarithms on an axis that is logarithmic already, so the axes have to be linear.
    """
    import seaborn as sns  # takes seconds to import

    for split, colour in COLOURS.items():
        name = f"{split}/{quantity}"
        known = history[np.isfinite(history[name].astype(float))]
        runs = known["run_id"].nunique()
        whole = known.groupby("epoch")["run_id"].transform("nunique") == runs
        if not whole.any():
            continue
        sns.lineplot(
            known[whole],
            x="epoch",
            y=name,
            ax=axes,
            color=colour,
            linewidth=1.8,
            linestyle=LINES[split],
            errorbar=("pi", 100) if runs > 1 else None,
            err_kws={"alpha": 0.22, "linewidth": 0},
        )
    axes.set(xlabel="", ylabel="")


def mark_best(axes: Axes, history: pd.DataFrame, runs: pd.DataFrame, quantity: str) -> None:
    """Marks the best validation epoch of every run by `quantity`, filled if the lab's rule tests that one.

    `runs` has run_id, best_loss/epoch, best_iou/epoch and test/rule.
    """
    rule = f"best_{quantity}"
    values = history.set_index(["run_id", "epoch"])[f"val/{quantity}"]
    for run in runs.to_dict("records"):
        at = (run["run_id"], int(run[f"{rule}/epoch"]))
        if at in values.index:
            face = COLOURS["val"] if rule == run[keys.TEST_RULE] else "white"
            axes.plot(at[1], values[at], MARKS[rule], color=COLOURS["val"], markerfacecolor=face, zorder=3)


def curves_figure(comparison: Comparison, history: pd.DataFrame, command: str) -> Figure:
    """A loss panel above an IoU panel for every model, best model first; every panel of a kind has the same axes.

    Only the best `MOST_MODELS` are drawn; the caption says so, with n and the command. Raises `AnalysisError` if no run
    has a finite value.
    """
    if not has_curves(comparison, history):
        raise AnalysisError(NO_CURVES)
    models = list(comparison.table["model"][:MOST_MODELS])
    columns = min(COLUMNS, len(models))
    tops, height = block_tops(models, columns)
    width = max(LEFT + 0.1 + columns * (WIDTH + GAP), 6.5)
    words = caption(comparison, history, len(models), command)
    figure = canvas.blank(width, height - 0.04 + canvas.caption_height(width, words))
    loss = iou = None
    for number, model in enumerate(models):
        row, column = divmod(number, columns)
        left, top = LEFT + column * (WIDTH + GAP), tops[row]
        loss = canvas.place(figure, left, top, WIDTH, HEIGHT, like=loss)
        iou = canvas.place(figure, left, top + HEIGHT + GAP, WIDTH, HEIGHT, like=iou)
        draw_model(loss, iou, model, comparison.runs, history)
        loss.tick_params(labelbottom=False, bottom=False, labelleft=column == 0, left=column == 0)
        iou.tick_params(labelleft=column == 0, left=column == 0)
        iou.set_xlabel("epoch", fontsize=8, labelpad=2)
        if column == 0:
            loss.set_ylabel("loss", fontsize=8)
            iou.set_ylabel("IoU", fontsize=8)
            figure.align_ylabels([loss, iou])
    if loss is not None and iou is not None:
        make_logarithmic(loss)
        low = tenth_below(comparison.runs, history)
        iou.set_ylim(low, 1 + 0.02 * (1 - low))
    tested = {MARKS[str(rule)] for rule in comparison.table["rule"][: len(models)]}
    add_legend(figure, tested, several=bool((comparison.table["n_runs"] > 1).any()))
    canvas.caption(figure, words)
    return figure


def has_curves(comparison: Comparison, history: pd.DataFrame) -> bool:
    """Whether a run of the comparison has a finite loss or IoU in any epoch."""
    return any(runs_with_values(comparison.runs, history))


def runs_with_values(runs: pd.DataFrame, history: pd.DataFrame) -> list[set[str]]:
    """For each of `CURVES` the run_ids of `runs` that have a finite value in any epoch."""
    own = history[history["run_id"].isin(runs["run_id"])]
    return [set(own["run_id"][np.isfinite(own[name].astype(float))]) for name in CURVES]


def title(model: str) -> str:
    """A model's name in lines that fit above a panel."""
    return canvas.wrap_label(model, 31)


def block_tops(models: list[str], columns: int) -> tuple[list[float], float]:
    """For every row of models the distance of its panels from the upper edge, and the end of the last row; inches."""
    tops, end = [], HEADING
    for first in range(0, len(models), columns):
        lines = max(title(model).count("\n") + 1 for model in models[first : first + columns])
        tops.append(end + 0.12 + lines * LINE)
        end += BLOCK + lines * LINE
    return tops, end


def draw_model(loss: Axes, iou: Axes, model: str, runs: pd.DataFrame, history: pd.DataFrame) -> None:
    """One model's two panels: loss with the model's name above, IoU below."""
    of_model = runs[runs["model"] == model]
    curves = history[history["run_id"].isin(of_model["run_id"])]
    for axes, quantity in ((loss, "loss"), (iou, "iou")):
        draw_curves(axes, curves, quantity)
        if not axes.lines:
            axes.text(
                0.5, 0.5, "no curves", transform=axes.transAxes, ha="center", va="center", color="0.4", fontsize=8
            )
        mark_best(axes, curves, of_model, quantity)
        axes.grid(color="0.9", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=7)
    loss.set_title(title(model), fontsize=8.5, fontweight="bold")


def tenth_below(runs: pd.DataFrame, history: pd.DataFrame) -> float:
    """0, 0.1, … or 0.9: the highest of them below every IoU of these runs, where the axis of IoU begins."""
    own = history[history["run_id"].isin(runs["run_id"])]
    values = own[[f"{split}/iou" for split in COLOURS]].to_numpy(dtype=float)
    lowest = values[np.isfinite(values)].min(initial=0.9)
    return float(np.floor(10 * max(lowest, 0)) / 10)


def make_logarithmic(loss: Axes) -> None:
    """A logarithmic axis, labelled at 1, 2 and 5, for this panel and all that share its axis: after all are drawn."""
    loss.set_yscale("log")
    loss.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    loss.yaxis.set_major_formatter("{x:g}")
    loss.yaxis.set_minor_locator(NullLocator())


def add_legend(figure: Figure, tested: Collection[str], *, several: bool) -> None:
    """Legend of lines and marks, above all panels; `tested` are the marks that are drawn filled."""

    def mark(shape: str, face: str, text: str) -> Line2D:
        colour = COLOURS["val"]
        return Line2D([], [], linestyle="", marker=shape, color=colour, markerfacecolor=face, label=text)

    handles: list[Artist] = [
        Line2D([], [], color=COLOURS["train"], linewidth=1.8, linestyle=LINES["train"], label="training"),
        Line2D([], [], color=COLOURS["val"], linewidth=1.8, label="validation"),
        mark(MARKS["best_loss"], "white", "lowest validation loss"),
        mark(MARKS["best_iou"], "white", "highest validation IoU"),
        *(mark(shape, COLOURS["val"], f"tested: {TESTED[shape]}") for shape in MARKS.values() if shape in tested),
    ]
    if several:
        handles.insert(2, Patch(facecolor="0.5", alpha=0.3, label="lowest to highest run (line: mean)"))
    canvas.legend(figure, handles, columns=3)


def caption(comparison: Comparison, history: pd.DataFrame, drawn: int, command: str) -> str:
    """n, omissions, and the command that draws the figure again."""
    table = comparison.table
    part = f"best {drawn} of {len(table)} models" if drawn < len(table) else f"{drawn} models"
    runs = comparison.runs[comparison.runs["model"].isin(table["model"][:drawn])]
    bare = len(runs) - len(set.intersection(*runs_with_values(runs, history)))
    without = f"; {plural(bare, 'run')} without a finite value left out" if bare else ""
    return f"{part}, n = {len(runs)} runs, by test IoU from top left{without}{canvas.command_note(command)}"
