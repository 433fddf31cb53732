from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.search import PastRun, bayes, suggest
from server.search.past_runs import Metric
from server.search.space import Parameter, read

Config = dict[str, object]
LINE: Config = {
    "method": "bayes",
    "metric": {"name": "loss"},
    "parameters": {"x": {"min": 0.0, "max": 1.0}, "n": {"value": 3}},
}


def at(name: str, x: float, state: str = "finished", **summary: object) -> PastRun:
    return PastRun(name, {"x": x, "n": 3}, state, summary)


def x_of(config: Config, past: list[PastRun], seed: int = 0) -> float:
    params = suggest(config, past, seed)
    assert params is not None
    assert isinstance(params["x"], float)
    return params["x"]


PARABOLA = [at(str(x), x, loss=(x - 0.3) ** 2) for x in (0.02, 0.21, 0.45, 0.6, 0.77, 0.98)]


def test_the_search_goes_where_the_past_points() -> None:
    assert abs(x_of(LINE, PARABOLA) - 0.3) < 0.05


def test_maximize_turns_the_search_around() -> None:
    upside_down = [replace(run, summary={"loss": -float(str(run.summary["loss"]))}) for run in PARABOLA]
    config = LINE | {"metric": {"name": "loss", "goal": "maximize"}}
    assert abs(x_of(config, upside_down) - 0.3) < 0.05


def test_the_first_five_runs_know_nothing_of_values() -> None:
    upside_down = [replace(run, summary={"loss": -float(str(run.summary["loss"]))}) for run in PARABOLA]
    assert suggest(LINE, PARABOLA[:4], 7) == suggest(LINE, upside_down[:4], 7)
    assert suggest(LINE, PARABOLA[:5], 7) != suggest(LINE, upside_down[:5], 7)


def test_the_first_runs_leave_no_eighth_of_the_range_out() -> None:
    for seed in range(20):
        past: list[PastRun] = []
        for number in range(8):
            past.append(at(str(number), x_of(LINE, past, seed), "running"))
        assert sorted(int(8 * float(str(run.params["x"]))) for run in past) == list(range(8))


def test_runs_in_progress_send_the_next_agent_elsewhere() -> None:
    past = list(PARABOLA)
    alone = x_of(LINE, past)
    past += [at(f"p{i}", alone + d, state) for i, (d, state) in enumerate([(0, "pending"), (0.01, "running")])]
    assert min(abs(x_of(LINE, past) - alone - d) for d in (0, 0.01)) > 0.01


@pytest.mark.parametrize("state", ["failed", "crashed", "killed"])
def test_the_search_stays_away_from_what_fails(state: str) -> None:
    """The parabola's bottom fails every time: runs without a metric count as the worst that was seen."""
    failed = [at(f"f{x}", x, state) for x in (0.26, 0.28, 0.3, 0.32, 0.34)]
    assert abs(x_of(LINE, PARABOLA + failed) - 0.3) > 0.04


@pytest.mark.parametrize(
    ("impute", "state", "expected"),
    [
        (None, "killed", 0.5),
        (None, "failed", 0.5),
        ("worst", "killed", 9.0),
        ("best", "killed", 0.2),
        ("latest", "crashed", 0.4),
        ("worst", "finished", 0.5),
    ],
)
def test_impute_says_what_a_run_that_did_not_finish_counts_with(
    impute: str | None, state: str, expected: float
) -> None:
    odd = PastRun("odd", {}, state, {"loss": 0.5}, ((1, 0.2), (2, 0.4)))
    bad = PastRun("bad", {}, "finished", {"loss": {"min": 9.0}})
    silent = PastRun("silent", {}, "crashed", {})
    values = bayes._values([odd, bad, silent], Metric("loss", maximize=False, impute=impute))
    assert values == {"odd": expected, "bad": 9.0, "silent": 9.0}


@pytest.mark.parametrize(
    ("summary", "goal", "value"),
    [
        ({"a.b": 1, "a": {"b": 2}}, "minimize", 1.0),
        ({"a": {"b": 2}}, "minimize", 2.0),
        ({"a.b": {"min": 1, "max": 3}}, "minimize", 1.0),
        ({"a.b": {"min": 1, "max": 3}}, "maximize", 3.0),
        ({"a.b": {"last": 4, "max": 3}}, "minimize", 4.0),
        ({"a.b": "high"}, "minimize", 0.25),
        ({"a.b": float("nan")}, "maximize", 0.75),
        ({"a.b": True}, "minimize", 0.25),
        ({}, "maximize", 0.75),
    ],
)
def test_the_metric_is_the_summary_value_else_the_best_of_the_history(
    summary: dict[str, object], goal: str, value: float
) -> None:
    run = PastRun("r", {}, "finished", summary, ((1, 0.5), (2, 0.25), (3, 0.75), (4, float("inf"))))
    assert Metric("a.b", goal == "maximize").of(run) == value


