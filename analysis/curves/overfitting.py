"""Overfitting by learning curves: figures per run, and one sentence per model.

The minimum of a noisy curve lies below its level, so that every curve seems to rise after it. From three runs on the
minimum is found on some runs and the rise measured on another (`analysis.curves.rise`); fewer prove nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.curves.rise import FEWEST_RUNS, LEAST_RISE, Rise, fall_after, measure_rise
from common import keys
from common.text import plural

CURVES = (keys.TRAIN_LOSS, keys.VAL_LOSS, keys.TRAIN_IOU, keys.VAL_IOU)
FALL = 0.05
"""Least relative fall of training loss meanwhile for a verdict of overfitting."""
END = 0.10
"""Share of the epochs that counts as the end, at least `SHORTEST` of them."""
SHORTEST = 3
FEWEST_EPOCHS = 4
FIGURES = (
    *("epochs", "best_epoch", "best_val_loss", "best_val_iou", "val_loss_epoch", "val_loss_lowest", "val_loss_last"),
    *("train_loss_last", "gap_best", "gap_end", "fall_epoch", "fall_from", "fall_to", "not_finite"),
)
COLLAPSE = 0.1
"""A fall of validation IoU below its best that is worth a sentence."""
LATE = 0.8
WILD = 1.0
"""Width of an interval of the relative rise above which its ends say nothing."""


@dataclass(frozen=True)
class Verdict:
    """The verdict on the curves of a model: its sentence, and notes on runs left out; `too_few`: runs or epochs.

    `n_runs` and `n_epochs`: those that count, finite and of runs that did not end early.
    """

    kind: Literal["overfits", "diverges", "does_not_overfit", "cannot_tell", "too_few"]
    text: str
    notes: tuple[str, ...] = ()
    n_runs: int = 0
    n_epochs: int = 0

    def __str__(self) -> str:
        return "; ".join([self.text, *self.notes])


def curve_figures(history: pd.DataFrame, rule: str) -> dict[str, float]:
    """Figures of one run's curves; `rule` (`best_loss` or `best_iou`) chooses the tested epoch.

    epochs; best_epoch, the tested one, with best_val_loss and best_val_iou; val_loss_epoch, that of the lowest
    validation loss, val_loss_lowest; val_loss_last and train_loss_last, at the end. gap_best: train IoU − validation
    IoU at val_loss_epoch; gap_end: its median over the end, so that one bad epoch does not move it. fall_epoch: that in
    which validation IoU lay furthest below its best, fall_from, at fall_to; NaN if it never fell. not_finite: number of
    epochs in which a loss or an IoU is NaN or infinite; they count in nothing else. Train values are measured on
    augmented images while the weights move, so a gap below 0 is common and harmless. Empty without any epoch.
    """
    if history.empty:
        return {}
    logged = history.set_index("epoch").sort_index()[list(CURVES)].astype(float)
    curves = logged[np.isfinite(logged).all(axis=1)]
    not_finite = float(len(logged) - len(curves))
    if curves.empty:
        return {"epochs": float(logged.index[-1]), "not_finite": not_finite}
    at_loss = int(curves[keys.VAL_LOSS].to_numpy().argmin())
    at_best = int(curves[keys.VAL_IOU].to_numpy().argmax()) if rule == "best_iou" else at_loss
    gap = (curves[keys.TRAIN_IOU] - curves[keys.VAL_IOU]).to_numpy()
    return {
        "epochs": float(logged.index[-1]),
        "best_epoch": float(curves.index[at_best]),
        "best_val_loss": float(curves[keys.VAL_LOSS].iloc[at_best]),
        "best_val_iou": float(curves[keys.VAL_IOU].iloc[at_best]),
        "val_loss_epoch": float(curves.index[at_loss]),
        "val_loss_lowest": float(curves[keys.VAL_LOSS].iloc[at_loss]),
        "val_loss_last": float(curves[keys.VAL_LOSS].iloc[-1]),
        "train_loss_last": float(curves[keys.TRAIN_LOSS].iloc[-1]),
        "gap_best": float(gap[at_loss]),
        "gap_end": float(np.median(gap[-end_length(len(curves)) :])),
        **largest_fall(curves[keys.VAL_IOU]),
        "not_finite": not_finite,
    }


def largest_fall(iou: pd.Series[float]) -> dict[str, float]:
    """The epoch in which a curve lay furthest below its highest value so far, that value, and the value after the fall.

    `iou` is indexed by epoch. Before it first reaches `LATE` of its maximum, ups and downs are those of a beginning.
    """
    before = iou.cummax().shift()
    fall = (before - iou).where(before >= LATE * iou.max())
    if not (fall > 0).any():
        return dict.fromkeys(("fall_epoch", "fall_from", "fall_to"), math.nan)
    at = int(np.nanargmax(fall.to_numpy()))
    return {"fall_epoch": float(iou.index[at]), "fall_from": float(before.iloc[at]), "fall_to": float(iou.iloc[at])}


def end_length(epochs: int) -> int:
    """Number of epochs that count as the end of a curve."""
    return max(SHORTEST, math.ceil(END * epochs))


def overfitting_figures(runs: pd.DataFrame, history: pd.DataFrame) -> pd.DataFrame:
    """`curve_figures` of every run, one row each, with run_id; the rule is the run's `test/rule`."""
    rules = runs.set_index("run_id")[keys.TEST_RULE]
    rows = [
        {"run_id": run_id, **curve_figures(curves, str(rules[run_id]))}
        for run_id, curves in history.groupby("run_id", sort=False)
        if run_id in rules.index
    ]
    return pd.DataFrame(rows, columns=["run_id", *FIGURES])


