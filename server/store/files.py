"""Files of runs: a name in a run, and the blob it stands for now."""

import json
import sqlite3

from common.names import check_file_path, quote
from server.store import ownership
from server.store.database import crud
from server.store.database.crud import Row
from server.store.disk import blobs
from server.store.disk.blobs import Blob
from server.store.errors import NotFound, Refused

MAX_PATH = 1000
_SELECT = "SELECT run_files.*, blobs.size, blobs.md5 FROM run_files JOIN blobs USING (sha256) "


def check_path(name: str) -> str:
    """A relative path below a run or an artifact. Raises Refused, or BadName for another place."""
    if len(name) > MAX_PATH:
        raise Refused(f"file {quote(name)} has {len(name)} characters; at most {MAX_PATH} fit")
    return check_file_path("file", name)


def put(db: sqlite3.Connection, run_id: int, name: str, blob: Blob, now: float) -> None:
    blobs.record(db, blob, now, ownership.entity(db, "Run", run_id))
    db.execute(
        """INSERT INTO run_files (run_id, name, sha256, updated_at) VALUES (?1, ?2, ?3, ?4)
        ON CONFLICT DO UPDATE SET sha256 = ?3, updated_at = ?4""",
        (run_id, name, blob.sha256, now),
    )


def find(db: sqlite3.Connection, run_id: int, name: str) -> Row | None:
    return crud.first(db, _SELECT + "WHERE run_id = ? AND name = ?", run_id, name)


def of_run(
    db: sqlite3.Connection, run_id: int, names: list[str] | None = None, pattern: str | None = None
) -> list[Row]:
    """Files by name; `names` empty or None means all, `pattern` is SQL LIKE. Raises Refused for too long a pattern."""
    if pattern is not None and len(pattern) > MAX_PATH:
        raise Refused(f"the pattern has {len(pattern)} characters; at most {MAX_PATH} fit")
    sql = _SELECT + "WHERE run_id = ?1 AND (?2 IS NULL OR name IN (SELECT value FROM json_each(?2)))"
    sql += " AND (?3 IS NULL OR name LIKE ?3) ORDER BY name"
    return db.execute(sql, (run_id, json.dumps(names) if names else None, pattern)).fetchall()


def of_project(db: sqlite3.Connection, project_id: int, name: str) -> list[Row]:
    """The files of that name of all runs of a project, newest first."""
    sql = _SELECT + "JOIN runs ON runs.id = run_id WHERE project_id = ? AND run_files.name = ? ORDER BY updated_at DESC"
    return db.execute(sql, (project_id, name)).fetchall()


def count(db: sqlite3.Connection, run_id: int) -> int:
    return int(crud.value(db, "SELECT count(*) FROM run_files WHERE run_id = ?", run_id))


def delete(db: sqlite3.Connection, file_ids: list[int]) -> None:
    """Raises NotFound for a file that is not there."""
    for file_id in file_ids:
        if ownership.entity(db, "File", file_id) is None:
            raise NotFound(ownership.name("File", file_id))
    db.executemany("DELETE FROM run_files WHERE id = ?", [(file_id,) for file_id in file_ids])
