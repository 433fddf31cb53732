"""hardest_images.png: the hardest test images, the models' disagreement on them, and the best model's worst place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy.ndimage import uniform_filter

from analysis import AnalysisError
from analysis.comparison.comparison import Comparison
from analysis.comparison.rows import image_means
from analysis.figures import canvas
from analysis.figures.mask_grid import draw, error_picture, legend_handles
from analysis.figures.median_runs import median_runs
from analysis.pull.masks import Image, Mask, Predictions
from common import keys
from common.colours import MASKS, MEANINGS, SERIES
from common.text import plural, short_names

MOST_IMAGES = 4
MOST_LISTED = 18
SHORT, LONGEST = 16, 22
"""Letters of an image's name that need no more room, and most letters of one."""
LETTER = 0.09
"""Width of a letter more, inches."""
MAP = "cividis"
TRUTH, PREDICTED = (SERIES[place][0] for place in MASKS[:2])
WINDOW = 1 / 5
"""Side of the worst place over the longer side of the image."""
PANEL, GAP, LABEL = 1.75, 0.12, 0.34
"""Side of one picture, space between two, and room for the words below one, inches."""


def agreement(masks: Sequence[Mask]) -> npt.NDArray[np.float64]:
    """(H, W) share of the masks that say foreground; all of one size."""
    return np.asarray(np.mean(np.stack(masks), axis=0), dtype=np.float64)


