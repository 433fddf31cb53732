from __future__ import annotations

import random
import re

import pytest

from server.search import PastRun, SearchError, runs_to_stop, validate

Config = dict[str, object]


def config_of(goal: object = "minimize", **early: object) -> Config:
    return {
        "method": "random",
        "metric": {"name": "val/iou", "goal": goal},
        "early_terminate": {"type": "hyperband"} | early,
        "parameters": {"x": {"min": 0.0, "max": 1.0}},
    }


def run(name: str, values: list[float], state: str = "running") -> PastRun:
    return PastRun(name, {"x": 0.5}, state, {}, tuple(enumerate(values, start=1)))


def numbers(reason: str) -> list[str]:
    """The numbers in it: value, iteration, threshold, runs."""
    assert "val/iou" in reason
    return re.findall(r"[\d.]+", reason)


def bands(config: Config) -> list[int]:
    """Numbers of iterations at which a hopeless run is stopped for the first time, seen from outside."""
    found = []
    for length in range(1, 100):
        good = [run(f"good{i}", [0.0] * length) for i in range(3)]
        bad = run("bad", [0.0] * (length - 1) + [1.0])
        if "bad" in runs_to_stop(config, [*good, bad]):
            found.append(length)
    return found


@pytest.mark.parametrize(
    ("early", "expected"),
    [
        ({"min_iter": 3}, [3, 9, 27, 81]),
        ({"min_iter": 30, "eta": 1.5}, [30, 45, 67]),
        ({"max_iter": 27, "s": 2}, [3, 9]),
        ({"max_iter": 19, "s": 2}, [2, 6]),
        ({"max_iter": 10, "s": 9, "eta": 2}, [1, 2, 5]),
        ({"max_iter": 27, "s": 2, "min_iter": 7}, [3, 9]),
    ],
)
def test_bands_are_the_documented_ones(early: dict[str, object], expected: list[int]) -> None:
    assert bands(config_of(strict=True, **early)) == expected


def test_the_reason_names_value_band_threshold_and_number_of_runs() -> None:
    values = [0.7, 0.65, 0.62, 0.6, 0.5, 0.45]
    past = [run(str(value), [0.3] * 8 + [value]) for value in values] + [run("mine", [0.3] * 8 + [0.41])]
    reasons = runs_to_stop(config_of("maximize", min_iter=9), past)
    assert numbers(reasons["mine"]) == ["0.41", "9", "0.62", "7"]
    assert sorted(reasons) == ["0.45", "0.5", "0.6", "mine"]


@pytest.mark.parametrize(("n", "kept"), [(1, 1), (2, 1), (3, 1), (4, 2), (6, 2), (7, 3), (9, 3)])
def test_the_best_third_rounded_up_goes_on(n: int, kept: int) -> None:
    past = [run(str(i), [0.0, 0.0, float(i)]) for i in range(n)]
    assert n - len(runs_to_stop(config_of(min_iter=3, strict=True), past)) == kept


def test_ties_go_on() -> None:
    assert runs_to_stop(config_of(min_iter=1), [run(str(i), [0.5]) for i in range(9)]) == {}


def test_eighty_one_of_the_116_runs_of_the_upstream_thread_are_stopped() -> None:
    """github.com/wandb/sweeps/pull/99: 38, 26 and 17 runs at bands 30, 45, 67 of eta 1.5; W&B's own rule stops 80."""
    rng = random.Random(0)
    curves = {str(i): [rng.random()] * 70 for i in range(116)}
    alive, stopped = dict(curves), []
    ended: list[PastRun] = []
    for band in (30, 45, 67):
        running = [run(name, curve[:band]) for name, curve in alive.items()]
        reasons = runs_to_stop(config_of(min_iter=30, eta=1.5, strict=True), [*running, *ended])
        stopped.append(len(reasons))
        ended += [run(name, alive.pop(name)[:band], "killed") for name in reasons]
    assert stopped == [38, 26, 17]


def test_only_strict_looks_at_the_value_of_the_band_itself() -> None:
    steady = [run(f"steady{i}", [0.5, 0.5, 0.5 - i / 100]) for i in range(5)]
    unlucky = run("unlucky", [0.4, 0.4, 0.9])
    assert "unlucky" not in runs_to_stop(config_of(min_iter=3), [*steady, unlucky])
    assert "unlucky" in runs_to_stop(config_of(min_iter=3, strict=True), [*steady, unlucky])


def test_values_after_the_band_do_not_help() -> None:
    others = [run(f"other{i}", [0.5, 0.5, 0.5 - i / 100], "finished") for i in range(5)]
    late = run("late", [0.9, 0.9, 0.9, 0.1])
    assert "late" in runs_to_stop(config_of(min_iter=3), [*others, late])


