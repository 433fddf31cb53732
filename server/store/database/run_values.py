"""Values of a config or a summary as the table `run_values` holds them, for filters and orders.

A number and a text are themselves. Everything else is a BLOB of JSON: `null`, `true`, `NaN`, `[1,2]`. The members of an
object have rows of their own, so its BLOB is only `{` and a digest, which tells whether two objects are equal.
"""

import hashlib
import json
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Any

Stored = int | float | str | bytes


@dataclass(frozen=True)
class Object:
    """An object, of which only the digest is known."""

    digest: str


def index_entries(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Stored]]:
    """Dotted path and stored form of every value, objects and their members both."""
    for key, value in values.items():
        path = f"{prefix}{key}"
        yield path, store(value)
        if isinstance(value, dict):
            yield from index_entries(value, f"{path}.")


def store(value: Any) -> Stored:
    if isinstance(value, dict):
        return b"{" + digest(value).encode()
    if isinstance(value, str) or (isinstance(value, int | float) and not isinstance(value, bool) and value == value):
        return value
    return json.dumps(value).encode()


def load(stored: Stored) -> Any:
    if not isinstance(stored, bytes):
        return stored
    return Object(stored[1:].decode()) if stored.startswith(b"{") else json.loads(stored)


def digest(value: dict[str, Any]) -> str:
    """A digest, equal for objects with equal members, in any order; 1 and 1.0 are equal."""
    text = json.dumps(_plain(value), sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def identity(value: Any) -> Hashable:
    """A key, equal for two values exactly if they are the same: 1 is 1.0 and not true, NaN is NaN."""
    if isinstance(value, bool) or value is None or value != value:
        return ("constant", str(value))
    if isinstance(value, dict | Object):
        return ("object", value.digest if isinstance(value, Object) else digest(value))
    return ("list", *map(identity, value)) if isinstance(value, list) else value


def rank(value: Any) -> tuple[int, Any]:
    """A sort key: the number of the value's kind, then its size."""
    if isinstance(value, list):
        return 5, [rank(item) for item in value]
    if isinstance(value, dict | Object):
        return 4, identity(value)
    if value is None or value != value:
        return (0 if value is None else 1), 0
    return {bool: 6, str: 3}.get(type(value), 2), value
