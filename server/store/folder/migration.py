"""Folders of older servers, brought to today's `schema.sql`: `migrations/N.sql` takes format N - 1 to format N.

Each step is one transaction, without foreign keys, so that a table can be copied and dropped. A change of `schema.sql`
adds a step that does the same to a folder that exists; steps are never changed afterwards.
"""

import sqlite3
from pathlib import Path

from server.store import runs

STORE = Path(__file__).parents[1]
SCHEMA = STORE / "schema.sql"
STEPS = {int(path.stem): path for path in (STORE / "migrations").glob("*.sql")}
FORMAT = max(STEPS)


def format_version(db: sqlite3.Connection) -> int:
    """Number of the format; 0 for an empty database."""
    row = db.execute("PRAGMA user_version").fetchone()
    return int(row["user_version"] if isinstance(row, dict) else row[0])


def migrate(db: sqlite3.Connection) -> None:
    """Bring the folder to today's format. Raises sqlite3.Error when a step fails, which then changes nothing."""
    found = format_version(db)
    if found == 0:
        _execute(db, SCHEMA, FORMAT)
    for number in range(found + 1, FORMAT + 1) if found else ():
        _execute(db, STEPS[number], number)


def _execute(db: sqlite3.Connection, script: Path, number: int) -> None:
    db.execute("PRAGMA foreign_keys = OFF")
    try:
        db.executescript(f"BEGIN IMMEDIATE; {script.read_text()}")
        if number == 9:
            runs.index_configs(db)
        db.execute(f"PRAGMA user_version = {number}")
        db.execute("COMMIT")
    except sqlite3.Error:
        if db.in_transaction:
            db.rollback()
        raise
    finally:
        db.execute("PRAGMA foreign_keys = ON")
