"""Promises of every search method, on spaces of every kind."""

from __future__ import annotations

import copy
import functools
import json
import random
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from server.search import PastRun, count, suggest, validate

Config = dict[str, object]
METRIC = {"name": "val/iou", "goal": "maximize"}
STATES = ("pending", "running", "finished", "failed", "crashed", "killed", "preempting", "preempted")

FINITE: dict[str, dict[str, object]] = {
    "flat": {"lr": {"values": [0.0, 0.1, 1.0]}, "model": {"values": ["unet", "deeplab"]}, "epochs": {"value": 3}},
    "nested": {
        "opt": {"parameters": {"wd": {"values": [0.0, 0.5]}, "kind": {"parameters": {"name": {"values": ["a", "b"]}}}}},
        "size": {"min": 1, "max": 3},
    },
    "kinds": {"flag": {"values": [True, False, 1, None]}, "layers": {"values": [[1, 2], [2, 1], {"a": 0.0, "b": [0]}]}},
    "quantized": {
        "drop": {"distribution": "q_uniform", "min": 0, "max": 0.3, "q": 0.1},
        "width": {"distribution": "q_log_uniform_values", "min": 8, "max": 32, "q": 8},
    },
    "weighted": {"p": {"values": ["x", "y", "z"], "probabilities": [0.98, 0.015, 0.005]}, "q": {"values": [1, 2]}},
}
SIZES = {"flat": 6, "nested": 12, "kinds": 12, "quantized": 16, "weighted": 6}

INFINITE: dict[str, dict[str, object]] = {
    "uniform": {"x": {"min": 0.0, "max": 1.0}, "y": {"distribution": "uniform", "min": -3, "max": 3}},
    "logs": {
        "a": {"distribution": "log_uniform", "min": -9, "max": -2},
        "b": {"distribution": "log_uniform_values", "min": 1e-5, "max": 1e-1},
        "c": {"distribution": "inv_log_uniform", "min": 2, "max": 9},
        "d": {"distribution": "inv_log_uniform_values", "min": 1e-5, "max": 1e-1},
    },
    "bells": {
        "a": {"distribution": "normal", "mu": 2, "sigma": 0.5},
        "b": {"distribution": "log_normal"},
        "c": {"distribution": "beta", "a": 2, "b": 5},
        "d": {"distribution": "q_normal", "sigma": 9, "q": 0.5},
        "e": {"distribution": "q_log_normal", "sigma": 2},
    },
    "mixed": {
        "model": {"values": ["unet", "deeplab"], "probabilities": [0.25, 0.75]},
        "opt": {"parameters": {"lr": {"distribution": "log_uniform_values", "min": 1e-5, "max": 0.1}}},
        "batch": {"values": [2, 4, 8]},
        "steps": {"distribution": "q_log_uniform", "min": 0, "max": 6, "q": 2},
        "mix": {"distribution": "q_beta", "a": 2, "b": 2, "q": 0.25},
        "seed": {"min": 0, "max": 10**9},
    },
}
ON_FINITE = [(method, name) for method in ("grid", "random", "bayes") for name in FINITE]
ON_INFINITE = [(method, name) for method in ("random", "bayes") for name in INFINITE]


def config_of(method: str, name: str) -> Config:
    return {"method": method, "metric": METRIC, "parameters": (FINITE | INFINITE)[name]}


def run(number: int, params: dict[str, object], state: str = "finished") -> PastRun:
    summary: dict[str, object] = {"val/iou": (number * 7 % 11) / 11} if state in ("finished", "killed") else {}
    return PastRun(f"run{number}", params, state, summary)


