"""The log of a run: rows, sampled or whole; system metrics; console lines."""

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from server.graphql.context import MAX_PAGE, Context, Resolvers
from server.jsontext import get_path, load_object, loads, to_strict_json
from server.store import Refused, Row, streams

DEFAULT_SAMPLES = 500
MAX_STEP = 2**62
_STAMPED = re.compile(r"(?:(ERROR|WARN|INFO) )?(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z)?) (.*)", re.DOTALL)
_LABELLED = re.compile(r"\[([^\]]+)\] ")


def history(
    row: Row, ctx: Context, min_step: int | None = None, max_step: int | None = None, samples: int | None = None
) -> list[str]:
    """Rows as JSON text. With steps: every row with min ≤ step < max, else at most `samples`, evenly spaced."""
    db = ctx.db
    if min_step is None and max_step is None:
        return streams.contents(db, "history", row["id"], samples or DEFAULT_SAMPLES)
    last = (MAX_STEP if max_step is None else max_step) - 1
    return list(streams.history_between(db, row["id"], min_step or 0, last))


def events(row: Row, ctx: Context, samples: int | None = None) -> list[str]:
    return streams.contents(ctx.db, "system_metrics", row["id"], samples or DEFAULT_SAMPLES)


def sampled_history(row: Row, ctx: Context, specs: list[str]) -> list[list[Row]]:
    return [_sample_history(row, ctx, spec) for spec in specs]


def _sample_history(row: Row, ctx: Context, text: str) -> list[Row]:
    """Rows that have all `keys`. A range of steps (both ends included) is returned whole, without one it is sampled."""
    spec = loads(text)
    if not isinstance(spec, dict):
        raise Refused(f"sampledHistory: a spec must be a JSON object, not {text!r}")
    keys, samples = spec.get("keys") or [], spec.get("samples") or DEFAULT_SAMPLES
    steps = (spec.get("minStep"), spec.get("maxStep"))
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise Refused(f"sampledHistory: keys must be a list of texts, not {keys!r}")
    if type(samples) is not int or samples < 0:
        raise Refused(f"sampledHistory: samples must be a whole number from 0, not {samples!r}")
    if not all(isinstance(step, int | float | None) for step in steps):
        raise Refused("sampledHistory: minStep and maxStep must be numbers")
    keys = list(dict.fromkeys(keys))
    ranged = spec.get("minStep") is not None or spec.get("maxStep") is not None
    first, last = spec.get("minStep") or 0, spec.get("maxStep")
    contents = streams.history_between(ctx.db, row["id"], first, MAX_STEP if last is None else last)
    found = []
    for content in contents:
        whole = load_object(content)
        values = {key: get_path(whole, key) for key in keys} if keys else whole
        if None not in values.values():
            found.append(values)
    if not ranged:
        found = [found[i] for i in streams.spread_indices(len(found), samples)]
    return [to_strict_json(values) for values in found]


def history_keys(row: Row, ctx: Context) -> Row:
    """The keys of history with their types and last numbers, those within objects under dotted names as well."""
    db = ctx.db
    found = streams.keys(db, row["id"])
    last = streams.ranges(db, row["id"])
    for key, entry in list(found["keys"].items()):
        if key in last:
            entry["previousValue"] = last[key][2]
        counts = {each["type"]: each["count"] for each in entry["typeCounts"]}
        if "map" in counts:
            for name, value in _leaves(key, streams.last_value(db, row["id"], key)):
                types = [{"type": "number", "count": counts["map"]}]
                found["keys"].setdefault(name, {"typeCounts": types, "previousValue": value})
    return found


def _leaves(name: str, value: Any) -> Iterator[tuple[str, float]]:
    """The numbers within an object, by their dotted names."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(f"{name}.{key}", item)
    elif type(value) in (int, float) and math.isfinite(value):
        yield name, value


def parquet_history(row: Row, ctx: Context) -> Row:
    """There are no Parquet files; the first live step tells the client to read everything from `history`."""
    first = streams.first_step(ctx.db, row["id"])
    return {"parquet_urls": [], "live_data": [] if first is None else [{"_step": first}]}


def log_lines(
    row: Row, ctx: Context, first: int | None = None, after: str | None = None, last: int | None = None
) -> Row:
    db = ctx.db
    if last is not None:
        found = streams.console_tail(db, row["id"], max(0, min(last, 10_000)))
    else:
        size = MAX_PAGE if first is None else max(0, min(first, MAX_PAGE))
        found = streams.console(db, row["id"], -1 if not after else _line_of(after), size + 1)
    page = found if last is not None else found[:size]
    cursors = [str(line["line"]) for line in page]
    is_shared = streams.has_clients(db, "console", row["id"])
    nodes = [console_line(line, is_shared) for line in page]
    return {
        "edges": [{"node": node, "cursor": cursor} for node, cursor in zip(nodes, cursors, strict=True)],
        "page_info": {"end_cursor": cursors[-1] if cursors else None, "has_next_page": len(page) < len(found)},
        "total_count": streams.total(db, "console", row["id"]),
    }


def _line_of(cursor: str) -> int:
    if not cursor.isdecimal() or len(cursor) > 18:
        raise Refused(f"not a cursor: {cursor!r:.200}")
    return int(cursor)


def console_line(line: Row, is_shared: bool) -> Row:
    """`ERROR 2026-01-01T00:00:00.000000 text` → its parts; a line without a stamp is all text.

    In a run of several processes the text begins with `[LABEL] `, the `x_label` of its process.
    """
    parts = _STAMPED.fullmatch(line["content"])
    if parts is None:
        return {"number": line["line"], "line": line["content"]}
    stamp = parts[2] if parts[2].endswith("Z") else parts[2] + "Z"
    label = _LABELLED.match(parts[3]) if is_shared else None
    return {
        "number": line["line"],
        "level": (parts[1] or "info").lower(),
        "timestamp": stamp,
        "label": label and label[1],
        "line": parts[3][label.end() if label else 0 :].rstrip("\n"),
    }


def _count(table: streams.Table) -> Any:
    return lambda row, ctx: streams.count(ctx.db, table, row["id"])


def _tail(table: streams.Table) -> Any:
    return lambda row, ctx: json.dumps(streams.tail(ctx.db, table, row["id"]))


RESOLVERS: Resolvers = {
    "Run": {
        "history": history,
        "events": events,
        "sampledHistory": sampled_history,
        "parquetHistory": parquet_history,
        "historyKeys": history_keys,
        "historyLineCount": _count("history"),
        "eventsLineCount": _count("system_metrics"),
        "logLineCount": _count("console"),
        "historyTail": _tail("history"),
        "eventsTail": _tail("system_metrics"),
        "logLines": log_lines,
    }
}
