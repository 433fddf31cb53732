"""Tables that several runs logged under one key, joined by a column that names each row once."""

import statistics
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from server.jsontext import flatten_media, load_object
from server.pages.media import wandb_tables
from server.pages.media.wandb_tables import Table
from server.store import Row, Store

MAX_TABLES, MAX_LENGTH = 6, 20_000  # rows of one that is read
PER_PAGE = 100


@dataclass(frozen=True)
class Line:
    """A row. `shared`: cells equal in all runs; `cells`: those of each run, None if its table has no such row."""

    source: Table
    name: Any
    shared: list[Any]
    cells: list[list[Any] | None]

    def mean(self, at: int) -> float | None:
        numbers = [cells[at] for cells in self.cells if cells and type(cells[at]) in (int, float)]
        finite = [number for number in numbers if number - number == 0]
        return statistics.fmean(finite) if finite else None


@dataclass(frozen=True)
class Joined:
    """`by`: the column that names rows; `shared`: columns with equal cells in every run; `apart`: the others."""

    tables: list[Table | None]
    by: str
    shared: list[str]
    apart: list[str]
    lines: list[Line]
    n: int

    @property
    def key(self) -> str:
        return next(table.key for table in self.tables if table)

    @property
    def measures(self) -> set[str]:
        """Columns with numbers, by which rows can be ordered."""
        return {name for at, name in enumerate(self.apart) if any(line.mean(at) is not None for line in self.lines)}


def gather(store: Store, found: Sequence[Row], order: str) -> list[Joined]:
    """Joined tables of keys that two or more runs have. `order`: `+COLUMN` or `-COLUMN`, by the mean over the runs."""
    summaries = [flatten_media(load_object(run["summary"])) for run in found]
    plotted = {name for run in found for _, (*_, name) in wandb_tables.definitions(run["config"])}
    keys = sorted({key for summary in summaries for key in summary} - plotted)
    shared = [key for key in keys if sum(_is_table(summary.get(key)) for summary in summaries) > 1]
    joined = []
    for key in shared[:MAX_TABLES]:
        read = [
            wandb_tables.read(store, run, key, summary[key]) if _is_table(summary.get(key)) else None
            for run, summary in zip(found, summaries, strict=True)
        ]
        if (one := join(read, order)) is not None:
            joined.append(one)
    return joined


def _is_table(value: dict[str, Any] | None) -> bool:
    n = value.get("nrows") if value and value["_type"] == "table-file" else None
    return type(n) is int and n <= MAX_LENGTH


def join(found: Sequence[Table | None], order: str = "") -> Joined | None:
    """Joined tables; None if no column names rows of two: texts, whole numbers or pictures, each once a table."""
    given = [table for table in found if table]
    by = _naming(given)
    if by is None:
        return None
    rows = [_by_name(table, by) if table else {} for table in found]
    columns = list(dict.fromkeys(name for table in given for name in table.columns if name != by))
    names = list(dict.fromkeys(name for of in rows for name in of))
    shared = [name for name in columns if _is_shared(name, names, rows, given)]
    apart = [name for name in columns if name not in shared]
    lines = []
    for name in names:
        at = next(i for i, of in enumerate(rows) if name in of)
        cells = [[of[name].get(column) for column in apart] if name in of else None for of in rows]
        first = rows[at][name]
        lines.append(Line(found[at] or given[0], first[by], [first.get(column) for column in shared], cells))
    _sort(lines, apart, order)
    return Joined(list(found), by, shared, apart, lines[:PER_PAGE], len(lines))


def _naming(given: Sequence[Table]) -> str | None:
    for column in given[0].columns if len(given) > 1 else ():
        if all(column in table.columns for table in given):
            names = [[identity(record.get(column)) for record in table.records] for table in given]
            once = all(len(set(of)) == len(of) and all(map(_may_name, of)) for of in names)
            if once and sum(map(len, names)) > len(set[Hashable]().union(*names)):
                return column
    return None


def _may_name(name: Hashable) -> bool:
    return type(name) is int or (isinstance(name, str) and name != "")


def identity(value: Any) -> Hashable:
    """A key, equal for two cells that name the same thing: for pictures, by content."""
    if isinstance(value, dict) and isinstance(value.get("sha256"), str):
        return str(value["sha256"])
    return value if isinstance(value, str | int | float | None) else repr(value)


def _by_name(table: Table, by: str) -> dict[Hashable, dict[str, Any]]:
    return {identity(record[by]): record for record in table.records if by in record}


def _is_shared(
    column: str, names: Sequence[Hashable], rows: Sequence[dict[Hashable, dict[str, Any]]], given: Sequence[Table]
) -> bool:
    if not all(column in table.columns for table in given):
        return False
    return all(len({_whole(of[name].get(column)) for of in rows if name in of}) == 1 for name in names)


def _whole(value: Any) -> Hashable:
    """A key, equal for two cells without any difference, masks of pictures included."""
    layers = (value.get("masks"), value.get("boxes")) if isinstance(value, dict) else None
    return (identity(value), repr(layers))


def _sort(lines: list[Line], apart: Sequence[str], order: str) -> None:
    """Sort rows by their mean over the runs; rows without one come last."""
    if order[1:] in apart and order[:1] in ("+", "-"):
        at, sign = apart.index(order[1:]), -1 if order[0] == "-" else 1
        lines.sort(key=lambda line: (line.mean(at) is None, sign * (line.mean(at) or 0.0)))
