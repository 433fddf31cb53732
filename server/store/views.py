"""Saved views: reports and workspaces. Their spec is the client's own text."""

import sqlite3
from typing import Any

from server.store.database import NotFound, Row

_SELECT = "SELECT views.* FROM views "


def by_id(db: sqlite3.Connection, view_id: int) -> Row:
    row: Row | None = db.execute(_SELECT + "WHERE id = ?", (view_id,)).fetchone()
    if row is None:
        raise NotFound(f"view number {view_id}")
    return row


def of_project(db: sqlite3.Connection, project_id: int, type: str | None, name: str | None) -> list[Row]:
    """Newest first."""
    sql = "WHERE project_id = ?1 AND (?2 IS NULL OR type = ?2) AND (?3 IS NULL OR name = ?3) ORDER BY id DESC"
    return db.execute(_SELECT + sql, (project_id, type, name)).fetchall()


def insert(db: sqlite3.Connection, project_id: int, type: str, name: str, now: float) -> int:
    cursor = db.execute(
        """INSERT INTO views (project_id, type, name, spec, created_at, updated_at)
        VALUES (?, ?, ?, '{}', ?, ?)""",
        (project_id, type, name, now, now),
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def change(db: sqlite3.Connection, view_id: int, now: float, **columns: Any) -> None:
    for name in ("name", "display_name", "description", "spec", "type"):
        if columns.get(name) is not None:
            db.execute(f"UPDATE views SET {name} = ?, updated_at = ? WHERE id = ?", (columns[name], now, view_id))


def delete(db: sqlite3.Connection, view_id: int) -> None:
    db.execute("DELETE FROM views WHERE id = ?", (view_id,))
