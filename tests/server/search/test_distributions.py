"""Draws follow the distributions that W&B documents; scipy is the judge."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import stats

from common.sweep_spec.distributions import LAW_OF
from server.search import PastRun, suggest
from server.search.parameters import read

N = 4_000
CONTINUOUS = [
    ({"min": -1.5, "max": 2.0}, stats.uniform(-1.5, 3.5)),
    ({"distribution": "uniform", "min": 1, "max": 3}, stats.uniform(1, 2)),
    ({"distribution": "log_uniform", "min": -9, "max": 1}, stats.loguniform(math.exp(-9), math.e)),
    ({"distribution": "log_uniform_values", "min": 1e-5, "max": 0.1}, stats.loguniform(1e-5, 0.1)),
    ({"distribution": "inv_log_uniform", "min": 1, "max": 9}, stats.loguniform(math.exp(-9), math.exp(-1))),
    ({"distribution": "inv_log_uniform_values", "min": 1e-5, "max": 0.1}, stats.loguniform(1e-5, 0.1)),
    ({"distribution": "normal"}, stats.norm()),
    ({"distribution": "normal", "mu": 3, "sigma": 0.5}, stats.norm(3, 0.5)),
    ({"distribution": "log_normal", "mu": 1, "sigma": 0.7}, stats.lognorm(0.7, scale=math.e)),
    ({"distribution": "beta"}, stats.uniform()),
    ({"distribution": "beta", "a": 2, "b": 5}, stats.beta(2, 5)),
]
QUANTIZED = [
    ({"distribution": "q_uniform", "min": 0, "max": 10}, 1, stats.uniform(0, 10)),
    ({"distribution": "q_uniform", "min": 0.0, "max": 1.0, "q": 0.25}, 0.25, stats.uniform(0, 1)),
    ({"distribution": "q_log_uniform", "min": 0, "max": 3}, 1, stats.loguniform(1, math.exp(3))),
    ({"distribution": "q_log_uniform_values", "min": 2, "max": 64, "q": 2}, 2, stats.loguniform(2, 64)),
    ({"distribution": "q_normal", "mu": 1, "sigma": 3, "q": 2}, 2, stats.norm(1, 3)),
    ({"distribution": "q_log_normal", "mu": 1, "sigma": 0.5}, 1, stats.lognorm(0.5, scale=math.e)),
    ({"distribution": "q_beta", "a": 2, "b": 2, "q": 0.1}, 0.1, stats.beta(2, 2)),
]


def evenly() -> list[float]:
    """The middles of N equal parts of [0, 1]: a sample without chance, so that counts can be exact."""
    return [(i + 0.5) / N for i in range(N)]


def draws(spec: dict[str, object]) -> list[float]:
    values = [read("x", spec)[0].ppf(u) for u in evenly()]
    assert all(type(value) in (int, float) for value in values)
    return [float(value) for value in values if isinstance(value, (int, float))]


@pytest.mark.parametrize(
    ("spec", "law"), CONTINUOUS, ids=lambda v: v.get("distribution") if isinstance(v, dict) else ""
)
def test_continuous_draws_follow_the_law(spec: dict[str, object], law: object) -> None:
    assert stats.kstest(draws(spec), law.cdf).statistic < 0.51 / N  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("spec", "q", "law"), QUANTIZED, ids=lambda v: v["distribution"] if isinstance(v, dict) else ""
)
def test_quantized_draws_are_the_law_rounded_to_multiples(spec: dict[str, object], q: float, law: object) -> None:
    found = Counter(draws(spec))
    low, high = law.support()  # type: ignore[attr-defined]
    assert all(low - 1e-9 <= value <= high + 1e-9 and round(value / q) * q == pytest.approx(value) for value in found)
    values = sorted(found)
    middles = [(a + b) / 2 for a, b in itertools.pairwise(values)]
    expected = N * np.diff(law.cdf([-math.inf, *middles, math.inf]))  # type: ignore[attr-defined]
    assert len(values) > 3
    assert [found[value] for value in values] == pytest.approx(expected, abs=1.01)


@pytest.mark.parametrize(
    ("spec", "probabilities"),
    [
        ({"min": 3, "max": 6}, {3: 0.25, 4: 0.25, 5: 0.25, 6: 0.25}),
        ({"values": ["a", "b", "c"]}, {"a": 1 / 3, "b": 1 / 3, "c": 1 / 3}),
        ({"values": ["a", "b", "c"], "probabilities": [0.1, 0.2, 0.7]}, {"a": 0.1, "b": 0.2, "c": 0.7}),
        ({"values": [1, 2, 3], "probabilities": [0.5, 0, 0.5]}, {1: 0.5, 3: 0.5}),
        ({"values": [1, 2, 1], "probabilities": [0.2, 0.5, 0.3]}, {1: 0.5, 2: 0.5}),
    ],
)
def test_finite_draws_have_their_probabilities(spec: dict[str, object], probabilities: dict[object, float]) -> None:
    found = Counter(read("x", spec)[0].ppf(u) for u in evenly())
    assert found == pytest.approx({value: N * p for value, p in probabilities.items()}, abs=1.01)


def test_the_first_run_of_many_seeds_follows_the_law() -> None:
    config = {"method": "random", "parameters": {"lr": {"distribution": "log_uniform_values", "min": 1e-4, "max": 1}}}
    values = [float(str((suggest(config, [], seed) or {})["lr"])) for seed in range(1_000)]
    assert stats.kstest(values, stats.loguniform(1e-4, 1).cdf).pvalue > 0.01


def test_the_runs_of_one_sweep_follow_the_law() -> None:
    config = {"method": "random", "parameters": {"x": {"min": 0.0, "max": 1.0}, "y": {"min": 0.0, "max": 1.0}}}
    past: list[PastRun] = []
    for i in range(300):
        past.append(PastRun(str(i), suggest(config, past, 7) or {}, "pending", {}))
    points = [(float(str(run.params["x"])), float(str(run.params["y"]))) for run in past]
    assert all(stats.kstest(column, "uniform").pvalue > 0.01 for column in zip(*points, strict=True))
    assert abs(stats.spearmanr(points).statistic) < 0.15


def test_quantized_values_carry_no_rounding_dust() -> None:
    spec = {"distribution": "q_uniform", "min": 0, "max": 1, "q": 0.1}
    assert {read("x", spec)[0].ppf(u / 100) for u in range(100)} == {
        0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0
    }  # fmt: skip


def test_a_whole_q_gives_whole_numbers() -> None:
    assert type(read("x", {"distribution": "q_normal", "q": 2})[0].ppf(0.9)) is int
    assert type(read("x", {"distribution": "q_normal", "q": 2.0})[0].ppf(0.9)) is float


@st.composite
def specs(draw: st.DrawFn) -> dict[str, object]:
    name = draw(st.sampled_from(sorted(LAW_OF)))
    spec: dict[str, object] = {"distribution": name}
    if "uniform" in name:
        low = draw(st.floats(1e-6, 50) if name.endswith("_values") else st.floats(-50, 50))
        spec |= {"min": low, "max": low + draw(st.floats(1e-3, 50))}
    elif "normal" in name:
        spec |= {"mu": draw(st.floats(-20, 20)), "sigma": draw(st.floats(1e-3, 5))}
    else:
        spec |= {"a": draw(st.floats(0.2, 20)), "b": draw(st.floats(0.2, 20))}
    if name.startswith("q_"):
        spec["q"] = draw(st.sampled_from([1e-3, 0.1, 0.125]))
    return spec


@given(spec=specs(), u=st.floats(0, 1, exclude_max=True))
@example(spec={"distribution": "beta", "a": 1.03125, "b": 0.25}, u=0.0)
def test_every_draw_is_finite_and_the_model_finds_it_again(spec: dict[str, object], u: float) -> None:
    try:
        distribution = read("x", spec)[0]
    except ValueError:
        assert "q" in spec
        return
    value = distribution.ppf(u)
    assert isinstance(value, (int, float))
    assert math.isfinite(value)
    if "min" in spec and "log" not in str(spec["distribution"]):
        assert float(str(spec["min"])) - 1e-9 <= value <= float(str(spec["max"])) + 1e-9
    quantile = distribution.cdf(value)
    assert quantile is not None
    if "q" not in spec and 1e-6 < u < 1 - 1e-6:
        assert distribution.ppf(quantile) == pytest.approx(value, rel=1e-6, abs=1e-9)
