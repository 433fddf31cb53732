"""Findings of lint on a parameter are those of `wandb sweep`: the client's own rule, then the server's.

Whatever W&B's published schema objects to gets a word.
"""

import warnings
from typing import Any

import pytest
import yaml
from wandb.apis.public.sweeps import _validate_config_and_fill_distribution

from agent.lint import document
from agent.lint.parameters import values
from common.sweep_spec.distributions import NAMES
from server import search

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it is written for an older pydantic
    from sweeps.config import fill_parameter  # type: ignore[import-untyped]

PARTS = [
    "min: 0.001, max: 0.5",
    "min: 0.0001, max: 1",
    "min: 1, max: 0.5",
    "min: 1, max: 1",
    "min: 0.5, max: 0.5",
    "min: 0.5, max: 0.1",
    "min: 0, max: 0.5",
    "min: -1, max: -0.5",
    "min: -9.2, max: -4.6",
    "min: -700, max: -1",
    "min: 0.001, max: .inf",
    "min: 0.001, max: .nan",
    "min: '0.001', max: 0.5",
    "min: true, max: 1",
    "min: 0.001, max: 0.5, q: 0.001",
    "min: 0.001, max: 0.5, q: 0",
    "min: 0.6, max: 0.9, q: 1",
    "min: -3, max: -1, q: 100",
    "min: 0.1",
    "max: 0.1",
    "",
    "mu: 0.01, sigma: 0.001",
    "mu: 0.01",
    "mu: 0.01, sigma: 0",
    "a: 2, b: 3",
    "a: 1, b: -1",
    "value: 0.1",
    "value: 0.1, values: [0.1]",
    "value: 0.1, min: 0.1, max: 0.2",
    "values: [0.1, 0.2]",
    "values: [0.1, 0.1]",
    "values: []",
    "values: 0.1",
    "values: [0.1], min: 0.1, max: 0.2",
    "values: [0.1, 0.2], probabilities: [0.5, 0.5]",
    "values: [0.1, 0.2], probabilities: [0.5, 0.4]",
    "values: [0.1, 0.2], probabilities: [-1, 2]",
    "values: [0.1, 0.2], probabilities: [x, 1]",
    "values: [0.1, 0.2], probabilities: [1]",
]
LINT_KNOWS_MORE = ("every run", "takes exponents", "draws fractions", "must be")
"""Of values that `wandb sweep` takes and agent.train refuses."""


def refusal(config: dict[str, Any]) -> str:
    """Of `wandb sweep`; empty if it takes the sweep."""
    try:
        search.validate(_validate_config_and_fill_distribution(config))
    except ValueError as problem:
        return str(problem)
    return ""


def is_of_the_schema(spec: dict[str, Any]) -> bool:
    try:
        return fill_parameter("x", spec) is not None
    except ValueError:
        return False


@pytest.mark.parametrize("method", ["random", "grid"])
@pytest.mark.parametrize("kind", [None, "unifrm", *NAMES])
def test_a_parameter_passes_if_and_only_if_wandb_sweep_takes_it(kind: str | None, method: str) -> None:
    for part in PARTS:
        spec = ", ".join(each for each in (f"distribution: {kind}" if kind else "", part) if each)
        text = f"method: {method}\nparameters: {{learning_rate: {{{spec}}}}}\n"
        config = yaml.safe_load(text)
        found = values.read(document.parse(text)[0])[1]
        errors = [each for each in found if each.severity == "error"]
        if why := refusal(config):
            assert errors, f"{text}passes, but: {why}"
        elif errors:
            said = [f"{each.message} {each.why}" for each in errors]
            assert any(word in each for each in said for word in LINT_KNOWS_MORE), (text, said)
        if not is_of_the_schema(config["parameters"]["learning_rate"]):
            assert found, f"{text}is not of W&B's schema"


def test_bounds_of_two_types_are_ambiguous_and_one_may_say_what_is_meant() -> None:
    text = "method: random\nparameters: {{learning_rate: {{{}min: 0.0001, max: 1}}}}"
    (found,) = values.read(document.parse(text.format(""))[0])[1]
    assert found.code == "P010"
    assert values.read(document.parse(text.format("distribution: uniform, "))[0])[1] == []
