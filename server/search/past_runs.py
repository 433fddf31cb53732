"""The facts about the runs of a sweep that a search may use."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from common.sweep_spec.distributions import is_number
from server.search.errors import SearchError

IN_PROGRESS = frozenset({"pending", "running", "preempting", "preempted"})


@dataclass(frozen=True)
class PastRun:
    """A run of the sweep in any state.

    `name` is the run's id; `params` its configuration, plain values nested as in the YAML; `state` one of pending,
    running, finished, failed, crashed, killed, preempting, preempted; `summary` its last summary values (a metric
    defined with `define_metric(summary="max")` is nested: `{"acc": {"max": 0.9}}`); `history` pairs of the number of
    a logging of the sweep's metric, from 1, and its value.
    """

    name: str
    params: dict[str, object]
    state: str
    summary: dict[str, object]
    history: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True)
class Metric:
    """The metric that a sweep optimizes."""

    name: str
    maximize: bool
    target: float | None = None
    impute: str | None = None

    def is_better(self, value: float, other: float) -> bool:
        return value > other if self.maximize else value < other

    def best(self, values: list[float]) -> float:
        return max(values) if self.maximize else min(values)

    def worst(self, values: list[float]) -> float:
        return min(values) if self.maximize else max(values)

    def of(self, run: PastRun) -> float | None:
        """The metric of a run: its summary value, else the best of its history, else None."""
        value = _number(_look_up(run.summary, self.name), self.maximize)
        if value is not None:
            return value
        logged = [value for _, value in run.history if math.isfinite(value)]
        return self.best(logged) if logged else None

    def is_reached(self, run: PastRun) -> bool:
        value = self.of(run)
        return self.target is not None and value is not None and not self.is_better(self.target, value)


def _look_up(summary: Mapping[str, object], name: str) -> object:
    """`summary[name]`, where `a.b` also means b inside a."""
    if name in summary:
        return summary[name]
    value: object = summary
    for key in name.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _number(value: object, maximize: bool) -> float | None:
    if isinstance(value, Mapping):
        for key in ("best", "max" if maximize else "min", "last", "mean", "min" if maximize else "max"):
            if key in value:
                return _number(value[key], maximize)
        return None
    return float(value) if is_number(value) else None


def read_metric(config: Mapping[str, object], needed_by: str | None = None) -> Metric | None:
    """The `metric:` section, None if there is none; raises SearchError, also if it is needed and missing."""
    section = config.get("metric")
    if section is None:
        if needed_by is not None:
            raise SearchError(f"{needed_by} needs a metric to optimize; add `metric:` with `name:` and `goal:`.")
        return None
    if not isinstance(section, Mapping) or not isinstance(section.get("name"), str) or not section["name"]:
        raise SearchError("metric: the name of the metric is missing; write `metric:` with `name:` and `goal:`.")
    goal, impute, target = section.get("goal", "minimize"), section.get("impute"), section.get("target")
    if goal not in ("minimize", "maximize"):
        raise SearchError(f"metric: goal is {goal!r}; write minimize or maximize.")
    if impute not in (None, "worst", "best", "latest"):
        raise SearchError(f"metric: impute is {impute!r}; write worst, best or latest.")
    if target is not None and not is_number(target):
        raise SearchError(f"metric: target is {target!r}; it must be a number.")
    return Metric(section["name"], goal == "maximize", target, impute)