def worst_place(truth: Mask, prediction: Mask) -> tuple[slice, slice]:
    """Rows and columns of the square window of `WINDOW` in which most pixels of the prediction are wrong."""
    height, width = truth.shape
    side = min(max(8, round(WINDOW * max(height, width))), height, width)
    wrong = uniform_filter((truth != prediction).astype(np.float64), side, mode="constant")
    y, x = np.unravel_index(int(wrong.argmax()), wrong.shape)
    top, left = (int(min(max(at - side // 2, 0), whole - side)) for at, whole in ((y, height), (x, width)))
    return slice(top, top + side), slice(left, left + side)


def draw_zoom(axes: Axes, truth: Mask, prediction: Mask, picture: Image | None = None) -> None:
    """The worst place, enlarged, with the outlines of truth (dashed) and prediction (solid).

    They lie on `picture` (H, W, 3), or if it is None on the errors in colour.
    """
    rows, columns = worst_place(truth, prediction)
    below = error_picture(truth, prediction) if picture is None else picture
    side = rows.stop - rows.start
    axes.imshow(below[rows, columns], extent=(-0.5, side - 0.5, side - 0.5, -0.5), interpolation="nearest")
    for mask, colour, style in ((truth, TRUTH, "dashed"), (prediction, PREDICTED, "solid")):
        part = mask[rows, columns]
        if part.any() and not part.all():
            axes.contour(part, levels=[0.5], colors="white", linewidths=3)
            axes.contour(part, levels=[0.5], colors=colour, linewidths=1.6, linestyles=style)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set(color="0.6", linewidth=0.5)


def draw_agreement(axes: Axes, share: npt.NDArray[np.float64], truth: Mask) -> ScalarMappable:
    """Share of models that say foreground, 0 … 1, and the outline of the truth; returns the image for a colour bar."""
    norm = Normalize(0, 1)
    axes.imshow(share, cmap=MAP, norm=norm, interpolation="nearest")
    if truth.any() and not truth.all():
        axes.contour(truth, levels=[0.5], colors="white", linewidths=0.8)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set(color="0.6", linewidth=0.5)
    return ScalarMappable(norm, MAP)


def draw_image_means(axes: Axes, means: pd.DataFrame) -> None:
    """IoU of every test image, hardest on top: mean over models, and a line from the lowest to the highest model."""
    at = range(len(means))
    axes.hlines(at, means["low"], means["high"], color="0.6", linewidth=2)
    axes.plot(means["iou"], at, "o", color=MEANINGS["val"][0], markersize=5)
    axes.set_yticks(list(at), [canvas.plain(str(name)) for name in means["image"]])
    axes.invert_yaxis()
    axes.set_xlabel("IoU: mean over models, lowest to highest", fontsize=8)
    axes.tick_params(labelsize=7.5)
    axes.grid(axis="x", color="0.9", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)


def hardest_images_figure(
    comparison: Comparison, predictions: Mapping[str, Predictions], command: str, *, photographs: bool = True
) -> Figure:
    """A column for each of the `MOST_IMAGES` hardest images, and the IoU of all images at the right.

    A column has the errors of the best model that was tested on the image, its worst place, and the disagreement of
    models. Raises `AnalysisError` if no run has predictions.
    """
    means = image_means(comparison.shown_scores)
    if means.empty:
        raise AnalysisError("None of these runs has a predictions artifact: there are no hard images to draw.")
    shown = {stem: median_runs(comparison, [stem]) for stem in means["image"][:MOST_IMAGES]}
    listed = means.head(MOST_LISTED)
    names = short_names(listed["image"], LONGEST)
    width = len(shown) * (PANEL + GAP)
    wider = LETTER * max(0, max(map(len, names.values())) - SHORT)
    told = caption(comparison, shown, means, names, command)
    taller = max(0, canvas.caption_height(width + 4.1 + wider, told) - 0.36)
    figure = canvas.blank(width + 4.1 + wider, 3 * (PANEL + LABEL) + 0.85 + taller)
    colours = None
    for column, (stem, runs) in enumerate(shown.items()):
        panels = [
            canvas.place(figure, 0.3 + column * (PANEL + GAP), 0.55 + row * (PANEL + LABEL), PANEL, PANEL)
            for row in range(3)
        ]
        colours = draw_column(panels, stem, runs, predictions, photographs)
        panels[0].set_title(canvas.plain(names[stem]), fontsize=8, pad=3)
        if column == 0:
            for axes, words in zip(panels, ("errors of the best", "its worst place", "all models"), strict=True):
                axes.set_ylabel(words, fontsize=8)
    if colours:
        bar = canvas.place(figure, 0.35 + width, 0.55 + 2 * (PANEL + LABEL), 0.12, PANEL)
        figure.colorbar(colours, cax=bar).set_label("share of models that say foreground", fontsize=7.5)
        bar.tick_params(labelsize=7)
    place = canvas.place(figure, width + 1.35 + wider, 0.55, 2.5, 2 * PANEL)
    draw_image_means(place, listed.assign(image=listed["image"].map(names)))
    canvas.legend(figure, handles(), columns=4)
    canvas.caption(figure, told)
    return figure


def draw_column(
    panels: Sequence[Axes], stem: str, runs: pd.DataFrame, predictions: Mapping[str, Predictions], photographs: bool
) -> ScalarMappable:
    """One image: errors and worst place of the first of the `runs` that were tested on it, and their agreement."""
    best = runs.iloc[0].to_dict()
    own = predictions[str(best["run_id"])]
    truth, mask = own.truth[stem], own.masks[str(best[keys.TEST_RULE])][stem]
    wrong = int((truth != mask).sum())
    draw(panels[0], error_picture(truth, mask), below=f"{wrong / truth.size:.1%} of pixels wrong")
    draw_zoom(panels[1], truth, mask, own.images[stem] if photographs else None)
    others = [predictions[str(run["run_id"])].masks[str(run[keys.TEST_RULE])][stem] for run in runs.to_dict("records")]
    same_size = [other for other in others if other.shape == truth.shape]
    panels[2].set_xlabel(plural(len(same_size), "model"), fontsize=8, labelpad=2)
    return draw_agreement(panels[2], agreement(same_size), truth)


def handles() -> list[Artist]:
    """Legend of the colours of errors in the first row, and of the two outlines in the second."""
    colours = [patch for patch in legend_handles() if str(patch.get_label()).startswith("false")]
    return [
        *colours,
        Line2D([], [], color=TRUTH, linestyle="dashed", label="outline of the truth"),
        Line2D([], [], color=PREDICTED, label="outline of the prediction"),
    ]


def caption(
    comparison: Comparison,
    shown: Mapping[str, pd.DataFrame],
    means: pd.DataFrame,
    names: Mapping[str, str],
    command: str,
) -> str:
    """Caption: n, the runs whose errors are drawn, and the command that draws them again."""
    which = (
        f"n = {len(shown)} test images, hardest first"
        if len(shown) == len(means)
        else (f"{len(shown)} hardest of n = {len(means)} test images")
    )
    fewest, most = (of(len(runs) for runs in shown.values()) for of in (min, max))
    models = f"{most} models" if fewest == most else f"{fewest} to {most} models"
    tested = " that were tested on each" if means["n"].nunique() > 1 else ""
    drawn: dict[str, list[str]] = {}
    for stem, runs in shown.items():
        drawn.setdefault(f"{runs.iloc[0]['model']} (run {runs.iloc[0]['run_id']})", []).append(names[stem])
    whose = [run + (f" on {', '.join(images)}" if len(drawn) > 1 else "") for run, images in drawn.items()]
    best = median_runs(comparison).iloc[0]["model"]
    other = any(runs.iloc[0]["model"] != best for runs in shown.values())
    return (
        f"{which} by the mean over models{tested}, {models}, one run each; errors are those of {' and of '.join(whose)}"
        f"{', of each image the best model that was tested on it' if other else ''}{canvas.command_note(command)}"
    )
