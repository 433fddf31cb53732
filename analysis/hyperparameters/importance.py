"""Importance of settings: the share of a metric's spread that each explains alone, beside that of chance.

Numbers are cut at their quantiles, so a range is judged on the scale that it was sampled on, logarithmic or not.
Settings that always occur together are one. Fields that a model does not have (a backbone, for the U-Nets written here)
are judged among the runs that have them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from analysis import AnalysisError
from analysis.comparison.row_labels import IDENTITY, NUISANCE, SCIENTIFIC
from analysis.hyperparameters.permutation import merge_aliases, permutation_test
from common.keys import GOAL
from common.text import sentence_case

PARAMETERS = (*IDENTITY, *SCIENTIFIC, *NUISANCE)
PLURAL = ("weights", "epochs", "repeats")
WITH_BACKBONE, WITHOUT_BACKBONE = "runs with a backbone", "runs without a backbone"
CONDITIONS = {"backbone": WITH_BACKBONE, "weights": WITH_BACKBONE, "width": WITHOUT_BACKBONE}
"""Parameters that not every model has, and the runs that have them."""
LOGARITHMIC = 10
"""Ratio of the largest to the smallest value above which a range counts as logarithmic."""
FEWEST_POINTS = 8
"""Configurations below which no permutation of their scores is rare enough to show anything."""
LEVEL = 0.05

Space = Mapping[str, Mapping[str, Any]]
"""The `parameters` of a W&B sweep, by name: `values`, or `min` and `max` with a `distribution`."""


def active(runs: pd.DataFrame, parameter: str) -> pd.Series[bool]:
    """Mask of the runs that have the parameter at all."""
    condition = CONDITIONS.get(parameter)
    with_backbone = runs["backbone"] != "none"
    if condition is None:
        return runs[parameter].notna()
    return runs[parameter].notna() & (with_backbone if condition == WITH_BACKBONE else ~with_backbone)


def varying_parameters(runs: pd.DataFrame) -> list[str]:
    """The parameters that take more than one value among the runs that have them."""
    return [name for name in PARAMETERS if name in runs and runs.loc[active(runs, name), name].nunique() > 1]


def settings(runs: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """These parameters of each run, missing if the run does not have them: equal rows are equal configurations."""
    return pd.DataFrame({name: runs[name].where(active(runs, name)) for name in names}, index=runs.index)


def configurations(runs: pd.DataFrame, metric: str) -> tuple[pd.DataFrame, list[str]]:
    """One row per configuration with the mean of `metric` over its runs (seeds), and the names of varying settings.

    Seeds of one configuration are no further samples of its settings. Raises `AnalysisError` if fewer than
    `FEWEST_POINTS` configurations are left or all have the same value.
    """
    values = runs[metric] if metric in runs else pd.Series(np.nan, index=runs.index)
    usable = runs[np.isfinite(pd.to_numeric(values, errors="coerce"))]
    names = varying_parameters(usable)
    fields = settings(usable, names)
    groups = fields.groupby(names, dropna=False, sort=False).indices.values() if names else [range(len(usable))]
    n = len(groups) if len(usable) else 0
    if n < FEWEST_POINTS:
        raise AnalysisError(
            f"Importance of settings takes runs of at least {FEWEST_POINTS} configurations with {metric}; here are {n}."
        )
    rows = [fields.iloc[next(iter(own))].to_dict() | {metric: usable[metric].iloc[list(own)].mean()} for own in groups]
    found = pd.DataFrame(rows)
    if found[metric].nunique() < 2:
        raise AnalysisError(f"All {n} configurations have the same {metric}: no setting mattered to it.")
    return found, names


def importances(runs: pd.DataFrame, rng: np.random.Generator, *, metric: str = GOAL) -> pd.DataFrame:
    """One row per setting, most important first: parameter, importance, chance, n, given.

    `parameter` joins the names of settings that always occur together by ` and `. `importance`: share of the variance
    of `metric` over configurations that it explains alone, at least 0; interactions of settings are not seen. `chance`:
    probability that the most important setting reaches it if scores are dealt at random. `n`: configurations that have
    it; `given`: their condition. Raises `AnalysisError` as `configurations` does.
    """
    table, names = configurations(runs, metric)
    found = []
    for condition in ("all runs", WITH_BACKBONE, WITHOUT_BACKBONE):
        own = [name for name in names if CONDITIONS.get(name, "all runs") == condition]
        has = table[own].notna().all(axis=1)
        if own and has.sum() >= FEWEST_POINTS:
            found.append(test_shares(table[has], own, metric, condition, rng))
    found = [rows for rows in found if rows]
    rows = [row | {"chance": min(1.0, len(found) * row["chance"])} for group in found for row in group]
    if not rows:
        raise AnalysisError(
            f"No setting takes two values in at least {FEWEST_POINTS} configurations: nothing can be said."
        )
    made = pd.DataFrame(rows, columns=["parameter", "importance", "chance", "n", "given"])
    return made.sort_values("importance", ascending=False, kind="stable", ignore_index=True)


def test_shares(
    table: pd.DataFrame, names: Sequence[str], metric: str, condition: str, rng: np.random.Generator
) -> list[dict[str, Any]]:
    """The rows of the settings that the same configurations have."""
    merged = {
        " and ".join(name.replace("_", " ") for name in aliases): values
        for aliases, values in merge_aliases({name: table[name].tolist() for name in names}).items()
    }
    scores = table[metric].to_numpy(dtype=float)
    if not merged or np.ptp(scores) == 0:
        return []
    found = permutation_test(merged, scores, rng)
    return [
        {"parameter": name, "importance": max(share, 0.0), "chance": chance, "n": len(table), "given": condition}
        for name, (share, chance) in found.items()
    ]


def sentences(table: pd.DataFrame) -> tuple[str, ...]:
    """The result of `importances` in words: the settings beyond chance, or that there is none."""
    beyond = table[table["chance"] < LEVEL]
    n = int(table["n"].max())
    if beyond.empty:
        return (
            f"No setting explains more of validation IoU than chance would in {n} configurations: which one makes a"
            " model better is not shown.",
        )
    return tuple(explained(row) for row in beyond.to_dict("records"))


def explained(row: Mapping[Any, Any]) -> str:
    """The share of one setting, with that of chance."""
    name, among = str(row["parameter"]), "" if row["given"] == "all runs" else f", {row['given']}"
    verb, alone = ("explain", "themselves") if name in PLURAL else ("explains", "itself")
    return (
        f"{sentence_case(name)} {verb} {row['importance']:.0%} of the variance of validation IoU by {alone}; chance"
        f" reaches that in {format_share(row['chance'])} of cases ({row['n']} configurations{among})."
    )


def confounding_note(runs: pd.DataFrame) -> str | None:
    """A sentence if every backbone has one kind of weights, so that the two cannot be told apart; else None."""
    own = runs[runs["backbone"] != "none"]
    if own["weights"].nunique() < 2 or own.groupby("backbone")["weights"].nunique().max() > 1:
        return None
    return (
        "Each backbone occurs with one kind of weights only: whether ImageNet weights help cannot be told from which"
        " backbone it is."
    )


def format_share(chance: float) -> str:
    """A small share in words."""
    return "under 1 %" if chance < 0.01 else f"{chance:.0%}"
