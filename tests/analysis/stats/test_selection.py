"""What choosing costs: against brute force, order statistics, and simulation of what was claimed."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy import integrate, stats

from analysis import AnalysisError
from analysis.stats import expected_best, selection_optimism
from analysis.stats.intervals import Array
from analysis.stats.selection import winning_chances


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


def test_the_reported_value_is_that_of_the_winner_of_every_subset() -> None:
    chosen, reported = [0.7, 0.2, 0.9, 0.4], [0.5, 0.9, 0.1, 0.3]
    by_hand = [
        np.mean([reported[max(subset, key=lambda i: chosen[i])] for subset in combinations(range(4), n)])
        for n in range(1, 5)
    ]
    assert expected_best(chosen, method="grid", reported=reported) == pytest.approx(by_hand)


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


def test_reports_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="2 trials, but 1"):
        expected_best([0.1, 0.2], method="random", reported=[0.3])


def simulated(n_models: int, n_images: int, truth: Array, seed: int, repeats: int) -> tuple[float, float]:
    """Mean optimism as estimated and as it was, of models of these true means; images vary twice as much as models."""
    generator = rng(seed)
    estimated, actual = [], []
    for _ in range(repeats):
        images = 2 * generator.normal(size=n_images)
        scores = truth[:, None] + images + generator.normal(size=(n_models, n_images))
        found = selection_optimism(
            {str(i): row[None] for i, row in enumerate(scores)}, generator, resamples=200
        )
        estimated.append(found.optimism)
        actual.append(found.observed - images.mean() - truth[int(found.winner)])
    return float(np.mean(estimated)), float(np.mean(actual))


@pytest.mark.parametrize(("n_models", "n_images"), [(4, 4), (8, 4), (50, 4), (8, 18)])
def test_equal_models_flatter_by_the_expected_highest_of_their_noise(n_models: int, n_images: int) -> None:
    estimated, actual = simulated(n_models, n_images, np.zeros(n_models), 0, 300)
    closed = highest_normal(n_models) / np.sqrt(n_images)
    assert actual == pytest.approx(closed, rel=0.1)
    assert 0.8 * closed < estimated < 1.05 * closed


@pytest.mark.parametrize(("n_models", "n_images"), [(4, 4), (50, 4), (8, 18)])
def test_resampling_images_would_find_half_to_two_thirds_of_that(n_models: int, n_images: int) -> None:
    generator, found = rng(), []
    for _ in range(100):
        scores = generator.normal(size=(n_models, n_images))
        drawn = (
            generator.multinomial(n_images, np.full(n_images, 1 / n_images), size=200) / n_images @ scores.T
        )
        winner, rows = drawn.argmax(axis=1), np.arange(200)
        found.append(np.mean(drawn[rows, winner] - scores.mean(axis=1)[winner]))
    assert 0.45 < np.mean(found) / (highest_normal(n_models) / np.sqrt(n_images)) < 0.7


def test_where_models_differ_and_some_are_far_below_the_estimate_stays_near() -> None:
    spread = np.concatenate([rng(1).normal(size=6) * 0.5, [-50.0, -60.0]])
    estimated, actual = simulated(8, 4, spread, 2, 300)
    assert 0.8 * actual < estimated < 1.4 * actual


def test_a_clear_winner_is_not_flattered() -> None:
    scores = 0.001 * rng().normal(size=(3, 1, 4))
    found = selection_optimism({"A": scores[0] + 0.9, "B": scores[1] + 0.5, "C": scores[2]}, rng())
    assert found.winner == "A"
    assert found.observed == pytest.approx(float(scores[0].mean()) + 0.9)
    assert abs(found.optimism) < 1e-4
    assert found.corrected == found.observed - found.optimism


def test_what_an_image_does_to_all_models_alike_flatters_none() -> None:
    scores = {name: 0.01 * rng(i).normal(size=(1, 4)) for i, name in enumerate("ABCD")}
    images = np.array([[0.0, 3.0, -2.0, 7.0]])
    shifted = {name: values + images for name, values in scores.items()}
    first, second = (selection_optimism(each, rng()) for each in (scores, shifted))
    assert second.optimism == pytest.approx(first.optimism)


def test_seeds_that_differ_are_luck_too() -> None:
    seeds = np.array([[-0.02], [0.0], [0.02]])
    calm = {name: 0.9 + 0.001 * rng(i).normal(size=(3, 4)) for i, name in enumerate("ABCD")}
    stormy = {name: values + seeds for name, values in calm.items()}
    assert selection_optimism(stormy, rng()).optimism > 10 * selection_optimism(calm, rng()).optimism > 0


def test_overlapping_splits_in_the_place_of_images_flatter_more() -> None:
    scores = {name: rng(i).normal(size=(1, 5)) for i, name in enumerate("ABCD")}
    plain, overlapping = (selection_optimism(scores, rng(), inflation=k).optimism for k in (1.0, 3.0))
    assert overlapping > plain


def test_one_model_is_not_chosen_and_one_image_cannot_tell() -> None:
    assert selection_optimism({"A": np.ones((1, 4))}, rng()).optimism == 0
    assert np.isnan(selection_optimism({"A": np.ones((1, 1)), "B": np.zeros((1, 1))}, rng()).corrected)


def test_equal_generators_give_equal_optimism_and_others_do_not() -> None:
    scores = {name: rng(i).normal(size=(2, 4)) for i, name in enumerate("ABC")}
    first, again, other = (selection_optimism(scores, rng(seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_models_with_other_images_are_refused() -> None:
    with pytest.raises(ValueError, match="share their images"):
        selection_optimism({"A": np.ones((1, 4)), "B": np.ones((1, 5))}, rng())
