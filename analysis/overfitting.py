"""What learning curves say about overfitting: figures per run, and a sentence made from them.

Single epochs of a curve over a few images jump by tens of per cent, so no claim rests on one: the end is the median of
several epochs, and so is the level that it is compared with.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

CURVES = ("train/loss", "val/loss", "train/iou", "val/iou")
RISE = 0.10
"""Relative rise of validation loss after its best epoch from which the sentence speaks of overfitting."""
FEWEST, TAIL = 3, 0.10
"""Epochs there must be after the best one, at least, and as a fraction of all; else training was still improving."""
END = 0.20
"""Fraction of the epochs after the best one that counts as the end, but at least `FEWEST` epochs."""


def curve_figures(history: pd.DataFrame, rule: str) -> dict[str, float]:
    """Figures of one run's curves; `rule` (`best_loss` or `best_iou`) says which epoch is the best one.

    Returns epochs, best_epoch, gap_best (train IoU − validation IoU at the best epoch), gap_end (its median over the
    end), val_loss_epoch (of the lowest validation loss), val_loss_rise and train_loss_fall (`rise` of the two losses,
    the second with its sign turned; NaN where too few epochs follow to tell) and not_finite (epochs in which a loss or
    an IoU is NaN or infinite; they count in nothing else). Train values are measured on augmented images while the
    weights move, so a gap below 0 is common and harmless. Empty without any epoch.
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
    return {
        "epochs": float(curves.index[-1]),
        "best_epoch": float(curves.index[at_best]),
        "gap_best": float(gap[at_best]),
        "gap_end": float(np.median(gap[-end_length(after) :])),
        "val_loss_epoch": float(curves.index[at_loss]),
        "val_loss_rise": rise(curves["val/loss"], at_loss) if told else math.nan,
        "train_loss_fall": -rise(curves["train/loss"], at_loss) if told else math.nan,
        "not_finite": not_finite,
    }


def end_length(after: int) -> int:
    """How many epochs are the end of a curve that has `after` epochs after its best one."""
    return max(FEWEST, math.ceil(END * after))


def rise(curve: pd.Series[float], best: int) -> float:
    """Median of the end of `curve` over that of its values at positions `best` − 1 … `best` + 1, minus 1.

    The lowest value of a noisy curve lies below its level; its neighbours keep that from looking like a rise.
    """
    end = curve.iloc[-end_length(len(curve) - 1 - best) :].median()
    return float(end / curve.iloc[max(0, best - 1) : best + 2].median() - 1)


def overfitting_figures(runs: pd.DataFrame, history: pd.DataFrame) -> pd.DataFrame:
    """`curve_figures` of every run, one row each, with run_id; the rule is the run's `test/rule`."""
    rules = runs.set_index("run_id")["test/rule"]
    rows = [
        {"run_id": run_id, **curve_figures(curves, str(rules[run_id]))}
        for run_id, curves in history.groupby("run_id", sort=False)
        if run_id in rules.index
    ]
    columns = [
        *("run_id", "epochs", "best_epoch", "gap_best", "gap_end"),
        *("val_loss_epoch", "val_loss_rise", "train_loss_fall", "not_finite"),
    ]
    return pd.DataFrame(rows, columns=columns)


def verdict(figures: pd.DataFrame) -> str:
    """One sentence on the runs of one model, from means over them of `overfitting_figures`.

    Nothing is claimed unless more than half of the runs have enough epochs after their best one.
    """
    if figures.empty:
        return "cannot tell: no curves"
    lost = int(figures["not_finite"].sum())
    if figures["val_loss_epoch"].isna().all():
        return "cannot tell: in every epoch a loss or an IoU is NaN or infinite"
    told = figures.dropna(subset=["val_loss_rise", "train_loss_fall"])
    enough = 2 * len(told) > len(figures)
    sentence = claim(told.mean(numeric_only=True)) if enough else still_improving(figures)
    if enough and len(told) < len(figures):
        sentence += (
            f"; from {len(told)} of {len(figures)} runs, the others end too soon after their best epoch"
        )
    return sentence + (f"; left out, NaN or infinite: {lost} epochs" if lost else "")


def claim(mean: pd.Series[float]) -> str:
    """The sentence where there are enough epochs after the best one."""
    level, fall = mean["val_loss_rise"], mean["train_loss_fall"]
    epoch, epochs = mean["val_loss_epoch"], mean["epochs"]
    if level >= RISE and fall > 0:
        return (
            f"overfits after epoch {epoch:.0f} of {epochs:.0f}: validation loss rises {level:.0%}"
            f" while training loss falls {fall:.0%}; {gaps(mean)}"
        )
    both = ", but training loss does not fall either" if level >= RISE else ""
    moved = f"validation loss {level:+.0%} from epoch {epoch:.0f} to {epochs:.0f}"
    return f"no clear overfitting: {moved}{both}; {gaps(mean)}"


def still_improving(figures: pd.DataFrame) -> str:
    """The sentence where there are too few epochs after the best one."""
    mean = figures.mean(numeric_only=True)
    return (
        f"cannot tell: validation loss was lowest at epoch {mean['val_loss_epoch']:.0f} of {mean['epochs']:.0f},"
        f" too near the end; {gaps(mean)}"
    )


def gaps(mean: pd.Series[float]) -> str:
    """Train minus validation IoU, in words."""
    return f"train − val IoU {mean['gap_best']:+.3f} at the best epoch, {mean['gap_end']:+.3f} at the end"
