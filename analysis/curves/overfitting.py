"""What learning curves say about overfitting: figures per run, means with intervals, and a verdict made from these.

Single epochs of a curve over a few images jump by tens of per cent, so no claim rests on one: the end is the median of
several epochs, and so is the level that it is compared with.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.curves.changepoint import start_of_rise

CURVES = ("train/loss", "val/loss", "train/iou", "val/iou")
RISE = 0.10
"""Relative rise of validation loss after its best epoch from which the verdict may be overfitting."""
FEWEST, TAIL = 3, 0.10
"""Epochs there must be after the best one, at least, and as a fraction of all; else training was still improving."""
END = 0.20
"""Fraction of the epochs after the best one that counts as the end, but at least `FEWEST` epochs."""
FALL = 0.05
"""Relative fall of training loss meanwhile, without which it is not overfitting but training that goes nowhere."""
LEVEL = 0.95
FIGURES = (
    *("epochs", "best_epoch", "val_loss_epoch", "gap_start", "gap_best", "gap_end"),
    *("val_loss_rise", "train_loss_fall", "stop_gain", "not_finite"),
)


@dataclass(frozen=True)
class Estimate:
    """Mean of a figure over `n` runs, standard deviation (n − 1), and the ends of its 95 % interval by t.

    NaN where there are too few runs: the mean of none, the others of fewer than two.
    """

    mean: float
    sd: float
    low: float
    high: float
    n: int


def curve_figures(history: pd.DataFrame, rule: str) -> dict[str, float]:
    """Figures of one run's curves; `rule` (`best_loss` or `best_iou`) says which epoch is the tested one.

    epochs; best_epoch, the tested one; val_loss_epoch, that of the lowest validation loss. gap_best: train IoU −
    validation IoU at the latter; gap_end: its median over the end. gap_start: epoch from which validation loss −
    training loss rises for good, NaN if it does not. val_loss_rise, train_loss_fall: `rise` of the two losses, the
    second with its sign turned; stop_gain: validation IoU around the lowest validation loss minus its median over the
    end, which is what early stopping gains. All three are NaN where too few epochs follow to tell. not_finite: epochs
    in which a loss or an IoU is NaN or infinite; they count in nothing else. Train values are measured on augmented
    images while the weights move, so a gap below 0 is common and harmless. Empty without any epoch.
    """
    if history.empty:
        return {}
    logged = history.set_index("epoch").sort_index()[list(CURVES)].astype(float)
    curves = logged[np.isfinite(logged).all(axis=1)]
    not_finite = float(len(logged) - len(curves))
    if curves.empty:
        return {"epochs": float(logged.index[-1]), "not_finite": not_finite}
    at_loss = int(curves["val/loss"].to_numpy().argmin())
    at_best = int(curves["val/iou"].to_numpy().argmax()) if rule == "best_iou" else at_loss
    gap = (curves["train/iou"] - curves["val/iou"]).to_numpy()
    after = len(curves) - 1 - at_loss
    told = after >= max(FEWEST, math.ceil(TAIL * len(curves)))
    opens = start_of_rise((curves["val/loss"] - curves["train/loss"]).to_numpy())
    return {
        "epochs": float(curves.index[-1]),
        "best_epoch": float(curves.index[at_best]),
        "val_loss_epoch": float(curves.index[at_loss]),
        "gap_start": math.nan if opens is None else float(curves.index[opens]),
        "gap_best": float(gap[at_loss]),
        "gap_end": float(np.median(gap[-end_length(after) :])),
        "val_loss_rise": rise(curves["val/loss"], at_loss) if told else math.nan,
        "train_loss_fall": -rise(curves["train/loss"], at_loss) if told else math.nan,
        "stop_gain": stop_gain(curves["val/iou"], at_loss) if told else math.nan,
        "not_finite": not_finite,
    }


def end_length(after: int) -> int:
    """How many epochs are the end of a curve that has `after` epochs after its best one."""
    return max(FEWEST, math.ceil(END * after))


def levels(curve: pd.Series[float], best: int) -> tuple[float, float]:
    """Medians of the values at positions `best` − 1 … `best` + 1, and of the end of `curve`.

    The lowest value of a noisy curve lies below its level; its neighbours keep that from looking like a rise.
    """
    end = curve.iloc[-end_length(len(curve) - 1 - best) :].median()
    return float(curve.iloc[max(0, best - 1) : best + 2].median()), float(end)


def rise(curve: pd.Series[float], best: int) -> float:
    """How far the end of `curve` lies above its level around position `best`, relative to that level."""
    level, end = levels(curve, best)
    return end / level - 1


def stop_gain(curve: pd.Series[float], best: int) -> float:
    """How far the level of `curve` around position `best` lies above its end."""
    level, end = levels(curve, best)
    return level - end


def overfitting_figures(runs: pd.DataFrame, history: pd.DataFrame) -> pd.DataFrame:
    """`curve_figures` of every run, one row each, with run_id; the rule is the run's `test/rule`."""
    rules = runs.set_index("run_id")["test/rule"]
    rows = [
        {"run_id": run_id, **curve_figures(curves, str(rules[run_id]))}
        for run_id, curves in history.groupby("run_id", sort=False)
        if run_id in rules.index
    ]
    return pd.DataFrame(rows, columns=["run_id", *FIGURES])


