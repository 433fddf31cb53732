"""A report as one HTML file that asks no network for anything."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from analysis.comparison.comparison import Comparison
from analysis.figures.mask_grid import COLOURS
from analysis.pull.study import Study
from analysis.report.content import Content
from analysis.report.drawings import drawings
from analysis.report.pictures import curve_data, mask_grid
from analysis.tables import formats

SECTIONS = {
    "question": "Answer",
    "table": "Table",
    "proof": "How sure that is",
    "steps": "What would decide",
    "curves": "Learning curves",
    "overfitting": "Overfitting",
    "masks": "Masks",
    "importance": "Which setting mattered",
    "caveats": "Keep in mind",
    "again": "How to reproduce",
}


def page(study: Study, comparison: Comparison, report: Content, command: str, *, photographs: bool = True) -> str:
    """The report as HTML; without `photographs` masks are shown on the truth instead.

    At most `pictures.MOST_*` models, images, pixels and epochs: about 3 MB however large the study is.
    """
    grid = mask_grid(comparison, study.predictions, photographs=photographs)
    curves = curve_data(comparison, study.history) if len(study.history) else []
    template = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=False).from_string(
        asset("page.html")
    )
    return template.render(
        it=report,
        css=Markup(asset("page.css")),
        js=Markup(asset("page.js")),
        sections=list(SECTIONS.items()),
        tables=[formats.html(sheet) for sheet in report.sheets],
        proof=[formats.html(sheet) for sheet in report.proof],
        figures=drawings(study, comparison, report, command, photographs=photographs),
        curves=curves,
        grid=grid,
        photographs=photographs,
        colours=[(name, "#" + bytes(colour).hex()) for name, colour in COLOURS.items()],
        n_runs=len(comparison.runs),
        n_models=len(comparison.table),
        command=command,
        data=script_data({"curves": curves, "masks": grid["models"]}),
    )


def script_data(values: Any) -> str:
    """JSON that may stand inside a `script`: no name of a model or file can end it."""
    text = json.dumps(values, allow_nan=False, separators=(",", ":"), ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def asset(name: str) -> str:
    """A file of this folder."""
    return files("analysis.report").joinpath(name).read_text()
