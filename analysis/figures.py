"""curves.png: loss and IoU against epoch for every model; intervals.png: test IoU with intervals and the ceiling."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import LogLocator, NullLocator

from analysis import canvas
from analysis.cli import main
from analysis.comparison.comparison import Comparison, truths_of
from analysis.comparison.masks import Predictions, one_pixel_loss
from analysis.pull.study import Study

COLOURS = {"train": "#E69F00", "val": "#0072B2"}
"""Okabe & Ito (2008): orange and blue keep apart for every kind of colour vision, and in grey."""
LINES: dict[str, Literal["--", "-"]] = {"train": "--", "val": "-"}
MARKS = {"best_loss": "v", "best_iou": "^"}
COLUMNS = 4
MOST_MODELS = 16
WIDTH, HEIGHT, GAP = 2.3, 1.25, 0.14
"""Of a panel, and between two, inches."""
LINE, HEADING = 0.15, 0.45
"""Room for a line of a model's name and for the legend, inches."""
BLOCK = 2 * HEIGHT + GAP + 0.5
"""Two panels with the axis below and the space around the name above, inches."""


def draw_curves(axes: Axes, history: pd.DataFrame, quantity: str) -> None:
    """`train/QUANTITY` and `val/QUANTITY` against epoch on `axes`: the mean over runs in a band from lowest to highest.

    `history` has run_id, epoch and the two columns. One run has no band. Mean and band end where the first run ends,
    so that they never jump because a run dropped out.
    """
    import seaborn as sns  # takes seconds to import

    runs = history["run_id"].nunique()
    for split, colour in COLOURS.items():
        name = f"{split}/{quantity}"
        known = history.dropna(subset=[name])
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
            face = COLOURS["val"] if rule == run["test/rule"] else "white"
            axes.plot(at[1], values[at], MARKS[rule], color=COLOURS["val"], markerfacecolor=face, zorder=3)


def curves_figure(comparison: Comparison, history: pd.DataFrame, command: str) -> Figure:
    """A loss panel above an IoU panel for every model, best model first; every panel of a kind has the same axes.

    Only the best `MOST_MODELS` are drawn; the caption says so where it applies, with n and the command.
    """
    models = list(comparison.table["model"][:MOST_MODELS])
    columns = min(COLUMNS, len(models))
    tops, height = block_tops(models, columns)
    figure = canvas.blank(max(0.6 + columns * (WIDTH + GAP), 6.5), height + 0.2)
    loss = iou = None
    for number, model in enumerate(models):
        row, column = divmod(number, columns)
        left, top = 0.5 + column * (WIDTH + GAP), tops[row]
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
    tested = MARKS[str(comparison.table["rule"].iloc[0])]
    add_legend(figure, tested, several=bool((comparison.table["n_runs"] > 1).any()))
    canvas.caption(figure, caption(comparison, len(models), command))
    return figure


def title(model: str) -> str:
    """A model's name in lines that fit above a panel."""
    return canvas.broken(model, 31)


def block_tops(models: list[str], columns: int) -> tuple[list[float], float]:
    """For every row of models the distance of its panels from the upper edge, and where the last row ends; inches."""
    tops, end = [], HEADING
    for first in range(0, len(models), columns):
        lines = max(title(model).count("\n") + 1 for model in models[first : first + columns])
        tops.append(end + 0.12 + lines * LINE)
        end += BLOCK + lines * LINE
    return tops, end


def draw_model(loss: Axes, iou: Axes, model: str, runs: pd.DataFrame, history: pd.DataFrame) -> None:
    """One model's two panels: loss on a logarithmic axis with the model's name above, IoU from 0 to 1."""
    of_model = runs[runs["model"] == model]
    curves = history[history["run_id"].isin(of_model["run_id"])]
    for axes, quantity in ((loss, "loss"), (iou, "iou")):
        draw_curves(axes, curves, quantity)
        mark_best(axes, curves, of_model, quantity)
        axes.grid(color="0.9", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=7)
    loss.set_yscale("log")
    loss.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    loss.yaxis.set_major_formatter("{x:g}")
    loss.yaxis.set_minor_locator(NullLocator())
    iou.set_ylim(0, 1.02)
    loss.set_title(title(model), fontsize=8.5, fontweight="bold")


