"""Which setting mattered: shares whose answer is known, aliases merged, chance and too few runs silent."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis import AnalysisError
from analysis.hyperparameters.importance import LEVEL, importances, sentences, varying_parameters
from tests.analysis.searches import search


def table(runs: pd.DataFrame) -> pd.DataFrame:
    return importances(runs, np.random.default_rng(0)).set_index("parameter")


@pytest.fixture(scope="module")
def judged() -> pd.DataFrame:
    return table(search())


def fixed(n: int, **columns: Any) -> pd.DataFrame:
    """A search in which nothing varies but `columns`."""
    usual: dict[str, Any] = {"architecture": "unet", "backbone": "resnet34", "weights": "none", "augmentation": "none"}
    return search(n, **usual, learning_rate=1e-3).assign(**columns)


def test_what_does_not_vary_and_the_seed_are_no_parameters() -> None:
    assert varying_parameters(search()) == [
        *("architecture", "backbone", "weights", "augmentation", "width", "learning_rate")
    ]
    assert "width" not in varying_parameters(search(architecture="unet", backbone="resnet34"))


def test_shares_are_those_on_the_scale_that_was_sampled() -> None:
    """y = 2u + v with u (log10 of a rate) and v even on [0, 1]: variances 4 : 1, so shares 0.8 and 0.2."""
    u, v = np.random.default_rng(5).uniform(size=(2, 400))
    found = table(fixed(400, learning_rate=10 ** (4 * u - 5), batch_size=v, **{"val/iou": 2 * u + v}))
    assert found["importance"].to_dict() == pytest.approx({"learning rate": 0.8, "batch size": 0.2}, abs=0.05)


def test_what_matters_comes_first_and_what_does_nothing_is_left_to_chance(judged: pd.DataFrame) -> None:
    assert judged.index[0] == "learning rate"
    assert judged["chance"]["learning rate"] < LEVEL < judged["chance"]["augmentation"]


def test_conditional_settings_are_judged_among_the_runs_that_have_them(judged: pd.DataFrame) -> None:
    n = int((search()["backbone"] != "none").sum())
    assert (judged["n"]["weights"], judged["given"]["weights"]) == (n, "runs with a backbone")
    assert (judged["n"]["width"], judged["given"]["width"]) == (40 - n, "runs without a backbone")


def test_settings_that_always_occur_together_are_one_finding_with_both_names() -> None:
    """As in cpu.yaml: the one backbone with ImageNet weights never comes without them."""
    runs = fixed(24, backbone=["lite0", "resnet18", "mobilenet_v2"] * 8)
    runs["weights"] = ["imagenet" if name == "lite0" else "none" for name in runs["backbone"]]
    runs["learning_rate"] = np.random.default_rng(0).uniform(1e-4, 1e-2, 24)
    runs["val/iou"] = 0.8 + 0.1 * (runs["weights"] == "imagenet") + 0.001 * np.arange(24) % 5
    found = table(runs)
    assert "backbone and weights" in found.index
    assert not {"backbone", "weights"} & set(found.index)
    (told,) = [line for line in sentences(found.reset_index()) if "weights" in line.lower()]
    assert told.startswith("Backbone and weights explains ")


def test_pure_noise_has_no_most_important_setting() -> None:
    told = []
    for seed in range(40):
        runs = search(30, seed=seed)
        runs["val/iou"] = np.random.default_rng(seed).normal(0.9, 0.01, 30)
        told.append(sentences(importances(runs, np.random.default_rng(seed)))[0])
    silent = [line.startswith("No setting explains more ") for line in told]
    assert silent.count(False) <= 0.05 * 40 + 2 * 1.4


def test_seeds_of_one_configuration_are_no_further_configurations() -> None:
    runs = search(7)
    seeds = pd.concat([runs.assign(seed=s) for s in range(5)])
    with pytest.raises(AnalysisError, match=r"at least 8 configurations .* 7"):
        table(seeds)


def test_without_values_or_spread_nothing_is_said() -> None:
    with pytest.raises(AnalysisError, match="here are 0"):
        table(search().drop(columns="val/iou"))
    with pytest.raises(AnalysisError, match="have the same val/iou"):
        table(search().assign(**{"val/iou": 0.9}))


def test_runs_without_a_finite_value_do_not_count() -> None:
    runs = search()
    runs.loc[:2, "val/iou"] = [np.nan, np.inf, -np.inf]
    assert table(runs)["n"].max() == 37


def test_equal_generators_give_equal_answers() -> None:
    pd.testing.assert_frame_equal(table(search(24)), table(search(24)))
