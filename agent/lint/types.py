"""Is a value of a sweep of the type that the field of Config has?"""

import dataclasses
import difflib
import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

from agent.config import Config
from agent.lint.finding import Finding, error

FIELDS: dict[str, Any] = {each.name: each.type for each in dataclasses.fields(Config)}
"""Every setting of a run and its type."""

NONE = ("backbone", "weights", "augmentation")
"""Settings that can be the word none."""


def wrong_type(line: int, name: str, value: Any) -> Iterator[Finding]:
    """A value that the field cannot take; `wandb agent` would write it as it stands behind `--NAME=`."""
    kind = FIELDS[name]
    what = f"{name} is {_shown(value)}"
    refused = "every run with it would end at once"
    if kind is bool and not isinstance(value, bool):
        yield error(line, f"{what}, but must be true or false", refused, "write true or false")
    elif isinstance(value, list):
        yield error(line, f"{name} is a list, but must be a single value", refused,
                    f"write `values: {as_yaml(value)}` for each of them in turn")  # fmt: skip
    elif kind is str and not isinstance(value, str):
        why = {
            bool: "YAML reads off, no, on and yes as false and true",
            type(None): "YAML reads null and ~ as nothing",
        }
        yield error(
            line, f"{what}, but must be text", why.get(type(value), "the setting is text"),
            _text_fix(name, value),
        )  # fmt: skip
    elif kind in (int, float) and isinstance(value, str) and _as_number(value) is not None:
        trap = "YAML 1.1 reads a number only with a point and a signed exponent, as in 1.0e-4"
        quoted = "quotes make text of a number"
        yield error(
            line, f"{what}, but must be a number", trap if "e" in value.lower() else quoted,
            f"write {_number(value, kind)}",
        )  # fmt: skip
    elif kind is int and (isinstance(value, bool) or not isinstance(value, int)):
        whole = isinstance(value, float) and value.is_integer()
        yield error(
            line, f"{what}, but must be a whole number", refused,
            f"write {int(value)}" if whole else "write a whole number",
        )  # fmt: skip
    elif kind is float and (isinstance(value, bool) or not isinstance(value, int | float)):
        yield error(line, f"{what}, but must be a number", refused, "write a number, such as 0.001")


def _text_fix(name: str, value: Any) -> str:
    if value is None:
        return "write none" if name in NONE else f"write its text, or leave {name} out"
    return "put the word in quotes" if isinstance(value, bool) else f"put it in quotes: {as_yaml(str(value))}"


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return f"the text {value!r}"
    return (
        {True: "true", False: "false", None: "null"}[value] if isinstance(value, bool | None) else str(value)
    )


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


def nearest(word: object, known: Sequence[str], others: dict[str, str] | None = None) -> str:
    """`; did you mean X?` for a word that resembles a known one; else nothing."""
    if others and str(word) in others:
        return f"; did you mean {others[str(word)]}?"
    near = difflib.get_close_matches(str(word), known, n=1)
    return f"; did you mean {near[0]}?" if near else ""
