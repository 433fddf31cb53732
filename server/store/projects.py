"""Projects: made when something first names them."""

import sqlite3
from typing import Any

from common.names import check_name
from server.store.database import NotFound, Row


def find(db: sqlite3.Connection, entity: str, name: str) -> Row | None:
    row: Row | None = db.execute("SELECT * FROM projects WHERE entity = ? AND name = ?", (entity, name)).fetchone()
    return row


def by_id(db: sqlite3.Connection, project_id: int) -> Row:
    row: Row | None = db.execute("SELECT * FROM projects WHERE id = ?", (project_id,)).fetchone()
    if row is None:
        raise NotFound(f"project {project_id}")
    return row


def ensure(db: sqlite3.Connection, entity: str, name: str, now: float, **changes: Any) -> tuple[Row, bool]:
    """The project and whether it is new. `changes`: description. Raises BadName."""
    check_name("entity", entity)
    check_name("project", name)
    old = find(db, entity, name)
    if old is None:
        db.execute("INSERT INTO projects (entity, name, created_at) VALUES (?, ?, ?)", (entity, name, now))
    if changes.get("description") is not None:
        db.execute(
            "UPDATE projects SET description = ? WHERE entity = ? AND name = ?", (changes["description"], entity, name)
        )
    project = find(db, entity, name)
    assert project is not None
    return project, old is None


def listed(db: sqlite3.Connection, entity: str | None = None) -> list[Row]:
    """Newest first, with run and sweep counts and the time of the last activity."""
    return db.execute(
        """SELECT projects.*,
            (SELECT count(*) FROM runs WHERE project_id = projects.id) AS n_runs,
            (SELECT count(*) FROM sweeps WHERE project_id = projects.id) AS n_sweeps,
            (SELECT max(heartbeat_at) FROM runs WHERE project_id = projects.id) AS active_at
        FROM projects WHERE ?1 IS NULL OR entity = ?1 ORDER BY id DESC""",
        (entity,),
    ).fetchall()
