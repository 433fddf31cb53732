"""One entry of `parameters:` after the other: is it a field of Config, and are its values of the field's type?"""

import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from agent.config import MODEL_FIELDS, Config, ConfigError
from agent.lint.document import Document
from agent.lint.finding import Finding, error, warning
from agent.lint.sections import nearest
from agent.lint.types import FIELDS, as_yaml, wrong_type

OTHER_NAMES = {
    "lr": "learning_rate",
    "batch": "batch_size",
    "bs": "batch_size",
    "encoder": "backbone",
    "encoder_name": "backbone",
    "encoder_weights": "weights",
    "pretrained": "weights",
    "arch": "architecture",
    "size": "image_size",
    "img_size": "image_size",
    "resolution": "image_size",
    "aug": "augmentation",
    "n_epochs": "epochs",
    "num_epochs": "epochs",
    "random_state": "seed",
}
TOGETHER = ("model", *MODEL_FIELDS, "batch_size")
"""Fields that are checked in combination with each other, not one by one."""

BOUNDS = ("min", "max")
LISTS = {"constant": ("value",), "categorical": ("values",), "categorical_w_probabilities": ("values",)}
EXPONENTS = ("log_uniform", "q_log_uniform", "inv_log_uniform")
INTERVALS = ("int_uniform", "uniform", "q_uniform", "log_uniform_values", "q_log_uniform_values",
             "inv_log_uniform_values", *EXPONENTS)  # fmt: skip
UNBOUNDED = {"normal": ("mu", "sigma"), "q_normal": ("mu", "sigma"), "log_normal": ("mu", "sigma"),
             "q_log_normal": ("mu", "sigma"), "beta": ("a", "b"), "q_beta": ("a", "b")}  # fmt: skip
KINDS = (*LISTS, *INTERVALS, *UNBOUNDED)
KEYS = ("value", "values", "min", "max", "distribution", "probabilities", "q", "mu", "sigma", "a", "b")
GRID_KINDS = (*LISTS, "int_uniform", "q_uniform")
MOST_LISTED = 10_000


@dataclass(frozen=True)
class Parameter:
    """What a sweep does with one field.

    `values` are all the values it can take, each with its line, or the two ends of an interval that is not `finite`.
    """

    name: str
    kind: str
    values: tuple[Any, ...]
    lines: tuple[int, ...]
    finite: bool

    def draw(self, rng: random.Random) -> Any:
        """One value, as a random search would take it; intervals are taken as uniform."""
        if self.finite:
            return rng.choice(self.values)
        return rng.uniform(*self.values)


def read(document: Document) -> tuple[list[Parameter], list[Finding]]:
    """The parameters that make sense, and what is wrong with the others."""
    parameters, findings = [], []
    for name, spec in document.mapping("parameters").items():
        found = list(_place(document, name, spec))
        parameter = None
        if not found:
            parameter, found = _values(document, name, spec)
        if parameter and not any(each.level == "error" for each in found):
            parameters.append(parameter)
        findings += found
    if not document.mapping("parameters") and not document.value.get("scheduler"):
        findings.append(
            error(
                document.line("parameters"),
                "parameters is missing or empty",
                "the sweep has nothing to vary",
                "add `parameters:` and below it a field with its values",
            )
        )
    return parameters, findings


def _place(document: Document, name: str, spec: Any) -> Iterator[Finding]:
    """Is it a field, and a specification of values?"""
    line = document.line("parameters", name)
    if name not in FIELDS:
        yield error(
            line,
            f"{name} is no setting of agent.train{nearest(name, list(FIELDS), OTHER_NAMES)}",
            "every run would end at once with `unknown setting`",
            f"the settings are {', '.join(FIELDS)}",
        )
    elif not isinstance(spec, dict):
        word = "values" if isinstance(spec, list) else "value"
        yield error(
            line,
            f"{name} is {spec!r}, not a specification",
            "W&B refuses the sweep",
            f"write `{name}: {{{word}: {as_yaml(spec)}}}`",
        )
    else:
        yield from _keys(document, name, spec)


