"""The client's run filters (a subset of MongoDB's query language), and its orders.

SQL looks values up and joins the answers; what is asked of a value is a Python function, which SQL calls by its number
as `passes`. Its meaning is MongoDB's: a list is asked as a whole and each of its members, a number is compared with
numbers only, true is not 1, null is equal to what is missing.
"""

import functools
import json
import operator
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from server.jsontext import load_object, parse
from server.store import values
from server.store.database import Refused
from server.store.patterns import compiled, matches

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
    "tags": "runs.tags",
    "historylinecount": "(SELECT count(*) FROM history WHERE run_id = runs.id)",
}
TIMES = {"created_at", "createdat", "heartbeat_at", "heartbeatat"}
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
}
VALUE = "SELECT {} FROM run_values v WHERE v.run_id = runs.id AND v.source = ? AND v.key {}"
MAX_CONDITIONS = 5000
MAX_PARTS = 100  # of a dotted path

Sql = tuple[str, list[Any]]
Question = Callable[[list[Any]], bool]
"""Asked of what stands at a path: nothing, one value, or the values in the members of a list."""


class Filter:
    """A filter as an SQL condition on `runs`; `passes(number, path, value)` is to be answered by `answer`."""

    def __init__(self, filters: str | None) -> None:
        """Raises Refused, naming the part that is not understood."""
        self._questions: list[Callable[[str | None, Any], bool]] = []
        try:
            tree = parse(filters) if filters else {}
        except ValueError as error:
            raise Refused(f"filters are not JSON ({error}): {filters!r:.200}") from None
        self.condition, self.arguments = self._clause(tree or {})

    def answer(self, number: int, path: str | None, value: Any) -> bool:
        return self._questions[number](path, value)

    def _clause(self, tree: Any) -> Sql:
        if not isinstance(tree, dict):
            raise Refused(f"a filter must be an object, not {tree!r:.200}")
        return _joined([self._part(key, item) for key, item in tree.items()], "AND", "1")

    def _part(self, key: str, item: Any) -> Sql:
        if key in ("$and", "$or", "$nor"):
            if not isinstance(item, list):
                raise Refused(f"{key} takes a list, not {item!r:.200}")
            if key == "$and":
                return _joined([self._clause(part) for part in item], "AND", "1")
            either = _joined([self._clause(part) for part in _with_equalities_merged(item)], "OR", "0")
            return either if key == "$or" else _negated(either)
        if key == "$not":
            return _negated(self._clause(item))
        if key.startswith("$"):
            raise Refused(f"the filter operator {key} is not supported")
        return self._leaf(key, question(key, item))

    def _leaf(self, key: str, ask: Question) -> Sql:
        number = len(self._questions)
        if number == MAX_CONDITIONS:
            raise Refused(
                f"a filter holds more than {MAX_CONDITIONS} conditions; ask for many values with $in"
            )
        column = COLUMNS.get(key.lower())
        if column is not None:
            read = json.loads if key == "tags" else _itself
            self._questions.append(lambda path, value: ask([] if value is None else [read(value)]))
            return f"passes({number}, NULL, {column})", []
        source, path = place(key)
        paths = _ancestors(path)
        self._questions.append(lambda longest, value: ask(_at(paths, longest, value)))
        if len(paths) == 1:
            select = VALUE.format(f"passes({number}, v.key, v.value)", "= ?")
            args = [source, path]
        else:
            select = VALUE.format(f"passes({number}, v.key, v.value)", "IN (SELECT value FROM json_each(?))")
            select += " ORDER BY length(v.key) DESC LIMIT 1"
            args = [source, json.dumps(paths)]
        return _looked_up(
            source, f"coalesce(({select}), {int(ask([]))})", f"passes({number}, NULL, runs.summary)"
        ), args


_thread = threading.local()


def use(current: Filter) -> None:
    """Makes `passes` of this thread's next statement ask the questions of this filter."""
    _thread.filter = current


def passes(number: int, path: str | None, value: Any) -> bool:
    """The SQL function of every connection."""
    current: Filter = _thread.filter
    return current.answer(number, path, value)


