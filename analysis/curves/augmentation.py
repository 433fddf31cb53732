"""What stronger augmentation does to overfitting: the same model at two strengths, in sentences with their figures."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import pairwise

import pandas as pd

from analysis.comparison.row_labels import IDENTITY, NUISANCE, label
from analysis.curves.overfitting import Estimate, estimate, overfitting_figures, spread
from common.keys import STRENGTHS

SAME = (*IDENTITY, "width", "image_size", *NUISANCE)
"""What must be equal for the difference to be that of augmentation."""


def augmentation_effects(runs: pd.DataFrame, history: pd.DataFrame) -> list[str]:
    """One sentence per model and pair of neighbouring strengths that it was trained with; none if none was varied.

    The epoch of the lowest validation loss and the gap of IoU at the end, weaker → stronger, with Welch's 95 % interval
    of their difference.
    """
    if "augmentation" not in runs:
        return []
    figures = overfitting_figures(runs, history).drop(columns="epochs").merge(runs, on="run_id")
    same = [name for name in SAME if name in figures]
    sentences = []
    for _, group in figures.groupby(same, sort=False, dropna=False):
        by_strength = {str(name): rows for name, rows in group.groupby("augmentation") if name in STRENGTHS}
        sentences += [
            effect(
                label(group.iloc[0].to_dict()), weaker, stronger, by_strength[weaker], by_strength[stronger]
            )
            for weaker, stronger in neighbours(by_strength)
        ]
    return sentences


def neighbours(by_strength: dict[str, pd.DataFrame]) -> Iterable[tuple[str, str]]:
    """Pairs of strengths next to each other among those that are there, weakest first."""
    there = [name for name in STRENGTHS if name in by_strength]
    return pairwise(there)


def effect(model: str, weaker: str, stronger: str, before: pd.DataFrame, after: pd.DataFrame) -> str:
    """The sentence about one step of strength: delays, hastens, or cannot be told."""
    epochs = [estimate(rows["val_loss_epoch"]) for rows in (before, after)]
    low, high = welch(*epochs)
    later = [" or later" * bool(rows["val_loss_rise"].isna().any()) for rows in (before, after)]
    moved = " to ".join(f"{spread(epoch)}{late}" for epoch, late in zip(epochs, later, strict=True))
    n = f"n = {epochs[0].n} and {epochs[1].n} runs"
    step, best = f"{stronger} augmentation in place of {weaker}", "the lowest validation loss"
    if low > 0 or high < 0:
        told = f"{step} {'delays' if low > 0 else 'hastens'} {best}, from epoch {moved}"
    else:
        told = f"cannot tell whether {step} moves {best}: epoch {moved}"
    gaps = [estimate(rows["gap_end"]) for rows in (before, after)]
    changed = " to ".join(f"{gap.mean:+.3f}".replace("-", "−") for gap in gaps)
    return (
        f"{model}: {told} ({difference(epochs, 0)}, {n}); train − val IoU at the end from {changed}"
        f" ({difference(gaps, 3)})"
    )


def difference(pair: list[Estimate], digits: int) -> str:
    """Second mean minus first, with the interval."""
    low, high = welch(*pair)
    around = "no interval" if math.isnan(low) else f"95% interval {low:+.{digits}f} to {high:+.{digits}f}"
    return f"difference {pair[1].mean - pair[0].mean:+.{digits}f}, {around}".replace("-", "−")


def welch(first: Estimate, second: Estimate) -> tuple[float, float]:
    """95 % interval of the second mean minus the first, for unequal variances (Welch 1947); NaN below 2 runs."""
    if min(first.n, second.n) < 2:
        return math.nan, math.nan
    from scipy.stats import t

    parts = [each.sd**2 / each.n for each in (first, second)]
    moved, error = second.mean - first.mean, math.sqrt(sum(parts))
    if error == 0:
        return moved, moved
    freedom = sum(parts) ** 2 / sum(
        part**2 / (each.n - 1) for part, each in zip(parts, (first, second), strict=True)
    )
    reach = float(t.ppf(0.975, freedom)) * error
    return moved - reach, moved + reach
