"""Which model is best: against other implementations and values counted by hand."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from analysis.stats import (
    interquartile_mean,
    probability_best,
    probability_of_improvement,
    rank_stability,
)
from analysis.stats.ranking import concordance


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_a_model_that_is_better_everywhere_is_surely_the_best() -> None:
    scores = rng().normal(size=(3, 4))
    assert probability_best({"A": scores + 10, "B": scores, "C": scores - 10}, rng()) == {
        "A": 1,
        "B": 0,
        "C": 0,
    }


def test_equal_models_share_the_first_place() -> None:
    scores = rng().normal(size=(1, 4))
    assert probability_best({"A": scores, "B": scores.copy()}, rng()) == {"A": 0.5, "B": 0.5}


def test_the_chance_to_be_best_is_that_of_all_resamples_counted() -> None:
    a, b = np.array([[0.0, 3.0, 1.0]]), np.array([[1.0, 0.0, 1.5]])
    draws = np.array(np.meshgrid(*[range(3)] * 3)).reshape(3, -1).T
    counted = np.mean(a[0, draws].mean(axis=1) > b[0, draws].mean(axis=1))
    found = probability_best({"A": a, "B": b}, rng(), resamples=40_000)
    assert found["A"] == pytest.approx(counted, abs=0.01)
    assert sum(found.values()) == pytest.approx(1)


def test_the_chance_to_be_best_counts_seeds_of_any_number() -> None:
    found = probability_best({"A": np.array([[0.0], [2.0]]), "B": np.array([[1.0]])}, rng(), resamples=40_000)
    assert found["A"] == pytest.approx(0.25 + 0.5 / 2, abs=0.01)  # both high, or a tie


def test_other_generators_give_other_chances_and_equal_ones_the_same() -> None:
    scores = {"A": rng(1).normal(size=(3, 4)), "B": rng(2).normal(size=(2, 4))}
    first, again, other = (probability_best(scores, rng(seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_models_with_other_images_are_refused() -> None:
    with pytest.raises(ValueError, match="share their test images"):
        probability_best({"A": np.zeros((1, 3)), "B": np.zeros((1, 4))}, rng())
    with pytest.raises(ValueError, match="share their test images"):
        probability_of_improvement(np.zeros((1, 3)), np.zeros((1, 4)))


def test_the_probability_of_improvement_counts_pairs_of_runs_image_by_image() -> None:
    a = np.array([[0.9, 0.5], [0.8, 0.5]])
    b = np.array([[0.7, 0.5], [0.85, 0.6], [0.8, 0.4]])
    # image 1: 0.9 beats 3 of 3; 0.8 beats 1, ties 1: 4.5 of 6. Image 2: 0.5 beats 1 and ties 1, twice: 3 of 6
    assert probability_of_improvement(a, b) == pytest.approx((4.5 / 6 + 3 / 6) / 2)
    assert probability_of_improvement(a, b) + probability_of_improvement(b, a) == pytest.approx(1)


def test_the_interquartile_mean_is_that_of_the_middle_half() -> None:
    assert interquartile_mean(np.array([[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 100.0]])) == pytest.approx(3.5)


def test_the_interquartile_mean_does_not_see_one_bad_image() -> None:
    good = np.full((1, 8), 0.9)
    bad = good.copy()
    bad[0, 0] = 0.0
    assert interquartile_mean(bad) == interquartile_mean(good)


def test_splits_that_agree_have_a_w_of_one_and_opposite_ones_of_zero() -> None:
    same = rank_stability(np.array([[1.0, 2, 3, 4], [2, 3, 5, 9], [0.1, 0.2, 0.3, 0.4]]))
    assert [same.kendall_w, same.mean_tau] == pytest.approx([1, 1])
    assert list(same.first) == [0, 0, 0, 1]
    opposite = rank_stability([[1, 2, 3], [3, 2, 1]])
    assert [opposite.kendall_w, opposite.mean_tau] == pytest.approx([0, -1])


def test_kendalls_w_is_friedmans_statistic_over_its_largest_value_with_and_without_ties() -> None:
    for seed in range(5):
        scores = rng(seed).integers(0, 6, size=(6, 5)).astype(float)
        friedman = stats.friedmanchisquare(*scores.T)
        found = rank_stability(scores)
        assert found.kendall_w == pytest.approx(friedman.statistic / (6 * 4))
        assert found.p == pytest.approx(friedman.pvalue)


def test_without_ties_w_is_one_for_one_with_the_mean_spearman() -> None:
    ranks = stats.rankdata(rng(4).normal(size=(5, 7)), axis=1)
    mean_rho = np.mean([stats.spearmanr(a, b).statistic for a, b in combinations(ranks, 2)])
    assert concordance(ranks) == pytest.approx((mean_rho * 4 + 1) / 5)


def test_two_models_have_a_w_but_no_friedman_test() -> None:
    found = rank_stability([[1, 2], [1, 2], [2, 1]])
    assert found.kendall_w == pytest.approx(1 / 9)  # rank sums 4 and 5 of 3 splits: ((2 − 1) / 3)²
    assert np.isnan(found.p)
    assert found.first == pytest.approx((1 / 3, 2 / 3))


def test_models_that_are_equal_everywhere_have_no_order() -> None:
    assert np.isnan(concordance(np.full((3, 4), 2.5)))


def test_one_split_has_no_stability() -> None:
    with pytest.raises(ValueError, match="at least 2 splits"):
        rank_stability([[1, 2, 3]])
