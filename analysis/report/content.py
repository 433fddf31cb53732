"""Sentences of a report, made from figures, the same in each of its forms: HTML, W&B, notebook."""

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
from analysis.comparison import pareto
from analysis.comparison.advice import improvements
from analysis.comparison.answer import answers, curve_sentences, keep_in_mind
from analysis.comparison.commands import predict_command, study_command
from analysis.comparison.comparison import Comparison, truths_of
from analysis.comparison.row_labels import ARCHITECTURES
from analysis.evidence.sentences import silent_claims
from analysis.hyperparameters import best_of_n, importance, regret
from analysis.hyperparameters.expected_best import EXCHANGEABLE
from analysis.hyperparameters.importance import Space, importances
from analysis.pull.study import Study
from analysis.pull.sweeps import Settings, common_method, common_space
from analysis.tables.sheets import Sheet, curve_sheet, proof_sheets
from analysis.tables.sheets import sheets as comparison_sheets
from common.text import plural, some

SERVER = "export WANDB_BASE_URL=http://127.0.0.1:8080 WANDB_API_KEY=$(cat results/server/api-key)"
DEALT = {"n_train": "train", "n_val": "validate", "n_test": "test"}
PACKAGES = ("torch", "segmentation-models-pytorch", "albumentations", "wandb", "pandas", "numpy", "scipy", "matplotlib")
SEED = 0
"""Seed of permutations and jitter: equal runs give an equal report."""
FACTS = {
    "data_digest": "data digest",
    "image_size": "image size, pixels",
    "width": "width (channels of the first level) of the U-Nets written here",
    "augmentation": "augmentation",
    "learning_rate": "learning rate",
    "batch_size": "images per step",
    "epochs": "epochs",
    "repeats": "visits an epoch",
    "seed": "seeds",
    "fold": "splits (0: the data's own)",
    "device": "device",
    "precision_used": "precision",
    "n_threads": "threads",
}
"""Config fields that are needed to repeat the runs → their names for people."""


@dataclass(frozen=True)
class Search:
    """Importance of settings. `table`: as `importance.importances`, else empty with the `reason`.

    `method`: the search method of all sweeps, None if unknown. `sentences`: edges of ranges and the like.
    """

    table: pd.DataFrame
    reason: str
    method: str | None
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class Content:
    """A report's parts, as sentences, figures and tables.

    `proof`: the ladder of claims; `steps`: next steps. `curves`: sentences on them, `losses`: their figures. `limits`:
    limits of the conclusions, `notes`: caveats. `facts`: (name, value) of versions and devices. `sweeps`: by id their
    settings as YAML. `commands`: those that make runs and report again; `command`: that of this report.
    """

    title: str
    question: str
    answer: tuple[str, ...]
    sheets: tuple[Sheet, ...]
    proof: tuple[Sheet, ...]
    steps: tuple[str, ...]
    curves: tuple[str, ...]
    losses: Sheet | None
    pareto: str
    search: Search
    limits: tuple[str, ...]
    notes: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    sweeps: dict[str, str]
    commands: tuple[str, ...]
    command: str


def content(study: Study, comparison: Comparison, command: str) -> Content:
    """Content of a report of `comparison`; `command` makes it again."""
    search = search_results(study)
    return Content(
        title=f"{title_of(study)}: {size_of(comparison)}",
        question=question(comparison),
        answer=answers(comparison),
        sheets=tuple(comparison_sheets(comparison)),
        proof=tuple(proof_sheets(comparison)),
        steps=improvements(comparison, search.sentences, truths_of(comparison.runs, study.predictions)),
        curves=curve_sentences(comparison),
        losses=curve_sheet(comparison),
        pareto=pareto.sentence(comparison.table) or "",
        search=search,
        limits=limits(study, comparison),
        notes=keep_in_mind(comparison),
        facts=facts(comparison),
        sweeps={sweep: as_yaml(settings) for sweep, settings in study.sweeps.items()},
        commands=commands(comparison, exported=bool(study.folder)),
        command=command,
    )


def title_of(study: Study) -> str:
    """The names of the study's sweeps, else of its projects."""
    names = [str(settings["name"]) for settings in study.sweeps.values() if settings.get("name")]
    projects = study.runs["path"].str.split("/").str[1]
    title = " and ".join(dict.fromkeys(names or list(projects)))
    return title[:1].upper() + title[1:]


def size_of(comparison: Comparison) -> str:
    """Number of models and trainings, their image size and length."""
    runs = comparison.all_runs
    said = [plural(len(comparison.table), "model"), plural(len(runs), "training")]
    for name, words in (("image_size", "{0}×{0} pixels"), ("epochs", "{0} epochs")):
        values = runs[name].dropna().unique().tolist() if name in runs else []
        said += [words.format(f"{values[0]:.0f}")] if len(values) == 1 else []
    return ", ".join(said)


def question(comparison: Comparison) -> str:
    """The question of the study, with its numbers of models, images, seeds and splits."""
    table, runs = comparison.table, comparison.all_runs
    n = f"{plural(int(table['n_seeds'].min()), 'seed')} and {plural(runs['split'].nunique(), 'split')}"
    images = comparison.scores["image"].nunique()
    on = f"{plural(images, 'test image')}" if images else "the test images"
    if len(table) == 1:
        return f"How well does {table['model'].iloc[0]} segment {on}, and how sure is that, from {n}?"
    return f"Which of {len(table)} models segments {on} best, and how sure is that, from {n}?"


