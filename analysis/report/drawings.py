"""The drawn figures of a report, each with its content in words, and a caption with n and the command."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from analysis.comparison.comparison import Comparison
from analysis.comparison.pareto import sentence
from analysis.comparison.rows import image_means
from analysis.figures import canvas
from analysis.figures.hardest_images import hardest_images_figure
from analysis.figures.intervals import intervals_figure
from analysis.figures.pareto import pareto_figure
from analysis.hyperparameters import importance, plots
from analysis.hyperparameters.best_of_n import budget_curves, expected_best_curves
from analysis.hyperparameters.expected_best import EXCHANGEABLE
from analysis.hyperparameters.importance import LEVEL, varying_parameters
from analysis.pull.study import Study
from analysis.report.content import SEED, Content
from analysis.report.pictures import data_uri, drawing
from common import keys
from common.text import plural

FEWEST_LINES = 20
"""Runs below which parallel coordinates show less than the table."""


@dataclass(frozen=True)
class Drawing:
    """A figure in the page: `src` is a data URI, `alt` its content in words, `caption` n and the command."""

    src: str
    alt: str
    caption: str


def drawings(study: Study, comparison: Comparison, report: Content, *, photographs: bool) -> dict[str, list[Drawing]]:
    """By section, the figures that these runs allow; masks are drawn on photographs only with `photographs`."""
    return {
        "comparison": [intervals(study, comparison), *pareto_drawings(comparison)],
        "hard": hard_drawings(study, comparison, photographs),
        "search": search_drawings(study, report),
    }


def intervals(study: Study, comparison: Comparison) -> Drawing:
    """Test IoU with intervals; the table above it has the same numbers."""
    return Drawing(
        as_uri(intervals_figure(comparison, study.predictions, "")),
        "Test IoU of every model with its interval, and the IoU of masks that are right but for one pixel;"
        " the numbers stand in the tables above",
        f"Test IoU by model, best on top; n = {plural(len(comparison.runs), 'run')}",
    )


def pareto_drawings(comparison: Comparison) -> list[Drawing]:
    """IoU against time per image; none if times are not known."""
    figure, told = pareto_figure(comparison.table), sentence(comparison.table)
    if figure is None or told is None:
        return []
    n = plural(len(comparison.table), "model")
    return [Drawing(as_uri(figure), told, f"IoU against time per image, which is rough; n = {n}")]


def hard_drawings(study: Study, comparison: Comparison, photographs: bool) -> list[Drawing]:
    """The hardest images; none without predictions."""
    if not len(comparison.scores):
        return []
    figure = hardest_images_figure(comparison, study.predictions, "", photographs=photographs)
    means = image_means(comparison.shown_scores)
    told = ", ".join(f"{image} {iou:.3f}" for image, iou in zip(means["image"][:4], means["iou"][:4], strict=True))
    return [
        Drawing(
            as_uri(figure),
            f"The hardest test images with the errors and worst place of the best model, and the share of models that"
            f" say foreground; mean IoU over models: {told}",
            f"Hardest test images; n = {plural(len(means), 'test image')}, {plural(len(comparison.table), 'model')}",
        )
    ]


def search_drawings(study: Study, report: Content) -> list[Drawing]:
    """Importances beyond chance; parallel coordinates of `FEWEST_LINES` runs; best so far, but not of a grid."""
    table, names = report.search.table, varying_parameters(study.runs)
    if table.empty:
        return []
    n = f"n = {plural(len(study.runs), 'run')}"
    made: list[Callable[[], Drawing]] = [
        lambda: Drawing(
            as_uri(importances_figure(report.search.table)),
            "Bars of the share of variance that every setting explains alone; "
            + " ".join(importance.sentences(report.search.table)),
            f"Share of the variance of validation IoU by setting, grey if chance does as much; {n}",
        ),
        lambda: Drawing(
            as_uri(parallel_figure(study, names)),
            f"A line for each of {n.removeprefix('n = ')} across {', '.join(names)}, coloured by validation IoU",
            f"Settings and validation IoU of every run, the best one thick; {n}",
        ),
        lambda: Drawing(
            as_uri(budget_figure(study, report)),
            "Best validation IoU so far against trials and against device-minutes, a stepped line per architecture",
            f"Best result of the search by its budget; {n}",
        ),
    ]
    there = ((table["chance"] < LEVEL).any(), len(study.runs) >= FEWEST_LINES, report.search.method != "grid")
    return [figure() for figure, wanted in zip(made, there, strict=True) if wanted]


def as_uri(figure: Figure) -> str:
    """A figure as the address of a PNG in the page."""
    return data_uri(drawing(figure), "png")


def importances_figure(table: pd.DataFrame) -> Figure:
    """Bars with their names at the left."""
    height = 0.9 + 0.36 * len(table)
    figure = canvas.blank(7.5, height)
    axes = canvas.place(figure, 2.3, 0.15, 4.9, height - 0.75)
    plots.draw_importances(axes, table)
    axes.tick_params(labelsize=8)
    return figure


def parallel_figure(study: Study, names: list[str]) -> Figure:
    """Parallel coordinates with a colour bar."""
    figure = canvas.blank(max(6.0, 1.7 * (len(names) + 1)), 3.6)
    width = figure.get_size_inches()[0]
    axes = canvas.place(figure, 0.4, 0.2, width - 1.6, 3.0)
    colours = plots.draw_parallel(axes, study.runs, names)
    axes.tick_params(labelsize=8)
    figure.colorbar(colours, cax=canvas.place(figure, width - 0.9, 0.4, 0.14, 2.5), label=keys.VAL_IOU)
    return figure


def budget_figure(study: Study, report: Content) -> Figure:
    """Best so far against trials and minutes; of random and grid sweeps the expected best as well."""
    curves, method = budget_curves(study.runs), report.search.method
    expected = method in EXCHANGEABLE
    figure = canvas.blank(11.0 if expected else 7.6, 3.4)
    for i, against in enumerate(("trial", "minutes")):
        axes = canvas.place(figure, 0.7 + 3.6 * i, 0.75, 2.7, 2.0)
        plots.draw_budget(axes, curves, against=against)
    if expected and method:
        axes = canvas.place(figure, 0.7 + 7.2, 0.75, 2.7, 2.0)
        rng = np.random.default_rng(SEED)
        plots.draw_expected_best(axes, expected_best_curves(study.runs, rng, method=method))
    return figure
