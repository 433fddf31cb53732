"""Entries of `parameters:` one by one: whether each is a field of Config, and its values have the field's type."""

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from agent.config import MAX_IMAGE_SIZE, MODEL_FIELDS, Config, ConfigError
from agent.lint.document import Document
from agent.lint.finding import Finding, Rule
from agent.lint.parameters import schema, specification
from agent.lint.parameters.types import FIELDS, check_type
from common.sweep_spec import distributions as grammar
from common.sweep_spec.distributions import (
    DEFAULTS,
    LARGEST_EXPONENT,
    LISTS,
    POSITIVE,
    has_exponents,
    is_interval,
    is_logarithmic,
    is_number,
    kind_of,
    limits,
    multiples,
)

TOGETHER = ("model", *MODEL_FIELDS, "batch_size", "folds")
"""Fields that are checked in combination with each other, not one by one."""

GRID_KINDS = (*LISTS, "int_uniform", "q_uniform")
MAX_LISTED = 10_000

IDLE_PATIENCE = Rule(
    "P032",
    "warning",
    "patience {patience} ends no run",
    "runs have {most} epochs at most",
    "write a smaller patience, or 0",
)
NO_PARAMETERS = Rule(
    "P014",
    "error",
    "parameters is missing or empty",
    "the sweep has nothing to vary",
    "add `parameters:` and below it a field with its values",
)
NOT_OF_THE_SCHEMA = Rule(
    "P015",
    "warning",
    "{name} is written in a way that W&B's published schema does not have",
    "the embedded server takes it; W&B's own may warn, or refuse the sweep",
    "give the distribution its own keys, numbers without quotes, and probabilities of their kind",
)
ONLY_EMBEDDED_GRID = Rule(
    "P016",
    "warning",
    "{name} is {kind}: only the embedded server's grid goes through that",
    "W&B's own refuses the sweep",
    "list the values with `values: […]`",
)
NO_GRID = Rule(
    "P017",
    "error",
    "{name} is {kind}, which a grid cannot go through",
    "a grid tries every value, and there is no end of values here",
    "list them with `values: […]`, or write `method: random`",
)
NO_LIST = Rule(
    "P018",
    "error",
    "values of {name} is {given!r}, not a list of values",
    "the sweep has nothing to take",
    "write [first, second]",
)
REPEATED_VALUE = Rule(
    "P019", "warning", "{name} lists a value twice", "a grid may train it twice", "list each value once"
)
TEXT_DRAWN = Rule(
    "P020",
    "error",
    "{name} is text and cannot be {kind}",
    "a distribution draws numbers",
    "list its values with `values: […]`",
)
EMPTY_INTERVAL = Rule(
    "P021", "error", "min {low:g} of {name} is above max {high:g}", "the interval is empty", "exchange them"
)
NO_LOGARITHM = Rule(
    "P022", "error", "min {low:g} of {name} has no logarithm", "{kind} needs values above 0", "write a min above 0"
)
NO_MULTIPLE = Rule(
    "P023",
    "error",
    "no multiple of q {q:g} lies between min and max of {name}",
    "the sweep has nothing to take",
    "write a smaller q",
)
NOT_FINITE = Rule("P024", "error", "{key} of {name} is {value:g}", "W&B refuses the sweep", "write a finite number")
NOT_POSITIVE = Rule(
    "P025",
    "error",
    "{key} of {name} is {value:g}",
    "it is a width, or the step from one value to the next",
    "write a number above 0",
)
A_POINT = Rule(
    "P026",
    "warning",
    "min and max of {name} are both {value:g}",
    "W&B's own server wants min below max",
    "write `value: {value:g}`",
)
VALUES_AS_EXPONENTS = Rule(
    "P027",
    "error",
    "{name} is {kind}, which takes exponents: it would draw from {least:.6g} to {most:.6g}",
    "min and max here, {low:g} and {high:g}, are meant as values",
    "write `distribution: {kind}_values`",
)
FRACTIONAL_ENDS = Rule(
    "P028",
    "error",
    "{name} is int_uniform, but its ends are not whole numbers",
    "W&B refuses the sweep",
    "write whole numbers, or `distribution: uniform`",
)
DRAWS_FRACTIONS = Rule(
    "P029",
    "error",
    "{name} is {kind}, which draws fractions, but must be a whole number",
    "every run would end at once",
    "write `distribution: int_uniform`, or list the numbers with `values: […]`",
)
REFUSED_VALUE = Rule(
    "P030",
    "error",
    "{what_the_setting_must_be}",
    "every run with it would end at once",
    "write a value that it allows; `python -m agent.train --help` lists them",
)
REFUSED_VALUES = replace(
    REFUSED_VALUE, message="{what_the_setting_must_be} (and {more} more of its values are refused)"
)
REFUSED_SIDE = replace(REFUSED_VALUE, code="P031", fix="write {side}")
REFUSED_SIDES = replace(REFUSED_VALUES, code="P031", fix="write {side}, or `distribution: q_uniform` with `q: 16`")
TINY_STEP = Rule(
    "P033",
    "error",
    "q {q:g} of {name} is too small a step",
    "there are more multiples of it between min and max than a float can count",
    "write a larger q",
)


