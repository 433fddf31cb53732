"""One entry of `parameters:` after the other: is it a field of Config, and are its values of the field's type?"""

import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from agent.config import MODEL_FIELDS, Config, ConfigError
from agent.lint import schema, spelling
from agent.lint.document import Document
from agent.lint.finding import Finding, error, warning
from agent.lint.spelling import BOUNDS, EXPONENTS, INTERVALS, LISTS, UNBOUNDED
from agent.lint.types import FIELDS, wrong_type

TOGETHER = ("model", *MODEL_FIELDS, "batch_size", "folds")
"""Fields that are checked in combination with each other, not one by one."""

POSITIVE = ("q", "sigma", "a", "b")
GRID_KINDS = (*LISTS, "int_uniform", "q_uniform")
MOST_LISTED = 10_000
LARGEST_EXPONENT = 600


@dataclass(frozen=True)
class Parameter:
    """What a sweep does with one field.

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
    """The parameters that make sense, and what is wrong with the others."""
    parameters, findings = [], []
    for name, spec in document.mapping("parameters").items():
        found = list(spelling.check(document, name, spec))
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


def _values(document: Document, name: str, spec: Mapping[str, Any]) -> tuple[Parameter | None, list[Finding]]:
    kind = str(spelling.kind_of(spec))
    findings = list(_grid(document, name, kind, spec)) if document.value.get("method") == "grid" else []
    if kind in LISTS:
        parameter, more = _listed(document, name, kind, spec)
    else:
        parameter, more = _interval(document, name, kind, spec)
    findings += more
    if parameter and not more:
        findings += allowed(parameter)
    if not findings and schema.objects(spec):
        findings.append(
            warning(
                document.line("parameters", name),
                f"{name} is written in a way that W&B's published schema does not have",
                "the embedded server takes it; W&B's own may warn, or refuse the sweep",
                "give the distribution its own keys, numbers without quotes, and probabilities of their kind",
            )
        )
    return parameter, findings


def _grid(document: Document, name: str, kind: str, spec: Mapping[str, Any]) -> Iterator[Finding]:
    """A grid tries every value."""
    if kind in GRID_KINDS:
        return
    line = document.line("parameters", name, "distribution")
    if kind == "q_beta" or (kind.startswith("q_") and kind in INTERVALS) or _is_point(spec):
        yield warning(line, f"{name} is {kind}: only the embedded server's grid goes through that",
                      "W&B's own refuses the sweep", "list the values with `values: […]`")  # fmt: skip
        return
    yield error(
        line,
        f"{name} is {kind}, which a grid cannot go through",
        "a grid tries every value, and there is no end of values here",
        "list them with `values: […]`, or write `method: random`",
    )


def _is_point(spec: Mapping[str, Any]) -> bool:
    return "min" in spec and spec["min"] == spec.get("max")


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
    findings += spelling.chances(document, name, len(given), spec)
    return Parameter(name, kind, tuple(given), lines, finite=True, n=len(given)), findings


def _interval(
    document: Document, name: str, kind: str, spec: Mapping[str, Any]
) -> tuple[Parameter | None, list[Finding]]:
    line = document.line("parameters", name, "distribution")
    field = FIELDS[name]
    if field not in (int, float):
        return None, [error(line, f"{name} is text and cannot be {kind}", "a distribution draws numbers",
                            "list what it may be with `values: […]`")]  # fmt: skip
    numbers = {key: spec[key] for key in ("min", "max", "mu", "sigma", "a", "b", "q") if key in spec}
    if kind.startswith("q_"):
        numbers.setdefault("q", 1)
    wrong = [
        finding
        for key, value in numbers.items()
        for finding in wrong_type(document.line("parameters", name, key), name, value)
        if field is float or isinstance(value, bool) or not isinstance(value, int | float)
    ]
    wrong = wrong or [
        finding for key, value in numbers.items() for finding in _number(document, name, key, value)
    ]
    if wrong:
        return None, wrong
    if kind in UNBOUNDED:
        return None, _whole_numbers(line, name, kind, numbers) or _centre(line, name, kind, numbers)
    low, high = numbers["min"], numbers["max"]
    lines = (document.line("parameters", name, "min"), document.line("parameters", name, "max"))
    if low > high:
        return None, [error(lines[0], f"min {low:g} of {name} is above max {high:g}", "the interval is empty",
                            "exchange them")]  # fmt: skip
    if whole := _whole_numbers(line, name, kind, numbers):
        return None, whole
    if kind in EXPONENTS:
        low, high = _exponentials(kind, numbers)
        if wrong := list(_exponents(line, lines, name, kind, numbers, (low, high))):
            return None, wrong
    elif "log" in kind and low <= 0:
        return None, [error(lines[0], f"min {low:g} of {name} has no logarithm", f"{kind} needs values above 0",
                            "write a min above 0")]  # fmt: skip
    if "q" in numbers and not _multiples(low, high, numbers["q"]):
        return None, [error(line, f"no multiple of q {numbers['q']:g} lies between min and max of {name}",
                            "the sweep has nothing to take", "write a smaller q")]  # fmt: skip
    return _spread(name, kind, numbers | {"min": low, "max": high}, lines), list(
        _point(lines[0], name, numbers)
    )


def _number(document: Document, name: str, key: str, value: float) -> Iterator[Finding]:
    line, what = document.line("parameters", name, key), f"{key} of {name} is {value:g}"
    if not math.isfinite(value):
        yield error(line, what, "W&B refuses the sweep", "write a finite number")
    elif key in POSITIVE and value <= 0:
        yield error(
            line, what, "it is a width, or the step from one value to the next", "write a number above 0"
        )


def _point(line: int, name: str, numbers: Mapping[str, float]) -> Iterator[Finding]:
    if _is_point(numbers):
        yield warning(line, f"min and max of {name} are both {numbers['min']:g}",
                      "W&B's own server wants min below max", f"write `value: {numbers['min']:g}`")  # fmt: skip


def _centre(line: int, name: str, kind: str, numbers: Mapping[str, float]) -> list[Finding]:
    """Is what a normal distribution draws most often allowed?"""
    if "normal" not in kind:
        return []
    mu = numbers.get("mu", 0)
    centre = math.exp(min(mu, LARGEST_EXPONENT)) if "log" in kind else mu
    return allowed(Parameter(name, kind, (centre,), (line,), finite=False))


def _multiples(low: float, high: float, q: float) -> range:
    """Of q, between low and high, with room for the last digit of a fraction."""
    return range(math.ceil(low / q - 1e-9), math.floor(high / q + 1e-9) + 1)


def _exponentials(kind: str, numbers: Mapping[str, float]) -> tuple[float, float]:
    """`log_uniform` draws e^x with x between min and max."""
    sign = -1 if kind.startswith("inv") else 1
    low, high = sorted(sign * max(-LARGEST_EXPONENT, min(LARGEST_EXPONENT, numbers[key])) for key in BOUNDS)
    return math.exp(low), math.exp(high)


def _exponents(
    line: int,
    lines: tuple[int, int],
    name: str,
    kind: str,
    numbers: Mapping[str, float],
    ends: tuple[float, float],
) -> Iterator[Finding]:
    """Bounds that must have been meant as values."""
    too_large = max(map(abs, numbers.values())) > LARGEST_EXPONENT
    if too_large or _refusals(Parameter(name, kind, ends, lines, finite=False)):
        yield error(
            line,
            f"{name} is {kind}, which takes exponents: it would draw from {ends[0]:.6g} to {ends[1]:.6g}",
            f"min and max here, {numbers['min']:g} and {numbers['max']:g}, are meant as values",
            f"write `distribution: {kind}_values`",
        )


def _whole_numbers(line: int, name: str, kind: str, numbers: Mapping[str, float]) -> list[Finding]:
    """Only these distributions draw whole numbers: int_uniform, and q_… between whole numbers."""
    if kind == "int_uniform" and not all(float(value).is_integer() for value in numbers.values()):
        return [error(line, f"{name} is int_uniform, but its ends are not whole numbers", "W&B refuses the sweep",
                      "write whole numbers, or `distribution: uniform`")]  # fmt: skip
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
    if kind != "int_uniform" and "q" not in numbers:
        return Parameter(name, kind, (low, high), lines, finite=False)
    step = numbers.get("q", 1)
    multiples = _multiples(low, high, step)
    if len(multiples) > MOST_LISTED:
        return Parameter(name, kind, (low, high), lines, finite=False, n=len(multiples))
    values = tuple(int(k) if kind == "int_uniform" else k * step for k in multiples)
    return Parameter(name, kind, values, (lines[0],) * len(values), finite=True, n=len(values))


def _refusals(parameter: Parameter) -> list[tuple[int, str]]:
    """Line and sentence for each value that Config refuses, whatever the other settings are."""
    refused = []
    for value, line in zip(parameter.values, parameter.lines, strict=True):
        try:
            Config(**{parameter.name: value})
        except ConfigError as problem:
            refused.append((line, str(problem)))
    return refused


def allowed(parameter: Parameter) -> list[Finding]:
    """Values that Config refuses, where they do not depend on other settings."""
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
