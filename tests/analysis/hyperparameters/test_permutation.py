"""Importance against chance, and settings that trials cannot tell apart."""

import numpy as np
import pytest

from analysis.hyperparameters.permutation import explained_variance, merge_aliases, permutation_test

BACKBONES = ["lite0", "resnet18", "lite0", "mobilenet", "resnet18", "mobilenet"]


def test_settings_that_always_occur_together_are_one() -> None:
    weights = ["imagenet" if name == "lite0" else "none" for name in BACKBONES]
    rates = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    merged = merge_aliases({"weights": weights, "rate": rates, "backbone": BACKBONES, "epochs": [5] * 6})
    assert merged == {("backbone", "weights"): BACKBONES, ("rate",): rates}


def test_settings_that_vary_on_their_own_stay_apart() -> None:
    merged = merge_aliases({"a": [1, 1, 2, 2], "b": [1, 2, 1, 2]})
    assert set(merged) == {("a",), ("b",)}


def test_pure_noise_has_no_important_setting() -> None:
    rng = np.random.default_rng(0)
    false = 0
    for _ in range(100):
        settings = {name: rng.uniform(size=30).tolist() for name in "abcde"}
        found = permutation_test(settings, rng.normal(size=30), rng, 100)
        false += min(chance for _, chance in found.values()) < 0.05
    assert false <= 5 + 2 * 2.2


def test_a_setting_that_decides_the_score_is_found() -> None:
    rng = np.random.default_rng(1)
    settings = {name: rng.uniform(size=30).tolist() for name in "ab"}
    found = permutation_test(settings, np.array(settings["a"]) + rng.normal(0, 0.1, 30), rng)
    assert found["a"][1] == pytest.approx(1 / 201)
    assert found["b"][1] > 0.05


def test_explained_variance_is_that_of_an_analysis_of_variance() -> None:
    """Means 1 and 3 in groups of two, 1 left inside each: 1 - (4 / 2) / (8 / 3), where the total is 4 + 4."""
    found = explained_variance(["a", "a", "b", "b"], np.array([[0.0, 2.0, 2.0, 4.0], [1.0, 1.0, 1.0, 1.0]]))
    assert found.tolist() == pytest.approx([1 - 2 / (8 / 3), 0.0])
