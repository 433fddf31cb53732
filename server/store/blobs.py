"""Bytes by content: `blobs/ab/abcdef…` is the file whose SHA-256 is `abcdef…`.

A body is written to `incoming/`, fsynced, and renamed into place, so that a name in `blobs/` always
stands for the whole content.
"""

import base64
import contextlib
import hashlib
import os
import secrets
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Blob:
    sha256: str
    md5: str
    size: int


class Incoming:
    """A body on its way in: `write` as it arrives, then `keep` or `discard`."""

    def __init__(self, folder: Path, target: Path) -> None:
        self._path = folder / secrets.token_hex(16)
        self._target = target
        self._file = self._path.open("wb")
        self._sha256, self._md5, self._size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0

    def write(self, chunk: bytes) -> None:
        self._file.write(chunk)
        self._sha256.update(chunk)
        self._md5.update(chunk)
        self._size += len(chunk)

    def keep(self) -> Blob:
        """On disk under its digest when this returns."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        digest = self._sha256.hexdigest()
        place = self._target / digest[:2]
        place.mkdir(exist_ok=True)
        self._path.rename(place / digest)
        _sync_folder(place)
        return Blob(digest, base64.b64encode(self._md5.digest()).decode(), self._size)

    def discard(self) -> None:
        self._file.close()
        self._path.unlink(missing_ok=True)


class Blobs:
    def __init__(self, folder: Path) -> None:
        self._incoming, self._kept = folder / "incoming", folder / "blobs"
        for path in (self._incoming, self._kept):
            path.mkdir(exist_ok=True)
        for left_over in self._incoming.iterdir():
            with contextlib.suppress(OSError):
                left_over.unlink()

    def receive(self) -> Incoming:
        return Incoming(self._incoming, self._kept)

    def add(self, content: bytes) -> Blob:
        body = self.receive()
        body.write(content)
        return body.keep()

    def path(self, sha256: str) -> Path:
        return self._kept / sha256[:2] / sha256


def record(db: sqlite3.Connection, blob: Blob, now: float) -> None:
    db.execute("INSERT OR IGNORE INTO blobs VALUES (?, ?, ?, ?)", (blob.sha256, blob.md5, blob.size, now))


def by_md5(db: sqlite3.Connection, md5: str) -> dict[str, Any] | None:
    row: dict[str, Any] | None = db.execute("SELECT * FROM blobs WHERE md5 = ? LIMIT 1", (md5,)).fetchone()
    return row


def total_size(db: sqlite3.Connection) -> int:
    """Bytes of all blobs."""
    return int(db.execute("SELECT coalesce(sum(size), 0) AS n FROM blobs").fetchone()["n"])


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
