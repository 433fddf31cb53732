"""masks.png: every test image, its truth, and every model's mask with the errors in colour."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Patch

from analysis import AnalysisError
from analysis.cli import main
from analysis.comparison import Comparison, compare
from analysis.masks import Image, Mask, Predictions
from analysis.runs import Study

COLOURS = {
    "true positive": (255, 255, 255),
    "true negative": (0, 0, 0),
    "false positive": (213, 94, 0),
    "false negative": (86, 180, 233),
}
"""Vermilion and sky blue of Okabe & Ito (2008) on white and black: apart for every kind of colour vision."""
PANEL = 1.3
"""Side of one picture, inches."""
DPI = 200
MOST_MODELS = 10
MOST_IMAGES = 12


def coloured_errors(truth: Mask, prediction: Mask) -> Image:
    """(H, W, 3) picture of a prediction: white where both are foreground, black where neither is, errors coloured."""
    picture = np.zeros((*truth.shape, 3), np.uint8)
    picture[truth & prediction] = COLOURS["true positive"]
    picture[~truth & prediction] = COLOURS["false positive"]
    picture[truth & ~prediction] = COLOURS["false negative"]
    return picture


def shown_runs(comparison: Comparison) -> pd.DataFrame:
    """One run per model, best model first: of the runs with predictions the one with the median test IoU.

    Of an even number of runs it is the lower of the two in the middle.
    """
    runs = comparison.runs[comparison.runs["run_id"].isin(comparison.scores["run_id"])]
    of_models = (runs[runs["model"] == model].sort_values("test/iou") for model in comparison.table["model"])
    return pd.DataFrame([rows.iloc[(len(rows) - 1) // 2] for rows in of_models if len(rows)])


def masks_figure(comparison: Comparison, predictions: Mapping[str, Predictions], command: str) -> Figure:
    """Rows are test images; columns the image, the truth, then one model each with its errors and IoU.

    Only the best `MOST_MODELS` and the first `MOST_IMAGES` are drawn; the caption says so where it applies.
    Raises `AnalysisError` if no run has predictions.
    """
    runs = shown_runs(comparison).head(MOST_MODELS)
    if runs.empty:
        raise AnalysisError("None of these runs has a predictions artifact: there are no masks to draw.")
    first = predictions[str(runs.iloc[0]["run_id"])]
    stems = list(first.truth)[:MOST_IMAGES]
    rows, columns = len(stems), len(runs) + 2
    size = (PANEL * columns + 0.3, (PANEL + 0.14) * rows + 1.15)
    figure = Figure(size, dpi=DPI, layout=ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.02))
    FigureCanvasAgg(figure)
    panels = figure.subplots(rows, columns, squeeze=False)
    for stem, (image, truth, *_) in zip(stems, panels, strict=True):
        draw(image, first.images[stem], ylabel=stem)
        draw(truth, np.where(first.truth[stem][..., None], 255, 0).astype(np.uint8).repeat(3, axis=2))
    title(panels[0, 0], "test image")
    title(panels[0, 1], "truth")
    for column, run in enumerate(runs.to_dict("records"), start=2):
        title(panels[0, column], f"{run['model']}", f"IoU {run['test/iou']:.3f}")
        draw_model(list(panels[:, column]), stems, predictions[run["run_id"]], run, comparison.scores)
    add_legend(figure)
    figure.supxlabel(caption(comparison, first, len(runs), rows, command), fontsize=7, color="0.3")
    return figure


def draw_model(
    panels: list[Axes],
    stems: list[str],
    predictions: Predictions,
    run: Mapping[Any, Any],
    scores: pd.DataFrame,
) -> None:
    """One model's column: the errors of the tested checkpoint on every image, IoU below; blank where it has none."""
    rule = str(run["test/rule"])
    mine = scores[(scores["run_id"] == run["run_id"]) & (scores["checkpoint"] == rule)].set_index("image")[
        "iou"
    ]
    for axes, stem in zip(panels, stems, strict=True):
        if stem in mine.index:
            picture = coloured_errors(predictions.truth[stem], predictions.masks[rule][stem])
            draw(axes, picture, xlabel=f"{mine[stem]:.3f}")
        else:
            axes.set_axis_off()


def draw(axes: Axes, picture: Image, *, xlabel: str = "", ylabel: str = "") -> None:
    """`picture` (H, W, 3) without ticks; kept in hard pixels where it is enlarged."""
    enlarged = max(picture.shape[:2]) <= PANEL * DPI
    axes.imshow(picture, interpolation="nearest" if enlarged else "antialiased")
    axes.set(xticks=[], yticks=[])
    axes.set_xlabel(xlabel, fontsize=8, labelpad=2)
    axes.set_ylabel(ylabel, fontsize=7)
    axes.spines[:].set(color="0.6", linewidth=0.5)


def title(axes: Axes, name: str, below: str = "") -> None:
    lines = [line for part in name.split(" / ") for line in textwrap.wrap(part, 22, break_long_words=False)]
    axes.set_title("\n".join([*lines, below]).strip(), fontsize=7.5)


def add_legend(figure: Figure) -> None:
    """What the four colours mean, above the pictures."""
    handles = [
        Patch(facecolor="#" + bytes(colour).hex(), edgecolor="0.5", linewidth=0.5, label=name)
        for name, colour in COLOURS.items()
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=4, fontsize=8, frameon=False)


def caption(comparison: Comparison, first: Predictions, models: int, images: int, command: str) -> str:
    """n, what was left out, which run stands for a model, and how to draw the figure again."""
    of_models = (
        f"{models} models"
        if models == len(comparison.table)
        else f"{models} of {len(comparison.table)} models"
    )
    of_images = f"n = {images} test images"
    if images < len(first.truth):
        of_images = f"{images} of n = {len(first.truth)} test images"
    several = (
        "; of several runs the one with the median test IoU" if (comparison.table["n_runs"] > 1).any() else ""
    )
    text = f"{of_models}, {of_images}; IoU in the heading is pooled over all test images{several}; drawn by: {command}"
    return textwrap.fill(text, 30 + 22 * models)


def write(study: Study, out: Path, command: str) -> list[Path]:
    """Writes masks.png into `out`."""
    file = out / "masks.png"
    masks_figure(compare(study), study.predictions, command).savefig(file)
    return [file]


if __name__ == "__main__":
    raise SystemExit(main("python -m analysis.grids", str(__doc__), [write]))
