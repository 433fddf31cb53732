"""Early stopping: which running runs are not worth going on with, and why, in words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from server.search.errors import SearchError
from server.search.runs import Metric, PastRun

MAX_BANDS = 100


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

    def to_stop(self, past: Sequence[PastRun], metric: Metric) -> dict[str, str]:
        running = [run for run in past if run.state == "running" and run.history]
        reasons = {run.name: self._reason(run, past, metric) for run in running}
        return {name: reason for name, reason in reasons.items() if reason is not None}

    def _reason(self, run: PastRun, past: Sequence[PastRun], metric: Metric) -> str | None:
        """Why the run should stop, judged at the last band that it and at least one other run have passed.

        A band that no other run has passed says nothing; the one before it still does, however far the run has got
        since (rows arrive in lumps, so a run can pass two bands between two looks).
        """
        for band in reversed(self.bands):
            own = _up_to(run, band)
            others = [logged[-1] for other in past if (logged := _up_to(other, band))]
            if own and len(others) > 1:
                return self._reason_at(band, own, others, metric)
        return None

    def _reason_at(self, band: int, own: list[float], values: list[float], metric: Metric) -> str | None:
        value = own[-1] if self.strict else metric.best(own)
        kept = math.ceil(len(values) / self.eta - 1e-9)
        threshold = sorted(values, reverse=metric.maximize)[kept - 1]
        if not metric.is_better(threshold, value):
            return None
        return (
            f"Hyperband: {metric.name} {value:.4g} at iteration {band} is outside the best "
            f"{_fraction(self.eta)} ({threshold:.4g}) of {len(values)} runs"
        )


def _up_to(run: PastRun, band: int) -> list[float]:
    """The finite values logged up to iteration `band`, in order; none if the run has not got there."""
    if not run.history or max(count for count, _ in run.history) < band:
        return []
    return [value for count, value in sorted(run.history) if count <= band and math.isfinite(value)]


def _fraction(eta: float) -> str:
    return {2: "half", 3: "third", 4: "quarter"}.get(eta, f"1/{eta:g}")


def read_hyperband(section: Mapping[str, object]) -> tuple[Hyperband, list[str]]:
    """Hyperband of an `early_terminate:` section, and warnings; raises SearchError."""
    if section.get("type") != "hyperband":
        raise SearchError(
            f"early_terminate: there is no type {section.get('type')!r}; write hyperband (for others use `pruner:`)."
        )
    eta, strict = section.get("eta", 3), section.get("strict", False)
    if isinstance(eta, bool) or not isinstance(eta, (int, float)) or not 1 < eta < math.inf:
        raise SearchError(f"early_terminate: eta is {eta!r}; it must be a number above 1.")
    if not isinstance(strict, bool):
        raise SearchError(f"early_terminate: strict is {strict!r}; write true or false.")
    known = {"type", "eta", "strict", "min_iter", "max_iter", "s"}
    warnings = [f"early_terminate: the key {key!r} is ignored." for key in section if key not in known]
    if "max_iter" in section:
        if "min_iter" in section:
            warnings.append("early_terminate: max_iter sets the bands, min_iter is ignored; give one of them.")
        bands = _bands_down(_whole(section, "max_iter"), _whole(section, "s"), eta)
    else:
        bands = _bands_up(_whole(section, "min_iter"), eta)
    if not bands:
        raise SearchError("early_terminate: max_iter / eta is below 1, so no band is left; raise max_iter.")
    return Hyperband(float(eta), strict, bands), warnings


def _whole(section: Mapping[str, object], key: str) -> int:
    if key not in section:
        raise SearchError(f"early_terminate: {key} is missing; give min_iter, or max_iter and s.")
    value = section[key]
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 1 or value != int(value):
        raise SearchError(f"early_terminate: {key} is {value!r}; it must be a whole number from 1.")
    return int(value)


def _bands_up(first: int, eta: float) -> tuple[int, ...]:
    bands = (first * eta**power for power in range(MAX_BANDS))
    return tuple(dict.fromkeys(int(band) for band in bands if band < 1e9))


def _bands_down(last: int, number: int, eta: float) -> tuple[int, ...]:
    bands = (last / eta**power for power in range(min(number, MAX_BANDS), 0, -1))
    return tuple(dict.fromkeys(int(band + 1e-9) for band in bands if band >= 1))
