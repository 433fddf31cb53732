"""Intervals of a mean over seeds × images, against other implementations and closed forms."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from analysis.stats import interval, ratio_scores
from analysis.stats.intervals import METHODS, Array, bootstrap_means, standard_error

LEVEL = 0.9


def scores(seeds: int, images: int, *, seed: int = 0) -> Array:
    """Scores with an effect of every seed and every image."""
    rng = np.random.default_rng(seed)
    effects = rng.normal(size=(seeds, 1)) + 2 * rng.normal(size=(1, images))
    return np.asarray(0.9 + 0.01 * (effects + rng.normal(size=(seeds, images))))


def test_of_one_seed_the_t_interval_is_that_of_scipy() -> None:
    values = scores(1, 6)
    found = interval(values, np.random.default_rng(0), level=LEVEL)
    expected = stats.ttest_1samp(values[0], 0).confidence_interval(LEVEL)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert (found.n_seeds, found.n_images, found.method) == (1, 6, "t")


def test_of_one_image_the_t_interval_is_that_of_its_seeds() -> None:
    values = scores(5, 1)
    found = interval(values, np.random.default_rng(0), level=LEVEL)
    expected = stats.ttest_1samp(values[:, 0], 0).confidence_interval(LEVEL)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


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


def test_equal_scores_have_an_interval_of_no_width() -> None:
    for method in METHODS:
        found = interval(np.full((3, 4), 0.5), np.random.default_rng(0), method=method)
        assert (found.low, found.mean, found.high) == (0.5, 0.5, 0.5)


def test_a_single_score_has_no_t_interval() -> None:
    found = interval(np.array([[0.9]]), np.random.default_rng(0))
    assert found.mean == 0.9
    assert np.isnan([found.low, found.high]).all()


@pytest.mark.parametrize(("method", "name"), [("percentile", "percentile"), ("bca", "BCa")])
def test_of_one_seed_the_bootstrap_is_that_of_scipy(method: str, name: str) -> None:
    values = scores(1, 12)
    values[0, 0] -= 0.08
    found = interval(values, np.random.default_rng(1), method=method, level=LEVEL)
    other = stats.bootstrap(
        (values[0],), np.mean, method=name, confidence_level=LEVEL, n_resamples=20_000, rng=2
    ).confidence_interval
    width = other.high - other.low
    assert found.low == pytest.approx(other.low, abs=0.05 * width)
    assert found.high == pytest.approx(other.high, abs=0.05 * width)


def test_bca_moves_towards_the_long_tail() -> None:
    values = scores(1, 12)
    values[0, 0] -= 0.08
    plain, moved = (interval(values, np.random.default_rng(1), method=m) for m in ("percentile", "bca"))
    assert moved.low < plain.low
    assert moved.high < plain.high


def test_the_hierarchical_bootstrap_has_the_variance_of_owen() -> None:
    values = scores(4, 6)
    drawn = bootstrap_means(values, np.random.default_rng(0), 40_000)
    centred = values - values.mean(axis=0) - values.mean(axis=1, keepdims=True) + values.mean()
    of_seeds, of_images = values.mean(axis=1).var() / 4, values.mean(axis=0).var() / 6
    assert drawn.mean() == pytest.approx(values.mean(), abs=1e-4)
    assert drawn.var() == pytest.approx(of_seeds + of_images + (centred**2).mean() / 24, rel=0.03)


@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_equal_seeds_give_equal_intervals_and_others_do_not(method: str) -> None:
    first, again, other = (
        interval(scores(3, 4), np.random.default_rng(seed), method=method) for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


@pytest.mark.parametrize("wrong", [np.zeros(4), np.zeros((0, 4)), np.array([[0.5, np.nan]])])
def test_what_is_not_seeds_by_images_is_refused(wrong: Array) -> None:
    with pytest.raises(ValueError, match="scores"):
        interval(wrong, np.random.default_rng(0))


def test_an_unknown_method_is_refused_by_naming_the_known() -> None:
    with pytest.raises(ValueError, match="take one of t, percentile, bca"):
        interval(np.zeros((2, 2)), np.random.default_rng(0), method="exact")


def test_ratio_scores_have_the_pooled_ratio_as_their_mean() -> None:
    numerator, denominator = np.array([[3.0, 8.0], [0.0, 5.0]]), np.array([[4.0, 16.0], [4.0, 6.0]])
    assert ratio_scores(numerator, denominator).mean(axis=1) == pytest.approx([11 / 20, 5 / 10])


def test_ratio_scores_of_equal_denominators_are_the_ratios() -> None:
    found = ratio_scores(np.array([[3.0, 4.0]]), np.array([[4.0, 4.0]]))
    assert found == pytest.approx(np.array([[0.75, 1.0]]))


def test_the_spread_of_ratio_scores_is_that_of_the_jackknife() -> None:
    rng = np.random.default_rng(0)
    denominator = rng.uniform(900, 1100, size=200)
    numerator = denominator * rng.uniform(0.9, 1.0, size=200)
    left_out = [np.delete(numerator, i).sum() / np.delete(denominator, i).sum() for i in range(200)]
    jackknife = np.sqrt(199 * np.var(left_out))
    assert stats.sem(ratio_scores(numerator, denominator)) == pytest.approx(jackknife, rel=0.01)


def test_a_seed_that_found_and_missed_nothing_has_no_pooled_ratio() -> None:
    with pytest.raises(ValueError, match="denominator above 0"):
        ratio_scores(np.zeros((1, 2)), np.zeros((1, 2)))
