"""Frees blobs without a reference, also while a server is at work.

A blob stays while a file, a manifest or an entry of an artifact refers to it, and while an unfinished upload may still
need it: uploads of an artifact come after its first row, so nothing older than the oldest unfinished artifact is needed
by one. First the row goes, then, in a transaction in which it is still gone, the file.
"""

import sqlite3
from dataclasses import dataclass, field
from pathlib import Path

from server.store.database import crud
from server.store.folder import integrity

UNFINISHED = 8 * 86_400.0  # seconds; the addresses of uploads expire before
BATCH = 500
EVER = 1e18
_UNUSED = """SELECT sha256, size FROM blobs WHERE created_at < ?
    AND NOT EXISTS (SELECT 1 FROM run_files WHERE run_files.sha256 = blobs.sha256)
    AND NOT EXISTS (SELECT 1 FROM manifests WHERE manifests.sha256 = blobs.sha256)
    AND NOT EXISTS (SELECT 1 FROM artifact_entries WHERE artifact_entries.sha256 = blobs.sha256) LIMIT ?"""


@dataclass
class Freed:
    """files: their number; bytes: of files and, after `compact`, of the database; artifacts: given-up uploads.

    left: paths that are no blobs and could not be removed, each with the reason.
    """

    files: int = 0
    bytes: int = 0
    artifacts: int = 0
    left: list[str] = field(default_factory=list)


def collect(db: sqlite3.Connection, folder: Path, now: float) -> Freed:
    """Free all garbage. `db` is in autocommit; each step is a short transaction, so that a server hardly waits."""
    freed = Freed()
    _begin(db)
    freed.artifacts = _drop_abandoned(db, now)
    db.execute("COMMIT")
    while _delete_unused(db):
        pass
    for path in integrity.files(folder):
        _begin(db)
        if not integrity.is_blob(db, path):
            _remove(path, folder, freed)
        db.execute("COMMIT")
    return freed


def _remove(path: Path, folder: Path, freed: Freed) -> None:
    """Remove a file; of a link not its target. A folder, which no server makes here, stays."""
    try:
        size = path.lstat().st_size
        path.unlink()
        freed.bytes, freed.files = freed.bytes + size, freed.files + 1
    except OSError as error:
        freed.left.append(f"{integrity.printable_path(path, folder)} ({error.strerror})")


def compact(db: sqlite3.Connection) -> int:
    """Gives the database's empty pages back to the disk; returns bytes. Nobody else may be using it."""
    pages = crud.value(db, "PRAGMA freelist_count")
    if pages:
        db.execute("VACUUM")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return int(pages * crud.value(db, "PRAGMA page_size"))


def _begin(db: sqlite3.Connection) -> None:
    db.execute("BEGIN IMMEDIATE")


def _drop_abandoned(db: sqlite3.Connection, now: float) -> int:
    """Artifacts that were never finished, and the manifests of deleted ones that no unfinished one builds on."""
    dropped = db.execute(
        "DELETE FROM artifacts WHERE state = 'PENDING' AND updated_at < ?", (now - UNFINISHED,)
    ).rowcount
    db.execute(
        """UPDATE manifests SET sha256 = NULL WHERE sha256 IS NOT NULL
        AND artifact_id IN (SELECT id FROM artifacts WHERE state = 'DELETED') AND artifact_id NOT IN (
            SELECT base_artifact_id FROM manifests JOIN artifacts ON artifacts.id = artifact_id
            WHERE state = 'PENDING' AND base_artifact_id IS NOT NULL)"""
    )
    return int(dropped)


def _delete_unused(db: sqlite3.Connection) -> int:
    """Removes the rows of up to BATCH unused blobs; returns their number."""
    _begin(db)
    oldest = crud.value(db, "SELECT coalesce(min(created_at), ?) FROM artifacts WHERE state = 'PENDING'", EVER)
    unused = db.execute(_UNUSED, (oldest, BATCH)).fetchall()
    db.executemany("DELETE FROM blobs WHERE sha256 = ?", [(row["sha256"],) for row in unused])
    db.execute("COMMIT")
    return len(unused)
