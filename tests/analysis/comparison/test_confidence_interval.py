"""The interval of a mean over seeds × images, against other implementations and closed forms."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from analysis.comparison.confidence_interval import Array, interval, standard_error

LEVEL = 0.9


def scores(seeds: int, images: int, *, seed: int = 0) -> Array:
    """Scores with an effect of every seed and every image."""
    rng = np.random.default_rng(seed)
    effects = rng.normal(size=(seeds, 1)) + 2 * rng.normal(size=(1, images))
    return np.asarray(0.9 + 0.01 * (effects + rng.normal(size=(seeds, images))))


@pytest.mark.parametrize("shape", [(1, 6), (5, 1)])
def test_of_one_seed_or_one_image_it_is_the_t_interval_of_scipy(shape: tuple[int, int]) -> None:
    values = scores(*shape)
    expected = stats.ttest_1samp(values.ravel(), 0).confidence_interval(LEVEL)
    assert tuple(map(float, interval(values, LEVEL))) == pytest.approx((expected.low, expected.high))


def test_the_standard_error_is_that_of_statsmodels_mean_squares() -> None:
    values = scores(5, 7)
    tidy = pd.DataFrame([{"y": values[s, i], "seed": s, "image": i} for s in range(5) for i in range(7)])
    table = anova_lm(ols("y ~ C(seed) + C(image)", tidy).fit())
    seed, image, rest = (table["mean_sq"][name] for name in ("C(seed)", "C(image)", "Residual"))
    assert min(seed, image) > rest, "else a component would be cut off at 0"
    variance = seed + image - rest
    error, freedom = standard_error(values)
    assert float(error) == pytest.approx(np.sqrt(variance / 35))
    assert float(freedom) == pytest.approx(variance**2 / (seed**2 / 4 + image**2 / 6 + rest**2 / 24))


def test_a_component_below_zero_counts_as_zero() -> None:
    values = scores(4, 6)
    values += values.mean() - values.mean(axis=1, keepdims=True)
    error, freedom = standard_error(values)
    assert float(error) == pytest.approx(stats.sem(values.mean(axis=0)))
    assert float(freedom) == pytest.approx(5)


def test_equal_scores_have_an_interval_of_no_width_and_a_single_one_has_none() -> None:
    assert tuple(map(float, interval(np.full((3, 4), 0.5)))) == (0.5, 0.5)
    assert np.isnan(interval(np.array([[0.9]]))).all()
