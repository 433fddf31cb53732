"""Nothing of a figure is cut at its edge, and legend and caption lie beside the drawings, for one to twelve models."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from analysis.comparison.comparison import Comparison, compare
from analysis.figures.curves import curves_figure
from analysis.figures.hardest_images import hardest_images_figure
from analysis.figures.intervals import intervals_figure
from analysis.figures.mask_grid import masks_figure
from analysis.pull.masks import Predictions
from analysis.pull.study import Study
from tests.analysis.studies import MODELS, seen, study

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
    check(FIGURES[name](made, compare(replace(made))))


@pytest.mark.parametrize("draw", [masks_figure, hardest_images_figure])
def test_long_names_of_images_keep_apart(draw: Callable[..., Figure]) -> None:
    made = study(models=MODELS[2:4])
    renamed = {run_id: rename(own) for run_id, own in made.predictions.items()}
    figure = draw(compare(seen(made, renamed)), renamed, COMMAND)
    check(figure)
    texts = [text for axes in figure.axes for text in (axes.title, axes.yaxis.label, *axes.get_yticklabels())]
    boxes = [text.get_window_extent() for text in texts if "WHATSAPP" in text.get_text()]
    panels = [axes.get_window_extent() for axes in figure.axes]
    assert len(boxes) >= 4
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in (*boxes[:i], *panels))


def test_a_caption_of_two_lines_lies_below_the_curves() -> None:
    made = study(models=MODELS[2:4])
    check(curves_figure(compare(made), made.history, f"{COMMAND}-and-a-part/that/is/long"))


def rename(own: Predictions) -> Predictions:
    """The same pictures under the long names of a telephone."""
    names = {stem: f"WHATSAPP IMAGE 2024-05-12 AT 15.3{i}.12" for i, stem in enumerate(own.truth)}

    def under(group: Mapping[str, Any]) -> dict[str, Any]:
        return {names[stem]: picture for stem, picture in group.items()}

    return Predictions(under(own.images), under(own.truth), {rule: under(own.masks[rule]) for rule in own.masks})


def check(figure: Figure) -> None:
    """Fails if something lies beyond the edge, or legend, caption or another text on a panel."""
    figure.draw_without_rendering()
    panels, around = extents(figure)
    whole = figure.bbox.expanded(1.005, 1.005)
    for box in (*panels, *around):
        assert Bbox.union([whole, box]).bounds == whole.bounds
    for box in around:
        assert not any(box.padded(-2).overlaps(panel) for panel in panels)
