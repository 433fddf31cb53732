"""Where a curve begins to rise for good: straight lines between change points, which `ruptures` finds."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pandas as pd

Curve = npt.NDArray[np.float64]
FEWEST = 8
"""Points below which nothing is said."""
SEGMENT, PART = 3, 0.1
"""Points that a line has at least, and as a part of all."""
MOST_CHANGES = 3
PENALTY = 2.0
"""Times that of the Bayesian information criterion: positions are searched, and epochs hang together."""
SURE = 4.0
"""Standard errors that the slope of a rising line lies above zero. With this and `PENALTY` no more than 1 of 30 noisy
curves that do not rise is said to, and 95 % of clear hinges are found (tests/analysis/curves/test_changepoint.py)."""


def start_of_rise(values: Curve) -> int | None:
    """Position in `values` (n,) from which they rise until their end; None if they do not, or n < `FEWEST`.

    The curve, single outliers taken out by a running median of three, is cut into at most `MOST_CHANGES` + 1 straight
    lines: binary segmentation with the cost of a linear regression (Truong et al. 2020, Signal Processing 167:107299),
    their number by a penalised likelihood. The rise starts with the first of the last lines that all rise.
    """
    if len(values) < FEWEST:
        return None
    smooth = pd.Series(values).rolling(3, center=True).median().bfill().ffill().to_numpy(dtype=float)
    cuts = best_cuts(smooth)
    lines = list(zip([0, *cuts[:-1]], cuts, strict=True))
    slopes, fitted = zip(*(line(smooth[first:last]) for first, last in lines), strict=True)
    noise = spread(values - np.concatenate(fitted), parameters(len(lines) - 1))
    start = None
    for (first, last), slope in reversed(list(zip(lines, slopes, strict=True))):
        n = last - first
        if slope <= SURE * noise * math.sqrt(12 / (n * (n * n - 1))) or slope * (n - 1) <= noise:
            break
        start = first
    return start


def best_cuts(values: Curve) -> list[int]:
    """The ends of the lines that `values` are best cut into."""
    import ruptures

    n = len(values)
    shortest = max(SEGMENT, math.ceil(PART * n))
    signal = np.column_stack([values, np.arange(n, dtype=float), np.ones(n)])
    search = ruptures.Binseg(model="linear", min_size=shortest, jump=1).fit(signal)
    exact = n * (1e-6 * max(float(np.ptp(values)), 1e-9)) ** 2
    found = []
    for changes in range(min(MOST_CHANGES, n // shortest - 1) + 1):
        cuts = [int(cut) for cut in search.predict(n_bkps=changes)] if changes else [n]
        error = max(float(search.cost.sum_of_costs(cuts)), exact)
        found.append((n * math.log(error / n) + PENALTY * parameters(changes) * math.log(n), cuts))
    return min(found)[1]


def parameters(changes: int) -> int:
    """Of lines with so many changes between them: where each begins, and two for every line."""
    return 3 * changes + 2


def line(values: Curve) -> tuple[float, Curve]:
    """Slope and values of the straight line through `values`."""
    at = np.arange(len(values))
    slope, level = np.polyfit(at, values, 1)
    return float(slope), np.asarray(level + slope * at)


def spread(residuals: Curve, fitted: int) -> float:
    """Standard deviation of residuals after `fitted` parameters, by their median so that outliers do not count.

    Times 1.4, the loss of information in a running median of three.
    """
    n = len(residuals)
    return 1.4 * 1.4826 * float(np.median(np.abs(residuals))) * math.sqrt(n / max(n - fitted, 1))
