"""Runs → the comparison that every table, picture and report shares: one row per model, best first, and its caveats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from analysis import AnalysisError
from analysis.comparison import limitations
from analysis.comparison.definitions import DEFINITIONS, Definition, image_values, run_scores
from analysis.comparison.masks import Mask, Predictions
from analysis.comparison.row_labels import (
    best_settings,
    mixed_data,
    one_per_seed,
    varying,
    with_models,
    with_splits,
)
from analysis.comparison.rows import model_table, with_evidence
from analysis.curves.augmentation import augmentation_effects
from analysis.pull.study import Study
from common.keys import METRICS, RULES

if TYPE_CHECKING:
    from analysis.stats.evidence import Evidence

OWN_SPLIT = "0"
"""The split that the data come with: the one that published numbers are of."""
SEED = 0
"""Of the resampling in the statistics: equal runs give an equal table."""


@dataclass(frozen=True)
class Comparison:
    """`table`: one row per model, best first (columns: analysis/README.md). `runs`: those behind the rows, with their
    `model`, `split` and `repeat`: those on the data's own split, or on all if a model has none of it. `all_runs`: with
    those on other splits. `scores`: `masks.image_scores` of all of them, with model, split and repeat of the run and
    `value`, whose mean over the images of a run is its IoU by `definition`. `evidence`: of `runs`; `split_evidence`: of
    `all_runs`, where there are several splits; None without scores. `notes`: sentences needed to read the table.
    `effects`: what stronger augmentation did to overfitting, in sentences. `definition`: a name of
    `definitions.DEFINITIONS`.
    """

    table: pd.DataFrame
    runs: pd.DataFrame
    all_runs: pd.DataFrame
    scores: pd.DataFrame
    evidence: Evidence | None
    split_evidence: Evidence | None
    notes: tuple[str, ...]
    effects: tuple[str, ...]
    definition: str

    @property
    def deciding(self) -> Evidence | None:
        """The evidence that bold print and letters rest on: over splits where there are several."""
        return self.split_evidence or self.evidence


def compare(study: Study, definition: str = "pooled") -> Comparison:
    """The comparison of a study's models by the lab's rule, their metrics by a name of `definitions.DEFINITIONS`."""
    chosen, choice = best_settings(with_models(study.runs))
    chosen, repeats = one_per_seed(with_splits(chosen))
    chosen, undefined = redefined(chosen, study.scores, definition)
    scores = with_values(study.scores, chosen, DEFINITIONS[definition])
    shown, elsewhere = own_split(chosen)
    tested = scores[scores["checkpoint"] == scores["test/rule"]]
    lab, no_lab = gathered(tested[tested["run_id"].isin(shown["run_id"])], chosen)
    splits, no_splits = gathered(tested, chosen) if chosen["split"].nunique() > 1 else (None, None)
    if shown["split"].nunique() > 1:
        lab = splits
    table = with_evidence(model_table(shown, study.history, scores), lab, splits)
    notes = (
        *(mixed_data(chosen), *study.remarks, choice, repeats, undefined, elsewhere, no_lab or no_splits),
        limitations.agreement(study.runs[study.runs["run_id"].isin(chosen["run_id"])], scores),
        *(limitations.proof(lab, splits) or (limitations.power(limitations.n_test_images(shown)),)),
        limitations.ceiling(table, truths_of(shown, study.predictions)),
        limitations.image_range(tested),
        limitations.repetition(table),
        f"{limitations.RULE_TEXT} Metrics: {DEFINITIONS[definition].text}.",
    )
    told = tuple(note for note in notes if note)
    scores = scores.drop(columns="test/rule")
    effects = tuple(augmentation_effects(shown, study.history))
    return Comparison(table, shown, chosen, scores, lab, splits, told, effects, definition)


def redefined(runs: pd.DataFrame, scores: pd.DataFrame, name: str) -> tuple[pd.DataFrame, str | None]:
    """`runs` with test metrics by another definition, from the masks; and a sentence about the runs that have none.

    `pooled` is what the summaries say already. Raises `AnalysisError` if no run has masks.
    """
    if name == "pooled":
        return runs, None
    wide = run_scores(scores, DEFINITIONS[name]).pivot(
        index="run_id", columns="checkpoint", values=list(METRICS)
    )
    kept = runs[runs["run_id"].isin(wide.index)].reset_index(drop=True)
    if kept.empty:
        raise AnalysisError(
            f"No run has a predictions artifact, from which {name} metrics could be computed."
        )
    for metric in METRICS:
        for rule in RULES:
            kept[f"{rule}/test_{metric}"] = kept["run_id"].map(wide[metric, rule])
        of_rule = [kept[f"{rule}/test_{metric}"][row] for row, rule in enumerate(kept["test/rule"])]
        kept[f"test/{metric}"] = of_rule
    lost = len(runs) - len(kept)
    return (
        kept,
        f"{lost} runs without predictions are left out: they cannot be measured anew." if lost else None,
    )


def with_values(scores: pd.DataFrame, runs: pd.DataFrame, definition: Definition) -> pd.DataFrame:
    """The scores of `runs` with `value` and what says whose they are: model, split, repeat, test/rule."""
    facts = runs[["run_id", "model", "split", "repeat", "test/rule"]]
    own = scores.merge(facts, on="run_id")
    return own.assign(value=image_values(own, definition))


def own_split(runs: pd.DataFrame) -> tuple[pd.DataFrame, str | None]:
    """The runs on the data's own split; all runs, and a sentence, where a model has none of it."""
    own = runs[runs["split"] == OWN_SPLIT]
    if own["model"].nunique() == runs["model"].nunique():
        return own.reset_index(drop=True), None
    return runs, (
        f"Rows are means over {runs['split'].nunique()} splits, not over the data's own split alone, which not every"
        " model was trained on: published numbers of that split are of other images."
    )


def truths_of(runs: pd.DataFrame, predictions: Mapping[str, Predictions]) -> dict[str, Mask]:
    """The truth of every test image of these runs, by its name; none if the runs saw them at different sizes."""
    if varying(runs, ["image_size"]):
        return {}
    with_masks = runs[runs["run_id"].isin(list(predictions))].drop_duplicates("split")
    return {stem: mask for run_id in with_masks["run_id"] for stem, mask in predictions[run_id].truth.items()}


def gathered(tested: pd.DataFrame, runs: pd.DataFrame) -> tuple[Evidence | None, str | None]:
    """What the scores of the tested checkpoints can prove, or why nothing could be tested."""
    from analysis.stats.evidence import N_TRAIN, evidence  # scipy and statsmodels take seconds to import

    if tested.empty:
        return None, None
    tidy = tested.rename(columns={"split": "fold", "repeat": "seed"})
    n_train = int(runs["n_train"].min()) if "n_train" in runs and runs["n_train"].notna().any() else N_TRAIN
    try:
        return evidence(tidy, np.random.default_rng(SEED), metric="value", n_train=n_train), None
    except ValueError as error:
        return None, f"Nothing was tested: {error}"