def as_go_writes_it(value: object) -> object:
    """The same after a JSON writer without floats for whole numbers and without an order of keys."""
    if isinstance(value, Mapping):
        return {key: as_go_writes_it(value[key]) for key in sorted(value, reverse=True)}
    if isinstance(value, list):
        return [as_go_writes_it(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def canonical(params: object) -> str:
    return json.dumps(as_go_writes_it(params), sort_keys=True)


@functools.cache
def sweep(method: str, name: str, number: int = 100) -> tuple[PastRun, ...]:
    """The runs of a sweep that went on to its end or to `number` runs, as a server reads them back."""
    past: list[PastRun] = []
    while len(past) < number and (params := suggest(config_of(method, name), past, 1)) is not None:
        handed_out = as_go_writes_it(params)
        assert isinstance(handed_out, dict)
        past.append(run(len(past), handed_out, STATES[len(past) % len(STATES)]))
    return tuple(past)


def some_runs(method: str, name: str) -> list[PastRun]:
    """Six runs that ended, enough for Bayesian search to use its model; fewer if the space has fewer."""
    return [replace(run, state="finished") for run in sweep(method, name, 12)[:6]]


@pytest.mark.parametrize(("method", "name"), ON_FINITE)
def test_a_finite_space_is_handed_out_exactly_once_and_then_ends(method: str, name: str) -> None:
    config = config_of(method, name)
    past = sweep(method, name)
    assert len(past) == SIZES[name] == count(config)
    assert len({canonical(run.params) for run in past}) == SIZES[name]
    assert suggest(config, past, 1) is None


@pytest.mark.parametrize(("method", "name"), ON_FINITE)
def test_a_run_that_was_deleted_is_the_only_one_left_to_hand_out(method: str, name: str) -> None:
    config = config_of(method, name)
    past = sweep(method, name)
    middle = len(past) // 2
    again = suggest(config, past[:middle] + past[middle + 1 :], 1)
    assert canonical(again) == canonical(past[middle].params)


@pytest.mark.parametrize(("method", "name"), ON_INFINITE)
def test_an_infinite_space_goes_on_without_repeats(method: str, name: str) -> None:
    config = config_of(method, name)
    past = sweep(method, name, 12)
    assert len(past) == 12
    assert len({canonical(run.params) for run in past}) == 12
    assert count(config) is None or count(config) == 10**12


@pytest.mark.parametrize(("method", "name"), ON_FINITE + ON_INFINITE)
def test_suggestions_are_plain_json(method: str, name: str) -> None:
    config = config_of(method, name)
    for past in ([], some_runs(method, name)[:5]):
        params = suggest(config, past, 3)
        if params is not None:
            assert json.loads(json.dumps(params, allow_nan=False)) == params
            assert_plain(params)


def assert_plain(value: object) -> None:
    assert type(value) in (dict, list, str, bool, int, float, type(None)), type(value)
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        assert_plain(item)


@pytest.mark.parametrize(("method", "name"), ON_FINITE + ON_INFINITE)
def test_equal_seeds_and_runs_give_equal_suggestions(method: str, name: str) -> None:
    config = config_of(method, name)
    past = some_runs(method, name)[:5]
    random.seed(1)
    np.random.seed(1)
    first = suggest(config, past, 5)
    random.seed(2)
    np.random.seed(2)
    before = random.getstate(), np.random.get_state()[1].tolist()  # type: ignore[index]
    assert suggest(copy.deepcopy(config), copy.deepcopy(past), 5) == first
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before  # type: ignore[index]


@pytest.mark.parametrize(("method", "name"), [(m, n) for m, n in ON_FINITE + ON_INFINITE if m != "grid"])
def test_another_seed_gives_another_sweep(method: str, name: str) -> None:
    config = config_of(method, name)
    assert len({canonical(suggest(config, [], seed)) for seed in range(8)}) > 1


@pytest.mark.parametrize(("method", "name"), ON_FINITE + ON_INFINITE)
def test_the_nesting_of_the_yaml_is_kept(method: str, name: str) -> None:
    config = config_of(method, name)
    params, space = suggest(config, [], 1), config["parameters"]
    assert isinstance(params, dict)
    assert isinstance(space, dict)
    assert params.keys() == space.keys()
    for key, spec in space.items():
        if "parameters" in spec:
            value = params[key]
            assert isinstance(value, dict)
            assert value.keys() == spec["parameters"].keys()


@pytest.mark.parametrize(
    ("method", "name", "number"), [("grid", "quantized", 16), ("random", "mixed", 32), ("bayes", "mixed", 6)]
)
def test_agents_that_ask_at_once_get_different_configurations(method: str, name: str, number: int) -> None:
    config = config_of(method, name)
    past = some_runs(method, name)[:5] if method == "bayes" else []
    known = len(past)
    for i in range(number):
        params = suggest(config, past, 1)
        assert params is not None
        past.append(run(known + i, params, "pending"))
    assert len({canonical(run.params) for run in past}) == known + number


@pytest.mark.parametrize(("method", "name"), ON_FINITE + ON_INFINITE)
def test_config_and_runs_are_left_as_they_were(method: str, name: str) -> None:
    config, past = config_of(method, name), some_runs(method, name)[:5]
    before = copy.deepcopy((config, past))
    params = suggest(config, past, 1)
    for value in (params or {}).values():
        if isinstance(value, (dict, list)):
            value.clear()
    assert (config, past) == before


@pytest.mark.parametrize("method", ["grid", "random", "bayes"])
def test_no_run_starts_once_the_target_is_reached(method: str) -> None:
    config = config_of(method, "flat") | {"metric": METRIC | {"target": 0.9}}
    low = PastRun("low", {"lr": 0, "model": "unet", "epochs": 3}, "finished", {"val/iou": {"max": 0.89}})
    high = PastRun("high", {"lr": 0.1, "model": "unet", "epochs": 3}, "running", {"val/iou": {"max": 0.9}})
    assert suggest(config, [low], 1) is not None
    assert suggest(config, [low, high], 1) is None


@pytest.mark.parametrize("method", ["grid", "random", "bayes"])
def test_runs_of_another_space_are_no_obstacle(method: str) -> None:
    config = config_of(method, "flat")
    others: list[dict[str, object]] = [{}, {"lr": "high"}, {"lr": 7, "model": "unet"}, {"other": 1}, {"lr": 10**400}]
    foreign = [run(i, params) for i, params in enumerate(others * 2)]
    past = list(foreign)
    while (params := suggest(config, past, 1)) is not None:
        past.append(run(len(past), params))
    assert len(past) == len(foreign) + SIZES["flat"]


@pytest.mark.parametrize(("method", "name"), ON_FINITE + ON_INFINITE)
def test_the_spaces_of_this_suite_are_valid(method: str, name: str) -> None:
    warnings = validate(config_of(method, name))
    assert ["ignores probabilities" in each for each in warnings] == [True] * ((method, name) == ("grid", "weighted"))


@pytest.mark.parametrize("method", ["grid", "random", "bayes"])
def test_a_sweep_of_constants_is_one_run(method: str) -> None:
    config: Config = {"method": method, "metric": METRIC, "parameters": {"lr": {"value": 0.0}, "on": {"value": True}}}
    assert suggest(config, [], 1) == {"lr": 0.0, "on": True}
    assert suggest(config, [run(0, {"lr": 0, "on": True})], 1) is None
    assert suggest(config, [run(0, {"lr": 0, "on": 1})], 1) is not None, "1 is not true"
