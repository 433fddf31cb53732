"""Tables of runs: columns, rows and their order, single runs or groups."""

import json
import math
import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import QueryParams

from server.jsontext import load_object
from server.pages import query_string
from server.pages.render import mark_namesakes
from server.pages.run_table import filter_syntax
from server.pages.run_table.columns import DEFAULT_SETTINGS, Column, Keys, survey_runs
from server.store import Refused, Row, Store, runs, streams

PER_PAGE, MOST_PER_PAGE = 50, 500
SURVEYED = 500  # runs whose keys become columns
MAX_GROUPED = 20_000
MAX_COLUMNS = 40
SETTINGS = "settings"
"""The group of runs that differ in nothing but REPEATED settings."""
CLEARLY_WORSE = 0.1  # of the size of the best value


@dataclass(frozen=True)
class Group:
    """Runs with the same `values` of the grouping keys; `cells`: (mean, deviation, n) or None per metric.

    `n_unfinished`: number of them that go on or were ended early.
    """

    values: tuple[Any, ...]
    run_ids: list[int]
    cells: list[tuple[float, float | None, int] | None]
    n_unfinished: int


@dataclass(frozen=True)
class Table:
    """A page of rows. `groups` instead of `rows` if runs are grouped by `grouping`; `fault`: that of the filter."""

    keys: Keys
    columns: list[Column]
    rows: list[Row] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    grouping: list[Column] = field(default_factory=list)
    run_ids: list[int] = field(default_factory=list)
    n: int = 0
    page: int = 1
    pages: int = 1
    sort: str = ""
    fault: str = ""

    @property
    def texts(self) -> set[str]:
        """Keys of the columns that hold text on this page."""
        cells = [(column, row["cells"][at]) for row in self.rows for at, column in enumerate(self.columns)]
        cells += [(column, group.values[at]) for group in self.groups for at, column in enumerate(self.grouping)]
        return {column.key for column, value in cells if isinstance(value, str)}


def gather(
    store: Store,
    project_id: int,
    asked: QueryParams,
    within: Mapping[str, Any] | None = None,
    first: Sequence[str] = ("state",),
    last: Sequence[str] = ("duration", "created_at"),
    sort: str = "-created_at",
    everything: bool = False,
) -> Table:
    """One page of the runs `within` a filter, unless `everything` is wanted.

    `first`, `last`: the columns at both ends; `sort`: the order if none is asked for.
    """
    base = [dict(within)] if within else []
    newest = runs.ids(store.db, project_id, json.dumps({"$and": base}) if base else None, "-created_at")
    keys = survey_runs(store, project_id, newest[:SURVEYED])
    order = asked.get("sort") or sort
    try:
        ids = newest
        if asked.get("q") or order != "-created_at":
            ids = filter_runs(store, project_id, asked.get("q", ""), keys, base, order)
    except Refused as error:
        return Table(keys, _columns(asked, keys, first, last), sort=order, fault=str(error))
    if len(ids) < len(newest):
        keys = survey_runs(store, project_id, sorted(ids, reverse=True)[:SURVEYED])
    columns = _columns(asked, keys, first, last)
    grouping = _grouping(asked, keys)
    if grouping:
        return _group_table(store, asked, keys, columns, ids, grouping, order, everything)
    size, page, pages = _page(asked, len(ids), everything)
    shown = ids[(page - 1) * size : page * size]
    rows = mark_namesakes(with_values(store, shown, columns))
    if not everything:
        rows = [row | {"lasts": _worse_lasts(store, row, columns, keys.judged)} for row in rows]
    return Table(keys, columns, rows, [], [], ids, len(ids), page, pages, order)


def _worse_lasts(store: Store, run: Row, columns: Sequence[Column], judged: Collection[str]) -> list[float | None]:
    """For each column the last value of a metric, if it is clearly worse than the best one that the cell shows."""
    return [
        worse_last(store, run, column, value) if column.key in judged else None
        for column, value in zip(columns, run["cells"], strict=True)
    ]


def worse_last(store: Store, run: Row, column: Column, best: Any) -> float | None:
    """The last value of a metric, if it is worse than the best one by more than a tenth of that one's size."""
    if type(best) not in (int, float):
        return None
    last = streams.last_number(store.db, run["id"], column.title)
    return None if last is None or not is_clearly_worse(last, best, column.sign) else last


def is_clearly_worse(last: float, best: float, sign: int) -> bool:
    """`sign`: -1 if more is better. NaN is worse than anything but NaN."""
    return (math.isnan(last) and not math.isnan(best)) or sign * (last - best) > CLEARLY_WORSE * abs(best)


def filter_runs(
    store: Store, project_id: int, text: str, keys: Keys, base: Sequence[Mapping[str, Any]], order: str
) -> list[int]:
    """The runs that pass a filter as a person types it, in order. Raises Refused, naming the unknown part."""
    wanted = filter_syntax.read(text, keys.names)
    clauses = [*base, *([wanted] if wanted else [])]
    return runs.ids(store.db, project_id, json.dumps({"$and": clauses}) if clauses else None, order)


