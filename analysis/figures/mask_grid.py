"""masks.png: every test image, its truth, and every model's mask with the errors in colour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import PIL.Image
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from PIL import ImageColor

from analysis import AnalysisError
from analysis.comparison.comparison import Comparison
from analysis.figures import canvas
from analysis.figures.median_runs import median_runs, shown_run, tested_images
from analysis.pull.masks import Image, Mask, Predictions
from common import keys
from common.colours import MEANINGS
from common.text import short_names, some

COLOURS = {
    "true positive": (255, 255, 255),
    "true negative": (0, 0, 0),
    "false positive": ImageColor.getrgb(MEANINGS["false-positive"][0]),
    "false negative": ImageColor.getrgb(MEANINGS["false-negative"][0]),
}
"""Colours of the pages, on white and black: apart for every kind of colour vision."""
MEANS = {"false positive": " (too much)", "false negative": " (missing)"}
PANEL, GAP, LABEL = 1.25, 0.05, 0.24
"""Side of one picture, space between two, and room for the IoU below one, inches."""
CHARACTERS = 15
"""Letters of an image's name that fit into an inch."""
NARROWEST = 6.2
"""Width of the legend, inches."""
MOST_MODELS = 10
MOST_IMAGES = 12


def error_picture(truth: Mask, prediction: Mask) -> Image:
    """(H, W, 3) picture of a prediction: white for foreground in both, black for neither, colours for errors."""
    picture = np.zeros((*truth.shape, 3), np.uint8)
    picture[truth & prediction] = COLOURS["true positive"]
    picture[~truth & prediction] = COLOURS["false positive"]
    picture[truth & ~prediction] = COLOURS["false negative"]
    return picture


def masks_figure(
    comparison: Comparison,
    predictions: Mapping[str, Predictions],
    command: str,
    *,
    photographs: bool = True,
    models: int = MOST_MODELS,
) -> Figure:
    """Rows are test images; columns the image, the truth, then one model each with its errors and IoU.

    Without `photographs` there is no column for the image. Only the best `models` and the first `MOST_IMAGES` of
    `shown_run` are drawn; the caption says so. Raises `AnalysisError` if no run has predictions.
    """
    run_id = shown_run(comparison)
    if run_id is None:
        raise AnalysisError("None of these runs has a predictions artifact: there are no masks to draw.")
    first = predictions[run_id]
    stems = list(first.truth)[:MOST_IMAGES]
    runs = median_runs(comparison, stems).head(models)
    titles = ["test image"] * photographs + ["truth", *(heading(run) for run in runs.to_dict("records"))]
    tallest = max(first.truth[stem].shape[0] / first.truth[stem].shape[1] for stem in stems)
    words = caption(comparison, runs, stems, command)
    figure, panels = grid(stems, titles, PANEL * min(tallest, 1.0), words)
    for stem, row in zip(stems, panels, strict=True):
        if photographs:
            draw(row[0], first.images[stem])
        draw(row[int(photographs)], error_picture(first.truth[stem], first.truth[stem]))
    for column, run in enumerate(runs.to_dict("records"), start=1 + photographs):
        of_model = [row[column] for row in panels]
        draw_model(of_model, stems, predictions[run["run_id"]], run, comparison.scores)
    canvas.legend(figure, legend_handles(), columns=4)
    canvas.caption(figure, words)
    return figure


def heading(run: Mapping[Any, Any]) -> str:
    """A model's name, broken to the width of a picture, above the IoU of the run that is shown."""
    lines = [canvas.wrap_label(part, 22) for part in str(run["model"]).split(" / ")]
    return "\n".join([*lines, f"IoU {run[keys.TEST_IOU]:.3f}"])


def grid(rows: list[str], columns: list[str], height: float, words: str) -> tuple[Figure, list[list[Axes]]]:
    """Empty panels of `height` inches, as rows of columns, with names at the left and above and room for `words`."""
    top = 0.35 + 0.13 * max(title.count("\n") + 1 for title in columns)
    taken = 0.3 + len(columns) * (PANEL + GAP)
    width = max(taken, NARROWEST)
    left = 0.25 + (width - taken) / 2
    bottom = canvas.caption_height(width, words)
    figure = canvas.blank(width, top + len(rows) * (height + LABEL) + bottom)
    panels = [
        [
            canvas.place(figure, left + x * (PANEL + GAP), top + y * (height + LABEL), PANEL, height)
            for x in range(len(columns))
        ]
        for y in range(len(rows))
    ]
    for axes, title in zip(panels[0], columns, strict=True):
        axes.set_title(title, fontsize=7.5, pad=3)
    short = short_names(rows, int(CHARACTERS * (height + LABEL)))
    for (axes, *_), name in zip(panels, rows, strict=True):
        axes.set_ylabel(canvas.plain(short[name]), fontsize=7, labelpad=3)
    return figure, panels


