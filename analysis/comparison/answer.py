"""What a comparison says first, and what it says last: the same in terminal, tables, report and notebooks."""

from __future__ import annotations

from analysis.comparison.comparison import Comparison
from analysis.evidence.text import answer, cautions
from common.text import plural


def answers(comparison: Comparison) -> tuple[str, str]:
    """The answer of the study in two sentences."""
    table, found = comparison.table, comparison.evidence
    if found and len(comparison.table) == len(found.models):
        return answer(found)
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
    first, second = answer(found)
    return (
        f"{first.removesuffix('.')}, of the {len(found.models)} that can be compared.",
        f"{second} Not compared: {lost}.",
    )


def keep_in_mind(comparison: Comparison) -> tuple[str, ...]:
    """Warnings and what was left out, then what the verdicts assume."""
    return (*comparison.notes, *(cautions(comparison.evidence) if comparison.evidence else ()))
