"""Results of a search by budget: best of equally many trials per value, edges of ranges, best so far."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from analysis import AnalysisError
from analysis.comparison.row_labels import ARCHITECTURES
from analysis.hyperparameters.expected_best import EXCHANGEABLE, expected_best, winning_chances
from analysis.hyperparameters.importance import LOGARITHMIC, Space, active, settings, varying_parameters
from common import keys
from common.keys import GOAL
from common.sweep_spec import distributions

ALLOWED = {
    "learning_rate": (0.0, 1.0),
    "weight_decay": (0.0, 1.0),
    "batch_size": (2.0, math.inf),
    "epochs": (1.0, math.inf),
    "repeats": (1.0, math.inf),
    "patience": (0.0, math.inf),
    "width": (1.0, math.inf),
    "image_size": (32.0, math.inf),
}
"""The settings that are numbers, with the ends of what every model takes: nothing better lies beyond them."""
EDGE = 0.05
"""Fraction of a range's length within which a best value lies at its edge."""
FEWEST_TRIALS = 3
RESAMPLES = 1000
PERCENTILES = (0.025, 0.975)


def in_order(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs as they were started: by `created_at`, where known."""
    return runs.sort_values("created_at", kind="stable") if "created_at" in runs else runs


def trials(runs: pd.DataFrame) -> pd.DataFrame:
    """One row per configuration, in the order of their first runs.

    Its fields, mean `GOAL` over its runs (seeds), n_runs, and the run_id of its best run. Runs without a finite `GOAL`
    do not count.
    """
    usable = in_order(runs[np.isfinite(pd.to_numeric(runs[GOAL], errors="coerce"))]).reset_index(drop=True)
    fields = settings(usable, list(dict.fromkeys(["architecture", *varying_parameters(usable)])))
    rows = []
    for indices in fields.groupby(list(fields), dropna=False, sort=False).indices.values():
        values = usable[GOAL].iloc[indices]
        best = usable["run_id"].iloc[indices[int(values.to_numpy(dtype=float).argmax())]]
        rows.append(fields.iloc[indices[0]].to_dict() | {GOAL: values.mean(), "n_runs": len(values), "run_id": best})
    return pd.DataFrame(rows)


def best_per_value(runs: pd.DataFrame, scientific: str, rng: np.random.Generator, *, method: str) -> pd.DataFrame:
    """The best of each value of the `scientific` field on equal budgets, all else optimised away.

    The budget is the number of trials (configurations) that the least tried value got. Of a random or grid
    sweep the expected best of so many of its trials counts (`expected_best`), with a percentile
    interval over trials; of any other `method` the best of its first so many, and no interval. One row per
    value, best first: the field, n_trials, budget, best (at the budget), low, high, best_of_all, run_id (of
    the best trial). Raises `AnalysisError` if the field does not take two values.
    """
    if scientific not in runs or runs.loc[active(runs, scientific), scientific].nunique() < 2:
        raise AnalysisError(f"The runs have no two values of {scientific}: there is nothing to compare.")
    found = trials(runs[active(runs, scientific)])
    budget = int(found.groupby(scientific).size().min())
    rows = []
    for value, own in found.groupby(scientific, sort=False):
        values = own[GOAL].to_numpy(dtype=float)
        low = high = np.nan
        if method in EXCHANGEABLE:
            best = float(expected_best(values, method=method)[budget - 1])
            drawn = np.sort(rng.choice(values, size=(RESAMPLES, len(values))), axis=1)
            bests = drawn @ winning_chances(len(values))[budget - 1]
            low, high = np.quantile(bests, PERCENTILES)
        else:
            best = float(values[:budget].max())
        rows.append(
            {scientific: value, "n_trials": len(own), "budget": budget, "best": best, "low": low, "high": high}
            | {"best_of_all": values.max(), "run_id": own["run_id"].iloc[int(values.argmax())]}
        )
    return pd.DataFrame(rows).sort_values("best", ascending=False, kind="stable", ignore_index=True)


def edge_warnings(runs: pd.DataFrame, *, space: Space | None = None) -> tuple[str, ...]:
    """A sentence for each number among the settings whose best value lies at the edge of its range.

    `space` is the sweep's `parameters` (`searched_range`). The best value is that of the configuration with the highest
    mean `GOAL`; a range, logarithmic or not, counts as reached within `EDGE` of its length. Where the range ends with
    what is `ALLOWED`, there is no edge.
    """
    found = trials(runs)
    best: dict[Any, Any] = found.to_dict("records")[int(found[GOAL].to_numpy(dtype=float).argmax())]
    sentences: list[str] = []
    for name, (least, most) in ALLOWED.items():
        if name not in found or pd.isna(best[name]):
            continue
        ends = searched_range((space or {}).get(name, {}), found[name])
        if ends is None:
            continue
        low, high, log = ends
        side = edge(float(best[name]), low, high, log=log)
        if (side == "lower" and low > least) or (side == "upper" and high < most):
            sentences.append(
                f"The best {name.replace('_', ' ')}, {best[name]:g}, lies at the {side} edge of the searched range,"
                f" {low:g} to {high:g}: a better one may lie beyond it."
            )
    return tuple(sentences)


def searched_range(spec: Mapping[str, Any], tried: pd.Series[Any]) -> tuple[float, float, bool] | None:
    """Both ends of the range of a number, and whether it is logarithmic; `spec` is its entry in a sweep.

    They are those of its distribution, else of the values listed or tried. None of fewer than `FEWEST_TRIALS` different
    values, which are nothing but edges.
    """
    kind = str(distributions.kind_of(spec))
    if distributions.is_interval(kind) and set(distributions.BOUNDS) <= set(spec):
        low, high = distributions.limits(kind, float(spec["min"]), float(spec["max"]))
    else:
        listed = pd.Series([*(distributions.listed_values(spec) or []), *tried], dtype=object)
        numbers = pd.to_numeric(listed, errors="coerce").dropna()
        if numbers.nunique() < FEWEST_TRIALS:
            return None
        low, high = float(numbers.min()), float(numbers.max())
    return (low, high, distributions.is_logarithmic(kind) or high >= LOGARITHMIC * low > 0) if low < high else None


def edge(value: float, low: float, high: float, *, log: bool) -> str:
    """`lower` or `upper` if the value lies within `EDGE` of that end of its range, else nothing."""
    at, start, end = np.log([value, low, high]) if log and min(value, low) > 0 else (value, low, high)
    place = (at - start) / (end - start)
    if place <= EDGE:
        return "lower"
    return "upper" if place >= 1 - EDGE else ""


def expected_best_curves(runs: pd.DataFrame, rng: np.random.Generator, *, method: str) -> pd.DataFrame:
    """Expected best of n trials per architecture (`expected_best`).

    Columns: architecture, trials (n = 1, 2, …), expected, low, high.

    The band holds percentiles of a bootstrap over trials; near the right end it is too narrow, since no
    resample exceeds the best trial there was. Raises `AnalysisError` for a `method` whose trials depend on
    each other.
    """
    found = trials(runs)
    curves = []
    for architecture, own in found.groupby("architecture", sort=False):
        values = own[GOAL].to_numpy(dtype=float)
        expected = expected_best(values, method=method)
        drawn = np.sort(rng.choice(values, size=(RESAMPLES, len(values))), axis=1)
        bests = drawn @ winning_chances(len(values)).T
        low, high = np.quantile(bests, PERCENTILES, axis=0)
        name = ARCHITECTURES.get(str(architecture), str(architecture))
        n = np.arange(1, len(values) + 1)
        curves.append(pd.DataFrame({"architecture": name, "trials": n, "expected": expected, "low": low, "high": high}))
    return pd.concat(curves, ignore_index=True)


def budget_curves(runs: pd.DataFrame) -> pd.DataFrame:
    """Best so far against its cost, per architecture.

    Columns: architecture (its name for people), trial (1, 2, …), minutes, best.

    Every run counts, in the order of its start, also one without a finite `GOAL`: its time was spent.
    `minutes` are device-minutes of training (`seconds/train`), summed; NaN from the first run on for which
    they are not known.
    """
    ordered = in_order(runs)
    curves = []
    for architecture, own in ordered.groupby("architecture", sort=False):
        seconds = own[keys.SECONDS_TRAIN] if keys.SECONDS_TRAIN in own else pd.Series(np.nan, index=own.index)
        values = pd.to_numeric(own[GOAL], errors="coerce").replace([np.inf, -np.inf], np.nan)
        curves.append(
            pd.DataFrame(
                {
                    "architecture": ARCHITECTURES.get(str(architecture), str(architecture)),
                    "trial": np.arange(1, len(own) + 1),
                    "minutes": seconds.astype(float).cumsum(skipna=False).to_numpy() / 60,
                    "best": values.cummax().ffill().to_numpy(dtype=float),
                }
            )
        )
    columns = ["architecture", "trial", "minutes", "best"]
    return pd.concat(curves, ignore_index=True) if curves else pd.DataFrame(columns=columns)
