"""Connections to the database, with its settings and its functions; their queries can be given a time."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from server.store.database import filters
from server.store.database.crud import Row

STEPS = 10_000  # of SQLite between two looks at the clock: some tenths of a millisecond


class TimedConnection(sqlite3.Connection):
    """A connection whose queries can be given a time; a query that exceeds it is interrupted."""

    _is_over: Callable[[], bool] | None = None

    def limit(self, is_over: Callable[[], bool] | None) -> None:
        """Set the question that is asked between steps of SQLite, and for each run of a filter. None: no limit."""
        self._is_over = is_over
        self.set_progress_handler(is_over, STEPS)

    def is_stopped(self) -> bool:
        """Whether the time is over; the query is then interrupted."""
        if self._is_over is None or not self._is_over():
            return False
        self.interrupt()
        return True


def connect(path: Path) -> TimedConnection:
    db = sqlite3.connect(path, isolation_level=None, timeout=30, factory=TimedConnection)
    db.row_factory = as_dictionary
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA foreign_keys = ON")
    db.execute("PRAGMA trusted_schema = OFF")
    db.execute("PRAGMA cache_size = -1024")
    db.create_function("passes", -1, filters.passes)
    db.create_function("first_value", 2, filters.first_value)
    return db


def as_dictionary(cursor: sqlite3.Cursor, row: tuple[Any, ...]) -> Row:
    return {column[0]: value for column, value in zip(cursor.description, row, strict=True)}
