"""Streams of a run: history, system metrics and console, line by line.

The key is (run, line number), so a request that is repeated after a lost answer changes nothing. Several clients of one
run (`mode="shared"`) count their own lines each; `client_lines` maps these to lines of the run.
"""

import itertools
import json
import math
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

from server.jsontext import load_object, load_objects, to_strict_json
from server.store.database import crud
from server.store.database.crud import Row

Table = Literal["history", "system_metrics", "console"]
Range = tuple[float, float, float]
PAGE = 500  # rows of history that are read at once
UNCOUNTED = 200  # lines of history whose keys are counted when they are asked for
FILES: dict[str, Table] = {
    "wandb-history.jsonl": "history",
    "wandb-events.jsonl": "system_metrics",
    "output.log": "console",
}


# SQLite would read all rows of the run for one step: both keys begin with the run, and it knows no more of them.
_BY_STEP = "history INDEXED BY history_by_step"


def count(db: sqlite3.Connection, table: Table, run_id: int) -> int:
    """Lines so far: one more than the highest line number."""
    return int(crud.value(db, f"SELECT coalesce(max(line) + 1, 0) FROM {table} WHERE run_id = ?", run_id))


def total(db: sqlite3.Connection, table: Table, run_id: int) -> int:
    """Number of lines, less than `count` if some were repetitions."""
    return int(crud.value(db, f"SELECT count(*) FROM {table} WHERE run_id = ?", run_id))


def lines_after(db: sqlite3.Connection, table: Table, run_id: int, n: int, page: int) -> Iterator[str]:
    """The lines behind the first n, fetched by the page."""
    select = f"SELECT line, content FROM {table} WHERE run_id = ?"
    last = -1
    if n:
        row = crud.first(db, f"{select} ORDER BY line LIMIT 1 OFFSET ?", run_id, n - 1)
        last = row["line"] if row else last
    while found := db.execute(f"{select} AND line > ? ORDER BY line LIMIT ?", (run_id, last, page)).fetchall():
        yield from (row["content"] for row in found)
        last = found[-1]["line"]


def history_pages(db: sqlite3.Connection, run_id: int, size: int) -> Iterator[list[Row]]:
    """All rows of history, `{line, step, content}`, in pages."""
    cursor = db.execute("SELECT line, step, content FROM history WHERE run_id = ? ORDER BY line", (run_id,))
    while page := cursor.fetchmany(size):
        yield page


def history_length(db: sqlite3.Connection, run_id: int, first: int = 0) -> int:
    """Characters of the rows of history from the line `first` on."""
    sql = "SELECT coalesce(sum(length(content)), 0) FROM history WHERE run_id = ? AND line >= ?"
    return int(crud.value(db, sql, run_id, first))


def history_line(db: sqlite3.Connection, run_id: int, line: int) -> str | None:
    """A line of history; None if it does not exist."""
    text: str | None = crud.value(db, "SELECT content FROM history WHERE run_id = ? AND line = ?", run_id, line)
    return text


def history_share(
    db: sqlite3.Connection, run_id: int, share: float, keys: list[str], size: int, between: tuple[int, int] = (0, 2**62)
) -> Iterator[list[tuple[int, str]]]:
    """(step, content) of about that share of the rows, in pages, and of all rows that have one of `keys`.

    `between`: the first line that is read, and the first that is not.
    The share is scattered over the run, and consists of the same rows each time; 1 is all of them.
    """
    cursor = db.cursor()
    cursor.row_factory = None
    chosen = "(line % 4294967296 * 2654435761) & 4294967295 < ?" + " OR instr(content, ?)" * len(keys)
    cursor.execute(
        f"SELECT step, content FROM history WHERE run_id = ? AND line >= ? AND line < ? AND ({chosen}) ORDER BY line",
        (run_id, *between, math.ceil(share * 2**32), *(json.dumps(key, ensure_ascii=False) for key in keys)),
    )
    while page := cursor.fetchmany(size):
        yield page


