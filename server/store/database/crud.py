"""One row of a table: looked up, made, changed."""

import sqlite3
from collections.abc import Mapping
from typing import Any

from server.store.errors import NotFound

Row = dict[str, Any]


def first(db: sqlite3.Connection, sql: str, *arguments: object) -> Row | None:
    """The first row of an answer; None without one."""
    row: Row | None = db.execute(sql, arguments).fetchone()
    return row


def value(db: sqlite3.Connection, sql: str, *arguments: object) -> Any:
    """The only column of the first row of an answer; None without one."""
    row = first(db, sql, *arguments)
    return None if row is None else next(iter(row.values()))


def get(db: sqlite3.Connection, sql: str, number: int, kind: str) -> Row:
    """The row with that number. Raises NotFound, which names the kind of thing."""
    row = first(db, sql, number)
    if row is None:
        raise NotFound(f"{kind} {number}")
    return row


def insert(db: sqlite3.Connection, table: str, **columns: object) -> int:
    """A new row; returns its number."""
    places = ", ".join("?" for _ in columns)
    cursor = db.execute(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})", tuple(columns.values()))
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def update(db: sqlite3.Connection, table: str, number: int, columns: Mapping[str, object], **stamps: object) -> None:
    """Sets the columns whose value is not None, and with them `stamps`; nothing if all are None."""
    given = {name: value for name, value in columns.items() if value is not None}
    if given:
        given |= stamps
        setters = ", ".join(f"{name} = ?" for name in given)
        db.execute(f"UPDATE {table} SET {setters} WHERE id = ?", (*given.values(), number))
