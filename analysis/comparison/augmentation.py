"""Effect of stronger augmentation on overfitting: the same model at two strengths, in sentences with their figures."""

from __future__ import annotations

import math
from itertools import pairwise

import pandas as pd

from analysis.comparison.row_labels import IDENTITY, NUISANCE, SCIENTIFIC, with_models
from analysis.curves.overfitting import end_length, overfitting_figures
from common.keys import STRENGTHS
from common.text import plural

SAME = (*IDENTITY, *(name for name in SCIENTIFIC if name != "augmentation"), *NUISANCE)
"""Settings that must be equal for the difference to be that of augmentation."""


def augmentation_effects(runs: pd.DataFrame, history: pd.DataFrame) -> list[str]:
    """One sentence per model and pair of neighbouring strengths that it was trained with; none if none was varied.

    The epoch of the lowest validation loss and the gap of IoU at the end, weaker → stronger, with Welch's 95 % interval
    of their difference.
    """
    if "augmentation" not in runs:
        return []
    figures = overfitting_figures(runs, history).rename(columns={"epochs": "last_epoch"}).merge(runs, on="run_id")
    figures["model"] = with_models(figures.drop(columns="augmentation"))["model"]
    same = [name for name in SAME if name in figures]
    sentences = []
    for _, group in figures.groupby(same, sort=False, dropna=False):
        of = {name: group[group["augmentation"] == name] for name in STRENGTHS}
        there = [name for name in STRENGTHS if len(of[name])]
        model = group["model"].iloc[0]
        sentences += [
            f"{model}: {effect(weaker, stronger, of[weaker], of[stronger])}" for weaker, stronger in pairwise(there)
        ]
    return sentences


def effect(weaker: str, stronger: str, before: pd.DataFrame, after: pd.DataFrame) -> str:
    """The sentence about one step of strength: delays, hastens, or cannot be told."""
    epochs = [rows["val_loss_epoch"].dropna() for rows in (before, after)]
    step, best = f"{stronger} augmentation in place of {weaker}", "the lowest validation loss"
    if lost := [name for name, values in zip((weaker, stronger), epochs, strict=True) if values.empty]:
        return f"cannot tell whether {step} moves {best}: no run with {' or '.join(lost)} has an epoch of finite values"
    low, high = welch(*epochs)
    moved = " to ".join(spread(values) + late(rows) for values, rows in zip(epochs, (before, after), strict=True))
    if low > 0 or high < 0:
        told = f"{step} {'delays' if low > 0 else 'hastens'} {best}, from epoch {moved}"
    else:
        told = f"cannot tell whether {step} moves {best}: epoch {moved}"
    n = f"n = {len(epochs[0])} and {plural(len(epochs[1]), 'run')}"
    gaps = [rows["gap_end"].dropna() for rows in (before, after)]
    changed = " to ".join(f"{values.mean():+.3f}" for values in gaps).replace("-", "−")
    return f"{told} ({difference(epochs, 0)}, {n}); train − val IoU at the end from {changed} ({difference(gaps, 3)})"


def spread(epochs: pd.Series[float]) -> str:
    """Epochs as `14 ± 3`, of one run as `14`; ± is the standard deviation."""
    return f"{epochs.mean():.0f}" + (f" ± {epochs.std():.0f}" if len(epochs) > 1 else "")


def late(rows: pd.DataFrame) -> str:
    """` or later` if a lowest validation loss lies so near the end that it may still move."""
    end = rows["last_epoch"].map(lambda epochs: end_length(int(epochs)), na_action="ignore")
    return " or later" if (rows["val_loss_epoch"] > rows["last_epoch"] - end).any() else ""


def difference(pair: list[pd.Series[float]], digits: int) -> str:
    """Second mean minus first, with the interval."""
    low, high = welch(*pair)
    around = "no interval" if math.isnan(low) else f"95% interval {low:+.{digits}f} to {high:+.{digits}f}"
    return f"difference {pair[1].mean() - pair[0].mean():+.{digits}f}, {around}".replace("-", "−")


def welch(first: pd.Series[float], second: pd.Series[float]) -> tuple[float, float]:
    """95 % interval of the second mean minus the first, for unequal variances (Welch 1947).

    NaN below 2 runs or without any variation.

    """
    if min(len(first), len(second)) < 2 or first.nunique() + second.nunique() == 2:
        return math.nan, math.nan
    from scipy.stats import ttest_ind

    found = ttest_ind(second, first, equal_var=False).confidence_interval()
    return float(found.low), float(found.high)
