"""Sweep configurations that are valid, and the sentence for each that is not."""

from __future__ import annotations

import datetime
import re

import pytest

from server.search import PastRun, SearchError, count, runs_to_stop, suggest, validate

Config = dict[str, object]


def config_of(spec: object, **more: object) -> Config:
    return {"method": "random", "parameters": {"opt": {"parameters": {"lr": spec}}}} | more


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (0.1, r"write `value: 0\.1`"),
        ({}, "nothing says which values it takes"),
        ({"min": 1}, "nothing says which values it takes"),
        ({"vlaues": [1]}, "nothing says which values it takes"),
        ({"distribution": "lognormal"}, "'lognormal'; choose one of constant, categorical"),
        ({"distribution": "normal", "mean": 0}, "normal .*'mean', only mu, sigma"),
        ({"min": 0.0, "max": 1.0, "q": 0.1}, "'q', only min, max; .*distribution: q_uniform"),
        ({"distribution": "uniform", "min": 0}, "uniform needs the key 'max'"),
        ({"min": "1e-4", "max": 1.0}, "min is the text '1e-4'.* write 1.0e-4"),
        ({"min": "1", "max": 2.0}, "min is the text '1'.* without quotes"),
        ({"min": 0.0, "max": float("inf")}, "max is inf; .*finite"),
        ({"min": True, "max": 2.0}, "min is True; .*finite"),
        ({"min": 2, "max": 1}, "min 2 is larger than max 1"),
        ({"min": 2.0, "max": 1.0}, "min 2 is larger than max 1"),
        ({"distribution": "int_uniform", "min": 0.5, "max": 2}, "int_uniform .*not 0.5 and 2"),
        ({"distribution": "log_uniform_values", "min": 0, "max": 1}, "log_uniform_values .*above 0, not 0"),
        ({"distribution": "log_uniform", "min": 1, "max": 1000}, "exponents of e, .* log_uniform_values"),
        ({"distribution": "normal", "sigma": 0}, "sigma is 0; .*above 0"),
        ({"distribution": "q_normal", "q": -1}, "q is -1; .*above 0"),
        ({"distribution": "q_uniform", "min": 0.2, "max": 0.8}, "no multiple of q 1.* lower q"),
        ({"values": []}, "at least one entry"),
        ({"values": "adam"}, "at least one entry"),
        ({"values": [1, float("nan")]}, "value nan .*JSON"),
        ({"value": {"a": [datetime.date(2020, 1, 1)]}}, "is a date.* in quotes"),
        ({"values": [1, 2], "probabilities": [1]}, "probabilities must be a list"),
        ({"values": [1, 2], "probabilities": [1.5, -0.5]}, "probabilities must not be negative"),
        ({"values": [1, 2], "probabilities": [0, 0]}, "their sum must be 1"),
        ({"parameters": {}}, "`parameters` must .*stand alone"),
        ({"parameters": {"a": {"value": 1}}, "value": 2}, "`parameters` must .*stand alone"),
    ],
)
def test_a_parameter_that_cannot_work_is_refused_by_its_full_name(spec: object, message: str) -> None:
    with pytest.raises(SearchError, match=rf"^Parameter opt\.lr: .*{message}"):
        validate(config_of(spec))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": "genetic"}, "'genetic'; .* grid, random, bayes, custom"),
        ({"method": None}, "method is None"),
        ({"parameters": {}}, "The sweep has no parameters"),
        ({"parameters": None}, "The sweep has no parameters"),
        ({"method": "bayes"}, "Bayesian search .* add `metric:`"),
        ({"metric": {"goal": "minimize"}}, "name of the metric"),
        ({"metric": {"name": "loss", "goal": "max"}}, "goal is 'max'; .*minimize or maximize"),
        ({"metric": {"name": "loss", "impute": "mean"}}, "impute is 'mean'; .*worst, best or latest"),
        ({"metric": {"name": "loss", "target": "low"}}, "target is 'low'; .*number"),
        ({"run_cap": 0}, "run_cap is 0; .* from 1"),
        ({"shuffle": "yes"}, "shuffle is 'yes'; .*true or false"),
    ],
)
def test_a_sweep_that_cannot_work_is_refused(changes: Config, message: str) -> None:
    with pytest.raises(SearchError, match=message):
        validate(config_of({"value": 1}) | changes)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"values": [1, 2, 1.0]}, "repeated entries"),
        ({"values": ["1e-4", "1e-3"]}, "write 1.0e-4"),
        ({"values": [1, 2], "probabilities": [1, 3]}, "4, not 1; .*scaled"),
        ({"distribution": "log_uniform", "min": 0.0001, "max": 0.1}, r"searches 1 to 1\.105; .*log_uniform_values"),
    ],
)
def test_what_is_probably_a_mistake_is_a_warning(spec: object, words: str) -> None:
    [warning] = validate(config_of(spec))
    assert re.match(rf"Parameter opt\.lr: .*{words}", warning)


def test_shuffle_without_grid_is_a_warning() -> None:
    [warning] = validate(config_of({"value": 1}, shuffle=True))
    assert "shuffle" in warning


def test_a_search_by_another_process_is_left_alone() -> None:
    config: Config = {"method": "custom"}
    assert validate(config) == []
    assert count(config) is None
    assert runs_to_stop(config, [PastRun("a", {}, "running", {}, ((1, 0.5),))]) == {}
    with pytest.raises(SearchError, match="custom"):
        suggest(config | {"parameters": {"x": {"value": 1}}}, [], 0)


@pytest.mark.parametrize(
    ("spec", "number"),
    [({"min": 1, "max": 3}, 3), ({"min": 1.0, "max": 3.0}, None), ({"values": [1, 1.0, True]}, 2), ({"value": [1]}, 1)],
)
def test_count_is_the_size_of_the_space(spec: object, number: int | None) -> None:
    assert count(config_of(spec)) == number
