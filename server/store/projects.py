"""Projects, made when first named."""

import sqlite3
from typing import Any

from common.names import check_name
from server.store.database import crud
from server.store.database.crud import Row


def find(db: sqlite3.Connection, entity: str, name: str) -> Row | None:
    return crud.first(db, "SELECT * FROM projects WHERE entity = ? AND name = ?", entity, name)


def by_id(db: sqlite3.Connection, project_id: int) -> Row:
    return crud.get(db, "SELECT * FROM projects WHERE id = ?", project_id, "project")


def ensure(db: sqlite3.Connection, entity: str, name: str, now: float, **changes: Any) -> tuple[Row, bool]:
    """The project and whether it is new. `changes`: description. Raises BadName."""
    check_name("entity", entity)
    check_name("project", name)
    old = find(db, entity, name)
    number = old["id"] if old else crud.insert(db, "projects", entity=entity, name=name, created_at=now)
    crud.update(db, "projects", number, changes)
    return by_id(db, number), old is None


def of_entity(db: sqlite3.Connection, entity: str | None = None) -> list[Row]:
    """Projects, newest first, with run and sweep counts and the time of the last activity."""
    return db.execute(
        """SELECT projects.*,
            (SELECT count(*) FROM runs WHERE project_id = projects.id) AS n_runs,
            (SELECT count(*) FROM sweeps WHERE project_id = projects.id) AS n_sweeps,
            (SELECT max(heartbeat_at) FROM runs WHERE project_id = projects.id) AS active_at
        FROM projects WHERE ?1 IS NULL OR entity = ?1 ORDER BY id DESC""",
        (entity,),
    ).fetchall()
