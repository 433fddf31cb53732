"""JSON as the wandb client writes and reads it.

History and summaries may hold bare `NaN`, `Infinity` and `-Infinity`. Inside JSON *strings* they pass; inside real
JSON values wandb-core's strict parser fails on them, so `strict` writes them as the strings that it understands.
"""

import itertools
import json
import math
import re
from typing import Any

MAX_NESTING = 100
MAX_VALUES = 1_000_000  # texts, and what [ { , count: a text of 3 bytes can become an object of 64
_VALUE = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[{,]', re.DOTALL)
_LONG = re.compile(r"\d{19}")


def parse(text: str, most: int = MAX_VALUES) -> Any:
    """The value of `text`; whole numbers of more than 64 bits become floats, as no database holds them.

    Raises ValueError for what is no JSON, nested more than MAX_NESTING deep, or of more than `most` values.
    """
    if _is_wide(text, most):
        raise ValueError(f"more than {most} values")
    try:
        value = json.loads(text, parse_int=_whole) if _LONG.search(text) else json.loads(text)
    except RecursionError:
        raise ValueError(f"nested more than {MAX_NESTING} deep") from None
    if text.count("[") + text.count("{") > MAX_NESTING and _is_deep(value):
        raise ValueError(f"nested more than {MAX_NESTING} deep")
    return value


def _whole(digits: str) -> int | float:
    small = len(digits) < 20 and abs(int(digits)) < 2**63
    return int(digits) if small else float(digits)


def _is_wide(text: str, most: int) -> bool:
    """What is inside of texts takes no more memory than it has bytes."""
    if sum(map(text.count, "[{,")) + text.count('"') / 2 <= most:
        return False
    return next(itertools.islice(_VALUE.finditer(text), most, None), None) is not None


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_NESTING):
        inner = [v.values() if isinstance(v, dict) else v for v in level if isinstance(v, dict | list)]
        level = [item for items in inner for item in items]
    return any(isinstance(item, dict | list) for item in level)


def loads(text: str | None, default: Any = None) -> Any:
    """The value of `text`; `default` where there is none or it is no JSON."""
    if not text:
        return default
    try:
        return parse(text)
    except ValueError:
        return default


def storable(value: Any) -> Any:
    """`value` with lone surrogates, which no UTF-8 can hold, as question marks."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {storable(key): storable(item) for key, item in value.items()}
    return [storable(item) for item in value] if isinstance(value, list) else value


def load_object(text: str | None) -> dict[str, Any]:
    value = loads(text, {})
    return value if isinstance(value, dict) else {}


def dumps(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def strict(value: Any) -> Any:
    """`value` without NaN and infinities: they become the strings "NaN", "Infinity", "-Infinity"."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {key: strict(item) for key, item in value.items()}
    if isinstance(value, list):
        return [strict(item) for item in value]
    return value


def flatten(value: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """`{"a": {"b": 1}}` → `{"a.b": 1}`. Empty objects vanish."""
    flat: dict[str, Any] = {}
    for key, item in value.items():
        path = f"{prefix}{key}"
        if isinstance(item, dict):
            flat |= flatten(item, f"{path}.")
        else:
            flat[path] = item
    return flat


def config_values(config: dict[str, Any]) -> dict[str, Any]:
    """What a person set: `{"lr": {"value": 0.1}, "_wandb": …}` → `{"lr": 0.1}`."""
    return {
        key: item.get("value") if isinstance(item, dict) and "value" in item else item
        for key, item in config.items()
        if key != "_wandb"
    }


def flatten_media(row: dict[str, Any], prefix: str = "") -> dict[str, dict[str, Any]]:
    """The media objects (those with `_type`) of a row under their dotted paths."""
    found: dict[str, dict[str, Any]] = {}
    for key, item in row.items():
        if isinstance(item, dict):
            found |= {f"{prefix}{key}": item} if "_type" in item else flatten_media(item, f"{prefix}{key}.")
    return found
