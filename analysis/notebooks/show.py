"""Text and pictures of the notebooks, made from results, without photographs.

Everything takes a `Part` of a study, or None if the study has no such runs: then it says so.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import pandas as pd
from IPython.display import Image, Markdown
from matplotlib.figure import Figure

from analysis.comparison import advice
from analysis.comparison.answer import answers, keep_in_mind
from analysis.comparison.comparison import Comparison, compare, pairs_within, truths_of
from analysis.figures.curves import NO_CURVES, curves_figure, has_curves
from analysis.figures.hardest_images import hardest_images_figure
from analysis.figures.intervals import intervals_figure
from analysis.figures.mask_grid import masks_figure
from analysis.pull import study_folder
from analysis.pull.study import Study, from_folder
from analysis.report import content
from analysis.report.drawings import importances_figure
from analysis.report.pictures import drawing
from analysis.tables import formats, sheets
from common import keys

NOTHING = Markdown("This study has no such runs: there is nothing to show here.")
NO_MASKS = Markdown("None of these runs has a predictions artifact: there are no masks to show.")
NO_PAGES = Markdown("The pages of this study were not kept: there is nothing to show here.")
PAGES = {
    "sweep": "The sweep: progress, validation and test IoU of each run, settings and result",
    "curves": "IoU and loss of all runs by model: validation, and training dashed",
    "run": "IoU and loss of the best run: validation, and training dashed",
}
"""Pages of the W&B server by the names of their pictures."""
SCREEN_DPI = 90


@dataclass(frozen=True)
class Part:
    """Some runs of a study, and their comparison."""

    study: Study
    comparison: Comparison

    @property
    def command(self) -> str:
        """The code that draws its figures again."""
        paths = self.study.given or sweep_paths(self)
        return f"make notebooks STUDY={shlex.quote(' '.join(paths))}" if paths else "make notebooks"


def sweep_paths(of: Part, between: str = "/") -> list[str]:
    """ENTITY/PROJECT/SWEEP of every sweep that the runs belong to."""
    runs = of.study.runs
    sweeps = runs["sweep"] if "sweep" in runs else pd.Series(None, index=runs.index, dtype=object)
    return list((runs["path"].str.rsplit("/", n=1).str[0] + between + sweeps).dropna().unique())


def part(study: Study, chosen: pd.Series[bool] | None = None) -> Part | None:
    """The runs of `study` for which `chosen` is true, all without it; None if there are none."""
    runs = study.runs if chosen is None else study.runs[chosen].reset_index(drop=True)
    if runs.empty:
        return None
    own = replace(
        study,
        runs=runs,
        history=study.history[study.history["run_id"].isin(runs["run_id"])],
        scores=study.scores[study.scores["run_id"].isin(runs["run_id"])],
    )
    return Part(own, compare(own))


def beside(paths: Sequence[str], name: str, backbone: str | None = None) -> Part | None:
    """The exported study `name` that lies beside the one that the notebook is about; None if there is none.

    Of it the runs on one backbone, if that is named; "none" are the U-Nets from scratch.
    """
    folder = study_folder.place(paths[0]) if len(paths) == 1 else None
    other = study_folder.place(str(folder.parent / name)) if folder else None
    if other is None:
        return None
    study = from_folder(other)
    return part(study, None if backbone is None else study.runs["backbone"] == backbone)


def bullets(lines: Iterable[str], otherwise: str = "Nothing.") -> Markdown:
    """A list; the sentence `otherwise` if it is empty."""
    told = list(lines)
    return Markdown("\n".join(f"- {line}" for line in told) if told else otherwise)


def answer(of: Part | None) -> Markdown:
    """The question, the answer in two sentences, and the ladder of claims behind it."""
    if of is None:
        return NOTHING
    ladders = [f"{sheet.caption}\n\n{formats.markdown(sheet)}" for sheet in sheets.proof_sheets(of.comparison)]
    parts = [f"*{content.question(of.comparison)}*", " ".join(answers(of.comparison)), *ladders]
    return Markdown("\n\n".join(parts))


def table(of: Part | None, number: int = 0) -> Markdown:
    """One of the sheets: 0 tested, 1 by the other rule, 2 other views, 3 costs."""
    if of is None:
        return NOTHING
    made = sheets.sheets(of.comparison)
    if number >= len(made):
        return Markdown("None of these runs has the keys for this table.")
    return Markdown(f"{made[number].caption}\n\n{formats.markdown(made[number])}")


def differences(of: Part | None) -> Markdown:
    """Differences between models, and whether they are more than chance."""
    if of is None:
        return NOTHING
    return bullets(advice.differences(of.comparison), "There are no two models that can be compared.")


def pairs(of: Part | None, field: str) -> Markdown:
    """Every difference between two models that share a value of this config field, with its interval."""
    if of is None:
        return NOTHING
    found = [pair for group in pairs_within(of.comparison, field).values() for pair in group]
    told = [f"{pair.a} − {pair.b}: {pair.estimate:+.3f} [{pair.low:+.3f}, {pair.high:+.3f}]" for pair in found]
    return bullets((line.replace("-0.", "−0.") for line in told), "There are no two models that can be compared.")


def verdicts(of: Part | None) -> Markdown:
    """Overfitting of each model by its curves, and the effect of augmentation."""
    if of is None:
        return NOTHING
    rows = of.comparison.table.itertuples()
    told = [f"**{row.model}:** {row.overfitting}." for row in rows]
    return bullets([*told, *(f"{effect}." for effect in of.comparison.effects)])


def importance(of: Part | None) -> Markdown:
    """Sentences on the importance of settings."""
    if of is None:
        return NOTHING
    found = content.search_results(of.study)
    return bullets([found.reason, *found.sentences] if found.reason else found.sentences)


def limits(of: Part | None) -> Markdown:
    """Limits of the conclusions."""
    return NOTHING if of is None else bullets(content.limits(of.study, of.comparison))


def notes(of: Part | None) -> Markdown:
    """Limits of the table."""
    return NOTHING if of is None else bullets(keep_in_mind(of.comparison))


def improvements(of: Part | None) -> Markdown:
    """Next steps, each with its figure."""
    if of is None:
        return NOTHING
    truths = truths_of(of.comparison.runs, of.study.predictions)
    found = advice.improvements(of.comparison, content.search_results(of.study).sentences, truths)
    return bullets(found, "No figure of this study asks for anything.")


def facts(of: Part | None) -> Markdown:
    """Versions and devices of the runs."""
    if of is None:
        return NOTHING
    return bullets(f"{name}: {value}" for name, value in content.facts(of.comparison))


def page(of: Part | None, name: str) -> Image | Markdown:
    """A page of the W&B server, one of `PAGES`: its picture, if an exported study has it, else links."""
    if of is None:
        return NOTHING
    if file := study_folder.page(of.study.folder, name):
        return Image(file.read_bytes(), format="png", alt=f"{PAGES[name]}, on the W&B server")
    server = of.study.server
    if not server:
        return NO_PAGES
    runs = of.study.runs
    best = runs["path"].iloc[int(runs[keys.VAL_IOU].argmax())]
    links = [*sweep_paths(of, "/sweeps/"), "/runs/".join(best.rsplit("/", 1))]
    return bullets(f"[{link}]({server}/{link})" for link in links)


def picture(figure: Figure, alt: str) -> Image:
    """A figure as PNG, small enough to be stored."""
    return Image(drawing(figure, SCREEN_DPI), format="png", alt=alt)


def curves(of: Part | None) -> Image | Markdown:
    """Loss and IoU against epoch."""
    if of is None:
        return NOTHING
    if not has_curves(of.comparison, of.study.history):
        return Markdown(NO_CURVES)
    figure = curves_figure(of.comparison, of.study.history, of.command)
    return picture(figure, "Loss and IoU against epoch; the verdicts describe them")


def intervals(of: Part | None) -> Image | Markdown:
    """Test IoU with intervals."""
    if of is None:
        return NOTHING
    figure = intervals_figure(of.comparison, of.study.predictions, of.command)
    return picture(figure, "Test IoU of every model with its interval; the numbers stand in the table")


def masks(of: Part | None) -> Image | Markdown:
    """Truth and errors of every model, no photographs."""
    return with_masks(
        of,
        lambda of: masks_figure(of.comparison, of.study.predictions, of.command, photographs=False),
        "Truth and errors of every model on every test image, with IoU below each",
    )


def hard(of: Part | None) -> Image | Markdown:
    """The hardest images, no photographs."""
    return with_masks(
        of,
        lambda of: hardest_images_figure(of.comparison, of.study.predictions, of.command, photographs=False),
        "The hardest test images: errors of the best model, its worst place, disagreement of the models",
    )


def with_masks(of: Part | None, make: Callable[[Part], Figure], alt: str) -> Image | Markdown:
    """A figure that needs predictions, or the sentence that there are none."""
    if of is None:
        return NOTHING
    return picture(make(of), alt) if len(of.comparison.scores) else NO_MASKS


def importances(of: Part | None) -> Image | Markdown:
    """Bars of importance with intervals."""
    if of is None:
        return NOTHING
    found = content.search_results(of.study)
    if found.table.empty:
        return Markdown("There is no picture of it.")
    return picture(importances_figure(found.table), "Share of the variance of validation IoU by setting")
