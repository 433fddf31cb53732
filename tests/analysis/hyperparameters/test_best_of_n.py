"""Equal budgets, edges of ranges, and best so far: counted by hand."""

from __future__ import annotations

import math
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest

from agent.config import Config, ConfigError
from analysis import AnalysisError
from analysis.comparison.row_labels import NUISANCE
from analysis.hyperparameters.best_of_n import (
    ALLOWED,
    best_per_value,
    budget_curves,
    edge,
    edge_warnings,
    expected_best_curves,
    trials,
)
from tests.analysis.searches import search


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def sweep(**values: list[float]) -> pd.DataFrame:
    """Runs of some architectures with these values of val/iou, each at another learning rate, in the order given."""
    rows = [
        {"architecture": name, "backbone": "none", "weights": "none", "learning_rate": 1e-4 * (i + 1)}
        | {"run_id": f"{name}-{i}", "val/iou": value, "seconds/train": 30.0 * (i + 1)}
        for name, of_name in values.items()
        for i, value in enumerate(of_name)
    ]
    return pd.DataFrame(rows)


def test_a_trial_is_a_configuration_and_its_value_the_mean_over_its_seeds() -> None:
    runs = sweep(unet_transposed=[0.8, 0.6])
    again = runs.copy()
    again["run_id"] += "b"
    again["val/iou"] += 0.1
    runs = pd.concat([runs, again])
    found = trials(runs)
    assert found["val/iou"].tolist() == pytest.approx([0.85, 0.65])
    assert found["n_runs"].tolist() == [2, 2]
    assert found["run_id"].tolist() == ["unet_transposed-0b", "unet_transposed-1b"]


def test_trials_come_in_the_order_they_were_started() -> None:
    runs = search(12).iloc[::-1]
    assert trials(runs)["run_id"].tolist() == [f"r{i}" for i in range(12)]


def test_values_are_compared_at_the_budget_of_the_least_tried_one() -> None:
    runs = sweep(unet_transposed=[0.7, 0.9, 0.5, 0.8], unet_bilinear=[0.75, 0.6])
    found = best_per_value(runs, "architecture", rng(), method="random").set_index("architecture")
    pairs = combinations([0.7, 0.9, 0.5, 0.8], 2)
    assert found["best"].to_dict() == pytest.approx(
        {"unet_transposed": np.mean([max(pair) for pair in pairs]), "unet_bilinear": 0.75}
    )
    assert found["budget"].tolist() == [2, 2]
    assert found["n_trials"].to_dict() == {"unet_transposed": 4, "unet_bilinear": 2}
    assert found.loc["unet_transposed", "run_id"] == "unet_transposed-1"
    assert found.loc["unet_transposed", "best_of_all"] == 0.9


def test_of_a_search_that_learns_the_first_trials_count_and_no_interval_is_given() -> None:
    runs = sweep(unet_transposed=[0.7, 0.6, 0.9], unet_bilinear=[0.75, 0.65])
    found = best_per_value(runs, "architecture", rng(), method="bayes")
    assert found["architecture"].tolist() == ["unet_bilinear", "unet_transposed"]
    assert found["best"].tolist() == [0.75, 0.7]
    assert found[["low", "high"]].isna().all(axis=None)


def test_the_interval_holds_the_best_and_follows_the_generator() -> None:
    runs = search()
    first, again, other = (best_per_value(runs, "weights", rng(seed), method="random") for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first, again)
    assert not first["low"].equals(other["low"])
    assert first["weights"].tolist() == ["imagenet", "none"]
    assert (first["low"] <= first["high"]).all()


def test_runs_that_do_not_have_the_field_are_not_among_its_values() -> None:
    runs = search()
    found = best_per_value(runs, "weights", rng(), method="random")
    assert found["n_trials"].sum() == (runs["backbone"] != "none").sum()


def test_a_field_with_one_value_is_nothing_to_compare() -> None:
    with pytest.raises(AnalysisError, match="no two values of epochs"):
        best_per_value(search(), "epochs", rng(), method="random")


@pytest.mark.parametrize(
    ("value", "log", "side"),
    [(1e-4, True, "lower"), (1.2e-4, True, "lower"), (5e-4, True, ""), (9e-3, True, "upper"), (5e-4, False, "lower")],
)
def test_an_edge_is_a_twentieth_of_the_range_on_its_own_scale(value: float, log: bool, side: str) -> None:
    assert edge(value, 1e-4, 1e-2, log=log) == side


def test_a_best_value_at_the_edge_of_the_sweeps_range_is_told() -> None:
    runs = search()
    best = float(runs.sort_values("val/iou")["learning_rate"].iloc[-1])
    space = {"learning_rate": {"min": 1e-5, "max": best * 1.01, "distribution": "log_uniform_values"}}
    (warning,) = edge_warnings(runs, space=space)
    assert warning.startswith(f"The best learning rate, {best:g}, ")
    assert f"1e-05 to {best * 1.01:g}" in warning
    assert edge_warnings(runs) == ()


def test_two_choices_have_nothing_but_edges_and_are_passed_over() -> None:
    runs = sweep(unet_transposed=[0.7, 0.9])
    assert edge_warnings(runs) == ()
    assert len(edge_warnings(sweep(unet_transposed=[0.7, 0.8, 0.9]))) == 1


