from __future__ import annotations

from itertools import permutations, product

import pytest

from server.search import PastRun, SearchError, count, suggest

Config = dict[str, object]


def sweep(config: Config, seed: int = 0, limit: int = 100) -> list[dict[str, object]]:
    past: list[PastRun] = []
    while len(past) < limit and (params := suggest(config, past, seed)) is not None:
        past.append(PastRun(str(len(past)), params, "finished", {}))
    return [run.params for run in past]


def test_the_order_is_that_of_the_file_with_the_last_parameter_fastest() -> None:
    config: Config = {
        "method": "grid",
        "parameters": {
            "z": {"values": ["b", "a"]},
            "opt": {"parameters": {"wd": {"values": [0.0, 0.1]}}},
            "fixed": {"value": "x"},
            "a": {"min": 2, "max": 3},
        },
    }
    cells = [(row["z"], row["opt"], row["a"]) for row in sweep(config)]
    assert cells == list(product("ba", ({"wd": 0.0}, {"wd": 0.1}), (2, 3)))


@pytest.mark.parametrize(
    ("spec", "values"),
    [
        ({"min": 1, "max": 4}, [1, 2, 3, 4]),
        ({"distribution": "q_uniform", "min": 0, "max": 6, "q": 2}, [0, 2, 4, 6]),
        ({"distribution": "q_uniform", "min": 0.1, "max": 0.5, "q": 0.1}, [0.1, 0.2, 0.3, 0.4, 0.5]),
        ({"distribution": "q_uniform", "min": 0.05, "max": 0.3, "q": 0.1}, [0.1, 0.2, 0.3]),
        ({"distribution": "q_log_uniform_values", "min": 3, "max": 10, "q": 4}, [4, 8]),
        ({"distribution": "q_beta", "q": 0.5}, [0.0, 0.5, 1.0]),
        ({"distribution": "uniform", "min": 2, "max": 2}, [2]),
        ({"values": [1, 2, 1.0, 2]}, [1, 2]),
        ({"values": [1, True, 0, False, None, "1"]}, [1, True, 0, False, None, "1"]),
    ],
)
def test_each_finite_value_appears_once(spec: dict[str, object], values: list[object]) -> None:
    found = [row["x"] for row in sweep({"method": "grid", "parameters": {"x": spec}})]
    assert [(type(value), value) for value in found if isinstance(value, bool)] == [
        (type(value), value) for value in values if isinstance(value, bool)
    ]
    assert found == values


def test_a_grid_that_could_never_be_listed_still_answers_at_once() -> None:
    axis = {"min": 0, "max": 10**9 - 1}
    config: Config = {"method": "grid", "parameters": dict.fromkeys("abcd", axis)}
    assert count(config) == 10**36
    assert sweep(config, limit=3) == [{"a": 0, "b": 0, "c": 0, "d": last} for last in range(3)]


@pytest.mark.parametrize("name", ["uniform", "log_uniform_values", "normal", "q_normal", "beta"])
def test_a_continuous_parameter_is_refused_by_its_full_name(name: str) -> None:
    bounds = {"min": 1.0, "max": 2.0} if "uniform" in name else {}
    parameters = {"opt": {"parameters": {"lr": {"distribution": name} | bounds}}, "n": {"values": [1]}}
    with pytest.raises(SearchError, match=r"\bopt\.lr\b"):
        suggest({"method": "grid", "parameters": parameters}, [], 0)


def test_a_shuffled_grid_is_a_permutation_that_the_seed_picks() -> None:
    config: Config = {"method": "grid", "shuffle": True, "parameters": {"x": {"values": [0, 1, 2]}}}
    orders = [tuple(row["x"] for row in sweep(config, seed)) for seed in range(60)]
    assert set(orders) == set(permutations([0, 1, 2]))
    assert orders[0] == tuple(row["x"] for row in sweep(config, 0))


def test_a_shuffled_order_does_not_depend_on_how_far_the_sweep_is() -> None:
    config: Config = {"method": "grid", "shuffle": True, "parameters": {"x": {"min": 0, "max": 10**6}}}
    first = sweep(config, limit=20)
    second = suggest(config, [PastRun("0", first[0], "running", {})], 0)
    assert second == first[1]
