"""Runs → the comparison that every table, picture and report shares: one row per model, best first, and its caveats."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import pandas as pd

from analysis import AnalysisError
from analysis.comparison import limitations
from analysis.comparison.augmentation import augmentation_effects
from analysis.comparison.definitions import DEFINITIONS, Definition, image_values, run_scores
from analysis.comparison.row_labels import (
    best_settings,
    mixed_data_warning,
    one_per_seed,
    same_test_pictures,
    varying,
    with_models,
    with_splits,
)
from analysis.comparison.rows import model_table, with_evidence
from analysis.curves.overfitting import overfitting_figures
from analysis.evidence.claims import MARGIN
from analysis.pull.masks import Mask, Predictions
from analysis.pull.study import Study
from analysis.pull.sweeps import Settings
from common import keys
from common.keys import METRICS, RULES

if TYPE_CHECKING:
    from analysis.evidence.design import Scores
    from analysis.evidence.pairs import Pair
    from analysis.evidence.result import Evidence

OWN_SPLIT = "0"
"""The split that the data come with, to which published numbers refer."""


@dataclass(frozen=True)
class Comparison:
    """Models compared: a table, and everything behind it.

    `table`: one row per model, best first (columns: analysis/README.md). `runs`: those behind the rows, with their
    `model`, `split` and `repeat`: those on the data's own split, or on all if a model has none of it. `all_runs`: with
    those on other splits. `scores`: `masks.image_scores` of all of them, with model, split and repeat of the run and
    `value`, whose mean over the images of a run is its IoU by `definition`. `evidence`: that of `all_runs`, None if
    nothing could be tested; `own_evidence`: that of the data's own split, if there are others. `notes`: sentences
    needed to read the table; `check`: the one on a check that was passed, else empty. `effects`: sentences on the
    effect of stronger augmentation on overfitting. `definition`: a name of `definitions.DEFINITIONS`. `curves`: by
    run_id of `runs`, `overfitting.overfitting_figures`. `sweeps`: those of the study.
    """

    table: pd.DataFrame
    runs: pd.DataFrame
    all_runs: pd.DataFrame
    scores: pd.DataFrame
    evidence: Evidence | None
    own_evidence: Evidence | None
    notes: tuple[str, ...]
    check: str
    effects: tuple[str, ...]
    definition: str
    curves: pd.DataFrame
    sweeps: Mapping[str, Settings]

    @cached_property
    def tested(self) -> pd.DataFrame:
        """The rows of `scores` that are of the checkpoint by which a run is tested."""
        rules = self.all_runs.set_index("run_id")[keys.TEST_RULE]
        return self.scores[self.scores["checkpoint"] == self.scores["run_id"].map(rules)]

    @cached_property
    def shown_scores(self) -> pd.DataFrame:
        """The rows of `tested` that are of the runs behind the rows of the table."""
        return self.tested[self.tested["run_id"].isin(self.runs["run_id"])]


def compare(study: Study, definition: str = "pooled", margin: float = MARGIN) -> Comparison:
    """The comparison of a study's models by the lab's rule, their metrics by a name of `definitions.DEFINITIONS`."""
    chosen, choice = best_settings(with_models(study.runs))
    chosen, repeats = one_per_seed(with_splits(chosen))
    chosen, other_pictures = same_test_pictures(chosen)
    chosen, undefined = redefine(chosen, study.scores, definition)
    scores = with_values(study.scores, chosen, DEFINITIONS[definition])
    shown, elsewhere = own_split(chosen)
    tested = scores[scores["checkpoint"] == scores[keys.TEST_RULE]]
    evidence, silence = prove(tested, chosen, margin)
    own = None
    if len(shown) < len(chosen):
        own, _ = prove(tested[tested["run_id"].isin(shown["run_id"])], chosen, margin)
    table = with_evidence(model_table(shown, study.history, scores), evidence, shown, tested)
    agree, check = limitations.agreement(study.runs[study.runs["run_id"].isin(chosen["run_id"])], scores)
    sentences = (
        "" if agree else check,
        *(mixed_data_warning(chosen), other_pictures, limitations.image_sizes(chosen), *study.remarks, choice, repeats),
        *(undefined, elsewhere, silence),
        limitations.ceiling(table, truths_of(shown, study.predictions), shown, DEFINITIONS[definition]),
        limitations.image_range(tested[tested["run_id"].isin(shown["run_id"])], table.iloc[0]),
        limitations.repetition(table),
        f"{limitations.RULE_TEXT} Metrics: {DEFINITIONS[definition].text}.",
    )
    notes = tuple(sentence for sentence in sentences if sentence)
    scores = scores.drop(columns=keys.TEST_RULE)
    effects = tuple(augmentation_effects(shown, study.history))
    curves = overfitting_figures(shown, study.history)
    passed = check if agree else ""
    return Comparison(
        table, shown, chosen, scores, evidence, own, notes, passed, effects, definition, curves, study.sweeps
    )


def redefine(runs: pd.DataFrame, scores: pd.DataFrame, name: str) -> tuple[pd.DataFrame, str | None]:
    """`runs` with test metrics by another definition, from the masks; and a sentence about the runs that have none.

    `pooled` keeps the values of the summaries. Raises `AnalysisError` if no run has masks.
    """
    if name == "pooled":
        return runs, None
    wide = run_scores(scores, DEFINITIONS[name]).pivot(index="run_id", columns="checkpoint", values=list(METRICS))
    kept = runs[runs["run_id"].isin(wide.index)].reset_index(drop=True)
    if kept.empty:
        raise AnalysisError(f"No run has a predictions artifact, from which {name} metrics could be computed.")
    for metric in METRICS:
        for rule in RULES:
            kept[f"{rule}/test_{metric}"] = kept["run_id"].map(wide[metric, rule])
        of_rule = [kept[f"{rule}/test_{metric}"][row] for row, rule in enumerate(kept[keys.TEST_RULE])]
        kept[f"test/{metric}"] = of_rule
    lost = len(runs) - len(kept)
    return (kept, f"{lost} runs without predictions are left out: they cannot be measured anew." if lost else None)


def with_values(scores: pd.DataFrame, runs: pd.DataFrame, definition: Definition) -> pd.DataFrame:
    """The scores of `runs` with `value` and the run's model, split, repeat and test/rule."""
    facts = runs[["run_id", "model", "split", "repeat", keys.TEST_RULE]]
    own = scores.merge(facts, on="run_id")
    return own.assign(value=image_values(own, definition))


