"""What a report says, in sentences made from figures; every form of it, HTML, W&B or notebook, says the same."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
import yaml

from analysis import AnalysisError
from analysis.comparison.comparison import SEED, Comparison
from analysis.comparison.row_labels import ARCHITECTURES
from analysis.pull.study import Study
from analysis.pull.sweeps import Settings, common_method, common_space
from analysis.search import best_of_n
from analysis.search.importance import METHODS, Space, importances
from analysis.stats.selection import EXCHANGEABLE
from analysis.tables import sheets
from common.text import plural

PACKAGES = ("wandb", "pandas", "numpy", "scipy", "statsmodels", "optuna", "matplotlib", "seaborn")
RESAMPLES = 30
"""Of the bootstrap behind the intervals of importance; each takes two forests."""
FACTS = {
    "data_digest": "data digest",
    "image_size": "image size, pixels",
    "epochs": "epochs",
    "seed": "seeds",
    "fold": "folds",
    "device": "device",
    "precision": "precision",
}
"""Config fields that say how to get the same runs again, by the words for them."""


@dataclass(frozen=True)
class Search:
    """Which setting mattered. `table`: as `importance.importances`, empty where nothing can be said; `reason` says why.

    `method`: how all sweeps chose their runs, None if that is not known. `sentences`: edges of ranges and the like.
    """

    table: pd.DataFrame
    reason: str
    method: str | None
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class Content:
    """A report's parts. `verdicts`: (model, what its curves say). `limits`: what cannot be concluded, `notes`: how far
    the table can be trusted. `facts`: (name, value) of what to repeat. `sweeps`: by id their settings as YAML.
    """

    title: str
    question: str
    answer: tuple[str, ...]
    sheets: tuple[sheets.Sheet, ...]
    verdicts: tuple[tuple[str, str], ...]
    effects: tuple[str, ...]
    search: Search
    limits: tuple[str, ...]
    notes: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    sweeps: dict[str, str]
    commands: tuple[str, ...]


def content(study: Study, comparison: Comparison, command: str) -> Content:
    """All that a report of `comparison` says; `command` is what makes it again."""
    table = comparison.table
    return Content(
        title=f"{title_of(study)}: {plural(len(table), 'model')}, {plural(len(comparison.all_runs), 'run')}",
        question=question(comparison),
        answer=answer(comparison),
        sheets=tuple(sheets.sheets(comparison)),
        verdicts=tuple(zip(table["model"].astype(str), table["overfitting"].astype(str), strict=True)),
        effects=comparison.effects,
        search=searched(study),
        limits=limits(study, comparison),
        notes=comparison.notes,
        facts=facts(comparison.all_runs),
        sweeps={sweep: as_yaml(settings) for sweep, settings in study.sweeps.items()},
        commands=commands(comparison.all_runs, command),
    )


def title_of(study: Study) -> str:
    """The names of the study's sweeps, else of its projects."""
    names = [str(settings["name"]) for settings in study.sweeps.values() if settings.get("name")]
    projects = study.runs["path"].str.split("/").str[1]
    title = " and ".join(dict.fromkeys(names or list(projects)))
    return title[:1].upper() + title[1:]


def question(comparison: Comparison) -> str:
    """What the study asks, of how many models, images, seeds and splits."""
    table, runs = comparison.table, comparison.all_runs
    n = f"{plural(int(table['n_seeds'].min()), 'seed')} and {plural(runs['split'].nunique(), 'split')}"
    images = comparison.scores["image"].nunique()
    on = f"{plural(images, 'test image')}" if images else "the test images"
    if len(table) == 1:
        return f"How well does {table['model'].iloc[0]} segment {on}, and how sure is that, from {n}?"
    return f"Which of {len(table)} models segments {on} best, and how sure is that, from {n}?"


def answer(comparison: Comparison) -> tuple[str, ...]:
    """The best row and its rivals, in sentences that the statistics carry."""
    table = comparison.table
    best = table.iloc[0]
    known = pd.notna(best["test_iou_low"]) and pd.notna(best["test_iou_high"])
    interval = f" [{best['test_iou_low']:.3f}, {best['test_iou_high']:.3f}]" if known else ""
    runs = plural(int(best["n_runs"]), "run")
    first = f"The highest test IoU, {best['test_iou']:.3f}{interval}, has {best['model']} ({runs})."
    if len(table) == 1:
        return (first,)
    return (first, rivals(comparison))


def rivals(comparison: Comparison) -> str:
    """Which models cannot be told apart from the best one."""
    table, deciding = comparison.table, comparison.deciding
    if deciding is None:
        return "Whether it is better than the others was not tested: no run has predictions to test with."
    best = table.iloc[0]
    others = "the other" if len(table) == 2 else f"each of the {len(table) - 1} others"
    if best["stands_out"]:
        only = "; with one seed that holds of these runs only" * (int(table["n_seeds"].min()) == 1)
        return f"It is better than {others} at the {1 - deciding.level:.2g} level{only}."
    same = [bool(set(str(letters)) & set(str(best["letters"]))) for letters in table["letters"]]
    names = table["model"][same].iloc[1:].astype(str).tolist()
    if not names:
        return "Whether it is better than the others cannot be told."
    if len(names) == len(table) - 1:
        any_other = "the other" if len(table) == 2 else f"any of the {len(table) - 1} others"
        return f"It cannot be told apart from {any_other}: {'; '.join(names)}."
    return f"It cannot be told apart from {len(names)} of the {len(table) - 1} others: {'; '.join(names)}."