def _keys(document: Document, name: str, spec: Mapping[str, Any]) -> Iterator[Finding]:
    for key in spec:
        if key not in KEYS:
            nested = "; no setting of agent.train has settings inside" if key == "parameters" else ""
            yield error(
                document.line("parameters", name, key),
                f"{name} has a key {key}, which no parameter has{nearest(key, KEYS)}{nested}",
                "W&B refuses it or passes over it",
                f"use {', '.join(KEYS)}",
            )
    kind = spec.get("distribution", _implied(spec))
    line = document.line("parameters", name, "distribution")
    if kind is None:
        yield error(line, f"{name} has no values", "nothing says which values it takes",
                    "give it value, values, or min and max")  # fmt: skip
    elif kind not in KINDS:
        yield error(
            line, f"{name} has no distribution {kind!r}{nearest(kind, KINDS)}", "W&B refuses the sweep",
            f"write one of {', '.join(KINDS)}",
        )  # fmt: skip
    else:
        needed = LISTS.get(kind) or UNBOUNDED.get(kind) or BOUNDS
        for key in needed:
            if key not in spec:
                yield error(
                    line, f"{name} is {kind} and has no {key}", "the distribution needs it", f"add {key}"
                )
    if "value" in spec and "values" in spec:
        yield error(
            line, f"{name} has value and values", "only one of them can count", "keep values, or value"
        )


def _implied(spec: Mapping[str, Any]) -> str | None:
    """W&B's rule where no distribution is named."""
    if "value" in spec:
        return "constant"
    if "values" in spec:
        return "categorical"
    if "min" in spec and "max" in spec:
        whole = all(isinstance(spec[key], int) and not isinstance(spec[key], bool) for key in BOUNDS)
        return "int_uniform" if whole else "uniform"
    return None


def _values(document: Document, name: str, spec: Mapping[str, Any]) -> tuple[Parameter | None, list[Finding]]:
    kind = str(spec.get("distribution", _implied(spec)))
    findings: list[Finding] = []
    method, line = document.value.get("method"), document.line("parameters", name, "distribution")
    if method == "grid" and kind not in GRID_KINDS:
        findings.append(
            error(
                line,
                f"{name} is {kind}, which a grid cannot go through",
                "a grid tries every value, and there is no end of values here",
                "list them with `values: […]`, or write `method: random`",
            )
        )
    if kind in LISTS:
        parameter, more = _listed(document, name, kind, spec)
    else:
        parameter, more = _interval(document, name, kind, spec)
    findings += more
    if parameter and not more:
        findings += _allowed(parameter)
    return parameter, findings


def _listed(
    document: Document, name: str, kind: str, spec: Mapping[str, Any]
) -> tuple[Parameter | None, list[Finding]]:
    place = ("parameters", name, LISTS[kind][0])
    given = [spec["value"]] if kind == "constant" else spec["values"]
    if not isinstance(given, list) or not given:
        what = f"values of {name} is {given!r}, not a list of values"
        return None, [
            error(document.line(*place), what, "the sweep has nothing to take", "write [first, second]")
        ]
    lines = tuple(document.line(*place, index) for index in range(len(given)))
    findings = [
        finding for value, line in zip(given, lines, strict=True) for finding in wrong_type(line, name, value)
    ]
    if len({repr(value) for value in given}) < len(given):
        findings.append(
            warning(
                lines[0], f"{name} lists a value twice", "a grid may train it twice", "list each value once"
            )
        )
    chances = spec.get("probabilities")
    if chances is not None and (not isinstance(chances, list) or len(chances) != len(given)):
        findings.append(
            error(
                document.line("parameters", name, "probabilities"),
                f"{name} has {len(given)} values and not as many probabilities",
                "W&B refuses the sweep",
                "give one probability for each value",
            )
        )
    return Parameter(name, kind, tuple(given), lines, finite=True), findings