def own_split(runs: pd.DataFrame) -> tuple[pd.DataFrame, str | None]:
    """The runs on the data's own split; all runs, and a sentence, if a model has none of it."""
    own = runs[runs["split"] == OWN_SPLIT]
    if own["model"].nunique() == runs["model"].nunique():
        return own.reset_index(drop=True), None
    n, fewest = runs["split"].nunique(), runs.groupby("model")["split"].nunique().min()
    least = "" if fewest == n else f" {fewest} to"
    unlike = "" if fewest == n else " Their order and their differences allow for splits that are harder than others."
    return runs, (
        f"Rows are means over{least} {n} splits, not over the data's own split alone, which not every model was trained"
        f" on: published numbers of that split are of other images.{unlike}"
    )


def truths_of(runs: pd.DataFrame, predictions: Mapping[str, Predictions]) -> dict[str, Mask]:
    """The truth of every test image of these runs, by its name; none if the runs saw them at different sizes."""
    if varying(runs, ["image_size"]):
        return {}
    with_masks = runs[runs["run_id"].isin(list(predictions))].drop_duplicates("split")
    return {stem: mask for run_id in with_masks["run_id"] for stem, mask in predictions[run_id].truth.items()}


def prove(tested: pd.DataFrame, runs: pd.DataFrame, margin: float) -> tuple[Evidence | None, str | None]:
    """Evidence from the scores of the tested checkpoints, or a sentence on why nothing could be tested."""
    from analysis.evidence import result  # scipy takes a second to import
    from analysis.evidence.design import ScoresError  # the same

    if runs["model"].nunique() < 2:
        return None, None
    if tested.empty:
        return None, "No verdict: no run has a predictions artifact to compare images by."
    try:
        return result.evidence(arrange(tested, runs), margin=margin), None
    except ScoresError as error:
        return None, f"No verdict: {error}"


def arrange(tested: pd.DataFrame, runs: pd.DataFrame) -> Scores:
    """The scores of the tested checkpoints by model, split, run and image. Raises `ScoresError`."""
    from analysis.evidence import score_table  # scipy takes a second to import

    rows = [
        score_table.Row(str(row["model"]), str(row["split"]), str(row["repeat"]), str(row["image"]), row["value"])
        for row in tested[["model", "split", "repeat", "image", "value"]].to_dict("records")
    ]
    known = "n_train" in runs and runs["n_train"].notna().any()
    score_table.check("The comparison", rows)
    return score_table.arrange(rows, train=int(runs["n_train"].min()) if known else None)


def pairs_within(comparison: Comparison, field: str) -> dict[str, list[Pair]]:
    """All pairs of models that share a value of this config field, by the value; the intervals of a value hold at once.

    Of a value with one model only, or with models that cannot be compared, there are none.
    """
    from analysis.evidence.design import ScoresError  # scipy takes a second to import
    from analysis.evidence.pairs import all_pairs  # the same

    tested = comparison.tested
    found: dict[str, list[Pair]] = {}
    for value, group in comparison.all_runs.groupby(field, sort=False):
        with contextlib.suppress(ScoresError):
            found[str(value)] = all_pairs(arrange(tested[tested["run_id"].isin(group["run_id"])], group))
    return found
