"""Choice of the next configuration, and of the runs to stop early.

Pure functions of a sweep's configuration, as parsed from its YAML, and its past runs: no clock, no disk, no SQL, no
global random state. Equal seeds and equal runs give equal answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from server.search import bayes, grid, hyperband, pruning, sampling, space
from server.search.errors import SearchError
from server.search.past_runs import PastRun, read_metric

__all__ = ["PastRun", "SearchError", "count", "runs_to_stop", "should_check_stopping", "suggest", "validate"]

Config = Mapping[str, object]
METHODS = ("grid", "random", "bayes")


def validate(config: Config) -> list[str]:
    """Warnings about a sweep's configuration; raises SearchError for one that cannot work.

    `method: custom` leaves the search to another process: its parameters are not looked at.
    """
    method = config.get("method")
    if method not in (*METHODS, "custom"):
        raise SearchError(f"method is {method!r}; write one of {', '.join((*METHODS, 'custom'))}.")
    warnings: list[str] = []
    if method != "custom":
        where, warnings = space.read(config)
        if method == "grid":
            grid.check(where)
            if any(_has_weights(parameter) for parameter in where.parameters):
                warnings.append("Grid search tries every value once and ignores probabilities.")
    read_metric(config, needed_by="Bayesian search" if method == "bayes" else None)
    return warnings + _validate_stopping(config) + _validate_counts(config)


def suggest(config: Config, past: Sequence[PastRun], seed: int) -> dict[str, object] | None:
    """The next configuration, plain JSON values nested as in the YAML; None if no new run should start.

    None means that every configuration of a finite space was handed out, or that a run reached `metric.target`. The
    configuration of every past run counts as handed out, however the run ended. Raises SearchError.
    """
    where, _ = space.read(config)
    method = config.get("method")
    metric = read_metric(config, needed_by="Bayesian search" if method == "bayes" else None)
    if metric is not None and any(metric.is_reached(run) for run in past):
        return None
    seen = where.used_keys(run.params for run in past)
    if method == "grid":
        grid.check(where)
        point = grid.suggest(where, seen, seed, bool(config.get("shuffle", False)))
    elif method == "random":
        point = sampling.suggest(where, seen, seed, len(past))
    elif method == "bayes":
        assert metric is not None
        point = bayes.suggest(where, seen, past, metric, seed)
    else:
        raise SearchError(f"method {method!r} makes no suggestions; write one of {', '.join(METHODS)}.")
    return None if point is None else where.to_config(point)


def count(config: Config, prior: Sequence[PastRun] = ()) -> int | None:
    """Number of different configurations that the search can hand out, None if there is no end.

    Configurations of `prior` runs, from before the sweep, do not count; `run_cap` is ignored. Raises SearchError.
    """
    if config.get("method") not in METHODS:
        return None
    where, _ = space.read(config)
    if where.size is None:
        return None
    return where.size - len(where.used_keys(run.params for run in prior if where.holds(run.params)))


def should_check_stopping(config: Config, before: int, after: int) -> bool:
    """Whether `runs_to_stop` may find more after a run has logged the metric `after` times instead of `before`.

    Its cost grows with the history of all runs, and Hyperband judges only when a band is passed.
    """
    early = config.get("early_terminate")
    if config.get("pruner"):
        return after > before
    if not isinstance(early, Mapping) or not early:
        return False
    return any(before < band <= after for band in hyperband.read_hyperband(early)[0].bands)


def runs_to_stop(config: Config, past: Sequence[PastRun]) -> dict[str, str]:
    """Names of the running runs that early stopping gives up, each with the reason in words; raises SearchError."""
    reasons: dict[str, str] = {}
    early, pruner = config.get("early_terminate"), config.get("pruner")
    metric = read_metric(config, needed_by="Early stopping" if early or pruner else None)
    if metric is None:
        return reasons
    if pruner:
        reasons |= pruning.runs_to_stop(pruner, past, metric)
    if isinstance(early, Mapping) and early:
        reasons |= hyperband.read_hyperband(early)[0].runs_to_stop(past, metric)
    return reasons


def _validate_stopping(config: Config) -> list[str]:
    early, pruner = config.get("early_terminate"), config.get("pruner")
    if early or pruner:
        read_metric(config, needed_by="Early stopping")
    if pruner:
        pruning.read_pruner(pruner)
    if not early:
        return []
    if not isinstance(early, Mapping):
        raise SearchError(f"early_terminate is {early!r}; write `type: hyperband` and `min_iter:` below it.")
    return hyperband.read_hyperband(early)[1]


def _validate_counts(config: Config) -> list[str]:
    cap, shuffle = config.get("run_cap"), config.get("shuffle", False)
    if cap is not None and (isinstance(cap, bool) or not isinstance(cap, int) or cap < 1):
        raise SearchError(f"run_cap is {cap!r}; it must be a whole number from 1.")
    if not isinstance(shuffle, bool):
        raise SearchError(f"shuffle is {shuffle!r}; write true or false.")
    return ["shuffle is for method: grid and is ignored."] if shuffle and config.get("method") != "grid" else []


def _has_weights(parameter: space.Parameter) -> bool:
    return getattr(parameter.distribution, "weights", None) is not None
