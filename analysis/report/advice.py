"""What would make a study say more, and which differences it found: sentences, each with the figure behind it."""

from __future__ import annotations

import pandas as pd

from analysis.comparison.comparison import Comparison, truths_of
from analysis.comparison.masks import one_pixel_loss
from analysis.pull.study import Study
from analysis.report.content import Search
from common.text import plural

COST = 0.005
"""IoU from which it is worth a sentence that the other rule would have chosen a better checkpoint."""


def differences(comparison: Comparison, most: int = 10) -> tuple[str, ...]:
    """A sentence for each pair of models, those with the smallest p first: difference in IoU, interval, p, verdict."""
    deciding = comparison.deciding
    if deciding is None or not len(deciding.pairs):
        return ()
    pairs = deciding.pairs.dropna(subset=["p_holm"]).sort_values("p_holm", kind="stable").head(most)
    return tuple(
        f"{row['a']} − {row['b']}: IoU {row['difference']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}],"
        f" p = {row['p_holm']:.2g} after Holm's correction, so"
        f" {'the first is better' if row['p_holm'] < 1 - deciding.level else 'they cannot be told apart'}."
        for row in pairs.to_dict("records")
    )


def improvements(study: Study, comparison: Comparison, search: Search) -> tuple[str, ...]:
    """What to do next, each because of a figure of this study; empty where no figure asks for anything."""
    table = comparison.table
    told: list[str] = []
    if int(table["n_seeds"].min()) < 3:
        alone = int((table["n_seeds"] < 3).sum())
        told.append(f"More seeds: {alone} of {plural(len(table), 'model')} have fewer than 3.")
    if comparison.all_runs["split"].nunique() == 1:
        told.append("More splits: with one, the order of the models is known for its test images only.")
    told += overfitting_advice(table)
    told += ceiling_advice(study, comparison)
    told += rule_advice(table)
    told += [sentence for sentence in search.sentences if " edge of " in sentence]
    return tuple(told)


def overfitting_advice(table: pd.DataFrame) -> list[str]:
    """Early stopping for the models that overfit, more epochs for those that were still improving."""
    verdicts = table["overfitting"].astype(str)
    over = table["model"][verdicts.str.startswith("overfits")].astype(str).tolist()
    short = int(verdicts.str.contains("too near the end").sum())
    told = [f"Early stopping or stronger augmentation for what overfits: {'; '.join(over)}."] * bool(over)
    return told + [
        f"More epochs: of {short} of {plural(len(table), 'model')} the validation loss was lowest near the end."
    ] * bool(short)


def ceiling_advice(study: Study, comparison: Comparison) -> list[str]:
    """Larger images or finer masks where models lie within one pixel of each other."""
    truths = truths_of(comparison.runs, study.predictions)
    if not truths or len(comparison.table) < 2:
        return []
    loss, best = one_pixel_loss(truths.values()), comparison.table["test_iou"].max()
    near = int((comparison.table["test_iou"] > best - loss).sum())
    return [
        f"Larger images: one pixel of boundary costs IoU {loss:.3f} at this size, and {near} of"
        f" {len(comparison.table)} models lie within that of the best."
    ] * (near > 1)


def rule_advice(table: pd.DataFrame) -> list[str]:
    """Another rule where it would have chosen a better checkpoint by more than `COST`."""
    known = pd.to_numeric(table["rule_cost"], errors="coerce")
    worse = table[known > COST]
    if worse.empty:
        return []
    top = worse.iloc[int(known[known > COST].to_numpy().argmax())]
    return [
        f"The rule that chooses the checkpoint: for {len(worse)} of {plural(len(table), 'model')} the other one tests"
        f" more than {COST:.3f} better in IoU, most for {top['model']} ({top['rule_cost']:+.3f}); whether to change it"
        " is for validation images to say, not for these."
    ]