def _joined(parts: list[Sql], word: str, empty: str) -> Sql:
    """A balanced tree: SQLite takes a chain of 1,000 for an expression of that depth, and refuses it."""
    if len(parts) < 2:
        return parts[0] if parts else (empty, [])
    left, right = (
        _joined(half, word, empty) for half in (parts[: len(parts) // 2], parts[len(parts) // 2 :])
    )
    return f"({left[0]} {word} {right[0]})", left[1] + right[1]


def _negated(sql: Sql) -> Sql:
    return f"NOT {sql[0]}", sql[1]


def _with_equalities_merged(clauses: list[Any]) -> list[Any]:
    """`[{"name": "a"}, {"name": "b"}, …]` as `[{"name": {"$in": ["a", "b"]}}, …]`: one look instead of thousands."""
    wanted: dict[str, list[Any]] = {}
    others = []
    for clause in clauses:
        [(key, item)] = clause.items() if isinstance(clause, dict) and len(clause) == 1 else [("$", None)]
        match _tests(item):
            case {"$eq": one, **rest} if not rest and not key.startswith("$"):
                wanted.setdefault(key, []).append(one)
            case {"$in": list(many), **rest} if not rest and not key.startswith("$"):
                wanted.setdefault(key, []).extend(many)
            case _:
                others.append(clause)
    return [{key: {"$in": items}} for key, items in wanted.items()] + others


def _tests(item: Any) -> dict[str, Any]:
    return item if isinstance(item, dict) and any(key.startswith("$") for key in item) else {"$eq": item}


def question(key: str, item: Any) -> Question:
    """What a filter asks of `key`: `{"$gte": 1, "$lt": 3}`, or the value that it must have. Raises Refused."""
    questions = [_question(key, operator, wanted) for operator, wanted in _tests(item).items()]
    return questions[0] if len(questions) == 1 else lambda leaves: all(ask(leaves) for ask in questions)


def _question(key: str, operator: str, wanted: Any) -> Question:
    if operator == "$not":
        return _opposite(question(key, wanted))
    if operator in ("$ne", "$nin"):
        return _opposite(_question(key, {"$ne": "$eq", "$nin": "$in"}[operator], wanted))
    if operator == "$exists":
        return lambda leaves: bool(leaves) == bool(wanted)
    if operator == "$regex":
        compiled(wanted)
        return lambda leaves: any(matches(wanted, one) for one in _candidates(leaves))
    if operator == "$in" and not isinstance(wanted, list):
        raise Refused(f"$in takes a list, not {wanted!r:.200}")
    if operator not in ("$eq", "$in", *COMPARE):
        raise Refused(f"the filter operator {operator} is not supported")
    if key.lower() in TIMES:
        wanted = [_seconds(item) for item in wanted] if operator == "$in" else _seconds(wanted)
    if operator in COMPARE and wanted is not None:
        return _comparison(operator, wanted)
    if operator in ("$gt", "$lt"):
        return lambda leaves: False
    return _equality(wanted if operator == "$in" else [wanted])


def _opposite(ask: Question) -> Question:
    return lambda leaves: not ask(leaves)


def _equality(wanted: list[Any]) -> Question:
    identities = frozenset(map(values.identity, wanted))
    missing = None in wanted
    return lambda leaves: (
        (missing and not leaves) or any(values.identity(one) in identities for one in _candidates(leaves))
    )


def _comparison(operator: str, wanted: Any) -> Question:
    if isinstance(wanted, dict):
        raise Refused(f"{operator} cannot compare with an object: {wanted!r:.200}")
    compare, (kind, size) = COMPARE[operator], values.rank(wanted)

    def ask(leaves: list[Any]) -> bool:
        ranks = map(values.rank, _candidates(leaves))
        return any(other == kind and compare(value, size) for other, value in ranks)

    return ask


def _candidates(leaves: list[Any]) -> Iterator[Any]:
    """The values, and the members of those that are lists."""
    for value in leaves:
        yield value
        if isinstance(value, list):
            yield from value


def _itself(value: Any) -> Any:
    return value


def _ancestors(path: str) -> list[str]:
    """`a.b.c` → `a.b.c`, `a.b`, `a`: where a list may stand whose members the rest of the path means."""
    parts = path.split(".")
    return [".".join(parts[:n]) for n in range(len(parts), 0, -1)] if len(parts) <= MAX_PARTS else [path]


def _at(paths: list[str], longest: str | None, stored: Any) -> list[Any]:
    """What stands at the first of `paths`, of which `longest` is the longest with a value; without it `stored` is the
    text of a whole summary."""
    if longest is None:
        spread = _spread(stored)
        longest = next((path for path in paths if path in spread), None)
        if longest is None:
            return []
        stored = spread[longest]
    value = values.load(stored)
    if longest == paths[0]:
        return [value]
    return list(_members(value, paths[0][len(longest) + 1 :].split("."))) if isinstance(value, list) else []


@functools.lru_cache(maxsize=64)
def _spread(summary: str) -> dict[str, values.Stored]:
    return dict(values.spread(load_object(summary)))


def _members(value: Any, parts: list[str]) -> Iterator[Any]:
    """MongoDB's path through a list: a position, or the name of what the objects in it hold."""
    if not parts:
        yield value
    elif isinstance(value, dict) and parts[0] in value:
        yield from _members(value[parts[0]], parts[1:])
    elif isinstance(value, list):
        if parts[0].isdecimal() and len(parts[0]) < 9 and int(parts[0]) < len(value):
            yield from _members(value[int(parts[0])], parts[1:])
        for item in value:
            if isinstance(item, dict):
                yield from _members(item, parts)


def place(key: str) -> tuple[str, str]:
    """`config.lr.value` → `("config", "lr")`, `summary_metrics.acc.max` → `("summary", "acc.max")`."""
    head, _, path = key.partition(".")
    if head == "config" and path:
        return "config", path.removesuffix(".value").replace(".value.", ".", 1)
    if head in ("summary_metrics", "summaryMetrics", "summary") and path:
        return "summary", path
    raise Refused(f"runs cannot be filtered or ordered by {key!r:.200}")


# Finite numbers, texts, other kinds, numbers that are not finite, nothing.
RANK = """CASE typeof(value) WHEN 'null' THEN 4 WHEN 'text' THEN 1
    WHEN 'blob' THEN CASE value WHEN x'6E756C6C' THEN 4 WHEN x'4E614E' THEN 3 ELSE 2 END
    ELSE CASE WHEN abs(value) < 9e999 THEN 0 ELSE 3 END END"""


def order_by(order: str | None) -> tuple[str, str, list[Any]]:
    """SQL of a run's `value`, `ORDER BY` over `value` and `id`, and the arguments of the first.

    `+key` ascends, `-key` descends; numbers that are not finite, and then runs without the value, come last in both.
    """
    text = order or "+created_at"
    direction = "DESC" if text.startswith("-") else "ASC"
    key = text.lstrip("+-")
    column = COLUMNS.get(key.lower())
    if column is not None:
        return column, f"value IS NULL, value {direction}, id {direction}", []
    source, path = place(key)
    # define_metric(summary=…) stores {"acc": {"max": 0.9}}; ordering by `acc` must find it.
    goal, other = ("max", "min") if direction == "DESC" else ("min", "max")
    paths = [path, *(f"{path}.{name}" for name in ("best", goal, "last", "mean", other))]
    one = f"({VALUE.format('v.value', '= ?')} AND NOT v.value BETWEEN x'7B' AND x'7C')"
    args = [argument for each in paths for argument in (source, each)]
    value = f"coalesce({', '.join([one] * len(paths))})"
    if source == "summary":
        value, args = _looked_up(source, value, "first_value(runs.summary, ?)"), [*args, json.dumps(paths)]
    return value, f"{RANK}, value {direction}, id ASC", args


def _looked_up(source: str, value: str, otherwise: str) -> str:
    """SQL of what `run_values` says; of a summary that is not there yet, `otherwise`."""
    if source == "config":
        return value
    return f"CASE WHEN runs.id NOT IN summaries_to_spread THEN {value} ELSE {otherwise} END"


def first_value(summary: str, paths: str) -> values.Stored | None:
    """The SQL function of every connection: the first of `paths` at which a summary has something, except an object."""
    spread = _spread(summary)
    there = [spread[path] for path in json.loads(paths) if path in spread]
    return next((value for value in there if not (isinstance(value, bytes) and value.startswith(b"{"))), None)


def _seconds(value: Any) -> Any:
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value.replace("Z", "+00:00"))
        except ValueError:
            raise Refused(f"not a time in ISO 8601: {value!r:.200}") from None
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return value
