"""A folder used by a second process, beside a server or not; read even if it cannot be written to."""

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

from server.store.database.connection import as_dictionary, connect
from server.store.disk.disk_errors import explain
from server.store.errors import StoreError
from server.store.folder import migration
from server.store.folder.store import DATABASE, check_folder, check_format, lock_folder


@contextlib.contextmanager
def open_read_only(folder: Path, moment: bool = True) -> Iterator[sqlite3.Connection]:
    """A connection that sees the folder as it is at this moment, despite later writes. Raises StoreError.

    Without `moment` each query sees the latest state: for long work, which must not keep old pages alive.
    """
    with _open_checked(folder, _open) as db:
        if moment:
            db.execute("BEGIN")
        yield db


@contextlib.contextmanager
def open_read_write(folder: Path) -> Iterator[sqlite3.Connection]:
    """A connection in autocommit that waits its turn beside a running server. Raises StoreError."""
    with _open_checked(folder, connect) as db:
        yield db


@contextlib.contextmanager
def _open_checked(folder: Path, opened: Callable[[Path], sqlite3.Connection]) -> Iterator[sqlite3.Connection]:
    check_folder(folder)
    try:
        with contextlib.closing(opened(folder / DATABASE)) as db:
            check_format(folder, db)
            if migration.format_version(db) < migration.FORMAT:
                raise StoreError(f"{folder} was written by an older server: start this one on it once.")
            yield db
    except sqlite3.Error as error:
        raise StoreError(f"{folder} cannot be used: {explain(error)}.") from error


def _open(path: Path) -> sqlite3.Connection:
    # SQLite needs to write beside a database in WAL mode; one that nobody can write needs no such care.
    frozen = not os.access(path.parent, os.W_OK) and not path.with_name(f"{path.name}-wal").exists()
    address = f"file:{quote(str(path.absolute()))}?mode=ro{'&immutable=1' if frozen else ''}"
    db = sqlite3.connect(address, uri=True, isolation_level=None, timeout=30)
    db.row_factory = as_dictionary
    return db


@contextlib.contextmanager
def maintenance_lock(folder: Path) -> Iterator[None]:
    """While gc or a backup is at work; a second one is refused. A folder that nobody can write needs no lock."""
    if not os.access(folder, os.W_OK):
        yield
        return
    sentence = f"Another gc or backup is at work in {folder}: wait until it is over."
    with lock_folder(folder, "maintenance", sentence):
        yield


@contextlib.contextmanager
def try_server_lock(folder: Path) -> Iterator[bool]:
    """Whether no server is using the folder; none can start until the block ends."""
    try:
        lock = lock_folder(folder)
    except StoreError:
        yield False
        return
    with lock:
        yield True
