"""The client's run filters (a subset of MongoDB's query language) as SQL, and its orders.

Every leaf becomes an expression that is 0 or 1, never NULL, so that `$not` and `$nor` mean what they say. A number is
compared with numbers only and a text with texts, as MongoDB does; true and 1 are the same here.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from server.jsontext import parse
from server.store.database import Refused
from server.store.patterns import compiled, with_options

COLUMNS = {
    "name": "runs.name",
    "state": "runs.state",
    "display_name": "runs.display_name",
    "displayname": "runs.display_name",
    "group": "runs.group_name",
    "group_name": "runs.group_name",
    "groupname": "runs.group_name",
    "jobtype": "runs.job_type",
    "job_type": "runs.job_type",
    "notes": "runs.notes",
    "host": "runs.host",
    "commit": "runs.commit_hash",
    "username": "runs.username",
    "user": "runs.username",
    "sweep": "(SELECT name FROM sweeps WHERE sweeps.id = runs.sweep_id)",
    "created_at": "runs.created_at",
    "createdat": "runs.created_at",
    "heartbeat_at": "runs.heartbeat_at",
    "heartbeatat": "runs.heartbeat_at",
    "historylinecount": "(SELECT count(*) FROM history WHERE run_id = runs.id)",
}
TIMES = {"created_at", "createdat", "heartbeat_at", "heartbeatat"}
COMPARE = {"$eq": "=", "$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}
VALUE = "SELECT 1 FROM run_values v WHERE v.run_id = runs.id AND v.source = ? AND v.key = ?"
MAX_DEPTH = 20

Sql = tuple[str, list[Any]]
Leaf = Callable[[str, list[Any]], Sql]


def where(filters: str | None) -> Sql:
    """SQL condition on `runs` and its arguments. Raises Refused, naming the part that is not understood."""
    try:
        tree = parse(filters) if filters else {}
    except ValueError:
        raise Refused(f"filters are not JSON: {filters!r}") from None
    return _clause(tree or {}, 0)


def _clause(tree: Any, depth: int) -> Sql:
    if not isinstance(tree, dict):
        raise Refused(f"a filter must be an object, not {tree!r}")
    if depth > MAX_DEPTH:
        raise Refused(f"filters are nested more than {MAX_DEPTH} deep")
    parts = [_part(key, item, depth) for key, item in tree.items()]
    return _joined(parts, "AND", "1")


def _joined(parts: list[Sql], word: str, empty: str) -> Sql:
    if not parts:
        return empty, []
    return "(" + f" {word} ".join(sql for sql, _ in parts) + ")", [a for _, args in parts for a in args]


def _part(key: str, item: Any, depth: int) -> Sql:
    if key in ("$and", "$or", "$nor"):
        if not isinstance(item, list):
            raise Refused(f"{key} takes a list, not {item!r}")
        sql, args = _joined(
            [_clause(part, depth + 1) for part in item],
            "AND" if key == "$and" else "OR",
            "1" if key == "$and" else "0",
        )
        return (f"NOT {sql}", args) if key == "$nor" else (sql, args)
    if key == "$not":
        sql, args = _clause(item, depth + 1)
        return f"NOT {sql}", args
    if key.startswith("$"):
        raise Refused(f"the filter operator {key} is not supported")
    tests = item if isinstance(item, dict) and any(k.startswith("$") for k in item) else {"$eq": item}
    if "$regex" in tests and "$options" in tests:
        tests = tests | {"$regex": with_options(tests["$regex"], tests["$options"])}
        del tests["$options"]
    return _joined([_test(key, operator, value, depth) for operator, value in tests.items()], "AND", "1")


def _test(key: str, operator: str, value: Any, depth: int) -> Sql:
    if operator == "$not":
        sql, args = _part(key, value, depth + 1)
        return f"NOT {sql}", args
    if operator == "$ne":
        sql, args = _test(key, "$eq", value, depth)
        return f"NOT {sql}", args
    if operator in ("$in", "$nin"):
        if not isinstance(value, list):
            raise Refused(f"{operator} takes a list, not {value!r}")
        sql, args = _joined([_test(key, "$eq", item, depth) for item in value], "OR", "0")
        return (f"NOT {sql}", args) if operator == "$nin" else (sql, args)
    return _leaf(key)(*_condition(key, operator, value))


def _condition(key: str, operator: str, value: Any) -> Sql:
    """A condition on `?`-free text `{v}`, the value's place."""
    if operator == "$exists":
        return ("{v} IS NOT NULL" if value else "MISSING"), []
    if operator == "$regex":
        compiled(value)
        return "regexp(?, {v})", [value]
    if operator not in COMPARE:
        raise Refused(f"the filter operator {operator} is not supported")
    if value is None and operator == "$eq":
        return "MISSING", []
    if key.lower() in TIMES:
        value = _seconds(value)
    if isinstance(value, list | dict):
        value = json.dumps(value)
    kind = "('text')" if isinstance(value, str) else "('integer', 'real')"
    return f"(typeof({{v}}) IN {kind} AND {{v}} {COMPARE[operator]} ?)", [value]


def _leaf(key: str) -> Leaf:
    if key == "tags":
        return lambda test, args: _exists("SELECT 1 FROM json_each(runs.tags) v WHERE 1", [], test, args)
    column = COLUMNS.get(key.lower())
    if column is not None:
        return lambda test, args: (
            (f"{column} IS NULL", [])
            if test == "MISSING"
            else (f"coalesce({test.format(v=column)}, 0)", args)
        )
    source = place(key)
    return lambda test, args: _exists(VALUE, list(source), test, args)


def _exists(select: str, place: list[Any], test: str, args: list[Any]) -> Sql:
    if test == "MISSING":
        return f"NOT EXISTS ({select})", place
    return f"EXISTS ({select} AND {test.format(v='v.value')})", place + args


def place(key: str) -> tuple[str, str]:
    """`config.lr.value` → `("config", "lr")`, `summary_metrics.acc.max` → `("summary", "acc.max")`."""
    head, _, path = key.partition(".")
    if head == "config" and path:
        return "config", path.removesuffix(".value").replace(".value.", ".", 1)
    if head in ("summary_metrics", "summaryMetrics", "summary") and path:
        return "summary", path
    raise Refused(f"runs cannot be filtered or ordered by {key!r}")


def order_by(order: str | None) -> tuple[str, str, list[Any]]:
    """SQL of a run's `value`, `ORDER BY` over `value` and `id`, and the arguments of the first.

    `+key` ascends, `-key` descends, runs without the value come last in both.
    """
    text = order or "+created_at"
    direction = "DESC" if text.startswith("-") else "ASC"
    key = text.lstrip("+-")
    column = COLUMNS.get(key.lower())
    if column is not None:
        return column, f"value IS NULL, value {direction}, id {direction}", []
    source, path = place(key)
    value = (
        "(SELECT v.value FROM run_values v WHERE v.run_id = runs.id AND v.source = ? AND v.key IN (?, ?, ?)"
    )
    value += " ORDER BY length(v.key) LIMIT 1)"
    # define_metric(summary=…) stores {"acc": {"max": 0.9}}; ordering by `acc` must find it.
    args: list[Any] = [source, path, f"{path}.{'max' if direction == 'DESC' else 'min'}", f"{path}.best"]
    return value, f"value IS NULL, typeof(value) = 'text', value {direction}, id ASC", args


def _seconds(value: Any) -> Any:
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value.replace("Z", "+00:00"))
        except ValueError:
            raise Refused(f"not a time in ISO 8601: {value!r}") from None
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return value