def draw_model(
    panels: list[Axes], stems: list[str], predictions: Predictions, run: Mapping[Any, Any], scores: pd.DataFrame
) -> None:
    """One model's column: the errors of the tested checkpoint on every image, IoU below; blank without a mask."""
    rule = str(run[keys.TEST_RULE])
    mine = scores[(scores["run_id"] == run["run_id"]) & (scores["checkpoint"] == rule)]
    iou = mine.set_index("image")["iou"]
    for axes, stem in zip(panels, stems, strict=True):
        if stem in iou.index:
            picture = error_picture(predictions.truth[stem], predictions.masks[rule][stem])
            draw(axes, picture, below=f"{iou[stem]:.3f}")
        else:
            axes.set_axis_off()


def draw(axes: Axes, picture: Image, below: str = "") -> None:
    """`picture` (H, W, 3) without ticks; enlarged without smoothing, reduced by means of areas."""
    (height, width), side = picture.shape[:2], round(PANEL * canvas.DPI)
    enlarged = max(height, width) <= side
    small = PIL.Image.fromarray(picture)
    small.thumbnail((2 * side, 2 * side), PIL.Image.Resampling.BOX)  # of more pixels matplotlib takes long
    extent = (-0.5, width - 0.5, height - 0.5, -0.5)
    axes.imshow(np.asarray(small), extent=extent, interpolation="nearest" if enlarged else "antialiased")
    axes.set(xticks=[], yticks=[])
    axes.set_xlabel(below, fontsize=8, labelpad=2)
    axes.spines[:].set(color="0.6", linewidth=0.5)


def legend_handles() -> list[Patch]:
    """Legend of the four colours."""
    return [
        Patch(facecolor="#" + bytes(colour).hex(), edgecolor="0.5", linewidth=0.5, label=name + MEANS.get(name, ""))
        for name, colour in COLOURS.items()
    ]


def caption(comparison: Comparison, runs: pd.DataFrame, images: Sequence[str], command: str) -> str:
    """n, omissions, the run that stands for a model, and the command that draws the figure again."""
    table, folds = comparison.table, len(set(tested_images(comparison).values())) > 1
    of_models = f"{len(runs)} models" if len(runs) == len(table) else f"{len(runs)} of {len(table)} models"
    several = f"; of several runs{' on these' if folds else ''} the one with the median test IoU"
    return (
        f"{of_models}, {count_images(comparison, images)}, {training_sizes(comparison.runs)}; IoU in the heading is"
        f" pooled over all test images{' of that run' if folds else ''}{several if (table['n_runs'] > 1).any() else ''}"
        f"{untested(comparison, images)}{canvas.command_note(command)}"
    )


def count_images(comparison: Comparison, images: Sequence[str]) -> str:
    """n of the test images that are shown, and their fold if only runs of one were tested on them."""
    seen = tested_images(comparison)
    n = len(frozenset().union(*seen.values()))
    if len(images) == n:
        return f"n = {n} test images"
    splits = comparison.runs.set_index("run_id")["split"]
    own = {str(splits[run_id]) for run_id, tested in seen.items() if not tested.isdisjoint(images)}
    fold = f" (fold {own.pop()})" if len(own) == 1 and splits.nunique() > 1 else ""
    return f"{len(images)} of n = {n} test images{fold}"


def untested(comparison: Comparison, images: Sequence[str]) -> str:
    """The end of a caption with the models whose predictions are all of other images; empty if there are none."""
    own = set(median_runs(comparison, images)["model"])
    others = [model for model in median_runs(comparison)["model"] if model not in own]
    return f"; not tested on these images: {some(others, 2)}" if others else ""


def training_sizes(runs: pd.DataFrame) -> str:
    """The sizes that models were trained at, and the epochs if all have as many; pictures have the size of scores."""
    values = runs.reindex(columns=["image_size", "epochs"])
    sides = [f"{side:.0f}×{side:.0f}" for side in sorted(values["image_size"].dropna().unique())]
    words = f"trained at {' or '.join(sides)} pixels" if sides else "trained at a size that is not known"
    epochs = values["epochs"].dropna().unique()
    return words + (f", {epochs[0]:.0f} epochs" if len(epochs) == 1 else "")
