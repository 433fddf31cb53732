"""The client's run filters (a subset of MongoDB's query language), and its orders.

SQL gathers the values of a run that a filter asks about, and Python decides. The meaning is MongoDB's: a list is asked
as a whole and each of its members, a number is compared with numbers only, true is not 1, null equals a missing value.
"""

import functools
import json
import operator
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from server.jsontext import load_object, parse
from server.store.database import run_values
from server.store.database.regex import compile_pattern, matches, with_options
from server.store.errors import Refused

RUNTIME = """SELECT CASE WHEN runs.id IN summaries_to_spread THEN first_value(runs.summary, '["_runtime"]') ELSE
    (SELECT v.value FROM run_values v WHERE v.run_id = runs.id AND v.source = 'summary' AND v.key = '_runtime')
    END AS value"""
"""The time that a run ran by the client's own clock, which stands in a pause."""
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
    "duration": f"""coalesce((SELECT value FROM ({RUNTIME}) WHERE value >= 0 AND value < 9e999),
        coalesce(runs.finished_at, runs.heartbeat_at) - runs.started_at)""",
    "number": "(SELECT number FROM suggestions WHERE run_id = runs.id)",
    "stop_reason": """(SELECT iif(runs.state = 'finished', 'ended by itself, though asked to stop: ', '') || stop_reason
        FROM suggestions WHERE run_id = runs.id)""",
    "historylinecount": "(SELECT count(*) FROM history WHERE run_id = runs.id)",
}
TIMES = {"created_at", "createdat", "heartbeat_at", "heartbeatat"}
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
}
VALUE = "(SELECT v.value FROM run_values v WHERE v.run_id = runs.id AND v.source = ? AND v.key = ?{})"
SUMMARY = "CASE WHEN runs.id IN summaries_to_spread THEN runs.summary END"
SCALARS = (str, int, float)  # their own identity, but for NaN
ENDS = {"low": ("min", "max"), "high": ("max", "min")}
"""Source of the best value of a metric → its name and that of its opposite in `define_metric(summary=…)`."""
MAX_KEYS = 100  # SQLite takes 127 arguments
MAX_PARTS = 10  # of a dotted path

Run = Sequence[Any]
"""Values of a run: the arguments of `passes`."""
Test = Callable[[Run], bool]
Question = Callable[[list[Any]], bool]
"""A question about the values at a path: none, one, or those in the members of a list."""


class Filter:
    """A filter as an SQL condition on `runs`: the function `passes` of all values that the filter asks about."""

    def __init__(self, filters: str | None) -> None:
        """Raises Refused, naming the part that is not understood."""
        try:
            tree = parse(filters) if filters else {}
        except ValueError as error:
            raise Refused(f"filters are not JSON ({error}): {filters!r:.200}") from None
        self._keys: dict[tuple[str, ...], int] = {}
        self.test = self._clause(tree or {})
        asked = [(key[0], []) if len(key) == 1 else _value(*key) for key in self._keys]
        self.condition = f"passes({', '.join(sql for sql, _ in asked)})" if tree else "1"
        self.arguments = [argument for _, arguments in asked for argument in arguments]

    def _argument(self, *key: str) -> int:
        """The position of an argument: an SQL expression, or source and path of a value."""
        if len(self._keys) >= MAX_KEYS and key not in self._keys:
            raise Refused(f"a filter asks about more than {MAX_KEYS} different keys")
        return self._keys.setdefault(key, len(self._keys))

    def _clause(self, tree: Any) -> Test:
        if not isinstance(tree, dict):
            raise Refused(f"a filter must be an object, not {tree!r:.200}")
        return _all([self._part(key, item) for key, item in tree.items()])

    def _part(self, key: str, item: Any) -> Test:
        if key in ("$and", "$or", "$nor"):
            if not isinstance(item, list):
                raise Refused(f"{key} takes a list, not {item!r:.200}")
            clauses = item if key == "$and" else _with_equalities_merged(item)
            tests = [self._clause(clause) for clause in clauses]
            return {"$and": _all, "$or": _any, "$nor": _none}[key](tests)
        if key == "$not":
            return _none([self._clause(item)])
        if key.startswith("$"):
            raise Refused(f"the filter operator {key} is not supported")
        return self._leaf(key, question(key, item))

    def _leaf(self, key: str, ask: Question) -> Test:
        column = COLUMNS.get(key.lower())
        if column is not None:
            number, read = self._argument(column), json.loads if key.lower() == "tags" else _identity
            return lambda run: ask([] if run[number] is None else [read(run[number])])
        source, path = parse_key(key)
        if source in ENDS:
            number = self._argument(source, path)
            return lambda run: ask([] if run[number] is None else [run_values.load(run[number])])
        paths = _ancestors(path)
        numbers = [self._argument(source, each) for each in paths]
        if source == "config":
            return lambda run: ask(_value_at(paths, [run[number] for number in numbers]))
        text = self._argument(SUMMARY)
        return lambda run: ask(
            _value_at(paths, [run[number] for number in numbers])
            if run[text] is None
            else _value_at(paths, [_index(run[text]).get(each) for each in paths])
        )


def _all(tests: list[Test]) -> Test:
    return tests[0] if len(tests) == 1 else lambda run: all(test(run) for test in tests)


def _any(tests: list[Test]) -> Test:
    return tests[0] if len(tests) == 1 else lambda run: any(test(run) for test in tests)


def _none(tests: list[Test]) -> Test:
    return lambda run: not any(test(run) for test in tests)


_thread = threading.local()


def set_current(current: Filter, is_stopped: Callable[[], bool]) -> None:
    """Makes `passes` of this thread's next statement decide by this filter until `is_stopped`."""
    _thread.test, _thread.is_stopped = current.test, is_stopped