def test_a_run_alone_at_its_last_band_is_still_judged_at_the_one_before() -> None:
    """Rows arrive in lumps: a run passes two bands between two looks and would else be compared with itself."""
    others = [run(f"other{i}", [0.1, 0.1, 0.1], "running") for i in range(5)]
    fast = run("fast", [0.9] * 10)
    assert list(runs_to_stop(config_of(min_iter=3), [*others, fast])) == ["fast"]


def test_a_run_that_leads_later_is_not_stopped_for_a_slow_start() -> None:
    quick = [run(f"quick{i}", [0.1, 0.1, 0.1] + [0.5] * 6 * (i == 0)) for i in range(5)]
    leader = run("leader", [0.9, 0.9, 0.9] + [0.2] * 6)
    assert "leader" not in runs_to_stop(config_of(min_iter=3, strict=True), [*quick, leader])


def test_only_running_runs_are_stopped_and_all_runs_count() -> None:
    states = ("pending", "finished", "failed", "crashed", "killed", "preempting", "preempted", "running")
    past = [run(state, [1.0, 1.0, 1.0], state) for state in states] + [run("best", [0.0, 0.0, 0.0], "killed")]
    assert list(runs_to_stop(config_of(min_iter=3, eta=9), past)) == ["running"]


def test_values_that_are_no_numbers_are_left_out() -> None:
    nan, inf = float("nan"), float("inf")
    good = [run("a", [0.1, nan, 0.2]), run("b", [0.1, 0.1, inf])]
    reasons = runs_to_stop(config_of(min_iter=3, strict=True), [*good, run("c", [nan, nan, nan])])
    assert {name: numbers(reason) for name, reason in reasons.items()} == {"a": ["0.2", "3", "0.1", "2"]}


@pytest.mark.parametrize("early", [{}, None])
def test_without_early_terminate_nothing_is_stopped(early: object) -> None:
    config = config_of(min_iter=1) | {"early_terminate": early}
    assert runs_to_stop(config, [run("good", [0.0]), run("bad", [9.0])]) == {}


def test_the_median_pruner_stops_what_is_worse_than_the_median_of_finished_runs() -> None:
    config = config_of("maximize") | {"early_terminate": None, "pruner": {"type": "median", "n_startup_trials": 3}}
    done = [run(f"done{v}", [v, v], "finished") for v in (0.2, 0.5, 0.8)]
    past = [*done, run("low", [0.1, 0.4]), run("high", [0.1, 0.6])]
    assert validate(config) == []
    assert {name: numbers(reason) for name, reason in runs_to_stop(config, past).items()} == {"low": ["0.4", "2", "3"]}
    assert runs_to_stop(config, past[1:]) == {}, "two finished runs are fewer than n_startup_trials"


def test_the_threshold_pruner_needs_no_other_run() -> None:
    config = config_of("maximize") | {"early_terminate": None, "pruner": {"type": "threshold", "lower": 0.2}}
    assert list(runs_to_stop(config, [run("low", [0.1]), run("high", [0.3])])) == ["low"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"early_terminate": {"type": "median"}}, r"no type 'median'; write hyperband"),
        ({"early_terminate": {"type": "hyperband"}}, "min_iter is missing"),
        ({"early_terminate": {"type": "hyperband", "max_iter": 9}}, "s is missing"),
        ({"early_terminate": {"type": "hyperband", "min_iter": 0}}, "min_iter is 0;"),
        ({"early_terminate": {"type": "hyperband", "min_iter": 2.5}}, "min_iter is 2.5;"),
        ({"early_terminate": {"type": "hyperband", "min_iter": 3, "eta": 1}}, "eta is 1;"),
        ({"early_terminate": {"type": "hyperband", "min_iter": 3, "strict": "yes"}}, "strict is 'yes'"),
        ({"early_terminate": {"type": "hyperband", "max_iter": 2, "s": 3}}, "raise max_iter"),
        ({"early_terminate": "hyperband"}, "write `type: hyperband`"),
        ({"metric": None}, "Early stopping needs"),
        ({"pruner": {"type": "hyperband"}}, "median, percentile, threshold"),
        ({"pruner": {"type": "percentile"}}, "Optuna refuses.* percentile"),
        ({"pruner": {"type": "median", "interval_steps": 2}}, "interval_steps is not supported"),
    ],
)
def test_what_cannot_work_is_refused_in_a_sentence(changes: Config, message: str) -> None:
    with pytest.raises(SearchError, match=message):
        validate(config_of(min_iter=3) | changes)


def test_keys_that_do_nothing_are_named() -> None:
    for early, words in (({"max_iter": 27, "s": 2}, "min_iter is ignored"), ({"minn": 2}, "'minn' is ignored")):
        [warning] = validate(config_of(min_iter=3, **early))
        assert words in warning
