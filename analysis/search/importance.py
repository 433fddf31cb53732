"""Which setting mattered: runs → an Optuna study → fANOVA and PED-ANOVA importances with bootstrap intervals.

A run is a trial, a field that varies is a parameter. Fields that a model does not have (a backbone, for the
U-Nets written here) are not parameters of its runs: conditional ones are judged among the runs that have
them.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from analysis import AnalysisError
from analysis.comparison.row_labels import IDENTITY, NUISANCE, SCIENTIFIC
from common.sweep_spec import distributions as sweep_spec
from common.sweep_spec.distributions import is_logarithmic

if TYPE_CHECKING:
    from optuna import Study as OptunaStudy
    from optuna.distributions import BaseDistribution

PARAMETERS = (*IDENTITY, *SCIENTIFIC, *NUISANCE)
WITH_BACKBONE, WITHOUT_BACKBONE = "runs with a backbone", "runs without a backbone"
CONDITIONS = {"backbone": WITH_BACKBONE, "weights": WITH_BACKBONE, "width": WITHOUT_BACKBONE}
"""Parameters that not every model has, and the runs that have them."""
METHODS = ("fANOVA", "PED-ANOVA")
CATEGORIES = 6
"""Up to so many different numbers are taken for a list of choices, where the sweep's own range is not
known."""
LOGARITHMIC = 10
"""Numbers whose largest is so many times the smallest are taken for a logarithmic range."""
FEWEST = 4
TREES, RESAMPLED_TREES = 64, 16
"""Of fANOVA's forest, for the importance itself and for each sample of the bootstrap."""
TOP, TOP_RUNS = 0.1, 5
"""PED-ANOVA asks what distinguishes the best tenth of the runs, but at least 5 of them, and at most half."""

Goal = Literal["maximize", "minimize"]
Space = Mapping[str, Mapping[str, Any]]
"""The `parameters` of a W&B sweep, by name: `values`, or `min` and `max` with a `distribution`."""


def active(runs: pd.DataFrame, parameter: str) -> pd.Series[bool]:
    """Which runs have the parameter at all."""
    condition = CONDITIONS.get(parameter)
    with_backbone = runs["backbone"] != "none"
    if condition is None:
        return runs[parameter].notna()
    return runs[parameter].notna() & (with_backbone if condition == WITH_BACKBONE else ~with_backbone)


def varied(runs: pd.DataFrame) -> list[str]:
    """The parameters that take more than one value among the runs that have them."""
    return [name for name in PARAMETERS if name in runs and runs.loc[active(runs, name), name].nunique() > 1]


