"""The pictures as files."""

from __future__ import annotations

from pathlib import Path

from analysis import cli
from analysis.comparison.comparison import Comparison
from analysis.figures.curves import curves_figure
from analysis.figures.hardest_images import hardest_images_figure
from analysis.figures.intervals import intervals_figure
from analysis.figures.mask_grid import masks_figure
from analysis.pull.study import Study


def write(study: Study, comparison: Comparison, out: Path, command: str) -> list[Path]:
    """Writes curves.png and intervals.png into `out`; masks.png and hardest_images.png where any run has masks."""
    figures = {
        "curves": curves_figure(comparison, study.history, command),
        "intervals": intervals_figure(comparison, study.predictions, command),
    }
    if len(comparison.scores):
        figures["masks"] = masks_figure(comparison, study.predictions, command)
        figures["hardest_images"] = hardest_images_figure(comparison, study.predictions, command)
    else:
        cli.say("None of these runs has a predictions artifact: there are no masks to draw.")
    files = []
    for name, figure in figures.items():
        files.append(out / f"{name}.png")
        figure.savefig(files[-1])
    return files
