"""The pictures as files."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from analysis import cli
from analysis.comparison.comparison import Comparison
from analysis.figures.curves import NO_CURVES, curves_figure, has_curves
from analysis.figures.hardest_images import hardest_images_figure
from analysis.figures.intervals import intervals_figure
from analysis.figures.mask_grid import MOST_MODELS, masks_figure
from analysis.pull.study import Study
from common.files import replacing


def write(study: Study, comparison: Comparison, out: Path, command: str) -> list[Path]:
    """Writes into `out` curves.png if any run has curves, intervals.png, and the two of masks if any run has masks."""
    files = []
    if has_curves(comparison, study.history):
        files = [_save(curves_figure(comparison, study.history, command), out / "curves.png")]
    else:
        cli.say(NO_CURVES)
    files.append(_save(intervals_figure(comparison, study.predictions, command), out / "intervals.png"))
    if not len(comparison.scores):
        cli.say("None of these runs has a predictions artifact: there are no masks to draw.")
        return files
    return [*files, *write_masks(study, comparison, out, command), *write_hardest(study, comparison, out, command)]


def write_masks(study: Study, comparison: Comparison, out: Path, command: str, models: int = MOST_MODELS) -> list[Path]:
    """Writes masks.png of the best `models`; raises `AnalysisError` if no run has masks, as `write_hardest` does."""
    return [_save(masks_figure(comparison, study.predictions, command, models=models), out / "masks.png")]


def write_hardest(study: Study, comparison: Comparison, out: Path, command: str) -> list[Path]:
    return [_save(hardest_images_figure(comparison, study.predictions, command), out / "hardest_images.png")]


def _save(figure: Figure, file: Path) -> Path:
    with replacing(file) as unfinished:
        figure.savefig(unfinished, format="png")
    return file
