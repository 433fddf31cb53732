"""The expected best of n trials of a sweep whose trials could as well have come in any other order."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln

from analysis import AnalysisError

Array = NDArray[np.float64]
EXCHANGEABLE = ("random", "grid")
"""Sweep methods whose trials do not depend on those before them."""


def expected_best(values: ArrayLike, *, method: str) -> Array:
    """Expected best of n trials for n = 1 … N, (N,), from the N trials of a sweep, higher is better.

    The question of Dodge et al. (2019, arXiv:1909.03004), with the unbiased estimator of Tang et al. (2020,
    arXiv:2004.13705): the mean over all subsets of n of the N trials, not over draws with replacement. Raises
    `AnalysisError` unless `method` (of the sweep) is `random` or `grid`: a Bayesian search proposes a trial because of
    the ones before it, so a subset of its trials is not the result of a shorter search.
    """
    if method not in EXCHANGEABLE:
        raise AnalysisError(
            f"The expected best of n trials is not defined for a sweep of method {method}: its trials depend on those"
            " before them, so fewer of them are not a shorter search; use a random or grid sweep."
        )
    ordered = np.sort(np.asarray(values, dtype=float))
    return np.asarray(winning_chances(len(ordered)) @ ordered)


def winning_chances(trials: int) -> Array:
    """Chances (N, N) that the i-th lowest of N `trials` is the best of n drawn without replacement.

    Row n−1, column i, from 0: C(i, n−1) / C(N, n).
    """
    n, i = np.arange(1, trials + 1)[:, None], np.arange(trials)[None, :]
    possible = i >= n - 1
    chosen = np.where(possible, i, n - 1)
    logs = gammaln(chosen + 1) - gammaln(n) - gammaln(chosen - n + 2)
    logs -= gammaln(trials + 1) - gammaln(n + 1) - gammaln(trials - n + 1)
    return np.where(possible, np.exp(logs), 0.0)
