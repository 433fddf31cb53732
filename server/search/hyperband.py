"""Early stopping: names of hopeless runs, each with the reason in words."""

from __future__ import annotations

import itertools
import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from common.sweep_spec import hyperband
from server.search.errors import SearchError
from server.search.past_runs import Metric, PastRun

REMEDIES: dict[hyperband.Fault, str] = {
    "missing": "{key} is missing; give min_iter, or max_iter and s.",
    "no count": "{key} is {value!r}; it must be a whole number from 1.",
    "not above 1": "{key} is {value!r}; it must be a number above 1.",
    "no switch": "{key} is {value!r}; write true or false.",
    "no band": "max_iter / eta is below 1, so no band is left; raise max_iter.",
}


@dataclass(frozen=True)
class Hyperband:
    """Successive halving at fixed numbers of iterations, W&B's `early_terminate` of type hyperband.

    An iteration is one logging of the metric. With `min_iter` the bands are min_iter, min_iter*eta, min_iter*eta**2,
    …; with `max_iter` and `s` they are max_iter/eta, …, max_iter/eta**s; fractions are cut off. At a band the best
    1/eta of the runs (rounded up) go on. With `strict` a run counts with its value at the band, else with its best
    up to the band. (https://docs.wandb.ai/models/sweeps/sweep-config-keys, github.com/wandb/sweeps/pull/99)
    """

    eta: float
    strict: bool
    bands: tuple[int, ...]

    def runs_to_stop(self, past: Sequence[PastRun], metric: Metric) -> dict[str, str]:
        curves = {run.name: Curve.of(run, metric) for run in past if run.history}
        looks = [(band, self._values_at(band, curves)) for band in self.bands]
        running = [run.name for run in past if run.state == "running" and run.history]
        reasons = {name: self._reason(name, curves[name], looks, metric) for name in running}
        return {name: reason for name, reason in reasons.items() if reason is not None}

    def _values_at(self, band: int, curves: Mapping[str, Curve]) -> list[float]:
        values = (curve.value_at(band) for curve in curves.values())
        return [value for value in values if value is not None]

    def _reason(self, name: str, curve: Curve, looks: Sequence[tuple[int, list[float]]], metric: Metric) -> str | None:
        """The reason to stop the run, judged at the last band that it and at least one other run have passed.

        A band that no other run has passed says nothing; the one before it still does, however far the run has got
        since (rows arrive in lumps, so a run can pass two bands between two looks).
        """
        for band, values in reversed(looks):
            value = curve.value_at(band) if self.strict else curve.best_at(band)
            if value is not None and len(values) > 1:
                return self._reason_at(band, value, values, metric)
        return None

    def _reason_at(self, band: int, value: float, values: list[float], metric: Metric) -> str | None:
        kept = math.ceil(len(values) / self.eta - 1e-9)
        threshold = sorted(values, reverse=metric.maximize)[kept - 1]
        if not metric.is_better(threshold, value):
            return None
        return (
            f"Hyperband: {metric.name} {value:.4g} at iteration {band} is outside the best "
            f"{_fraction(self.eta)} ({threshold:.4g}) of {len(values)} runs"
        )


@dataclass(frozen=True)
class Curve:
    """The history of one run: iterations with a finite value, the values, and the best so far at each."""

    last: int
    counts: list[int]
    values: list[float]
    bests: list[float]

    @classmethod
    def of(cls, run: PastRun, metric: Metric) -> Curve:
        finite = sorted((count, value) for count, value in run.history if math.isfinite(value))
        values = [value for _, value in finite]
        bests = list(itertools.accumulate(values, max if metric.maximize else min))
        return cls(max(count for count, _ in run.history), [count for count, _ in finite], values, bests)

    def value_at(self, band: int) -> float | None:
        """The last value up to iteration `band`, None if the run has not got there or has none."""
        return self._at(band, self.values)

    def best_at(self, band: int) -> float | None:
        return self._at(band, self.bests)

    def _at(self, band: int, series: list[float]) -> float | None:
        position = bisect_right(self.counts, band)
        return series[position - 1] if self.last >= band and position > 0 else None


def _fraction(eta: float) -> str:
    return {2.0: "half", 3.0: "third", 4.0: "quarter"}.get(eta, f"1/{eta:g}")


def read_hyperband(section: Mapping[str, Any]) -> tuple[Hyperband, list[str]]:
    """Hyperband of an `early_terminate:` section, and warnings; raises SearchError."""
    if section.get("type") != "hyperband":
        raise SearchError(
            f"early_terminate: there is no type {section.get('type')!r}; write hyperband (for others use `pruner:`)."
        )
    for key, fault in hyperband.faults(section):
        raise SearchError(f"early_terminate: {REMEDIES[fault].format(key=key, value=section.get(key))}")
    warnings = [f"early_terminate: the key {key!r} is ignored." for key in section if key not in hyperband.KEYS]
    if {"max_iter", "min_iter"} <= set(section):
        warnings.append("early_terminate: max_iter sets the bands, min_iter is ignored; give one of them.")
    eta = float(section.get("eta", hyperband.ETA))
    return Hyperband(eta, section.get("strict", False), hyperband.bands(section)), warnings