def verdict(history: pd.DataFrame) -> Verdict:
    """One sentence on the runs of one model, with its evidence, from their curves."""
    if history.empty:
        return Verdict("cannot_tell", "cannot tell: no curves")
    finite = pd.DataFrame(history[np.isfinite(history[list(CURVES)].astype(float)).all(axis=1)])
    if finite.empty:
        return Verdict("cannot_tell", "cannot tell: in every epoch a loss or an IoU is NaN or infinite")
    losses, epochs, others = align(finite)
    n_runs, lost = len(losses[keys.VAL_LOSS]), len(history) - len(finite)
    notes = [f"left out, ended earlier: {plural(others, 'run')}"] if others else []
    notes += [f"left out, NaN or infinite: {plural(lost, 'epoch')}"] if lost else []
    if not len(epochs):
        made = Verdict("cannot_tell", f"cannot tell: no epoch has finite values in all of {plural(n_runs, 'run')}")
    elif n_runs < FEWEST_RUNS or len(epochs) < FEWEST_EPOCHS:
        at = [int(epochs[curve.argmin()]) for curve in losses[keys.VAL_LOSS]]
        lowest = f"{min(at)}" if len(set(at)) == 1 else f"{min(at)} to {max(at)}"
        have = plural(n_runs, "run") if n_runs < FEWEST_RUNS else plural(len(epochs), "epoch")
        text = (
            f"cannot tell from {have}, {FEWEST_RUNS} runs of {FEWEST_EPOCHS} epochs would; validation loss was lowest"
            f" at epoch {lowest} of {epochs[-1]:g}"
        )
        made = Verdict("too_few", text)
    elif losses[keys.VAL_LOSS].min() <= 0:
        made = Verdict("cannot_tell", "cannot tell: a validation loss is 0, and a rise is a share of the lowest one")
    else:
        made = claim(measure_rise(losses[keys.VAL_LOSS]), losses, epochs, whole=epochs[-1] == history["epoch"].max())
    return replace(made, notes=tuple(notes), n_runs=n_runs, n_epochs=len(epochs))


def align(history: pd.DataFrame) -> tuple[dict[str, NDArray[np.float64]], NDArray[np.int64], int]:
    """Losses (R, E) of runs that did not end early, over the epochs that all of them have; number of the others.

    Early is before four fifths of the longest run.
    """
    last = history.groupby("run_id")["epoch"].max()
    whole = last[last >= 0.8 * last.max()].index
    own = history[history["run_id"].isin(whole)]
    tables = {
        name: own.pivot(index="run_id", columns="epoch", values=name).dropna(axis=1)
        for name in (keys.VAL_LOSS, keys.TRAIN_LOSS)
    }
    losses = {name: table.to_numpy(dtype=float) for name, table in tables.items()}
    return losses, tables[keys.VAL_LOSS].columns.to_numpy(), len(last) - len(whole)


def claim(found: Rise, losses: dict[str, NDArray[np.float64]], epochs: NDArray[np.int64], whole: bool) -> Verdict:
    """The verdict that a measured rise carries; `whole`: no run has an epoch after the last of `epochs`."""
    n, at = plural(found.n_runs, "run"), epochs[found.epoch]
    moved = f"{found.estimate:+.0%} (90% interval {found.low:+.0%} to {found.high:+.0%})".replace("-", "−")
    end = f"at the end, epoch {at:g}" if whole else f"in epoch {at:g}, the last with finite values in all runs"
    where = f"validation loss {moved} from epoch {at:g} to {epochs[-1]:g} ({n})"
    if found.verdict == "cannot_tell" and found.high - found.low > WILD:
        where = f"after epoch {at:g} of {epochs[-1]:g} the runs' validation losses differ by more than their size ({n})"
    elif found.verdict == "cannot_tell" and at == epochs[-1]:
        where = f"the mean validation loss was lowest {end}, but the runs differ ({n})"
    fall = fall_after(losses[keys.TRAIN_LOSS], found.epoch)
    if found.verdict == "rises" and fall < FALL:
        text = f"diverges: {where}, while training loss changes by {-fall:+.0%}"
        return Verdict("diverges", text.replace("-", "−"))
    if found.verdict == "rises":
        text = f"overfits from epoch {at:g} of {epochs[-1]:g}: {where}, while training loss falls {fall:.0%}"
        return Verdict("overfits", text)
    if found.verdict == "flat":
        lowest = f"the mean validation loss was lowest {end} ({n}){'; longer training may' if whole else ''}"
        why = lowest if at == epochs[-1] else f"{where}, less than {LEAST_RISE:.0%}"
        return Verdict("does_not_overfit", f"does not overfit: {why}")
    enough = f"about {found.needed} runs would find a rise of {LEAST_RISE:.0%}"
    would = enough if found.needed else "more runs would not help"
    return Verdict("cannot_tell", f"cannot tell: {where}; {would}")
