"""Tests of two models and letters for many, against other implementations and values counted by hand."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
from scipy import stats

from analysis.stats import (
    corrected_bounds,
    corrected_t_test,
    crossed_t_test,
    holm,
    letters,
    sign_flip_test,
    smallest_p,
)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_four_images_cannot_reach_a_p_below_an_eighth() -> None:
    found = sign_flip_test([0.2, 0.3, 0.1, 0.4], rng())
    assert (found.p, found.smallest_p) == (0.125, 0.125)
    assert [smallest_p(n) for n in (1, 2, 4, 6)] == [1, 0.5, 0.125, 0.03125]


def test_the_exact_p_is_that_of_all_sign_flips_counted() -> None:
    values = np.array([0.5, -0.1, 0.3, 0.2, -0.15])
    means = [np.mean(np.array(signs) * values) for signs in product((1, -1), repeat=5)]
    counted = np.mean(np.abs(means) >= abs(values.mean()) - 1e-12)
    found = sign_flip_test(values, rng())
    assert found.p == pytest.approx(counted)
    assert found.difference == pytest.approx(0.15)


def test_seeds_are_averaged_before_images_flip() -> None:
    values = rng(3).normal(size=(4, 6)) + 0.4
    assert sign_flip_test(values, rng()) == sign_flip_test(values.mean(axis=0), rng())


def test_one_image_proves_nothing() -> None:
    assert sign_flip_test([0.4], rng()).p == 1
    assert crossed_t_test([[0.4]]).p == 1


def test_drawn_flips_come_near_the_exact_p_and_follow_the_generator() -> None:
    values = rng(1).normal(size=40) + 0.3
    first, again, other = (sign_flip_test(values, rng(seed)) for seed in (1, 1, 2))
    assert first == again
    assert first.p != other.p
    assert first.smallest_p == smallest_p(40) == 2 / 20_000
    assert first.p == pytest.approx(stats.ttest_1samp(values, 0).pvalue, rel=0.2)


def test_of_one_seed_the_crossed_t_test_is_the_paired_one_of_scipy() -> None:
    a, b = rng(1).normal(size=(2, 8))
    assert crossed_t_test((a - b)[None]).p == pytest.approx(stats.ttest_rel(a, b).pvalue)


def test_the_same_difference_everywhere_is_certain_and_none_is_not() -> None:
    assert crossed_t_test(np.full((3, 4), 0.25)).p == 0
    assert crossed_t_test(np.zeros((3, 4))).p == 1


def test_the_corrected_t_is_the_formula_of_nadeau_and_bengio() -> None:
    values = np.array([0.02, 0.01, 0.04, 0.03, 0.00])
    error = np.sqrt((1 / 5 + 4 / 10) * 0.00025)  # variance with n − 1, by hand: 0.001 / 4
    expected = 2 * stats.t.sf(0.02 / error, 4)
    assert corrected_t_test(values, n_train=10, n_test=4).p == pytest.approx(expected)
    low, high = corrected_bounds(values, n_train=10, n_test=4)
    assert (low + high) / 2 == pytest.approx(0.02)
    assert (high - low) / 2 == pytest.approx(stats.t.ppf(0.975, 4) * error)


def test_without_overlap_the_corrected_t_would_be_the_plain_one() -> None:
    values = rng(2).normal(size=6)
    nearly = corrected_t_test(values, n_train=10**9, n_test=1).p
    assert nearly == pytest.approx(stats.ttest_1samp(values, 0).pvalue, rel=1e-6)


def test_an_interval_touches_zero_where_its_test_gives_its_level() -> None:
    values = rng(5).normal(size=5) + 0.8
    p = corrected_t_test(values, n_train=10, n_test=4).p
    low, high = corrected_bounds(values, n_train=10, n_test=4, level=1 - p)
    assert min(abs(low), abs(high)) == pytest.approx(0, abs=1e-9)


def test_one_split_or_an_empty_set_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        corrected_t_test([0.1], n_train=10, n_test=4)
    with pytest.raises(ValueError, match="10 and 0"):
        corrected_t_test([0.1, 0.2], n_train=10, n_test=0)


def test_holm_multiplies_the_smallest_by_n_and_never_falls() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]).size == 0


def test_models_in_a_chain_share_letters_with_their_neighbours_only() -> None:
    same = np.zeros((3, 3), dtype=bool)
    same[0, 1] = same[1, 0] = same[1, 2] = same[2, 1] = True
    assert letters(["A", "B", "C"], same) == {"A": "a", "B": "ab", "C": "b"}


def test_in_every_graph_of_five_models_a_shared_letter_means_not_told_apart() -> None:
    models = ["A", "B", "C", "D", "E"]
    pairs = list(combinations(range(5), 2))
    for bits in product((False, True), repeat=len(pairs)):
        same = np.zeros((5, 5), dtype=bool)
        for (i, j), alike in zip(pairs, bits, strict=True):
            same[i, j] = same[j, i] = alike
        shown = letters(models, same)
        assert all(bool(set(shown[models[i]]) & set(shown[models[j]])) == same[i, j] for i, j in pairs)
        assert "a" in shown["A"]
        assert all(shown.values())


def test_sixty_groups_have_a_character_each() -> None:
    models = [f"m{i}" for i in range(60)]
    shown = list(letters(models, np.zeros((60, 60), dtype=bool)).values())
    assert len(set(shown)) == 60
    assert {len(each) for each in shown} == {1}
    assert shown[:2] + shown[25:27] == ["a", "b", "z", "A"]
