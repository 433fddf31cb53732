"""First and last sentences of a comparison, from those of `evidence.sentences`, for tables, report and notebooks."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from analysis.comparison.commands import command_here
from analysis.comparison.comparison import Comparison
from analysis.curves.overfitting import COLLAPSE, FEWEST_EPOCHS, Verdict
from analysis.curves.rise import FEWEST_RUNS
from analysis.evidence.sentences import answer, cautions
from common.keys import RULES
from common.text import plural, some

MOST_FALLS = 4
"""Most models with a fall that are named one by one."""
RULE_COST = 0.005
"""Loss of IoU by the choice of the rule that is worth a sentence."""


def answers(comparison: Comparison) -> tuple[str, ...]:
    """The answer of the study in two sentences, and a third if models are tested by different rules."""
    by_one = by_one_rule(judged_rows(comparison.table))
    return (*best_and_others(comparison), *((by_one,) if by_one else ()))


def best_and_others(comparison: Comparison) -> tuple[str, str]:
    """A sentence on the best model and one on the others."""
    table, found = comparison.table, comparison.evidence
    if found and len(comparison.table) == len(found.models):
        return answer(found, "IoU")
    best = table.iloc[0]
    runs = plural(int(best["n_runs"]), "run")
    if len(table) == 1:
        return (
            f"{best['model']} has a test IoU of {best['test_iou']:.3f} ({runs}).",
            "There is no other model to compare it with.",
        )
    if found is None:
        return (
            f"{best['model']} has the highest test IoU, {best['test_iou']:.3f} ({runs}).",
            "Whether it is better than the others was not tested.",
        )
    lost = "; ".join(name for name in table["model"].astype(str) if name not in found.models)
    first, second = answer(found, "IoU", len(table))
    return first, f"{second} Not compared: {lost}."


def judged_rows(table: pd.DataFrame) -> pd.DataFrame:
    """The rows with a verdict, all if there is none; none if models were tested on different splits."""
    judged = table[table["difference"].notna()]
    rows = judged if len(judged) else table
    return rows.iloc[:0] if rows["n_splits"].nunique() > 1 else rows.reset_index(drop=True)


def by_one_rule(table: pd.DataFrame) -> str | None:
    """Lead of the first row if one rule tested all; None if one does, a value is unknown, or nothing changes.

    None, too, if verdicts are of other means than these: over further splits, or with other weights of them.
    """
    others = pd.to_numeric(table["other_rule_test_iou"], errors="coerce")
    if table["rule"].nunique() < 2 or others.isna().any():
        return None
    lead = f"{table['test_iou'].iloc[0] - table['test_iou'].iloc[1]:.3f}"
    if table["difference"].notna().all() and lead != f"{-table['difference'].iloc[1]:.3f}":
        return None
    leads = []
    for rule, words in zip(RULES, ("lowest validation loss", "highest validation IoU"), strict=True):
        iou = table["test_iou"].where(table["rule"] == rule, others).sort_values(ascending=False, kind="stable")
        leads.append((table["model"][iou.index[0]], f"{iou.iloc[0] - iou.iloc[1]:.3f}", words))
    if {(name, each) for name, each, _ in leads} == {(table["model"].iloc[0], lead)}:
        return None
    (first, by_loss, loss), (second, by_iou, highest) = leads
    other = "" if second == first else f"{second} "
    return (
        f"If one rule chose every tested epoch, {first} would lead by {by_loss} ({loss}), or {other}by {by_iou} "
        f"({highest})."
    )


def keep_in_mind(comparison: Comparison) -> tuple[str, ...]:
    """Warnings, omissions, assumptions of the verdicts, and at the end the check that was passed."""
    assumed = cautions(comparison.evidence) if comparison.evidence else ()
    passed = (comparison.check,) if comparison.check else ()
    return (*comparison.notes, *rule_cost(comparison.table), *assumed, *passed)


def rule_cost(table: pd.DataFrame) -> list[str]:
    """A sentence on the models that the other rule tests better by more than `RULE_COST`, with a caution."""
    known = pd.to_numeric(table["rule_cost"], errors="coerce")
    worse = table[known > RULE_COST]
    if worse.empty:
        return []
    top = worse.iloc[int(known[known > RULE_COST].to_numpy().argmax())]
    return [
        f"By the other rule {len(worse)} of {len(table)} models test {RULE_COST:.3f} better in IoU or more, most"
        f" {top['model']} ({top['rule_cost']:+.3f}). Do not switch the rule because of these test results; decide on"
        " validation images."
    ]


def curve_sentences(comparison: Comparison) -> tuple[str, ...]:
    """Sentences on the curves: one per model with a verdict, one for all with too few runs, one per collapse."""
    verdicts = dict(zip(comparison.table["model"].astype(str), comparison.table["overfitting"], strict=True))
    few = {model: verdict for model, verdict in verdicts.items() if verdict.kind == "too_few"}
    overfit = "overfits" if len(few) == 1 else "overfit"
    who = "any model overfits" if len(few) == len(verdicts) else f"{some(list(few))} {overfit}"
    return (
        *(f"{model}: {verdict}." for model, verdict in verdicts.items() if model not in few),
        *((f"Whether {who} cannot be told: {missing(comparison, list(few.values()))}.",) if few else ()),
        *(f"{model}: {'; '.join(verdict.notes)}." for model, verdict in few.items() if verdict.notes),
        *collapses(comparison),
        *(f"{effect}." for effect in comparison.effects),
    )


def missing(comparison: Comparison, few: Sequence[Verdict]) -> str:
    """Runs and epochs that a verdict on overfitting needs and these have, and the command for more if known."""
    runs, epochs = min(each.n_runs for each in few), min(each.n_epochs for each in few)
    seeds = FEWEST_RUNS if runs < FEWEST_RUNS else None
    longer = FEWEST_EPOCHS if epochs < FEWEST_EPOCHS else None
    command = command_here(comparison, seeds=seeds, epochs=longer)
    lack = [f"at least {FEWEST_RUNS} whole runs per model (you have {runs})"] if seeds else []
    lack += [f"at least {FEWEST_EPOCHS} epochs (you have {epochs})"] if longer else []
    return f"that takes {' of '.join(lack)}{f'; `{command}` gives them' if command else ''}"


def collapses(comparison: Comparison) -> list[str]:
    """Models with a run whose validation IoU fell far below its best: both values, the epoch, the tested epoch."""
    curves = comparison.curves.assign(fall=comparison.curves["fall_from"] - comparison.curves["fall_to"])
    fallen = curves[curves["fall"] >= COLLAPSE].merge(comparison.runs[["run_id", "model"]], on="run_id")
    told = []
    for model, own in fallen.sort_values("fall", ascending=False, kind="stable").groupby("model", sort=False):
        run, n = own.iloc[0], int((comparison.runs["model"] == model).sum())
        of = f" in {len(own)} of {n} runs, most" if n > 1 else ""
        told.append(
            f"{model}: validation IoU fell{of} from {run['fall_from']:.3f} to {run['fall_to']:.3f} in epoch"
            f" {run['fall_epoch']:.0f} of {run['epochs']:.0f}; tested is epoch {run['best_epoch']:.0f}."
        )
    more = len(told) - MOST_FALLS
    return [*told[:MOST_FALLS], *([f"{plural(more, 'more model')} fell by {COLLAPSE:g} or more."] if more > 0 else [])]
