"""The expected best of n trials, against brute force and order statistics."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy import integrate, stats

from analysis import AnalysisError
from analysis.hyperparameters.expected_best import expected_best, winning_chances


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def highest_normal(n: int) -> float:
    """Expectation of the highest of n standard normal numbers, by integration."""
    found = integrate.quad(lambda x: n * x * stats.norm.pdf(x) * stats.norm.cdf(x) ** (n - 1), -8, 8)
    return float(found[0])


def test_the_expected_best_is_the_mean_over_all_subsets() -> None:
    values = [0.7, 0.2, 0.9, 0.9, 0.4, 0.6]
    by_hand = [np.mean([max(subset) for subset in combinations(values, n)]) for n in range(1, 7)]
    assert expected_best(values, method="random") == pytest.approx(by_hand)


def test_the_estimator_is_unbiased_where_drawing_with_replacement_is_not() -> None:
    samples = rng().normal(size=(20_000, 5))
    found = np.sort(samples, axis=1) @ winning_chances(5)[2]
    naive = np.sort(samples, axis=1) @ np.diff(np.linspace(0, 1, 6) ** 3)
    assert found.mean() == pytest.approx(highest_normal(3), abs=0.01)
    assert naive.mean() < highest_normal(3) - 0.1


def test_chances_of_a_thousand_trials_still_add_up_to_one() -> None:
    assert winning_chances(1000).sum(axis=1) == pytest.approx(np.ones(1000))


@pytest.mark.parametrize("method", ["bayes", "custom"])
def test_a_search_that_learns_is_refused_with_the_reason(method: str) -> None:
    with pytest.raises(AnalysisError, match=f"method {method}: its trials depend on those before them"):
        expected_best([0.1, 0.2], method=method)