def search_results(study: Study) -> Search:
    """Importance of settings among all usable runs, by validation IoU, or the reason why that cannot be said."""
    method, space = common_method(study.sweeps), common_space(study.sweeps)
    more = regret.sentence(regret.learning_rate_regret(study.runs))
    try:
        table = importances(study.runs, np.random.default_rng(SEED))
    except AnalysisError as error:
        return Search(pd.DataFrame(), str(error), method, (more,) if more else ())
    told = (
        *importance.sentences(table),
        importance.confounding_note(study.runs),
        more,
        *budget_sentences(study.runs, method, space),
    )
    return Search(table, "", method, tuple(sentence for sentence in told if sentence))


def budget_sentences(runs: pd.DataFrame, method: str | None, space: Space) -> tuple[str, ...]:
    """Sentences: best values at the edge of their range, architectures on equal budgets, and limits of both."""
    told = list(best_of_n.edge_warnings(runs, space=space))
    if runs["architecture"].nunique() > 1:
        rng = np.random.default_rng(SEED)
        best = best_of_n.best_per_value(runs, "architecture", rng, method=method or "unknown")
        reached = "; ".join(reach(row) for row in best.to_dict("records"))
        budget = int(best["budget"].iloc[0])
        if budget > 1:
            told.append(f"Best validation IoU of {budget} configurations per architecture: {reached}.")
    if method not in EXCHANGEABLE:
        how = f"These runs were chosen by {method}" if method else "The search method of these runs is not known"
        told.append(f"{how}: the result of a shorter search cannot be computed from them.")
    return tuple(told)


def reach(row: Mapping[Any, Any]) -> str:
    """The best of one architecture, with its interval if there is one."""
    name = ARCHITECTURES.get(str(row["architecture"]), str(row["architecture"]))
    bounds = f" [{row['low']:.3f}, {row['high']:.3f}]" if pd.notna(row["low"]) and row["low"] < row["high"] else ""
    return f"{name} {row['best']:.3f}{bounds}"


def limits(study: Study, comparison: Comparison) -> tuple[str, ...]:
    """Limits of the conclusions, each with its figure."""
    table, runs, found = comparison.table, comparison.all_runs, comparison.evidence
    told: list[str] = []
    if found:
        told += [f"Which model is better when {question}: {reason}." for question, reason in silent_claims(found)]
    silent_curves = sum(verdict.kind in ("cannot_tell", "too_few") for verdict in table["overfitting"])
    if silent_curves:
        who = "any model overfits" if silent_curves == len(table) else f"{silent_curves} of {len(table)} models overfit"
        told.append(f"Whether {who}: their curves do not tell.")
    if len(study.left_out):
        total = len(study.left_out) + len(study.runs)
        told.append(f"Anything about {len(study.left_out)} of {total} runs, which did not finish or lack values.")
    if ("data_digest" in runs and runs["data_digest"].nunique()) == 1:
        told.append("Anything about photographs of another kind: all runs saw one data set.")
    return tuple(told)


def facts(comparison: Comparison) -> tuple[tuple[str, str], ...]:
    """Versions and devices of the runs, as far as their configs say, and the versions that made this report."""
    runs = comparison.all_runs
    told = [("photographs", data_sentence(comparison))]
    told += [(words, list_values(runs[name])) for name, words in FACTS.items() if name in runs]
    used = ", ".join([f"Python {sys.version.split()[0]}", *(f"{name} {version(name)}" for name in PACKAGES)])
    return (*((name, value) for name, value in told if value), ("versions where this report was made", used))


def data_sentence(comparison: Comparison) -> str:
    """Number of photographs by use, their folder, and the names of the tested ones if they are few."""
    runs = comparison.all_runs
    parts = [
        f"{list_values(runs[name])} to {what}"
        for name, what in DEALT.items()
        if name in runs and list_values(runs[name])
    ]
    names = comparison.scores["image"].drop_duplicates().tolist()
    tested = f" ({some(names, 8)})" if names and parts else ""
    folder = f" from {list_values(runs['data'])}" if "data" in runs and list_values(runs["data"]) else ""
    return f"{', '.join(parts)}{tested}{folder}"


def list_values(values: pd.Series) -> str:
    """The different values, in order, at most eight of them."""
    different = sorted(values.dropna().unique().tolist(), key=lambda value: (str(type(value)), value))
    shown = [f"{value:g}" if isinstance(value, float) else str(value) for value in different]
    return some(shown, 8)


def as_yaml(settings: Settings) -> str:
    """A sweep's settings as the file that `wandb sweep` takes."""
    return str(yaml.safe_dump(dict(settings), sort_keys=False, allow_unicode=True, width=100))


def commands(comparison: Comparison, *, exported: bool) -> tuple[str, ...]:
    """Commands that make runs, report and masks of other photographs again, in a clone of the project.

    A search that `make study` does not take is run by hand; an exported study has no checkpoints.
    """
    project = str(comparison.all_runs["path"].iloc[0]).rpartition("/")[0]
    study = study_command(comparison.sweeps)
    by_hand = ("wandb sweep sweep.yaml   # prints ID", f"wandb agent {project}/ID")
    runs = (study,) if study else by_hand
    return (
        *(("# sweep.yaml: the settings below, saved there",) if study is None or "SWEEP=sweep.yaml" in study else ()),
        *(
            runs
            if study
            else (
                "make setup && . .venv/bin/activate",
                "make serve   # in a terminal of its own; prints the next line",
                SERVER,
                *runs,
            )
        ),
        "make report" if study else f"make report STUDY={project}/ID",
        "# masks of other photographs by the best row, while `make serve` runs in a terminal of its own:",
        *(
            ("# RUN_ID of the new study from comparison.csv: this one was exported without checkpoints",)
            if exported
            else ()
        ),
        SERVER,
        f".venv/bin/{predict_command(comparison, 'RUN_ID' if exported else None)}",
    )


def sentences(lines: Sequence[str]) -> str:
    """A Markdown list."""
    return "\n".join(f"- {line}" for line in lines)
