"""Type of a value of a sweep, against that of the field of Config."""

import dataclasses
import difflib
import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

from agent.config import Config
from agent.lint.finding import Finding, Rule
from common.sweep_spec.distributions import is_number

FIELDS: dict[str, Any] = {each.name: each.type for each in dataclasses.fields(Config)}
"""Every setting of a run and its type."""

NONE_FIELDS = ("backbone", "weights", "augmentation")
"""Settings that can be the word none."""

RUN_ENDS = "every run with it would end at once"
NO_BOOLEAN = Rule("T001", "error", "{name} is {value}, but must be true or false", RUN_ENDS, "write true or false")
A_LIST = Rule(
    "T002",
    "error",
    "{name} is a list, but must be a single value",
    RUN_ENDS,
    "write `values: {values}` for each of them in turn",
)
BOOLEAN_TEXT = Rule(
    "T003",
    "error",
    "{name} is {value}, but must be text",
    "YAML reads off, no, on and yes as false and true",
    "put the word in quotes",
)
NULL_TEXT = Rule(
    "T004",
    "error",
    "{name} is {value}, but must be text",
    "YAML reads null and ~ as nothing",
    "write its text, or leave {name} out",
)
NULL_NONE = dataclasses.replace(NULL_TEXT, code="T005", fix="write none")
NO_TEXT = Rule(
    "T006", "error", "{name} is {value}, but must be text", "the setting is text", "put it in quotes: {quoted}"
)
EXPONENT_TEXT = Rule(
    "T007",
    "error",
    "{name} is {value}, but must be a number",
    "YAML 1.1 reads a number only with a point and a signed exponent, as in 1.0e-4",
    "write {number}",
)
QUOTED_NUMBER = dataclasses.replace(EXPONENT_TEXT, code="T008", why="quotes make text of a number")
FRACTION = Rule("T009", "error", "{name} is {value}, but must be a whole number", RUN_ENDS, "write a whole number")
WHOLE_FRACTION = dataclasses.replace(FRACTION, code="T010", fix="write {number}")
NO_NUMBER = Rule("T011", "error", "{name} is {value}, but must be a number", RUN_ENDS, "write a number, such as 0.001")


def check_type(line: int, name: str, value: Any) -> Iterator[Finding]:
    """A value that the field cannot take; `wandb agent` would write it as it stands behind `--NAME=`."""
    kind, shown = FIELDS[name], _describe(value)
    if kind is bool and not isinstance(value, bool):
        yield NO_BOOLEAN.at(line, name=name, value=shown)
    elif isinstance(value, list):
        yield A_LIST.at(line, name=name, values=as_yaml(value))
    elif kind is str and not isinstance(value, str):
        yield _text_rule(name, value).at(line, name=name, value=shown, quoted=as_yaml(str(value)))
    elif kind in (int, float) and isinstance(value, str) and _as_number(value) is not None:
        rule = EXPONENT_TEXT if "e" in value.lower() else QUOTED_NUMBER
        yield rule.at(line, name=name, value=shown, number=_number(value, kind))
    elif kind is int and isinstance(value, float) and value.is_integer():
        yield WHOLE_FRACTION.at(line, name=name, value=shown, number=int(value))
    elif kind is int and (isinstance(value, bool) or not isinstance(value, int)):
        yield FRACTION.at(line, name=name, value=shown)
    elif kind is float and not isinstance(value, float) and not is_number(value):
        yield NO_NUMBER.at(line, name=name, value=shown)


def _text_rule(name: str, value: Any) -> Rule:
    if value is None:
        return NULL_NONE if name in NONE_FIELDS else NULL_TEXT
    return BOOLEAN_TEXT if isinstance(value, bool) else NO_TEXT


def _describe(value: Any) -> str:
    if isinstance(value, str):
        return f"the text {value!r}"
    return {True: "true", False: "false", None: "null"}[value] if isinstance(value, bool | None) else str(value)


def _as_number(text: str) -> float | None:
    try:
        return float(text) if math.isfinite(float(text)) else None
    except ValueError:
        return None


def _number(text: str, kind: type) -> str:
    """The number in a form that YAML 1.1 reads as one."""
    if kind is int or not (match := re.fullmatch(r"([+-]?)(\d*)\.?(\d*)[eE]([+-]?)(\d+)", text.strip())):
        return f"{float(text):g}"
    sign, whole, fraction, exponent_sign, exponent = match.groups()
    return f"{sign}{whole or 0}.{fraction or 0}e{exponent_sign or '+'}{exponent}"


def as_yaml(value: Any) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    return f"[{', '.join(str(each) for each in value)}]" if isinstance(value, list) else str(value)


def did_you_mean(word: object, candidates: Sequence[str], others: dict[str, str] | None = None) -> str:
    """`; did you mean X?` for a word that resembles a known one; else nothing."""
    if others and str(word) in others:
        return f"; did you mean {others[str(word)]}?"
    near = difflib.get_close_matches(str(word), candidates, n=1)
    return f"; did you mean {near[0]}?" if near else ""