def passes(*run: Any) -> bool:
    """An SQL function: whether a run passes the current filter."""
    return not _thread.is_stopped() and _thread.test(run)


def _is_found(pattern: str, text: object) -> bool:
    return not _thread.is_stopped() and matches(pattern, text)


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
    if not isinstance(item, dict) or not any(key.startswith("$") for key in item):
        return {"$eq": item}
    if "$regex" in item and "$options" in item:
        tests = item | {"$regex": with_options(item["$regex"], item["$options"])}
        return {name: wanted for name, wanted in tests.items() if name != "$options"}
    return item


def question(key: str, item: Any) -> Question:
    """The conditions of a filter on `key`: `{"$gte": 1, "$lt": 3}`, or the value that it must have. Raises Refused."""
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
        compile_pattern(wanted)
        return lambda leaves: any(_is_found(wanted, one) for one in _candidates(leaves))
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
    identities = frozenset(map(run_values.identity, wanted))
    missing = None in wanted

    def ask(leaves: list[Any]) -> bool:
        if len(leaves) == 1 and type(leaves[0]) in SCALARS and leaves[0] == leaves[0]:
            return leaves[0] in identities
        return (missing and not leaves) or any(run_values.identity(one) in identities for one in _candidates(leaves))

    return ask


def _comparison(operator: str, wanted: Any) -> Question:
    if isinstance(wanted, dict):
        raise Refused(f"{operator} cannot compare with an object: {wanted!r:.200}")
    compare, (kind, size) = COMPARE[operator], run_values.rank(wanted)
    is_number = type(wanted) in (int, float) and wanted == wanted

    def ask(leaves: list[Any]) -> bool:
        if is_number and len(leaves) == 1 and type(leaves[0]) in (int, float):
            return compare(leaves[0], wanted)
        ranks = map(run_values.rank, _candidates(leaves))
        return any(other == kind and compare(value, size) for other, value in ranks)

    return ask


def _candidates(leaves: list[Any]) -> Iterator[Any]:
    """The values, and the members of those that are lists."""
    for value in leaves:
        yield value
        if isinstance(value, list):
            yield from value


def _identity(value: Any) -> Any:
    return value


def _ancestors(path: str) -> list[str]:
    """`a.b.c` → `a.b.c`, `a.b`, `a`: paths at which a list may stand, the rest of the path naming its members."""
    parts = path.split(".")
    return [".".join(parts[:n]) for n in range(len(parts), 0, -1)] if len(parts) <= MAX_PARTS else [path]


def _value_at(paths: list[str], stored: list[Any]) -> list[Any]:
    """The value at the first of `paths`; the others are its ancestors, at which a list may stand."""
    for path, each in zip(paths, stored, strict=True):
        if each is not None:
            value = run_values.load(each) if type(each) is bytes else each
            if path == paths[0]:
                return [value]
            return list(_members(value, paths[0][len(path) + 1 :].split("."))) if isinstance(value, list) else []
    return []


@functools.lru_cache(maxsize=64)
def _index(summary: str) -> dict[str, run_values.Stored]:
    return dict(run_values.index_entries(load_object(summary)))


def _members(value: Any, parts: list[str]) -> Iterator[Any]:
    """MongoDB's path through a list: a position in it, or a key of the objects in it."""
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


def parse_key(key: str) -> tuple[str, str]:
    """`config.lr.value` → `("config", "lr")`, `summary_metrics.acc.max` → `("summary", "acc.max")`."""
    head, _, path = key.partition(".")
    if head == "config" and path:
        return "config", path.removesuffix(".value").replace(".value.", ".", 1)
    if head in ("summary_metrics", "summaryMetrics", "summary") and path:
        return "summary", path
    if head in ENDS and path:
        return head, path
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
    value, args = expression(key, "high" if direction == "DESC" else "low")
    if key.lower() in COLUMNS:
        return value, f"value IS NULL, value {direction}, id {direction}", args
    return value, f"{RANK}, value {direction}, id ASC", args


def expression(key: str, end: str = "high") -> tuple[str, list[Any]]:
    """SQL of a run's value at a key, and its arguments; `end`: the one of several values by `define_metric`."""
    column = COLUMNS.get(key.lower())
    if column is not None:
        return column, []
    source, path = parse_key(key)
    return first_of(source, path, source if source in ENDS else end)


def _value(source: str, path: str) -> tuple[str, list[Any]]:
    """SQL of a value that a filter asks about, and its arguments."""
    return first_of(source, path, source) if source in ENDS else (VALUE.format(""), [source, path])


def first_of(source: str, path: str, end: str) -> tuple[str, list[Any]]:
    """SQL of a run's value, and its arguments. `source`: config, summary, or low or high: the best of a metric.

    define_metric(summary=…) stores {"acc": {"max": 0.9}}: `acc` finds the value of that `end`.
    """
    goal, other = ENDS[end]
    stored = "summary" if source in ENDS else source
    paths = [path, *(f"{path}.{name}" for name in ("best", goal, "last", "mean", other))]
    places = [(source, path)] * (source in ENDS) + [(stored, each) for each in paths]
    one = VALUE.format(" AND NOT v.value BETWEEN x'7B' AND x'7C'")
    value = f"coalesce({', '.join([one] * len(places))})"
    args = [argument for each in places for argument in each]
    if stored == "config":
        return value, args
    running = "CASE WHEN runs.id IN summaries_to_spread THEN first_value(runs.summary, ?)"
    return f"{running} ELSE {value} END", [json.dumps(paths), *args]


def first_value(summary: str, paths: str) -> run_values.Stored | None:
    """An SQL function: the value at the first of `paths` at which a summary has one that is no object."""
    spread = _index(summary)
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