@dataclass(frozen=True)
class Parameter:
    """One field in a sweep: its values or its interval.

    `values` are all the values it can take, each with its line, or the two ends of an interval that is not `finite`; a
    grid goes through `n`.
    """

    name: str
    kind: str
    values: tuple[Any, ...]
    lines: tuple[int, ...]
    finite: bool
    n: int = 1

    def draw(self, rng: random.Random) -> Any:
        """One value, as a random search would take it; intervals are taken as uniform."""
        if self.finite:
            return rng.choice(self.values)
        return rng.uniform(*self.values)


def read(document: Document) -> tuple[list[Parameter], list[Finding]]:
    """The parameters that make sense, and the faults of the others."""
    parameters, findings = [], []
    for name, spec in document.mapping("parameters").items():
        faults = list(specification.check(document, name, spec))
        parameter = None
        if not faults:
            parameter, faults = _read_parameter(document, name, spec)
        if parameter and not any(each.severity == "error" for each in faults):
            parameters.append(parameter)
        findings += faults
    if not document.mapping("parameters") and not document.value.get("scheduler"):
        findings.append(NO_PARAMETERS.at(document.line("parameters")))
    return parameters, findings


def _read_parameter(document: Document, name: str, spec: Mapping[str, Any]) -> tuple[Parameter | None, list[Finding]]:
    kind = str(kind_of(spec))
    findings = list(_check_grid(document, name, kind, spec)) if document.value.get("method") == "grid" else []
    read_kind = _read_list if kind in LISTS else _read_interval
    parameter, more = read_kind(document, name, kind, spec)
    findings += more
    if parameter and not more:
        findings += check_values(parameter)
    if not findings and schema.is_invalid(spec):
        findings.append(NOT_OF_THE_SCHEMA.at(document.line("parameters", name), name=name))
    return parameter, findings


def _check_grid(document: Document, name: str, kind: str, spec: Mapping[str, Any]) -> Iterator[Finding]:
    """A grid tries every value."""
    if kind in GRID_KINDS:
        return
    line = document.line("parameters", name, "distribution")
    embedded = kind == "q_beta" or (kind.startswith("q_") and is_interval(kind)) or _is_point(spec)
    yield (ONLY_EMBEDDED_GRID if embedded else NO_GRID).at(line, name=name, kind=kind)


def _is_point(spec: Mapping[str, Any]) -> bool:
    return "min" in spec and spec["min"] == spec.get("max")


def _read_list(
    document: Document, name: str, kind: str, spec: Mapping[str, Any]
) -> tuple[Parameter | None, list[Finding]]:
    place = ("parameters", name, LISTS[kind])
    entries = [spec["value"]] if kind == "constant" else spec["values"]
    if not isinstance(entries, list) or not entries:
        return None, [NO_LIST.at(document.line(*place), name=name, given=entries)]
    lines = tuple(document.line(*place, index) for index in range(len(entries)))
    findings = [
        finding for value, line in zip(entries, lines, strict=True) for finding in check_type(line, name, value)
    ]
    if len({repr(value) for value in entries}) < len(entries):
        findings.append(REPEATED_VALUE.at(lines[0], name=name))
    findings += specification.check_probabilities(document, name, len(entries), spec)
    return Parameter(name, kind, tuple(entries), lines, finite=True, n=len(entries)), findings


def _read_interval(
    document: Document, name: str, kind: str, spec: Mapping[str, Any]
) -> tuple[Parameter | None, list[Finding]]:
    line = document.line("parameters", name, "distribution")
    if FIELDS[name] not in (int, float):
        return None, [TEXT_DRAWN.at(line, name=name, kind=kind)]
    numbers = {key: spec[key] for key in grammar.keys(kind) if key in spec}
    if kind.startswith("q_"):
        numbers.setdefault("q", DEFAULTS["q"])
    if wrong := _check_numbers(document, name, numbers):
        return None, wrong
    if not is_interval(kind):
        return None, _check_whole_numbers(line, name, kind, numbers) or _check_centre(line, name, kind, numbers)
    lines = (document.line("parameters", name, "min"), document.line("parameters", name, "max"))
    if wrong := list(_check_bounds(line, lines, name, kind, numbers)):
        return None, wrong
    low, high = limits(kind, numbers["min"], numbers["max"])
    parameter = _interval_parameter(name, kind, numbers | {"min": low, "max": high}, lines)
    is_point = _is_point(numbers)
    return parameter, [A_POINT.at(lines[0], name=name, value=numbers["min"])] if is_point else []


def _check_numbers(document: Document, name: str, numbers: Mapping[str, Any]) -> list[Finding]:
    """Faults of numbers by type; a fraction is no value of a whole number's field, but may bound its distribution."""
    field, place = FIELDS[name], ("parameters", name)
    wrong = [
        finding
        for key, value in numbers.items()
        for finding in check_type(document.line(*place, key), name, value)
        if field is float or isinstance(value, bool) or not isinstance(value, int | float)
    ]
    return wrong or [
        rule.at(document.line(*place, key), name=name, key=key, value=float(str(value)))
        for key, value in numbers.items()
        for rule, holds in [
            (NOT_FINITE, not is_number(value)),
            (NOT_POSITIVE, is_number(value) and key in POSITIVE and value <= 0),
        ]
        if holds
    ]


