"""Rise of a validation loss after its minimum, told from the luckiest epoch of a flat curve.

The lowest epoch of a noisy curve lies below its level, so a rise measured from it is there on every curve. Here the
minimum comes from some runs and the rise from another, each run in turn (cross-fitting).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

Array = NDArray[np.float64]
FEWEST_RUNS = 3
WINDOW = 0.1
"""Share of the epochs that are averaged around the minimum and at the end."""
LEVEL, POWER = 0.05, 0.8
LEAST_RISE = 0.1
"""A rise below this share of the loss at its minimum does not matter."""
MOST_RUNS = 1000


@dataclass(frozen=True)
class Rise:
    """`estimate`: mean rise from the minimum to the end, as a share of the loss at the minimum.

    `low`, `high`: 90 %, so that each end is a one-sided test of 5 %. `verdict` is read off them: `flat` if `high` is
    below `LEAST_RISE`, `rises` if `low` is above 0, else `cannot_tell`. `epoch`: index of the middle of the lowest
    window. `needed`: runs that would find a rise of `LEAST_RISE`, None if above `MOST_RUNS`.
    """

    verdict: Literal["rises", "flat", "cannot_tell"]
    estimate: float
    low: float
    high: float
    epoch: int
    n_runs: int
    needed: int | None


def rises(curves: Array) -> tuple[Array, Array]:
    """Height of the end of each run above its level at the other runs' minimum, (N, R); and that level.

    `curves` (N, R, E): N studies of R runs.
    """
    level = smooth(curves)
    others = level.sum(axis=1, keepdims=True) - level
    at_lowest = np.take_along_axis(level, others.argmin(axis=2)[..., None], axis=2)[..., 0]
    return np.asarray(level[..., -1] - at_lowest), np.asarray(at_lowest)


def smooth(curves: Array) -> Array:
    """Means over windows of `WINDOW` of the epochs, (…, E - width + 1)."""
    width = max(1, int(curves.shape[-1] * WINDOW))
    return np.asarray(np.lib.stride_tricks.sliding_window_view(curves, width, axis=-1).mean(axis=-1))


def standard_error(values: Array) -> Array:
    """Standard error of the mean over runs, (N,), of rises (N, R).

    Rises share runs: a run's noise moves the minimum of all others. On flat curves that correlates them by 0.14, 0.12
    and 0.09 for 3, 5 and 10 runs (`python -m bench.rise`), which the second term covers.
    """
    n_runs = values.shape[1]
    return np.asarray(values.std(axis=1, ddof=1) * np.sqrt(1 / n_runs + 1 / (4 + n_runs / 2)))


def measure_rise(curves: Array) -> Rise:
    """The rise of validation losses `curves` (R, E), one row per run, all above 0 and finite.

    Raises `ValueError` for fewer than `FEWEST_RUNS` runs, fewer than 4 epochs, or a value that is not above 0 and
    finite.
    """
    n_runs, epochs = curves.shape
    if n_runs < FEWEST_RUNS or epochs < 4:
        raise ValueError(f"a rise needs {FEWEST_RUNS} runs and 4 epochs; here are {n_runs} runs and {epochs} epochs.")
    if not (np.isfinite(curves) & (curves > 0)).all():
        raise ValueError("a validation loss is not above 0 and finite: leave that run, or those epochs, out.")
    values, lowest = rises(curves[None])
    scale = float(lowest.mean())
    estimate, error = float(values.mean()) / scale, float(standard_error(values)[0]) / scale
    reach = float(stdtrit(n_runs - 1, 1 - LEVEL)) * error
    low, high = estimate - reach, estimate + reach
    width = epochs - smooth(curves).shape[1] + 1
    at = int(smooth(curves).sum(axis=0).argmin()) + width // 2
    verdict: Literal["rises", "flat", "cannot_tell"] = (
        "flat" if high < LEAST_RISE else "rises" if low > 0 else "cannot_tell"
    )
    return Rise(verdict, estimate, low, high, at, n_runs, runs_needed(error, n_runs))


def fall_after(curves: Array, epoch: int) -> float:
    """Fall of the mean of `curves` (R, E) from `epoch` to the end, as a share of its level there."""
    level = smooth(curves).mean(axis=0)
    width = curves.shape[1] - len(level) + 1
    start = level[min(max(epoch - width // 2, 0), len(level) - 1)]
    return float(1 - level[-1] / start) if start else 0.0


def runs_needed(error: float, n_runs: int) -> int | None:
    """Runs with which a rise of `LEAST_RISE` is found with a chance of `POWER`."""
    runs = np.arange(FEWEST_RUNS, MOST_RUNS + 1)
    unit = error / np.sqrt(1 / n_runs + 1 / (4 + n_runs / 2))
    errors = unit * np.sqrt(1 / runs + 1 / (4 + runs / 2))
    quantiles = stdtrit(runs - 1, 1 - LEVEL) + ndtri(POWER)
    enough = errors * quantiles <= LEAST_RISE
    return int(runs[enough.argmax()]) if enough.any() else None