def add_legend(figure: Figure, tested: str, *, several: bool) -> None:
    """What lines and marks mean, above all panels; `tested` is the mark that stands for the filled ones."""

    def mark(shape: str, face: str, text: str) -> Line2D:
        colour = COLOURS["val"]
        return Line2D([], [], linestyle="", marker=shape, color=colour, markerfacecolor=face, label=text)

    handles: list[Artist] = [
        Line2D([], [], color=COLOURS["train"], linewidth=1.8, linestyle=LINES["train"], label="training"),
        Line2D([], [], color=COLOURS["val"], linewidth=1.8, label="validation"),
        mark(MARKS["best_loss"], "white", "lowest validation loss"),
        mark(MARKS["best_iou"], "white", "highest validation IoU"),
        mark(tested, COLOURS["val"], "filled: the one tested"),
    ]
    if several:
        handles.insert(2, Patch(facecolor="0.5", alpha=0.3, label="lowest to highest run (line: mean)"))
    canvas.legend(figure, handles, columns=3)


def caption(comparison: Comparison, drawn: int, command: str) -> str:
    """n, what was left out, and how to draw the figure again."""
    table = comparison.table
    part = f"best {drawn} of {len(table)} models" if drawn < len(table) else f"{drawn} models"
    n = int(table["n_runs"][:drawn].sum())
    return f"{part}, n = {n} runs, by test IoU from top left; drawn by: {command}"


def draw_intervals(axes: Axes, table: pd.DataFrame, runs: pd.DataFrame, ceiling: float | None = None) -> None:
    """Test IoU of each model of `table`, best on top: its mean with interval, every run of `runs`, and its letters.

    `ceiling` is the IoU of masks that are right but for one pixel all round (1 − `masks.one_pixel_loss`): a line.
    """
    import seaborn as sns

    order = list(table["model"])
    sns.stripplot(
        runs, x="test/iou", y="model", order=order, ax=axes, color="0.45", size=3.5, alpha=0.7, jitter=0.18
    )
    for at, row in enumerate(table.to_dict("records")):
        if pd.notna(row["test_iou_low"]) and pd.notna(row["test_iou_high"]):
            axes.plot(
                [row["test_iou_low"], row["test_iou_high"]], [at, at], color=COLOURS["val"], linewidth=2.4
            )
        face = COLOURS["val"] if row["stands_out"] else "white"
        axes.plot(
            row["test_iou"], at, "D", color=COLOURS["val"], markerfacecolor=face, markersize=6, zorder=4
        )
        axes.annotate(row["letters"], (1.01, at), xycoords=("axes fraction", "data"), va="center", fontsize=8)
    if ceiling is not None:
        axes.axvline(ceiling, color=COLOURS["train"], linestyle="--", linewidth=1.4)
    axes.set(xlabel="test IoU", ylabel="", xlim=(None, 1.0), ylim=(len(order) - 0.5, -0.5))
    axes.set_yticks(range(len(order)), [title(model) for model in order])
    axes.tick_params(labelsize=8)
    axes.grid(axis="x", color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def intervals_figure(comparison: Comparison, predictions: Mapping[str, Predictions], command: str) -> Figure:
    """`draw_intervals` of the best `MOST_MODELS`, with its legend, n and the command."""
    table = comparison.table.head(MOST_MODELS)
    runs = comparison.runs[comparison.runs["model"].isin(table["model"])]
    truths = truths_of(comparison.runs, predictions)
    height = 0.42 * len(table)
    figure = canvas.blank(7.5, height + 1.75)
    axes = canvas.place(figure, 2.35, 0.65, 4.7, height + 0.1)
    draw_intervals(axes, table, runs, 1 - one_pixel_loss(truths.values()) if truths else None)
    mark: dict[str, Any] = {"linestyle": "", "color": COLOURS["val"]}
    handles = [
        Line2D([], [], color=COLOURS["val"], linewidth=2.4, label="95% interval, seeds × images"),
        Line2D([], [], marker="D", markerfacecolor="white", label="mean", **mark),
        Line2D([], [], linestyle="", marker="o", color="0.45", markersize=3.5, label="a run"),
        Line2D([], [], color=COLOURS["train"], linestyle="--", label="right but for one pixel all round"),
    ]
    if table["stands_out"].any():
        handles.insert(2, Line2D([], [], marker="D", label="better than each of the others", **mark))
    canvas.legend(figure, handles if truths else handles[:-1], columns=3)
    scores = comparison.scores
    n_images = scores[scores["run_id"].isin(runs["run_id"])]["image"].nunique()
    canvas.caption(
        figure,
        f"n = {len(runs)} runs, {n_images} test images; models that share a letter (right)"
        f" cannot be told apart; drawn by: {command}",
    )
    return figure


def write(study: Study, comparison: Comparison, out: Path, command: str) -> list[Path]:
    """Writes curves.png and intervals.png into `out`."""
    curves, intervals = out / "curves.png", out / "intervals.png"
    curves_figure(comparison, study.history, command).savefig(curves)
    intervals_figure(comparison, study.predictions, command).savefig(intervals)
    return [curves, intervals]


if __name__ == "__main__":
    raise SystemExit(main("python -m analysis.figures", str(__doc__), [write]))
