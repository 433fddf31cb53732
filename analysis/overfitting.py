"""What learning curves say about overfitting: figures per run, and a sentence made from them."""

from __future__ import annotations

import pandas as pd

RISE = 0.10
"""Relative rise of validation loss after its best epoch from which the sentence speaks of overfitting."""
TAIL = 0.10
"""Fraction of all epochs; a best epoch within this last part means that training was still improving."""


def curve_figures(history: pd.DataFrame, rule: str) -> dict[str, float]:
    """Figures of one run's curves; `rule` (`best_loss` or `best_iou`) says which epoch is the best one.

    Returns epochs, best_epoch, gap_best and gap_end (train IoU − validation IoU at the best and the last
    epoch), val_loss_epoch, val_loss_rise (last over lowest validation loss, minus 1) and train_loss_fall
    (1 − last training loss over that at the epoch of the lowest validation loss). Train values are measured on
    augmented images while the weights move, so a gap below 0 is common and harmless. NaN where curves are empty.
    """
    curves = history.dropna(subset=["val/loss", "val/iou"]).set_index("epoch").sort_index()
    if curves.empty:
        return {}
    epochs = curves.index.to_numpy(dtype=int)
    at_loss = int(epochs[curves["val/loss"].to_numpy().argmin()])
    at_iou = int(epochs[curves["val/iou"].to_numpy().argmax()])
    best = at_iou if rule == "best_iou" else at_loss
    gap = curves["train/iou"] - curves["val/iou"]
    train, val = curves["train/loss"], curves["val/loss"]
    return {
        "epochs": float(epochs[-1]),
        "best_epoch": float(best),
        "gap_best": float(gap[best]),
        "gap_end": float(gap.iloc[-1]),
        "val_loss_epoch": float(at_loss),
        "val_loss_rise": float(val.iloc[-1] / val[at_loss] - 1),
        "train_loss_fall": float(1 - train.iloc[-1] / train[at_loss]),
    }


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
        *("val_loss_epoch", "val_loss_rise", "train_loss_fall"),
    ]
    return pd.DataFrame(rows, columns=columns)


def verdict(figures: pd.DataFrame) -> str:
    """One sentence on the runs of one model, from means over them of `overfitting_figures`."""
    if figures.empty or figures["epochs"].isna().all():
        return "cannot tell: no curves"
    mean = figures.mean(numeric_only=True)
    gaps = f"train − val IoU {mean['gap_best']:+.3f} at the best epoch, {mean['gap_end']:+.3f} at the end"
    rise, fall = mean["val_loss_rise"], mean["train_loss_fall"]
    epoch, epochs = mean["val_loss_epoch"], mean["epochs"]
    if epoch > epochs * (1 - TAIL):
        return (
            f"cannot tell: validation loss was lowest at epoch {epoch:.0f} of {epochs:.0f}, the end; {gaps}"
        )
    if rise >= RISE and fall > 0:
        return (
            f"overfits after epoch {epoch:.0f} of {epochs:.0f}: validation loss rises {rise:.0%}"
            f" while training loss falls {fall:.0%}; {gaps}"
        )
    return f"no clear overfitting: validation loss {rise:+.0%} from epoch {epoch:.0f} to {epochs:.0f}; {gaps}"
