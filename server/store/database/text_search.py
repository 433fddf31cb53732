"""Things with given words in their names: projects, runs, sweeps, collections of artifacts, reports."""

import json
import sqlite3
from collections.abc import Sequence

from server.store.database.crud import Row

_KINDS = {
    "projects": ("projects", "", "entity || '/' || projects.name || ' ' || coalesce(projects.description, '')"),
    "runs": (
        "runs",
        "JOIN projects ON projects.id = runs.project_id",
        "projects.name || '/' || runs.name || ' ' || display_name || ' ' || coalesce(group_name, '') || ' ' || tags",
    ),
    "sweeps": (
        "sweeps",
        "JOIN projects ON projects.id = sweeps.project_id",
        "projects.name || '/' || sweeps.name || ' ' || coalesce(display_name, '') || ' ' || config",
    ),
    "artifacts": (
        "collections",
        "JOIN projects ON projects.id = collections.project_id",
        "projects.name || '/' || collections.type || ' ' || collections.name || ' '"
        " || coalesce(collections.description, '')",
    ),
    "reports": (
        "views",
        "JOIN projects ON projects.id = views.project_id AND views.type = 'runs'",
        "projects.name || '/' || views.name || ' ' || coalesce(display_name, '') || ' '"
        " || coalesce(views.description, '')",
    ),
}
KINDS = tuple(_KINDS)


def find(db: sqlite3.Connection, kind: str, words: Sequence[str], entities: list[str] | None, most: int) -> list[Row]:
    """The newest things of a kind that have every word, ASCII letters of either case; with `entity` and `project`.

    `entities`: those that are searched, None for all.
    """
    table, join, text = _KINDS[kind]
    conditions = "".join(f" AND instr(lower({text}), lower(?{i + 3}))" for i in range(len(words)))
    return db.execute(
        f"""SELECT {table}.*, projects.entity AS entity, projects.name AS project FROM {table} {join}
        WHERE (?1 IS NULL OR projects.entity IN (SELECT value FROM json_each(?1))){conditions}
        ORDER BY {table}.id DESC LIMIT ?2""",
        (None if entities is None else json.dumps(entities), most, *words),
    ).fetchall()
