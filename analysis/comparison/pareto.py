"""Pareto front of models: no other has at least their IoU for at most their time and parameters."""

from __future__ import annotations

import pandas as pd

COSTS = {"seconds_per_image": "time per image", "n_parameters": "parameters"}
"""Columns of the comparison's table, and the words for them."""


def pareto_front(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of `table` that no other row dominates in mean test IoU and the costs that all rows know.

    Empty for fewer than two rows, or if no cost is known of all.
    """
    known = [name for name in COSTS if name in table and pd.to_numeric(table[name], errors="coerce").notna().all()]
    if len(table) < 2 or not known:
        return table.iloc[:0]
    values = table[known].astype(float).assign(iou=-table["test_iou"].astype(float)).to_numpy()
    no_worse = (values[:, None] <= values).all(axis=2)
    better = (values[:, None] < values).any(axis=2)
    return pd.DataFrame(table[~(no_worse & better).any(axis=0)])


def sentence(table: pd.DataFrame) -> str | None:
    """A sentence that names the models on and off the front, by their means; None without a front."""
    front = pareto_front(table)
    if front.empty:
        return None
    costs = " and ".join(words for name, words in COSTS.items() if name in table and table[name].notna().all())
    off = len(table) - len(front)
    rest = f"; each of the {off} others is matched or beaten by one of them" if off > 1 else ""
    rest = "; the other is matched or beaten by one of them" if off == 1 else rest
    if len(front) == 1:
        rest = rest.replace("one of them", "it")
    verb, own = ("gives", "its") if len(front) == 1 else ("give", "their")
    return f"By means, {'; '.join(front['model'].astype(str))} {verb} most IoU for {own} {costs}{rest}."