def _interval(
    document: Document, name: str, kind: str, spec: Mapping[str, Any]
) -> tuple[Parameter | None, list[Finding]]:
    line = document.line("parameters", name, "distribution")
    field = FIELDS[name]
    if field not in (int, float):
        return None, [error(line, f"{name} is text and cannot be {kind}", "a distribution draws numbers",
                            "list what it may be with `values: […]`")]  # fmt: skip
    numbers = {key: spec[key] for key in ("min", "max", "mu", "sigma", "a", "b", "q") if key in spec}
    wrong = [
        finding
        for key, value in numbers.items()
        for finding in wrong_type(document.line("parameters", name, key), name, value)
        if field is float or isinstance(value, bool) or not isinstance(value, int | float)
    ]
    if "q" in numbers and not wrong and numbers["q"] <= 0:
        wrong = [error(document.line("parameters", name, "q"), f"q of {name} is {numbers['q']:g}",
                       "it is the step from one value to the next", "write a number above 0")]  # fmt: skip
    if wrong:
        return None, wrong
    if kind in UNBOUNDED:
        return None, _whole_numbers(line, name, kind, numbers)
    low, high = numbers["min"], numbers["max"]
    lines = (document.line("parameters", name, "min"), document.line("parameters", name, "max"))
    if low > high:
        return None, [error(lines[0], f"min {low:g} of {name} is above max {high:g}", "the interval is empty",
                            "exchange them")]  # fmt: skip
    if whole := _whole_numbers(line, name, kind, numbers):
        return None, whole
    if kind in EXPONENTS:
        return _exponents(line, lines, name, kind, numbers)
    if "log" in kind and low <= 0:
        return None, [error(lines[0], f"min {low:g} of {name} has no logarithm", f"{kind} needs values above 0",
                            "write a min above 0")]  # fmt: skip
    return _spread(name, kind, numbers, lines), []


def _exponents(
    line: int, lines: tuple[int, int], name: str, kind: str, numbers: Mapping[str, float]
) -> tuple[Parameter | None, list[Finding]]:
    """`log_uniform` draws e^x with x between min and max."""
    sign = -1 if kind.startswith("inv") else 1
    try:
        ends = sorted(math.exp(sign * numbers[key]) for key in BOUNDS)
    except OverflowError:
        ends = [0.0, math.inf]
    parameter = Parameter(name, kind, tuple(ends), lines, finite=False)
    if _refusals(parameter):
        return None, [
            error(
                line,
                f"{name} is {kind}, which takes exponents: it would draw from {ends[0]:.6g} to {ends[1]:.6g}",
                f"min and max here, {numbers['min']:g} and {numbers['max']:g}, are meant as values",
                f"write `distribution: {kind}_values`",
            )
        ]
    return parameter, []


def _whole_numbers(line: int, name: str, kind: str, numbers: Mapping[str, float]) -> list[Finding]:
    """Only these distributions draw whole numbers: int_uniform, and q_… between whole numbers."""
    steps = kind.startswith("q_") and all(isinstance(value, int) for value in numbers.values())
    if FIELDS[name] is not int or kind == "int_uniform" or steps:
        return []
    return [
        error(
            line,
            f"{name} is {kind}, which draws fractions, but must be a whole number",
            "every run would end at once",
            "write `distribution: int_uniform`, or list the numbers with `values: […]`",
        )
    ]


def _spread(name: str, kind: str, numbers: Mapping[str, float], lines: tuple[int, int]) -> Parameter:
    low, high = numbers["min"], numbers["max"]
    step = numbers.get("q", 1)
    finite = kind in ("int_uniform", "q_uniform") and step > 0 and (high - low) / step < MOST_LISTED
    if not finite:
        return Parameter(name, kind, (low, high), lines, finite=False)
    if kind == "int_uniform":
        values: list[float] = list(range(int(low), int(high) + 1))
    else:
        values = [k * step for k in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]
    return Parameter(name, kind, tuple(values), (lines[0],) * len(values), finite=True)


def _refusals(parameter: Parameter) -> list[tuple[int, str]]:
    """Line and sentence for each value that Config refuses, whatever the other settings are."""
    refused = []
    for value, line in zip(parameter.values, parameter.lines, strict=True):
        try:
            Config(**{parameter.name: value})
        except ConfigError as problem:
            refused.append((line, str(problem)))
    return refused


def _allowed(parameter: Parameter) -> list[Finding]:
    if parameter.name in TOGETHER:
        return []
    refused = _refusals(parameter)
    if not refused:
        return []
    line, sentence = refused[0]
    more = f" (and {len(refused) - 1} more of its values are refused)" if len(refused) > 1 else ""
    fix = "write a value that it allows; `python -m agent.train --help` lists them"
    if parameter.name == "image_size":
        size = max(32, round(float(sentence.split()[2].rstrip(",")) / 16) * 16)
        fix = f"write {size}" + (", or `distribution: q_uniform` with `q: 16`" if len(refused) > 2 else "")
    return [error(line, sentence + more, "every run with it would end at once", fix)]
