"""Runs as an Optuna study, and importances whose answer is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

from analysis import AnalysisError
from analysis.search.importance import distribution, importances, resampled, to_optuna, varied
from tests.analysis.searches import search


def table(runs: pd.DataFrame, seed: int = 0, **options: Any) -> pd.DataFrame:
    return importances(runs, np.random.default_rng(seed), **{"resamples": 6, **options})


@pytest.fixture(scope="module")
def judged() -> pd.DataFrame:
    return table(search())


def share(judged: pd.DataFrame, method: str, parameter: str) -> dict[Any, Any]:
    own = judged[(judged["method"] == method) & (judged["parameter"] == parameter)]
    return own.to_dict("records")[0]


def test_a_run_is_a_trial_with_the_settings_it_has_and_its_own_value() -> None:
    runs = search()
    study = to_optuna(runs)
    assert len(study.trials) == len(runs)
    for trial, run in zip(study.trials, runs.to_dict("records"), strict=True):
        assert trial.value == run["val/iou"]
        assert trial.user_attrs["run_id"] == run["run_id"]
        assert trial.params["learning_rate"] == pytest.approx(np.log10(run["learning_rate"]))
        assert ("backbone" in trial.params) == ("weights" in trial.params) == (run["backbone"] != "none")
        assert ("width" in trial.params) == (run["backbone"] == "none")
    assert study.best_trial.user_attrs["run_id"] == runs.sort_values("val/iou")["run_id"].iloc[-1]


def test_what_does_not_vary_and_the_seed_are_no_parameters() -> None:
    assert varied(search()) == [
        *("architecture", "backbone", "weights", "augmentation", "width", "learning_rate")
    ]


def test_a_width_that_varies_only_where_it_means_nothing_is_no_parameter() -> None:
    assert "width" not in varied(search(architecture="unet", backbone="resnet34"))


def test_runs_without_a_finite_value_are_no_trials() -> None:
    runs = search()
    runs.loc[:2, "val/iou"] = [np.nan, np.inf, -np.inf]
    assert len(to_optuna(runs).trials) == len(runs) - 3


@pytest.mark.parametrize(
    ("values", "given", "expected"),
    [
        (["b", "a"], None, CategoricalDistribution(["a", "b"])),
        ([2, 4, 8], None, CategoricalDistribution([2, 4, 8])),
        ([1e-4, 2e-4, 1e-3, 2e-3, 3e-3, 4e-3, 5e-3], None, FloatDistribution(1e-4, 5e-3, log=True)),
        ([1.0, 2, 3, 4, 5, 6, 7], None, FloatDistribution(1, 7)),
        ([1e-3], {"min": 1e-4, "max": 1e-2}, FloatDistribution(1e-4, 1e-2)),
        (
            [1e-3],
            {"min": 1e-4, "max": 1e-2, "distribution": "log_uniform_values"},
            FloatDistribution(1e-4, 1e-2, log=True),
        ),
        (
            [1e-3],
            {"min": np.log(1e-4), "max": np.log(1e-2), "distribution": "log_uniform"},
            FloatDistribution(np.exp(np.log(1e-4)), np.exp(np.log(1e-2)), log=True),
        ),
        (
            [1e-3],
            {"min": np.log(1e2), "max": np.log(1e4), "distribution": "q_inv_log_uniform"},
            FloatDistribution(np.exp(-np.log(1e4)), np.exp(-np.log(1e2)), log=True),
        ),
        (
            [1e-3, 2e-3],
            {"mu": -7, "sigma": 1, "distribution": "log_normal"},
            FloatDistribution(1e-3, 2e-3, log=True),
        ),
        ([1e-5], {"min": 1e-4, "max": 1e-2}, FloatDistribution(1e-5, 1e-2)),
        (["light"], {"values": ["none", "light"]}, CategoricalDistribution(["none", "light"])),
        (["odd"], {"values": ["none", "light"]}, CategoricalDistribution(["none", "light", "odd"])),
    ],
)
def test_the_distribution_is_that_of_the_sweep_or_of_the_values(
    values: list[Any], given: dict[str, Any] | None, expected: object
) -> None:
    assert distribution(pd.Series(values), given) == expected


def test_shares_are_those_on_the_scale_that_was_sampled() -> None:
    """y = 2u + v with u (log10 of a rate) and v even on [0, 1]: variances 4 : 1, so shares 0.8 and 0.2."""
    rng = np.random.default_rng(5)
    u, v = rng.uniform(size=(2, 150))
    runs = search(
        150, architecture="unet", backbone="resnet34", weights="none", augmentation="none", width=16
    )
    runs["learning_rate"], runs["batch_size"], runs["val/iou"] = 10 ** (4 * u - 5), v, 2 * u + v
    space = {
        "learning_rate": {"min": 1e-5, "max": 1e-1, "distribution": "log_uniform_values"},
        "batch_size": {"min": 0.0, "max": 1.0, "distribution": "uniform"},
    }
    judged = table(runs, space=space, resamples=0)
    shares = [share(judged, "fANOVA", name)["importance"] for name in ("learning_rate", "batch_size")]
    assert shares == pytest.approx([0.8, 0.2], abs=0.05)


@pytest.mark.parametrize("method", ["fANOVA", "PED-ANOVA"])
def test_what_matters_most_comes_first_and_what_does_nothing_matters_little(
    judged: pd.DataFrame, method: str
) -> None:
    assert judged[judged["method"] == method]["parameter"].iloc[0] == "learning_rate"
    assert share(judged, method, "augmentation")["importance"] < 0.15


def test_ped_anova_is_optunas_of_the_best_runs_that_are_at_least_five(judged: pd.DataFrame) -> None:
    evaluator = PedAnovaImportanceEvaluator(target_quantile=5 / 40)
    expected = get_param_importances(to_optuna(search(40)), evaluator=evaluator)
    own = judged[judged["method"] == "PED-ANOVA"].set_index("parameter")["importance"]
    assert own.to_dict() == pytest.approx(expected)


def test_shares_of_what_is_judged_together_add_up_to_one(judged: pd.DataFrame) -> None:
    sums = judged.groupby(["method", "given"])["importance"].sum()
    assert sums["fANOVA", "all runs"] == pytest.approx(1)
    assert sums["PED-ANOVA"].sum() == pytest.approx(1)
    assert sums["fANOVA", "runs with a backbone"] < 1


def test_conditional_parameters_are_judged_among_the_runs_that_have_them(judged: pd.DataFrame) -> None:
    runs = search()
    n = int((runs["backbone"] != "none").sum())
    for method in ("fANOVA", "PED-ANOVA"):
        weights, width = share(judged, method, "weights"), share(judged, method, "width")
        assert (weights["n_runs"], weights["given"]) == (n, "runs with a backbone")
        assert (width["n_runs"], width["given"]) == (len(runs) - n, "runs without a backbone")
    weights, backbone = (share(judged, "fANOVA", name)["importance"] for name in ("weights", "backbone"))
    assert weights > backbone


def test_bounds_lie_in_order_between_zero_and_one(judged: pd.DataFrame) -> None:
    assert (judged["low"] <= judged["high"]).all()
    values = judged[["low", "high", "importance"]].to_numpy(dtype=float)
    assert values.min() >= 0
    assert values.max() <= 1 + 1e-9


def test_equal_generators_give_equal_importances_and_others_do_not() -> None:
    runs = search(24)
    first, again, other = (table(runs, seed, resamples=2) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first, again)
    assert not first["low"].equals(other["low"])


def test_the_bootstrap_draws_configurations_and_then_their_seeds() -> None:
    runs = search(6)
    runs = pd.concat([runs.assign(run_id=runs["run_id"] + f"s{s}", seed=s) for s in range(3)])
    drawn = resampled(runs, varied(runs), np.random.default_rng(0))
    configuration = drawn["run_id"].str[:2]
    counts = configuration.value_counts()
    assert len(drawn) == 18
    assert (counts % 3 == 0).all()
    assert len(counts) < 6, "some configurations are drawn twice and others not"
    assert drawn["run_id"].nunique() < len(counts) * 3, "some seeds are drawn twice and others not"


def test_too_few_configurations_are_refused_in_one_sentence() -> None:
    runs = search(3)
    seeds = pd.concat([runs.assign(seed=s) for s in range(5)])
    with pytest.raises(AnalysisError, match="at least 4 configurations with val/iou; here are 3"):
        table(seeds)
    with pytest.raises(AnalysisError, match="here are 0"):
        table(search().drop(columns="val/iou"))
    with pytest.raises(AnalysisError, match="have the same val/iou"):
        table(search().assign(**{"val/iou": 0.9}))


def test_runs_that_all_lack_a_backbone_are_judged_without_warnings() -> None:
    runs = search(12, architecture="unet_transposed", backbone="none", weights="none")
    assert set(table(runs, resamples=2)["parameter"]) == {"augmentation", "width", "learning_rate"}
