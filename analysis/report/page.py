"""A report as one HTML file that asks no network for anything."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from analysis.comparison.comparison import Comparison
from analysis.figures.mask_grid import COLOURS, MEANS
from analysis.pull.study import Study
from analysis.report.content import Content
from analysis.report.drawings import drawings
from analysis.report.pictures import curve_data, mask_grid
from analysis.tables import formats

SECTIONS = {
    "question": "Answer",
    "table": "Table",
    "proof": "Certainty",
    "steps": "Next steps",
    "curves": "Curves",
    "masks": "Masks",
    "importance": "Importance of settings",
    "caveats": "Keep in mind",
    "again": "How to reproduce",
    "words": "Words",
}


WORDS = {
    "IoU": "pixels that truth and prediction share, of those that either has: 1 is perfect, 0 is nothing in common",
    "interval": "a range that holds the true mean in 95 of 100 such studies; with one seed only the test images vary"
    " in it, so two intervals that do not overlap prove nothing",
    "F1, precision, recall": "precision: the right share of the prediction; recall: the share of the truth that is"
    " found; F1: their harmonic mean",
    "foreground": "the pixels of the object; all scores are of it",
    "train, validation, test": "photographs that weights are fitted to; that choose the epoch; that only give scores",
    "epoch": "a stretch of training, which shows every photograph as often as `repeats` says, then validation",
    "loss": "the number that training makes small; on validation photographs it tells when fitting goes too far",
    "seed": "the number that first weights and the order of photographs are drawn from: another seed, another training",
    "checkpoint": "the weights of one epoch; the tested one is chosen on validation photographs",
    "backbone": "the part of a model that reads the photograph; from scratch, or with weights trained on ImageNet,"
    " a million everyday photographs",
    "split, fold": "a division of photographs into train, validation and test; 0 is the folder's own, others are dealt",
}


def page(study: Study, comparison: Comparison, report: Content, *, photographs: bool = True) -> str:
    """The report as HTML; without `photographs` masks are shown on the truth instead.

    At most `pictures.MOST_*` models, images, pixels and epochs: about 3 MB however large the study is.
    """
    grid = mask_grid(comparison, study.predictions, photographs=photographs)
    curves = curve_data(comparison, study.history) if len(study.history) else []
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=False)
    environment.filters["code"] = lambda text: Markup(formats.html_text(text))
    template = environment.from_string(asset("page.html"))
    return template.render(
        it=report,
        css=Markup(asset("page.css")),
        js=Markup(asset("page.js")),
        sections=list(SECTIONS.items()),
        tables=[formats.html(sheet) for sheet in report.sheets],
        proof=[formats.html(sheet) for sheet in report.proof],
        losses=formats.html(report.losses) if report.losses else "",
        words=WORDS,
        figures=drawings(study, comparison, report, photographs=photographs),
        curves=curves,
        grid=grid,
        photographs=photographs,
        colours=[(name + MEANS.get(name, ""), "#" + bytes(colour).hex()) for name, colour in COLOURS.items()],
        n_runs=len(comparison.runs),
        n_models=len(comparison.table),
        data=script_data({"curves": curves, "masks": grid["models"]}),
    )


def script_data(values: Any) -> str:
    """JSON that may stand inside a `script`: no name of a model or file can end it."""
    text = json.dumps(values, allow_nan=False, separators=(",", ":"), ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def asset(name: str) -> str:
    """A file of this folder."""
    return files("analysis.report").joinpath(name).read_text()