def test_nothing_is_learnt_from_a_sweep_without_any_metric() -> None:
    past = [at(str(i), i / 10, "failed") for i in range(8)]
    assert suggest(LINE, past, 3) == suggest(LINE, [at(str(i), 1 - i / 10, "failed") for i in range(8)], 3)


def test_a_diverged_run_does_not_hide_the_differences_between_the_others() -> None:
    assert abs(x_of(LINE, [*PARABOLA, at("diverged", 0.9, loss=1e30)]) - 0.3) < 0.1


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=12))
def test_the_better_half_of_the_values_and_the_order_of_all_stay_as_they_are(values: list[float]) -> None:
    by_name = {str(i): value for i, value in enumerate(values)}
    result = bayes._compress(by_name)
    in_order = [result[name] for name in sorted(by_name, key=by_name.__getitem__)]
    assert in_order == sorted(in_order)
    half = (len(values) + 1) // 2
    assert in_order[:half] == sorted(values)[:half]


def test_a_long_sweep_goes_on_with_a_tree_parzen_estimator() -> None:
    assert type(bayes._sampler(bayes.MOST_FOR_GAUSSIAN_PROCESS, 0)).__name__ == "GPSampler"
    rng = random.Random(0)
    past = [at(str(i), x, loss=(x - 0.3) ** 2) for i in range(300) if (x := rng.random()) is not None]
    assert abs(x_of(LINE, past) - 0.3) < 0.1


def test_a_wide_integer_range_costs_no_memory() -> None:
    config = LINE | {"parameters": {"x": {"min": 0, "max": 10**15}}}
    past = [PastRun(str(i), {"x": i * 10**14}, "finished", {"loss": (i - 3) ** 2}) for i in range(11)]
    params = suggest(config, past, 0)
    assert params is not None
    assert isinstance(params["x"], int)
    assert 10**14 < params["x"] < 5 * 10**14


@pytest.mark.parametrize(
    ("spec", "values"),
    [
        ({"values": ["a", {"b": 0.0}, None, True]}, ["a", {"b": 0}, None, True]),
        ({"values": [1, 2, 4, 8.0]}, [1, 2, 4, 8]),
        ({"min": -3, "max": 3}, [-3, 0, 3.0]),
        ({"min": 0, "max": 10**6}, [0, 5, 10**6]),
        ({"distribution": "q_uniform", "min": 0, "max": 1, "q": 0.1}, [0, 0.3, 1]),
        ({"distribution": "q_log_uniform_values", "min": 1, "max": 100, "q": 2}, [2, 10, 100]),
        ({"distribution": "q_normal", "q": 2}, [-4, 0, 2]),
    ],
)
def test_a_value_survives_the_way_through_the_model(spec: dict[str, object], values: list[object]) -> None:
    parameter: Parameter = read({"parameters": {"x": spec}})[0].parameters[0]
    for value in values:
        code = bayes._encode(parameter, value)
        assert code is not None
        assert bayes._decode(parameter, code) == value


@pytest.mark.parametrize("spec", [{"values": ["a", 1]}, {"min": 0, "max": 3}, {"min": 0.0, "max": 1.0}])
def test_a_value_outside_of_the_space_has_no_place_in_the_model(spec: dict[str, object]) -> None:
    parameter = read({"parameters": {"x": spec}})[0].parameters[0]
    for value in ("b", 5, 2.5, True, None, float("nan"), [1]):
        assert bayes._encode(parameter, value) is None


def test_a_taken_configuration_gives_way_to_its_nearest_free_neighbour() -> None:
    space, _ = read({"parameters": {"n": {"min": 0, "max": 9}, "c": {"values": ["a", "b"]}}})
    seen = frozenset(space.key((n, "a")) for n in (4, 5, 6))
    assert bayes._nearest_unseen(space, seen, (5, "a"), random.Random(0)) in ((3, "a"), (7, "a"))
    everything = frozenset(space.key(space.cell(i)) for i in range(20))
    assert bayes._nearest_unseen(space, everything, (5, "a"), random.Random(0)) is None
