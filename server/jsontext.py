"""JSON as the wandb client writes and reads it.

History and summaries may hold bare `NaN`, `Infinity` and `-Infinity`. Inside JSON *strings* they pass; inside real
JSON values wandb-core's strict parser fails on them, so `strict` writes them as the strings that it understands.
"""

import itertools
import json
import math
import re
from typing import Any

import re2

MAX_NESTING = 100
MAX_VALUES = 1_000_000  # texts, and signs [ { , : a text of 3 bytes can become an object of 64
_VALUE = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[{,]', re.DOTALL)
_LONG = re2.compile(r"(?:^|[^\d.])\d{19}")  # a whole number, not the digits behind a decimal point
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_LONE = re.compile("[\ud800-\udfff]")


def parse(text: str, most: int = MAX_VALUES) -> Any:
    """The value of `text`; whole numbers of more than 64 bits become floats, as no database holds them.

    Half a surrogate pair, which no UTF-8 holds, becomes U+FFFD.
    Raises ValueError for text that is no JSON, is nested more than MAX_NESTING deep, or has more than `most` values.
    """
    if _is_wide(text, most):
        raise ValueError(f"more than {most} values")
    try:
        value = _read(text)
    except RecursionError:
        raise ValueError(f"nested more than {MAX_NESTING} deep") from None
    if text.count("[") + text.count("{") > MAX_NESTING and _is_deep(value):
        raise ValueError(f"nested more than {MAX_NESTING} deep")
    return replace_surrogates(value) if _SURROGATE.search(text) else value


def _read(text: str) -> Any:
    return json.loads(text, parse_int=_whole) if _has_long(text) else json.loads(text)


def _has_long(text: str) -> bool:
    try:
        return _LONG.search(text) is not None
    except UnicodeEncodeError:  # a lone surrogate
        return True


def _whole(digits: str) -> int | float:
    small = len(digits) < 20 and abs(int(digits)) < 2**63
    return int(digits) if small else float(digits)


def _is_wide(text: str, most: int) -> bool:
    """Whether a document has more than `most` values; those inside of its texts take no more memory than bytes."""
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
    """The value of `text`; `default` for None or text that is no JSON."""
    if not text:
        return default
    try:
        return parse(text)
    except ValueError:
        return default


def replace_surrogates(value: Any) -> Any:
    """`value` with lone surrogates, which no UTF-8 can hold, as U+FFFD."""
    if isinstance(value, str):
        return _LONE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {replace_surrogates(key): replace_surrogates(item) for key, item in value.items()}
    return [replace_surrogates(item) for item in value] if isinstance(value, list) else value


def load_object(text: str | None) -> dict[str, Any]:
    value = loads(text, {})
    return value if isinstance(value, dict) else {}


def load_objects(texts: list[str]) -> list[dict[str, Any]]:
    """`load_object` of each, in a fraction of the time."""
    joined = f"[{','.join(texts)}]"
    if joined.count("[") + joined.count("{") <= len(texts) + MAX_NESTING or not any(
        text.count("[") + text.count("{") > MAX_NESTING for text in texts
    ):
        try:
            found = _read(joined)
        except ValueError:
            found = []
        if len(found) == len(texts) and all(isinstance(value, dict) for value in found):
            return (
                [replace_surrogates(row) for row in found] if "\\u" in joined and _SURROGATE.search(joined) else found
            )
    return [load_object(text) for text in texts]


def as_object(value: Any) -> dict[str, Any]:
    """`value` if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def as_number(value: Any) -> float | None:
    """A finite number; None for anything else."""
    return value if type(value) in (int, float) and math.isfinite(value) else None


def dumps(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def to_strict_json(value: Any) -> Any:
    """`value` without NaN and infinities: they become the strings "NaN", "Infinity", "-Infinity"."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {key: to_strict_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [to_strict_json(item) for item in value]
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


def get_path(row: dict[str, Any], key: str) -> Any:
    """`row["a.b"]`, or `row["a"]["b"]`; None without one."""
    if key in row:
        return row[key]
    head, _, rest = key.partition(".")
    inner = row.get(head)
    return get_path(inner, rest) if rest and isinstance(inner, dict) else None


def config_values(config: dict[str, Any]) -> dict[str, Any]:
    """The values that a person set: `{"lr": {"value": 0.1}, "_wandb": …}` → `{"lr": 0.1}`."""
    return {
        key: item.get("value") if isinstance(item, dict) and "value" in item else item
        for key, item in config.items()
        if key != "_wandb"
    }


def wandb_section(config: str | None) -> dict[str, Any]:
    """The section of a run's config that wandb itself writes."""
    internal = as_object(load_object(config).get("_wandb"))
    return as_object(internal.get("value", internal))


def is_media(value: Any) -> bool:
    """Whether it is the client's description of an image, a table, a histogram or the like."""
    return isinstance(value, dict) and isinstance(value.get("_type"), str)


def drop_media(value: dict[str, Any]) -> dict[str, Any]:
    return {
        key: drop_media(item) if isinstance(item, dict) else item for key, item in value.items() if not is_media(item)
    }


def flatten_media(row: dict[str, Any], prefix: str = "") -> dict[str, dict[str, Any]]:
    """The media objects of a row under their dotted paths."""
    found: dict[str, dict[str, Any]] = {}
    for key, item in row.items():
        if isinstance(item, dict):
            path = f"{prefix}{key}"
            found |= {path: item} if is_media(item) else flatten_media(item, f"{path}.")
    return found
