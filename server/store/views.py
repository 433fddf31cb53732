"""Saved views: reports and workspaces. Their spec is the client's own text."""

import sqlite3
from typing import Any

from server.store.database import crud
from server.store.database.crud import Row

_SELECT = "SELECT views.* FROM views "


def by_id(db: sqlite3.Connection, view_id: int) -> Row:
    return crud.get(db, _SELECT + "WHERE id = ?", view_id, "view number")


def of_project(db: sqlite3.Connection, project_id: int, type: str | None, name: str | None) -> list[Row]:
    """Views, newest first."""
    sql = "WHERE project_id = ?1 AND (?2 IS NULL OR type = ?2) AND (?3 IS NULL OR name = ?3) ORDER BY id DESC"
    return db.execute(_SELECT + sql, (project_id, type, name)).fetchall()


def insert(db: sqlite3.Connection, project_id: int, type: str, name: str, now: float) -> int:
    columns = {"project_id": project_id, "type": type, "name": name, "created_at": now, "updated_at": now}
    return crud.insert(db, "views", **columns, spec="{}")


def change(db: sqlite3.Connection, view_id: int, now: float, **columns: Any) -> None:
    """Sets columns that are not None: name, display_name, description, spec, type."""
    crud.update(db, "views", view_id, columns, updated_at=now)


def delete(db: sqlite3.Connection, view_id: int) -> None:
    db.execute("DELETE FROM views WHERE id = ?", (view_id,))