def estimate(values: pd.Series[float]) -> Estimate:
    """Mean, spread and interval of one figure over the runs that have it."""
    known = values.dropna().astype(float).to_numpy()
    n = len(known)
    if n < 2:
        return Estimate(float(known.mean()) if n else math.nan, math.nan, math.nan, math.nan, n)
    from scipy.stats import t

    mean, sd = float(known.mean()), float(known.std(ddof=1))
    reach = float(t.ppf((1 + LEVEL) / 2, n - 1)) * sd / math.sqrt(n)
    return Estimate(mean, sd, mean - reach, mean + reach, n)


def verdict(figures: pd.DataFrame) -> str:
    """One sentence on the runs of one model, with its evidence, from their `overfitting_figures`.

    Nothing is claimed unless more than half of the runs have enough epochs after their best one, nor, of several runs,
    where the interval of the rise of validation loss holds zero.
    """
    if figures.empty:
        return "cannot tell: no curves"
    lost = int(figures["not_finite"].sum())
    if figures["val_loss_epoch"].isna().all():
        return "cannot tell: in every epoch a loss or an IoU is NaN or infinite"
    told = figures.dropna(subset=["val_loss_rise", "train_loss_fall"])
    enough = 2 * len(told) > len(figures)
    sentence = claim(told) if enough else still_improving(figures)
    if enough and len(told) < len(figures):
        sentence += (
            f"; from {len(told)} of {len(figures)} runs, the others end too soon after their best epoch"
        )
    return sentence + (f"; left out, NaN or infinite: {lost} epochs" if lost else "")


def claim(told: pd.DataFrame) -> str:
    """The sentence where there are enough epochs after the best one."""
    up, down = estimate(told["val_loss_rise"]), estimate(told["train_loss_fall"])
    epoch, epochs = estimate(told["val_loss_epoch"]), told["epochs"].mean()
    falls = down.mean >= FALL
    if up.mean >= RISE and falls and not up.low <= 0:
        sentence = (
            f"overfits from epoch {counted(epoch)} of {epochs:.0f}: validation loss rises {shares(up)} while training"
            f" loss {'halves' if 0.45 <= down.mean <= 0.55 else f'falls {down.mean:.0%}'}"
        )
    elif up.mean >= RISE and falls:
        sentence = f"cannot tell: after epoch {counted(epoch)} validation loss changes by {shares(up, '+')}"
    else:
        both = f", but training loss {-down.mean:+.0%}".replace("-", "−") if up.mean >= RISE else ""
        moved = f"validation loss {shares(up, '+')} from epoch {counted(epoch)} to {epochs:.0f}"
        sentence = f"no clear overfitting: {moved}{both}"
    return "; ".join([sentence, *opening(told), gaps(told), stopping(told)])


def still_improving(figures: pd.DataFrame) -> str:
    """The sentence where there are too few epochs after the best one."""
    epoch, epochs = estimate(figures["val_loss_epoch"]), figures["epochs"].mean()
    return (
        f"cannot tell: validation loss was lowest at epoch {counted(epoch)} of {epochs:.0f}, too near the end;"
        f" {gaps(figures)}"
    )


def opening(told: pd.DataFrame) -> list[str]:
    """Where the gap between the losses opens, in words, if it does in more than half of the runs."""
    starts = estimate(told["gap_start"])
    if 2 * starts.n <= len(told):
        return []
    which = f", in {starts.n} of {len(told)} runs" if starts.n < len(told) else ""
    return [f"validation and training loss part from epoch {spread(starts)} on{which}"]


def stopping(told: pd.DataFrame) -> str:
    """What stopping at the lowest validation loss would have gained, in words."""
    saved = 1 - (told["val_loss_epoch"] / told["epochs"]).mean()
    gain = signed(estimate(told["stop_gain"]))
    return f"stopping there changes val IoU by {gain} and saves {saved:.0%} of the epochs"


def gaps(figures: pd.DataFrame) -> str:
    """Train minus validation IoU, in words."""
    best, end = estimate(figures["gap_best"]), estimate(figures["gap_end"])
    return f"train − val IoU {signed(best)} there, {signed(end)} at the end"


def counted(epoch: Estimate) -> str:
    """An epoch as `14 ± 3 (5 runs)`; ± is the standard deviation."""
    return f"{spread(epoch)} ({epoch.n} run{'s' * (epoch.n > 1)})"


def spread(epoch: Estimate) -> str:
    """An epoch as `14 ± 3`, of one run as `14`."""
    return f"{epoch.mean:.0f}" if math.isnan(epoch.sd) else f"{epoch.mean:.0f} ± {epoch.sd:.0f}"


def shares(figure: Estimate, sign: str = "") -> str:
    """A relative change in per cent, with its interval."""
    around = "" if math.isnan(figure.low) else f" [{figure.low:+.0%}, {figure.high:+.0%}]"
    return f"{figure.mean:{sign}.0%}{around}".replace("-", "−")


def signed(figure: Estimate) -> str:
    """A difference of IoU, with its interval."""
    around = "" if math.isnan(figure.low) else f" [{figure.low:+.3f}, {figure.high:+.3f}]"
    return f"{figure.mean:+.3f}{around}".replace("-", "−")
