"""Nothing of a figure is cut at its edge, and legend and caption lie beside the drawings, for one to twelve models."""

from collections.abc import Callable
from dataclasses import replace

import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from analysis.comparison.comparison import Comparison, compare
from analysis.figures.curves import curves_figure
from analysis.figures.hardest_images import hardest_images_figure
from analysis.figures.intervals import intervals_figure
from analysis.figures.mask_grid import masks_figure
from analysis.pull.study import Study
from tests.analysis.studies import MODELS, study

COMMAND = "make notebooks STUDY=entity/a-project-of-mine/abcdefgh"
MANY = [*MODELS, *(("deeplabv3plus", f"tu-tf_efficientnet_lite{i}", "imagenet") for i in range(1, 5))]
FIGURES: dict[str, Callable[[Study, Comparison], Figure]] = {
    "curves": lambda made, found: curves_figure(found, made.history, COMMAND),
    "curves of small losses": lambda made, found: curves_figure(found, small_losses(made.history), COMMAND),
    "intervals": lambda made, found: intervals_figure(found, made.predictions, COMMAND),
    "masks": lambda made, found: masks_figure(found, made.predictions, COMMAND),
    "masks alone": lambda made, found: masks_figure(found, made.predictions, COMMAND, photographs=False),
    "hardest images": lambda made, found: hardest_images_figure(found, made.predictions, COMMAND),
}


def small_losses(history: pd.DataFrame) -> pd.DataFrame:
    """A twentieth of the losses, whose axis has long numbers."""
    return history.assign(**{name: history[name] / 20 for name in ("train/loss", "val/loss")})


def extents(figure: Figure) -> tuple[list[Bbox], list[Bbox]]:
    """Of the panels with their labels, and of legend, caption and other texts of the figure."""
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    panels = [axes.get_tightbbox(renderer) for axes in figure.axes if axes.get_visible()]
    around = [artist.get_window_extent(renderer) for artist in (*figure.legends, *figure.texts)]
    return [box for box in panels if box is not None], around


@pytest.mark.parametrize("models", [1, 2, 12])
@pytest.mark.parametrize("name", FIGURES)
def test_nothing_is_cut_and_nothing_overprints(name: str, models: int) -> None:
    made = study(seeds=2, models=MANY[:models])
    figure = FIGURES[name](made, compare(replace(made)))
    figure.draw_without_rendering()
    panels, around = extents(figure)
    whole = figure.bbox.expanded(1.005, 1.005)
    for box in (*panels, *around):
        assert Bbox.union([whole, box]).bounds == whole.bounds
    for box in around:
        assert not any(box.padded(-2).overlaps(panel) for panel in panels)
