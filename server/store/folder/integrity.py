"""Integrity of a folder: every reference, every digest, no orphans."""

import base64
import contextlib
import hashlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from common.names import quote
from server.store.disk import blobs
from server.store.folder import migration

CHUNK = 1 << 20
# Rules beyond foreign keys: a sentence with a row's values, and the rows for which it is wrong.
RULES = {
    "artifact {id} (collection {collection_id}) is committed without a manifest": """
        SELECT id, collection_id FROM artifacts WHERE state = 'COMMITTED' AND NOT EXISTS
        (SELECT 1 FROM manifests WHERE manifests.id = artifacts.manifest_id AND sha256 IS NOT NULL)""",
    "artifact {id} (collection {collection_id}) is committed but no version of its collection": """
        SELECT id, collection_id FROM artifacts WHERE state = 'COMMITTED' AND NOT EXISTS
        (SELECT 1 FROM memberships WHERE artifact_id = artifacts.id)""",
    "file {path} of artifact {artifact_id} has neither bytes nor a reference": """
        SELECT artifact_id, path FROM artifact_entries WHERE sha256 IS NULL AND ref IS NULL""",
    "alias {alias} of collection {collection_id} stands for an artifact that is not in it": """
        SELECT alias, collection_id FROM aliases WHERE NOT EXISTS (SELECT 1 FROM memberships
        WHERE memberships.collection_id = aliases.collection_id AND artifact_id = aliases.artifact_id)""",
}


def find_faults(db: sqlite3.Connection, folder: Path, read_bytes: bool = True) -> Iterator[str]:
    """One sentence for each fault; none for a folder that is whole. `read_bytes` compares the digests of all blobs."""
    for row in db.execute("PRAGMA integrity_check(100)"):
        if row["integrity_check"] != "ok":
            yield f"database: {row['integrity_check']}"
    if strange := sorted(_shape(db) ^ _expected_shape()):
        yield "database: tables, columns or triggers are not those of this server: " + ", ".join(strange[:5])
        return
    for row in db.execute("PRAGMA foreign_key_check"):
        yield f"database: row {row['rowid']} of {row['table']} refers to a row of {row['parent']} that is gone"
    for sentence, sql in RULES.items():
        yield from (sentence.format(**row) for row in db.execute(sql))
    for row in db.execute("SELECT * FROM blobs ORDER BY sha256"):
        if not blobs.is_digest(row["sha256"]):
            yield f"blob {quote(str(row['sha256']))} has no digest of 64 hex digits"
            continue
        fault = _fault(blobs.path(folder, row["sha256"]), row, read_bytes)
        if fault:
            yield f"blob {row['sha256']} {fault}"
    yield from _orphans(db, folder)


def _shape(db: sqlite3.Connection) -> set[str]:
    """`table.column` of all tables, and the names of triggers and views, of which a server makes none."""
    sql = """SELECT master.name || coalesce('.' || info.name, '') AS name FROM sqlite_master AS master
        LEFT JOIN pragma_table_info(master.name) AS info ON master.type = 'table'
        WHERE master.type != 'index' AND master.name NOT LIKE 'sqlite_%'"""
    return {row["name"] for row in db.execute(sql)}


def _expected_shape() -> set[str]:
    with contextlib.closing(sqlite3.connect(":memory:")) as db:
        db.row_factory = sqlite3.Row
        db.executescript(migration.SCHEMA.read_text())
        return _shape(db)


def _fault(path: Path, row: dict[str, object], read_bytes: bool) -> str | None:
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    try:
        with blobs.open_blob(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size != row["size"]:
                return f"has {size} bytes instead of {row['size']}"
            if not read_bytes:
                return None
            while chunk := file.read(CHUNK):
                sha256.update(chunk)
                md5.update(chunk)
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    right = sha256.hexdigest() == row["sha256"] and base64.b64encode(md5.digest()).decode() == row["md5"]
    return None if right else "has another content than its digest says"


def _orphans(db: sqlite3.Connection, folder: Path) -> Iterator[str]:
    """Files in `blobs/` that no row knows. The rows are asked anew: an upload may have come in since the beginning."""
    unknown = [path for path in files(folder) if not is_blob(db, path)]
    if unknown:
        db.execute("COMMIT")
        db.execute("BEGIN")
    for path in unknown:
        if path.is_dir() and not path.is_symlink():
            yield f"folder {printable_path(path, folder)} is none of this server's, or cannot be read: move it away"
        elif not is_blob(db, path):
            yield f"file {printable_path(path, folder)} is an orphan: `gc` removes it"


def printable_path(path: Path, folder: Path) -> str:
    """The path below the folder in ASCII, for any name."""
    return ascii(str(path.relative_to(folder)))[1:-1]


def is_blob(db: sqlite3.Connection, path: Path) -> bool:
    """Whether a row refers to a file. A name that is no UTF-8, which no database takes, is none of ours."""
    return path.name.isascii() and blobs.is_known(db, path.name)


def files(folder: Path) -> Iterator[Path]:
    """Everything in `blobs/`: files in its folders, files beside them, and unreadable folders."""
    for place in sorted((folder / "blobs").glob("*")):
        try:
            yield from sorted(place.iterdir()) if place.is_dir() else [place]
        except OSError:
            yield place