def tried(name: str, values: list[Any], best: Any) -> pd.DataFrame:
    """Two runs with each value of a setting, of which `best` scores highest."""
    runs = sweep(unet_transposed=[0.8, 0.7] * len(values)).assign(learning_rate=1e-3, seed=[1, 2] * len(values))
    runs[name] = [value for value in values for _ in range(2)]
    return runs.assign(**{"val/iou": np.where(runs[name] == best, 0.9, 0.8)})


@pytest.mark.parametrize(
    ("name", "values", "best"),
    [
        ("schedule", ["constant", "cosine", "other"], "cosine"),
        ("weight_decay", [0.0, 1e-4, 1e-2], 0.0),
        ("patience", [0, 5, 10], 0),
        ("batch_size", [1, 2, 4], 1),
        ("batch_size", [2, 4, 8], 2),
        ("repeats", [1, 4, 8], 1),
        ("image_size", [32, 64, 128], 32),
        ("learning_rate", [0.01, 0.1, 1.0], 1.0),
    ],
)
def test_words_have_no_edge_and_nothing_lies_beyond_what_is_allowed(name: str, values: list[Any], best: Any) -> None:
    for space in (None, {name: {"values": values}}):
        assert edge_warnings(tried(name, values, best), space=space) == ()
    if name != "schedule":
        (warning,) = edge_warnings(tried(name, values, max(values) if best != max(values) else min(values)))
        assert f" {name.replace('_', ' ')}, " in warning


def test_a_range_that_begins_with_the_least_allowed_value_has_no_lower_edge() -> None:
    space = {"weight_decay": {"min": 0, "max": 0.1}}
    assert edge_warnings(tried("weight_decay", [0.001, 0.04, 0.07], 0.001), space=space) == ()
    assert len(edge_warnings(tried("weight_decay", [0.001, 0.04, 0.099], 0.099), space=space)) == 1


def test_every_number_among_the_nuisance_settings_has_the_ends_of_the_configuration() -> None:
    assert set(ALLOWED) == {*NUISANCE, "width", "image_size"} - {"schedule"}
    for name, (least, most) in ALLOWED.items():
        kind = type(getattr(Config(), name))
        for end, beyond in ((least, least - 1), (most, most + 1)):
            if math.isfinite(end):
                assert name == "learning_rate" or getattr(Config(**{name: kind(end)}), name) == end
                with pytest.raises(ConfigError, match=name):
                    Config(architecture="deeplabv3plus", backbone="resnet18", **{name: kind(beyond)})


@pytest.mark.parametrize(
    "spec",
    [
        {"distribution": "log_uniform_values", "min": 1e-4, "max": 1e-2},
        {"distribution": "log_uniform", "min": math.log(1e-4), "max": math.log(1e-2)},
        {"distribution": "q_log_uniform", "min": math.log(1e-4), "max": math.log(1e-2), "q": 1e-5},
        {"distribution": "inv_log_uniform", "min": -math.log(1e-2), "max": -math.log(1e-4)},
        {"distribution": "uniform", "min": 1e-4, "max": 1e-2},
        {"distribution": "log_normal", "mu": -7, "sigma": 1},
        {"values": [1e-4, 1e-3, 1e-2]},
        {"values": ["1e-4", "word", 1e-3, 1e-2]},
    ],
    ids=lambda spec: spec.get("distribution", "values"),
)
def test_the_range_is_that_of_every_distribution(spec: dict[str, Any]) -> None:
    values = [1.1e-4, 1e-3, 9.9e-3] if "values" not in spec else [1e-4, 1e-3, 1e-2]
    for best, side in ((values[0], "lower"), (values[1], ""), (values[2], "upper")):
        found = edge_warnings(tried("learning_rate", values, best), space={"learning_rate": spec})
        assert [f" at the {side} edge of " in warning for warning in found] == [True] * bool(side)


def test_best_so_far_never_falls_and_time_adds_up() -> None:
    runs = sweep(unet_transposed=[0.7, 0.6, 0.9], unet=[np.nan, 0.8])
    found = budget_curves(runs)
    first = found[found["architecture"] == "U-Net, transposed"]
    assert first["best"].tolist() == [0.7, 0.7, 0.9]
    assert first["trial"].tolist() == [1, 2, 3]
    assert first["minutes"].tolist() == [0.5, 1.5, 3.0]
    second = found[found["architecture"] == "U-Net"]["best"]
    assert np.isnan(second.iloc[0])
    assert second.iloc[1] == 0.8


def test_without_times_there_are_trials_and_no_minutes() -> None:
    runs = sweep(unet_transposed=[0.7, 0.6])
    assert budget_curves(runs.drop(columns="seconds/train"))["minutes"].isna().all()
    assert budget_curves(runs[:0]).empty


def test_expected_best_curves_are_those_of_each_architectures_trials_with_a_band() -> None:
    runs = sweep(unet_transposed=[0.7, 0.9, 0.5], unet=[0.8])
    found = expected_best_curves(runs, rng(), method="random")
    first = found[found["architecture"] == "U-Net, transposed"]
    pairs = np.mean([max(pair) for pair in combinations([0.7, 0.9, 0.5], 2)])
    assert first["expected"].tolist() == pytest.approx([0.7, pairs, 0.9])
    assert (first["low"] < first["expected"]).all()
    assert (first["high"] < 0.9 + 1e-9).all()
    assert found[found["architecture"] == "U-Net"]["expected"].tolist() == [0.8]


def test_expected_best_curves_are_refused_for_a_search_that_learns() -> None:
    with pytest.raises(AnalysisError, match="method bayes"):
        expected_best_curves(search(), rng(), method="bayes")