def _check_bounds(
    line: int, lines: tuple[int, int], name: str, kind: str, numbers: Mapping[str, float]
) -> Iterator[Finding]:
    """The first thing that is wrong with `min` and `max`."""
    low, high = numbers["min"], numbers["max"]
    least, most = limits(kind, low, high)
    if low > high:
        yield EMPTY_INTERVAL.at(lines[0], name=name, low=low, high=high)
    elif whole := _check_whole_numbers(line, name, kind, numbers):
        yield from whole
    elif has_exponents(kind) and (
        max(map(abs, numbers.values())) > LARGEST_EXPONENT
        or _refusals(Parameter(name, kind, (least, most), lines, finite=False))
    ):
        yield VALUES_AS_EXPONENTS.at(line, name=name, kind=kind, least=least, most=most, low=low, high=high)
    elif is_logarithmic(kind) and least <= 0:
        yield NO_LOGARITHM.at(lines[0], name=name, kind=kind, low=low)
    elif "q" in numbers and not math.isfinite(max(-least, most) / numbers["q"]):
        yield TINY_STEP.at(line, name=name, q=numbers["q"])
    elif "q" in numbers and not _multiples(least, most, numbers["q"]):
        yield NO_MULTIPLE.at(line, name=name, q=numbers["q"])


def _check_centre(line: int, name: str, kind: str, numbers: Mapping[str, float]) -> list[Finding]:
    """Findings on a centre of a normal distribution that the field does not allow."""
    if "normal" not in kind:
        return []
    mu = numbers.get("mu", DEFAULTS["mu"])
    centre = math.exp(min(mu, LARGEST_EXPONENT)) if is_logarithmic(kind) else mu
    return check_values(Parameter(name, kind, (centre,), (line,), finite=False))


def _multiples(low: float, high: float, q: float) -> range:
    first, last = multiples(low, high, q)
    assert first is not None
    assert last is not None
    return range(first, last + 1)


def _check_whole_numbers(line: int, name: str, kind: str, numbers: Mapping[str, float]) -> list[Finding]:
    """Findings on draws of fractions; only int_uniform, and q_… between whole numbers, draw whole numbers."""
    if kind == "int_uniform" and not all(float(value).is_integer() for value in numbers.values()):
        return [FRACTIONAL_ENDS.at(line, name=name)]
    steps = kind.startswith("q_") and all(isinstance(value, int) for value in numbers.values())
    if FIELDS[name] is not int or kind == "int_uniform" or steps:
        return []
    return [DRAWS_FRACTIONS.at(line, name=name, kind=kind)]


def _interval_parameter(name: str, kind: str, numbers: Mapping[str, float], lines: tuple[int, int]) -> Parameter:
    low, high = numbers["min"], numbers["max"]
    if kind != "int_uniform" and "q" not in numbers:
        return Parameter(name, kind, (low, high), lines, finite=False)
    step = numbers.get("q", 1)
    within = _multiples(low, high, step)
    n = within.stop - within.start  # len() refuses more than 2⁶³
    if n > MAX_LISTED:
        return Parameter(name, kind, (low, high), lines, finite=False, n=n)
    values = tuple(int(k) if kind == "int_uniform" else k * step for k in within)
    return Parameter(name, kind, values, (lines[0],) * len(values), finite=True, n=n)


def _refusals(parameter: Parameter) -> list[tuple[int, str]]:
    """Line and sentence for each value that Config refuses, whatever the other settings are."""
    refused = []
    for value, line in zip(parameter.values, parameter.lines, strict=True):
        try:
            Config(**{parameter.name: value})
        except ConfigError as problem:
            refused.append((line, str(problem)))
    return refused


def check_values(parameter: Parameter) -> list[Finding]:
    """Findings on values that Config refuses whatever the other settings are."""
    if parameter.name in TOGETHER or not (refused := _refusals(parameter)):
        return []
    line, sentence = refused[0]
    values = {"what_the_setting_must_be": sentence, "more": len(refused) - 1}
    if parameter.name != "image_size":
        return [(REFUSED_VALUES if values["more"] else REFUSED_VALUE).at(line, **values)]
    asked = float(sentence.split()[2].rstrip(","))
    side = round(min(max(32, asked), MAX_IMAGE_SIZE) / 16) * 16
    return [(REFUSED_SIDES if values["more"] else REFUSED_SIDE).at(line, **values, side=side)]


def check_patience(parameters: Sequence[Parameter], epochs: Sequence[int]) -> list[Finding]:
    """Findings on a patience that no run is long enough for."""
    most = max(epochs, default=0)
    waits = (
        (line, value)
        for each in parameters
        if each.name == "patience"
        for value, line in zip(each.values, each.lines, strict=True)
    )
    return [IDLE_PATIENCE.at(line, patience=value, most=most) for line, value in waits if 0 < most <= value][:1]
