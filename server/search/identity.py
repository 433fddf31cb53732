"""Equality of two values of a configuration: by value, as JSON sees them, never by their text."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

LARGEST_EXACT_INTEGER = 2**53


def identity(value: object) -> Hashable:
    """A hashable that is equal for two values exactly if they are the same JSON value.

    A configuration that went through another JSON writer comes back with 0 for 0.0 and its keys in any order; numbers
    are therefore compared by size, objects without order. `true` is not 1. Integers beyond 2**53 are compared as the
    floats that most JSON readers make of them.
    """
    if value is None or isinstance(value, (bool, str)):
        return (type(value).__name__, value)
    if isinstance(value, (int, float)):
        return ("number", _as_read_by_json(value))
    if isinstance(value, Mapping):
        return ("object", frozenset((str(key), identity(item)) for key, item in value.items()))
    if isinstance(value, (list, tuple)):
        return ("array", tuple(identity(item) for item in value))
    raise TypeError(f"{value!r} is not a JSON value")


def _as_read_by_json(number: float) -> float | str:
    if number != number:
        return "NaN"
    if isinstance(number, int) and abs(number) > LARGEST_EXACT_INTEGER:
        try:
            return float(number)
        except OverflowError:
            return number
    return number