def settings(runs: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """These parameters of each run, missing where the run does not have them: equal rows are equal
    configurations."""
    return pd.DataFrame({name: runs[name].where(active(runs, name)) for name in names}, index=runs.index)


def distribution(values: pd.Series[Any], given: Mapping[str, Any] | None = None) -> BaseDistribution:
    """Where a parameter's values come from: as `given` by the sweep, else as the values suggest.

    Text, and up to `CATEGORIES` different numbers, are a choice, other numbers a range, logarithmic if it
    spans a factor of `LOGARITHMIC`. Values outside of the given range widen it.
    """
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    different = sorted(values.unique().tolist())
    bounds, kind = limits(given or {}), str((given or {}).get("distribution", ""))
    if (
        not bounds
        and "normal" not in kind
        and (len(different) <= CATEGORIES or isinstance(different[0], str))
    ):
        listed = (given or {}).get("values", [])
        return CategoricalDistribution([*listed, *(value for value in different if value not in listed)])
    low, high = float(different[0]), float(different[-1])
    log = is_logarithmic(kind) if kind or bounds else low > 0 and high >= LOGARITHMIC * low
    if bounds:
        low, high = min(low, bounds[0]), max(high, bounds[1])
    return FloatDistribution(low, high, log=log and low > 0)


def limits(given: Mapping[str, Any]) -> tuple[float, float] | None:
    """The least and the greatest value of a range in a sweep; None where it is none."""
    if "min" not in given or "max" not in given:
        return None
    return sweep_spec.limits(str(given.get("distribution", "")), float(given["min"]), float(given["max"]))


def to_optuna(
    runs: pd.DataFrame, *, metric: str = "val/iou", goal: Goal = "maximize", space: Space | None = None
) -> OptunaStudy:
    """The runs as an Optuna study in memory: a completed trial per run with a finite `metric`.

    A trial's number is the run's row among these, its user attribute `run_id` the run. Raises `AnalysisError`
    if fewer than `FEWEST` configurations are left, no parameter varies, or all have the same value.
    """
    usable, names = judged_runs(runs, metric)
    return as_study(usable, names, spaces(usable, names, space), metric, goal)


def judged_runs(runs: pd.DataFrame, metric: str) -> tuple[pd.DataFrame, list[str]]:
    """The runs with a finite `metric`, and the fields that vary. Raises `AnalysisError` as `to_optuna`."""
    values = runs[metric] if metric in runs else pd.Series(np.nan, index=runs.index)
    usable = runs[np.isfinite(pd.to_numeric(values, errors="coerce"))]
    names = varied(usable)
    n = len(settings(usable, names).drop_duplicates()) if names else min(1, len(usable))
    if n < FEWEST:
        raise AnalysisError(
            f"Which setting mattered takes runs of at least {FEWEST} configurations with {metric}; here are {n}."
        )
    if usable[metric].nunique() < 2:
        raise AnalysisError(f"All {len(usable)} runs have the same {metric}: no setting mattered to it.")
    return usable, names


def spaces(runs: pd.DataFrame, names: Sequence[str], space: Space | None) -> dict[str, BaseDistribution]:
    """The distribution of each parameter."""
    return {name: distribution(runs.loc[active(runs, name), name], (space or {}).get(name)) for name in names}


def as_study(
    runs: pd.DataFrame,
    names: Sequence[str],
    distributions: Mapping[str, BaseDistribution],
    metric: str,
    goal: Goal,
) -> OptunaStudy:
    """An Optuna study with a trial per row, logarithmic parameters as decimal logarithms.

    fANOVA integrates over a parameter evenly; a search that drew it on a logarithmic scale asks for the share on that
    scale (Optuna's own evaluator would take the linear one).
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    has = {name: active(runs, name).to_numpy() for name in names}
    linear = {name: linearized(distributions[name]) for name in names}
    columns = {name: scaled(runs[name], distributions[name]).tolist() for name in names}
    trials = []
    for i, (value, run_id) in enumerate(zip(runs[metric], runs["run_id"], strict=True)):
        own = [name for name in names if has[name][i]]
        trials.append(
            optuna.trial.create_trial(
                params={name: columns[name][i] for name in own},
                distributions={name: linear[name] for name in own},
                value=float(value),
                user_attrs={"run_id": run_id},
            )
        )
    study = optuna.create_study(direction=goal, sampler=optuna.samplers.RandomSampler(seed=0))
    study.add_trials(trials)
    return study


def linearized(distribution: BaseDistribution) -> BaseDistribution:
    """A logarithmic range as the plain one of its decimal logarithms; any other as it is."""
    from optuna.distributions import FloatDistribution

    if isinstance(distribution, FloatDistribution) and distribution.log:
        return FloatDistribution(math.log10(distribution.low), math.log10(distribution.high))
    return distribution


def scaled(values: pd.Series[Any], distribution: BaseDistribution) -> pd.Series[Any]:
    """The values as `linearized` has them."""
    log = linearized(distribution) is not distribution
    return values.map(math.log10, na_action="ignore") if log else values


def importances(
    runs: pd.DataFrame,
    rng: np.random.Generator,
    *,
    metric: str = "val/iou",
    goal: Goal = "maximize",
    space: Space | None = None,
    resamples: int = 50,
    level: float = 0.95,
) -> pd.DataFrame:
    """One row per method and parameter, most important first: method, parameter, importance, low, high,
    n_runs, given.

    fANOVA (Hutter et al. 2014): share of the metric's variance over the whole space that a parameter explains
    alone. PED-ANOVA (Watanabe et al. 2023): how much it distinguishes the best runs. Shares add up to 1 among
    what is judged together: all parameters for PED-ANOVA, whose conditional form Optuna has; for fANOVA those
    that every run has, while conditional parameters have their share among the runs in `given`. The bounds
    are percentiles of a bootstrap that draws configurations, and then the runs (seeds) of each. Raises
    `AnalysisError` as `to_optuna` does.
    """
    usable, names = judged_runs(runs, metric)
    distributions = spaces(usable, names, space)
    estimates = shares(usable, names, distributions, metric, goal, rng, TREES)
    drawn = [
        shares(resampled(usable, names, rng), names, distributions, metric, goal, rng, RESAMPLED_TREES)
        for _ in range(resamples)
    ]
    rows = []
    for (method, name), value in estimates.items():
        spread = np.array([sample[method, name] for sample in drawn])
        spread = spread[np.isfinite(spread)]
        low, high = (
            np.quantile(spread, [(1 - level) / 2, (1 + level) / 2]) if spread.size else (math.nan,) * 2
        )
        rows.append(
            {"method": method, "parameter": name, "importance": value, "low": low, "high": high}
            | {"n_runs": int(active(usable, name).sum()), "given": CONDITIONS.get(name, "all runs")}
        )
    return pd.DataFrame(rows).sort_values(
        ["method", "importance"], ascending=[True, False], kind="stable", ignore_index=True
    )


def resampled(runs: pd.DataFrame, names: Sequence[str], rng: np.random.Generator) -> pd.DataFrame:
    """As many configurations, and of each as many of its runs, both drawn with replacement."""
    numbers = settings(runs, names).groupby(list(names), dropna=False, sort=False).ngroup().to_numpy()
    groups = [np.flatnonzero(numbers == i) for i in range(numbers.max() + 1)]
    picked = [groups[i] for i in rng.integers(len(groups), size=len(groups))]
    return runs.iloc[np.concatenate([rng.choice(group, size=len(group)) for group in picked])]


def shares(
    runs: pd.DataFrame,
    names: Sequence[str],
    distributions: Mapping[str, BaseDistribution],
    metric: str,
    goal: Goal,
    rng: np.random.Generator,
    trees: int,
) -> dict[tuple[str, str], float]:
    """Importance by (method, parameter); NaN where these runs cannot tell."""
    from optuna.importance import FanovaImportanceEvaluator, PedAnovaImportanceEvaluator

    quantile = min(0.5, max(TOP, TOP_RUNS / len(runs)))
    common = [name for name in names if name not in CONDITIONS]
    found = dict.fromkeys(((method, name) for method in METHODS for name in names), math.nan)
    judged = [("PED-ANOVA", runs, list(names), list(names))]
    judged += [("fANOVA", runs, common, common)]
    for condition in (WITH_BACKBONE, WITHOUT_BACKBONE):
        own = [name for name in names if CONDITIONS.get(name) == condition]
        if own:
            judged.append(("fANOVA", runs[active(runs, own[0])], [*common, *own], own))
    for method, sample, asked, told in judged:
        evaluator = (
            PedAnovaImportanceEvaluator(target_quantile=quantile)
            if method == "PED-ANOVA"
            else FanovaImportanceEvaluator(n_trees=trees, seed=int(rng.integers(2**31)))
        )
        values = evaluated(sample, asked, distributions, metric, goal, evaluator)
        found |= {(method, name): values[name] for name in told if name in values}
    return found


def evaluated(
    runs: pd.DataFrame,
    names: list[str],
    distributions: Mapping[str, BaseDistribution],
    metric: str,
    goal: Goal,
    evaluator: Any,
) -> dict[str, float]:
    """Normalized importances of `names` among these runs; none where they are too few or all alike."""
    from optuna.importance import get_param_importances

    if len(runs) < FEWEST or runs[metric].nunique() < 2 or not names:
        return {}
    study = as_study(runs, names, distributions, metric, goal)
    present = [name for name in names if active(runs, name).any()]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Some regimes for parameter")
        warnings.filterwarnings("ignore", message="Target and region quantiles")
        try:
            found = get_param_importances(study, evaluator=evaluator, params=present)
        except RuntimeError:  # fANOVA's forest found nothing to split: all drawn configurations are the same
            return {}
    return {name: float(value) for name, value in found.items()}
