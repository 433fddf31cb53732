"""The filter of a table as a person types it: words, and `key op value`, apart by commas.

unet, val/iou > 0.9, state = finished, learning_rate <= 1e-3, augmentation = light|strong, name ~ ^a
"""

import json
import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from server.jsontext import loads
from server.store import Refused

NAMES = {
    "name": "display_name",
    "id": "name",
    "run": "name",
    "user": "username",
    "created": "created_at",
    "lasted": "duration",
    "tag": "tags",
    "#": "number",
}
"""A person's name of a column → its key in filters, if that differs."""
PLAIN = (
    *("display_name", "name", "state", "sweep", "group", "job_type", "tags", "notes", "username", "host"),
    *("created_at", "duration", "number", "stop_reason", "commit"),
)
SEARCHED = ("display_name", "name", "tags", "notes", "group", "sweep")
OPERATORS = {"=": "$in", "==": "$in", "!=": "$nin", "<": "$lt", "<=": "$lte", ">": "$gt", ">=": "$gte", "~": "$regex"}
QUOTED = r'"(?:[^"\\]|\\.)*"'
TERM = re.compile(rf"((?:{QUOTED}|.)+?)\s*(<=|>=|!=|==|=|<|>|~)\s*(.*)", re.DOTALL)
MAX_TERMS = 20
MAX_TEXT = 2000  # characters
SOURCES = ("config.", "summary.", "high.", "low.")


def read(text: str, keys: Mapping[str, str]) -> dict[str, Any]:
    """A filter as the client would send it. `keys`: names of settings and metrics → their keys in filters.

    Raises Refused, naming the unknown part.
    """
    if len(text) > MAX_TEXT:
        raise Refused(f"The filter has {len(text)} characters; at most {MAX_TEXT} are read.")
    terms = _split(text, ",")
    clauses = [clause for term in terms if term for clause in _term(term, keys)]
    if len(clauses) > MAX_TERMS:
        raise Refused(f"The filter has {len(clauses)} terms; at most {MAX_TERMS} are read.")
    return {"$and": clauses} if clauses else {}


def _split(text: str, mark: str) -> list[str]:
    """The parts between marks outside of quotes; a quote that is not closed means itself."""
    if text.count('"') % 2:
        return [each.strip() for each in text.split(mark)]
    return [each.strip() for each in re.findall(rf'((?:{QUOTED}|[^"{mark}])*){re.escape(mark)}?', text)]


def _term(term: str, keys: Mapping[str, str]) -> list[dict[str, Any]]:
    match = TERM.fullmatch(term)
    if match is None:
        return [_word(word) for word in ([_unquote(term)] if term.startswith('"') else term.split())]
    words, operator, value = match[1].split(), match[2], match[3]
    for n in range(len(words)):  # words before the key are looked for
        key = resolve(" ".join(words[n:]), keys)
        if key is not None:
            return [*map(_word, words[:n]), {key: {OPERATORS[operator]: _read_value(key, operator, value)}}]
    close = get_close_matches(match[1], [*NAMES, *PLAIN, *keys], 3)
    hint = f" Did you mean {' or '.join(close)}?" if close else ""
    raise Refused(f"No run has a setting or a metric named {match[1]!r:.100}.{hint}")


def resolve(name: str, keys: Mapping[str, str]) -> str | None:
    """Key of a name in filters: of a setting or a metric first, else of a column of every run."""
    plain = _unquote(name)
    if plain in keys:
        return keys[plain]
    if plain.startswith(SOURCES):
        return plain
    found = NAMES.get(plain.lower(), plain.lower())
    return found if found in PLAIN else None


def _word(word: str) -> dict[str, Any]:
    pattern = f"(?i){re.escape(word)}"
    return {"$or": [{column: {"$regex": pattern}} for column in SEARCHED]}


def _read_value(key: str, operator: str, text: str) -> Any:
    if operator == "~":
        return text
    if operator in ("=", "==", "!="):
        return [value for one in _split(text, "|") if one for value in _meanings(one)]
    if key == "created_at":
        return text
    number = next((value for value in _meanings(text) if type(value) in (int, float)), None)
    if number is None:
        raise Refused(f"{operator} compares numbers, and {text!r:.100} is none.")
    return number


def _meanings(text: str) -> list[Any]:
    """Values that a text may stand for: itself, and the number, truth value or null that it is written as.

    In quotes it is itself, or a list, whose commas need them.
    """
    plain = _unquote(text)
    if plain != text:
        return [plain, *(items for items in [loads(plain)] if isinstance(items, list))]
    try:
        value = json.loads(text.lower() if text.lower() in ("true", "false") else text)
    except ValueError:
        value = _number(text)
    return [text] if value is None and text != "null" else [text, value]


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _unquote(text: str) -> str:
    if len(text) > 1 and text[0] == text[-1] == '"':
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return text


def quote(text: str) -> str:
    """The text in quotes, if a filter would read it otherwise."""
    if re.search(r'[,"|<>=!~]|^\s|\s$|^$', text):
        return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'
    return text


def equality_term(name: str, value: Any) -> str:
    """The term of a filter that this value passes."""
    text = value if isinstance(value, str) else json.dumps(value)
    return f"{quote(name)} = {quote(text)}"


def join(terms: Iterable[str]) -> str:
    return ", ".join(filter(None, terms))
