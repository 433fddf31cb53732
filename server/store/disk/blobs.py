"""Bytes by content: `blobs/ab/abcdef…` is the file whose SHA-256 is `abcdef…`.

A body is written to `incoming/`, fsynced, and renamed into place, so that a name in `blobs/` always
stands for the whole content. The rename and the row of the table `blobs` belong to one transaction: the holder of the
database's write lock sees either both or neither. A mark in `incoming/` tells the next start of a rename whose
transaction never ended.
"""

import base64
import contextlib
import errno
import hashlib
import json
import os
import re
import secrets
import sqlite3
import stat
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from common.files import sync_folder
from common.names import quote
from server.store.database import crud
from server.store.errors import NotFound

_DIGEST = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Blob:
    sha256: str
    md5: str
    size: int


class Incoming:
    """A body on its way in: `write` as it arrives, `seal`, inside a transaction `place`, at last always `discard`."""

    def __init__(self, folder: Path, target: Path) -> None:
        self._path, self._mark = folder / secrets.token_hex(16), folder / "unused"
        self._folder, self._target = folder, target
        self._file = self._path.open("wb")
        self._sha256, self._md5, self._size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0

    def write(self, chunk: bytes | bytearray) -> None:
        self._file.write(chunk)
        self._sha256.update(chunk)
        self._md5.update(chunk)
        self._size += len(chunk)

    def seal(self) -> Blob:
        """Sync the body to disk, not yet under its digest."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        return Blob(self._sha256.hexdigest(), base64.b64encode(self._md5.digest()).decode(), self._size)

    def place(self) -> None:
        """Move the body under its digest. To be called in the transaction that records it."""
        digest = self._sha256.hexdigest()
        self._mark = self._folder / digest
        self._mark.touch()
        place = self._target / digest[:2]
        place.mkdir(exist_ok=True)
        self._path.rename(place / digest)
        sync_folder(place)

    def discard(self) -> None:
        """Cleans up, after the transaction."""
        with contextlib.suppress(OSError):  # a full disk refuses to write the rest of the buffer
            self._file.close()
        self._path.unlink(missing_ok=True)
        self._mark.unlink(missing_ok=True)


class Blobs:
    def __init__(self, folder: Path) -> None:
        self._incoming, self._kept = folder / "incoming", folder / "blobs"
        for path in (self._incoming, self._kept):
            path.mkdir(exist_ok=True)

    def receive(self) -> Incoming:
        return Incoming(self._incoming, self._kept)

    def add(self, content: bytes) -> Blob:
        """Store a blob, inside the transaction that records it. Its mark in `incoming/` stays until the next start."""
        body = self.receive()
        body.write(content)
        blob = body.seal()
        body.place()
        return blob

    def path(self, sha256: str) -> Path:
        return path(self._kept.parent, sha256)

    def leftovers(self) -> list[Path]:
        """Files that a killed server left in `incoming/`: bodies, and marks named by a digest."""
        return list(self._incoming.iterdir())


def is_digest(text: object) -> bool:
    """Whether it is a SHA-256 as this store writes it: nothing else ever becomes part of a path."""
    return isinstance(text, str) and _DIGEST.fullmatch(text) is not None


def path(folder: Path, sha256: str) -> Path:
    """The path of a blob. Raises NotFound if `sha256` is no digest, as in a row written by hand."""
    if not is_digest(sha256):
        raise NotFound(f"{quote(str(sha256))} is no digest of a file")
    return folder / "blobs" / sha256[:2] / sha256


def open_blob(path: Path) -> BinaryIO:
    """A blob to read. Raises OSError, also if it is no plain file; a pipe is never waited for."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    raise OSError(errno.EINVAL, "it is no file", str(path))


def remove_leftovers(db: sqlite3.Connection, store: Blobs) -> None:
    """Empties `incoming/`, and removes blobs that were renamed by a transaction that never ended."""
    for file in store.leftovers():
        if is_digest(file.name) and not is_known(db, file.name):
            store.path(file.name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            file.unlink()


def is_known(db: sqlite3.Connection, sha256: str) -> bool:
    return db.execute("SELECT 1 FROM blobs WHERE sha256 = ?", (sha256,)).fetchone() is not None


def record(db: sqlite3.Connection, blob: Blob, now: float, entity: str | None) -> None:
    """Record a blob; `entity` has uploaded it."""
    db.execute("INSERT OR IGNORE INTO blobs VALUES (?, ?, ?, ?)", (blob.sha256, blob.md5, blob.size, now))
    if entity is not None:
        db.execute("INSERT OR IGNORE INTO blob_entities VALUES (?, ?)", (blob.sha256, entity))


def by_md5(db: sqlite3.Connection, md5: str, entities: Collection[str] | None = None) -> dict[str, Any] | None:
    """A blob with that digest uploaded by one of `entities` (None: by any)."""
    sql = """SELECT * FROM blobs WHERE md5 = ?1 AND (?2 IS NULL OR EXISTS (SELECT 1 FROM blob_entities
        WHERE blob_entities.sha256 = blobs.sha256 AND entity IN (SELECT value FROM json_each(?2)))) LIMIT 1"""
    return crud.first(db, sql, md5, None if entities is None else json.dumps(list(entities)))


def claim(db: sqlite3.Connection, md5: str, now: float, entities: Collection[str] | None = None) -> bool:
    """Whether a blob is here, so that an upload can be left out; from now on it counts as new."""
    row = by_md5(db, md5, entities)
    if row is not None:
        db.execute("UPDATE blobs SET created_at = ? WHERE sha256 = ?", (now, row["sha256"]))
    return row is not None


def total_size(db: sqlite3.Connection, entity: str) -> int:
    """Bytes of the blobs that an entity uploaded."""
    sql = "SELECT coalesce(sum(size), 0) FROM blobs JOIN blob_entities USING (sha256) WHERE entity = ?"
    return int(crud.value(db, sql, entity))