def _page(asked: QueryParams, n: int, everything: bool) -> tuple[int, int, int]:
    size = max(n, 1) if everything else query_string.whole_number(asked, "size", PER_PAGE, MOST_PER_PAGE)
    pages = max(1, -(-n // size))
    return size, query_string.whole_number(asked, "page", 1, pages), pages


def _columns(asked: QueryParams, keys: Keys, first: Sequence[str], last: Sequence[str]) -> list[Column]:
    known = {column.key for column in (*keys.settings, *keys.metrics, *keys.texts)} | set(filter_syntax.PLAIN)
    chosen = [name for name in query_string.words(asked, "col", MAX_COLUMNS) if name in known]
    if chosen:
        return [Column(name) for name in chosen]
    settings = [column for column in keys.differing if column not in keys.rules][:DEFAULT_SETTINGS]
    return [*map(Column, first), *keys.goals, *keys.rules, *settings, *map(Column, last)]


def _grouping(asked: QueryParams, keys: Keys) -> list[Column]:
    names = query_string.words(asked, "group", 5)
    if SETTINGS in names:
        return keys.distinct_settings[:MAX_COLUMNS]
    columns = [filter_syntax.resolve(name, keys.names) or "" for name in names]
    return [Column(key) for key in columns if key]


def with_values(store: Store, run_ids: list[int], columns: Sequence[Column]) -> list[Row]:
    """The rows of runs, each with `cells`, the values of the columns."""
    values = cells(store, run_ids, columns)
    return [run | {"cells": values[run["id"]]} for run in runs.get_many(store.db, run_ids) if run["id"] in values]


def cells(store: Store, run_ids: list[int], columns: Sequence[Column]) -> dict[int, list[Any]]:
    """Run → values of the columns. Of runs that go on, the best value is looked up in their history."""
    values = runs.values_of(store.db, run_ids, [column.key for column in columns])
    ends = [i for i, column in enumerate(columns) if column.source in ("low", "high")]
    for run in runs.unindexed_summaries(store.db, run_ids, PER_PAGE) if ends else ():
        low, high = runs.best_values(store.db, run["id"], load_object(run["summary"]))
        for i in ends:
            known = (low if columns[i].source == "low" else high).get(columns[i].title)
            values[run["id"]][i] = values[run["id"]][i] if known is None else known
    return values


def _group_table(
    store: Store,
    asked: QueryParams,
    keys: Keys,
    columns: list[Column],
    ids: list[int],
    grouping: list[Column],
    order: str,
    everything: bool,
) -> Table:
    """Groups in the order of their mean, best first, unless a column of the table is asked for."""
    metrics = [column for column in columns if column.is_metric and column not in keys.texts]
    found = cells(store, ids[:MAX_GROUPED], [*grouping, *metrics, Column("state")])
    members: dict[tuple[str, ...], list[int]] = {}
    for run_id in ids[:MAX_GROUPED]:
        members.setdefault(tuple(map(repr, found[run_id][: len(grouping)])), []).append(run_id)
    groups = [
        Group(
            tuple(found[run_ids[0]][: len(grouping)]),
            run_ids,
            [_spread([found[run_id][at] for run_id in run_ids]) for at, _ in enumerate(metrics, start=len(grouping))],
            sum(found[run_id][-1] != "finished" for run_id in run_ids),
        )
        for run_ids in members.values()
    ]
    order = order if asked.get("sort") else ""
    _sort(groups, grouping, metrics, order)
    size, page, pages = _page(asked, len(groups), everything)
    shown = groups[(page - 1) * size : page * size]
    return Table(keys, metrics, [], shown, grouping, ids, len(groups), page, pages, order)


def _sort(groups: list[Group], grouping: list[Column], metrics: list[Column], order: str) -> None:
    key = order.lstrip("+-")
    sign = -1 if order.startswith("-") else 1
    for at, column in enumerate(grouping):
        if column.key == key:
            groups.sort(key=lambda group: _rank(group.values[at]), reverse=sign < 0)
            return
    if key == "n":
        groups.sort(key=lambda group: sign * len(group.run_ids))
        return
    chosen = next((at for at, column in enumerate(metrics) if column.key == key), 0 if metrics else None)
    if chosen is not None:
        sign = sign if key == metrics[chosen].key else metrics[chosen].sign
        groups.sort(key=lambda group: sign * cell[0] if (cell := group.cells[chosen]) else math.inf)


def _rank(value: Any) -> tuple[int, Any]:
    number = type(value) in (int, float) and value == value
    return (0, value) if number else (1, "" if value is None else str(value))


def _spread(values: list[Any]) -> tuple[float, float | None, int] | None:
    """Mean, standard deviation and number of finite numbers."""
    numbers = [float(value) for value in values if type(value) in (int, float) and math.isfinite(value)]
    if not numbers:
        return None
    try:
        return (statistics.fmean(numbers), statistics.stdev(numbers) if len(numbers) > 1 else None, len(numbers))
    except OverflowError:
        return math.inf, None, len(numbers)