def searched(study: Study) -> Search:
    """Which setting mattered among all usable runs, by validation IoU, or the reason why that cannot be said."""
    method, space = common_method(study.sweeps), common_space(study.sweeps)
    try:
        table = importances(study.runs, np.random.default_rng(SEED), space=space, resamples=RESAMPLES)
    except AnalysisError as error:
        return Search(pd.DataFrame(), str(error), method, ())
    return Search(table, "", method, (*told_importance(table), *told_budget(study.runs, method, space)))


def told_importance(table: pd.DataFrame) -> tuple[str, ...]:
    """A sentence per method: the setting with the largest share, and how sure that is.

    One that is the only one judged in its runs has all of the importance, which says nothing, and is left out.
    """
    sentences = []
    for method in METHODS:
        own = table[(table["method"] == method) & table["importance"].notna()]
        own = own[own.groupby("n_runs")["parameter"].transform("size") > 1]
        if own.empty:
            continue
        top = own.iloc[0]
        bounds = f" [{top['low']:.0%}, {top['high']:.0%}]" if pd.notna(top["low"]) else ""
        name = str(top["parameter"]).replace("_", " ")
        sentences.append(
            f"{method}: {name} has the largest share of the importance, {top['importance']:.0%}{bounds}"
            f" ({plural(int(top['n_runs']), 'run')})."
        )
    return tuple(sentences)


def told_budget(runs: pd.DataFrame, method: str | None, space: Space) -> tuple[str, ...]:
    """Best values at the edge of their range; what the architectures reach on equal budgets; what is not told."""
    told = list(best_of_n.edge_warnings(runs, space=space))
    if runs["architecture"].nunique() > 1:
        rng = np.random.default_rng(SEED)
        best = best_of_n.best_per_value(runs, "architecture", rng, method=method or "unknown")
        reached = "; ".join(reach(row) for row in best.to_dict("records"))
        trials = plural(int(best["budget"].iloc[0]), "configuration")
        told.append(f"Best validation IoU of {trials} per architecture: {reached}.")
    if method not in EXCHANGEABLE:
        how = f"These runs were chosen by {method}" if method else "How these runs were chosen is not known"
        told.append(f"{how}: what a shorter search would have found cannot be computed from them.")
    return tuple(told)


def reach(row: Mapping[Any, Any]) -> str:
    """What one architecture reaches, with its interval where there is one."""
    name = ARCHITECTURES.get(str(row["architecture"]), str(row["architecture"]))
    bounds = (
        f" [{row['low']:.3f}, {row['high']:.3f}]" if pd.notna(row["low"]) and row["low"] < row["high"] else ""
    )
    return f"{name} {row['best']:.3f}{bounds}"


def limits(study: Study, comparison: Comparison) -> tuple[str, ...]:
    """What cannot be concluded, each with the figure that forbids it."""
    table, runs, deciding = comparison.table, comparison.all_runs, comparison.deciding
    images = comparison.scores["image"].nunique()
    told: list[str] = []
    if deciding is not None and len(deciding.pairs):
        unclear = int((~(deciding.pairs["p_holm"] < 1 - deciding.level)).sum())
        told += [
            f"Which of two models is better, for {unclear} of {len(deciding.pairs)} pairs of models: corrected p is"
            f" not below {1 - deciding.level:.2g}."
        ] * bool(unclear)
    if runs["split"].nunique() == 1:
        told.append(
            "Whether the order of the models would be the same on other test images: all runs are of one split"
            + (f", with {plural(images, 'test image')}." if images else ".")
        )
    if int(table["n_seeds"].min()) == 1:
        alone = int((table["n_seeds"] == 1).sum())
        told.append(
            f"What another seed would change: {alone} of {plural(len(table), 'model')} have one seed."
        )
    silent = int(table["overfitting"].str.startswith("cannot tell").sum())
    if silent:
        told.append(f"Whether {silent} of {plural(len(table), 'model')} overfit: their curves cannot tell.")
    if len(study.left_out):
        total = len(study.left_out) + len(study.runs)
        told.append(
            f"Anything about {len(study.left_out)} of {total} runs, which did not finish or lack values."
        )
    digests = runs["data_digest"].nunique() if "data_digest" in runs else 0
    if digests == 1:
        told.append("Anything about other photographs than these: all runs saw one data set.")
    return tuple(told)


def facts(runs: pd.DataFrame) -> tuple[tuple[str, str], ...]:
    """What the runs were made with, as far as their configs say, and the versions that made this report."""
    told = [(words, listed(runs[name])) for name, words in FACTS.items() if name in runs]
    used = ", ".join([f"Python {sys.version.split()[0]}", *(f"{name} {version(name)}" for name in PACKAGES)])
    return (*((name, value) for name, value in told if value), ("versions of this report", used))


def listed(values: pd.Series) -> str:
    """The different values, in order, at most eight of them."""
    different = sorted(values.dropna().unique().tolist(), key=lambda value: (str(type(value)), value))
    shown = [f"{value:g}" if isinstance(value, float) else str(value) for value in different]
    return ", ".join(shown[:8]) + (f" and {len(shown) - 8} more" if len(shown) > 8 else "")


def as_yaml(settings: Settings) -> str:
    """A sweep's settings as the file that `wandb sweep` takes."""
    return str(yaml.safe_dump(dict(settings), sort_keys=False, allow_unicode=True, width=100))


def commands(runs: pd.DataFrame, command: str) -> tuple[str, ...]:
    """What to type to get runs and report again."""
    project = str(runs["path"].iloc[0]).rpartition("/")[0]
    return ("wandb sweep sweep.yaml", f"wandb agent {project}/ID", command)


def sentences(lines: Sequence[str]) -> str:
    """A Markdown list."""
    return "\n".join(f"- {line}" for line in lines)