def history_rows(
    db: sqlite3.Connection, run_id: int, share: float, keys: list[str]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """(step, parsed row) as `history_share` chooses them."""
    for page in history_share(db, run_id, share, keys, PAGE):
        yield from zip((step for step, _ in page), load_objects([content for _, content in page]), strict=True)


def put(db: sqlite3.Connection, table: Table, run_id: int, offset: int, lines: list[str], client: str = "") -> None:
    """Stores lines, the first of which has the number `offset` in the run, or among the lines of `client`."""
    if table == "history":
        put_history(db, run_id, offset, lines, client)
        return
    numbers = _numbers(db, table, run_id, offset, len(lines), client)
    db.executemany(
        f"INSERT INTO {table} VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET content = ?3",
        [(run_id, number, line) for number, line in zip(numbers, lines, strict=True)],
    )


def put_history(
    db: sqlite3.Connection, run_id: int, offset: int, lines: list[str], client: str = ""
) -> list[tuple[int, dict[str, Any]]]:
    """As `put`; returns (line number, parsed row) of those that are not repeated.

    A run that is synced a second time is sent after the lines that are known: a row that equals a known one of the same
    step, time stamp included, is a repetition.
    """
    known = count(db, "history", run_id)
    numbers = _numbers(db, "history", run_id, offset, len(lines), client)
    rows = [(line, load_object(text), text) for line, text in zip(numbers, lines, strict=True)]
    if not client and offset >= known > 0:
        rows = [row for row in rows if not _is_repeated(db, run_id, row[1], row[0])]
    db.executemany(
        "INSERT INTO history VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET step = ?3, content = ?4",
        [(run_id, line, _step(row, line), text) for line, row, text in rows],
    )
    _count_keys(db, run_id, known, [(line, row) for line, row, _ in rows])
    return [(line, row) for line, row, _ in rows]


def _count_keys(db: sqlite3.Connection, run_id: int, known: int, rows: list[tuple[int, dict[str, Any]]]) -> None:
    """Brings `history_keys` up to date every UNCOUNTED lines: rows of 5,000 keys would else cost 5,000 changes each.

    `rows` were just stored, those below the line `known` in place of others.
    """
    first = _first_uncounted(db, run_id)
    last = max((line for line, _ in rows), default=-1)
    if last - first < UNCOUNTED:
        return
    sql = "SELECT content FROM history WHERE run_id = ? AND line BETWEEN ? AND ?"
    before = db.execute(sql, (run_id, first, known - 1))
    counted = [load_object(row["content"]) for row in before]
    counted += [row for line, row in rows if line >= known]
    ranges = _ranges(counted)
    db.executemany(
        """INSERT INTO history_keys VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO UPDATE SET
        count = count + ?4, last = coalesce(?7, last),
        low = iif(?5 IS NULL, low, min(low, ?5)), high = iif(?6 IS NULL, high, max(high, ?6))""",
        [
            (run_id, key, kind, n, *((kind == "number" and ranges.get(key)) or (None, None, None)))
            for (key, kind), n in _key_counts(counted).items()
        ],
    )
    db.execute("UPDATE runs SET keys_counted = ? WHERE id = ?", (last + 1, run_id))


def _first_uncounted(db: sqlite3.Connection, run_id: int) -> int:
    return int(crud.value(db, "SELECT keys_counted FROM runs WHERE id = ?", run_id))


def _key_counts(rows: Iterable[dict[str, Any]]) -> "Counter[tuple[str, str]]":
    return Counter((key, _type(value)) for row in rows for key, value in row.items())


def _ranges(rows: Iterable[dict[str, Any]]) -> dict[str, Range]:
    """Lowest, highest and last finite number of each key."""
    found: dict[str, Range] = {}
    for row in rows:
        for key, value in row.items():
            if type(value) in (int, float) and math.isfinite(value):
                low, high, _ = found.get(key, (value, value, value))
                found[key] = (min(low, value), max(high, value), value)
    return found


def ranges(db: sqlite3.Connection, run_id: int) -> dict[str, Range]:
    """Lowest, highest and last finite number of each key of history, if all of them are known."""
    first = _first_uncounted(db, run_id)
    sql = "SELECT content FROM history WHERE run_id = ? AND line >= ? ORDER BY line"
    found = _ranges(load_objects([row["content"] for row in db.execute(sql, (run_id, first))]))
    if not first:
        return found
    sql = "SELECT key, low, high, last FROM history_keys WHERE run_id = ? AND type = 'number'"
    for row in db.execute(sql, (run_id,)):
        low, high, last = found.get(row["key"], (row["low"], row["high"], row["last"]))
        if row["low"] is None:
            found.pop(row["key"], None)
        else:
            found[row["key"]] = (min(low, row["low"]), max(high, row["high"]), last)
    return found


def last_number(db: sqlite3.Connection, run_id: int, key: str) -> float | None:
    """The number in the newest row with this key at its top level, NaN too; None if no row has one."""
    newest = db.execute(
        """SELECT content FROM history WHERE run_id = ?1 AND line > ?2 AND instr(content, ?3) ORDER BY line DESC""",
        (run_id, count(db, "history", run_id) - 1 - UNCOUNTED, json.dumps(key, ensure_ascii=False)),
    )
    for row in newest:
        value = load_object(row["content"]).get(key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return value
    sql = "SELECT last FROM history_keys WHERE run_id = ? AND key = ? AND type = 'number'"
    counted = crud.first(db, sql, run_id, key)
    return counted["last"] if counted else None


def _numbers(db: sqlite3.Connection, table: Table, run_id: int, offset: int, n: int, client: str) -> Sequence[int]:
    """The run's line numbers of n lines of a client. Those that are new come behind all others."""
    own = range(offset, offset + n)
    if not client:
        return own
    place = (run_id, table, client)
    pieces = db.execute(
        """SELECT first, count, line FROM client_lines WHERE run_id = ?1 AND file = ?2 AND client = ?3 AND first < ?5
        AND first >= coalesce((SELECT max(first) FROM client_lines
            WHERE run_id = ?1 AND file = ?2 AND client = ?3 AND first <= ?4), 0)""",
        (*place, offset, offset + n),
    ).fetchall()
    numbers = {
        line: piece["line"] + line - piece["first"]
        for piece in pieces
        for line in range(max(offset, piece["first"]), min(offset + n, piece["first"] + piece["count"]))
    }
    new = [
        (at, line) for at, line in enumerate((line for line in own if line not in numbers), count(db, table, run_id))
    ]
    numbers |= {line: at for at, line in new}
    for _, group in itertools.groupby(new, key=lambda pair: pair[1] - pair[0]):
        piece = list(group)
        at, first = piece[0]
        db.execute("INSERT INTO client_lines VALUES (?, ?, ?, ?, ?, ?)", (*place, first, len(piece), at))
    return [numbers[line] for line in own]


def has_clients(db: sqlite3.Connection, table: Table, run_id: int) -> bool:
    """Whether several clients may have written the lines (`mode="shared"`)."""
    sql = "SELECT EXISTS (SELECT 1 FROM client_lines WHERE run_id = ? AND file = ?)"
    return bool(crud.value(db, sql, run_id, table))


def _is_repeated(db: sqlite3.Connection, run_id: int, row: dict[str, Any], line: int) -> bool:
    same_step = f"SELECT content FROM {_BY_STEP} WHERE run_id = ? AND step = ?"
    found = db.execute(same_step, (run_id, _step(row, line))).fetchall()
    return any(to_strict_json(load_object(old["content"])) == to_strict_json(row) for old in found)


def _step(row: dict[str, Any], line: int) -> int:
    step = row.get("_step")
    return int(step) if isinstance(step, int | float) and abs(step) < 2**62 else line


def _type(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, dict):
        return str(value.get("_type", "map"))
    return "list" if isinstance(value, list) else "string" if isinstance(value, str) else "nil"


def keys(db: sqlite3.Connection, run_id: int) -> dict[str, Any]:
    """`{"keys": {key: {"typeCounts": [{"type", "count"}]}}, "lastStep": n}`; lastStep is -1 without rows."""
    sql = "SELECT content FROM history WHERE run_id = ? AND line >= ?"
    uncounted = db.execute(sql, (run_id, _first_uncounted(db, run_id)))
    counts = _key_counts(load_object(row["content"]) for row in uncounted)
    for row in db.execute("SELECT * FROM history_keys WHERE run_id = ?", (run_id,)):
        counts[row["key"], row["type"]] += row["count"]
    found: dict[str, Any] = {}
    for (key, kind), n in sorted(counts.items()):
        found.setdefault(key, {"typeCounts": []})["typeCounts"].append({"type": kind, "count": n})
    last = crud.value(db, "SELECT coalesce(max(step), -1) FROM history WHERE run_id = ?", run_id)
    return {"keys": found, "lastStep": last}


def last_value(db: sqlite3.Connection, run_id: int, key: str) -> Any:
    """The value of a key in the last row that has it; None without one."""
    sql = "SELECT content FROM history WHERE run_id = ? AND instr(content, ?) ORDER BY line DESC"
    for row in db.execute(sql, (run_id, json.dumps(key, ensure_ascii=False))):
        if key in (found := load_object(row["content"])):
            return found[key]
    return None


def contents(db: sqlite3.Connection, table: Table, run_id: int, samples: int | None = None) -> list[str]:
    """The lines in order; with `samples`, at most so many, evenly spaced, the last one included."""
    sql = f"SELECT content FROM {table} WHERE run_id = ? ORDER BY line"
    n = total(db, table, run_id)
    wanted = set(spread_indices(n, n if samples is None else samples))
    return [row["content"] for i, row in enumerate(db.execute(sql, (run_id,))) if i in wanted]


def spread_indices(total: int, samples: int) -> list[int]:
    """`samples` indices of `range(total)`, evenly spaced, first and last included."""
    if samples <= 1 or total <= 1:
        return [total - 1] if total and samples > 0 else []
    if total <= samples:
        return list(range(total))
    return [round(i * (total - 1) / (samples - 1)) for i in range(samples)]


def history_between(db: sqlite3.Connection, run_id: int, first: int, last: int) -> Iterable[str]:
    """History lines with first ≤ step ≤ last, by step."""
    sql = "SELECT content FROM history WHERE run_id = ? AND step BETWEEN ? AND ? ORDER BY step, line"
    return [row["content"] for row in db.execute(sql, (run_id, first, last))]


def first_step(db: sqlite3.Connection, run_id: int) -> int | None:
    step: int | None = crud.value(db, "SELECT min(step) FROM history WHERE run_id = ?", run_id)
    return step


def tail(db: sqlite3.Connection, table: Table, run_id: int, n: int = 1) -> list[str]:
    """The last n lines, the last one last."""
    sql = f"SELECT content FROM {table} WHERE run_id = ? ORDER BY line DESC LIMIT ?"
    return [row["content"] for row in db.execute(sql, (run_id, n))][::-1]


def console(db: sqlite3.Connection, run_id: int, after: int, first: int) -> list[Row]:
    """Console lines with a number above `after`, at most `first`."""
    sql = "SELECT line, content FROM console WHERE run_id = ? AND line > ? ORDER BY line LIMIT ?"
    return db.execute(sql, (run_id, after, first)).fetchall()


def console_with(db: sqlite3.Connection, run_id: int, text: str, last: int) -> list[Row]:
    """The last console lines that have `text` in them, ASCII letters of either case."""
    sql = """SELECT line, content FROM console WHERE run_id = ? AND instr(lower(content), lower(?))
        ORDER BY line DESC LIMIT ?"""
    return db.execute(sql, (run_id, text, last)).fetchall()[::-1]


def console_tail(db: sqlite3.Connection, run_id: int, last: int) -> list[Row]:
    sql = "SELECT line, content FROM console WHERE run_id = ? ORDER BY line DESC LIMIT ?"
    return db.execute(sql, (run_id, last)).fetchall()[::-1]
