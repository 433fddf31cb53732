"""One folder: `wandb.sqlite`, `blobs/`, `incoming/`, `api-key`, `lock`, `address`.

SQLite in WAL mode, synced before each answer (`durability`): the client never repeats a request that was answered, so
without that a power cut could lose rows that it believes to be safe.
"""

import contextlib
import fcntl
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TextIO

from common.names import quote
from common.text import some
from server.store.database import crud
from server.store.database.connection import TimedConnection, connect
from server.store.disk import blobs, permissions
from server.store.disk.blobs import Blobs
from server.store.disk.disk_errors import explain
from server.store.disk.durability import Durability
from server.store.errors import StoreError
from server.store.folder import migration

DATABASE = "wandb.sqlite"
# Files that may lie in a folder before its first start: those of a start that was cut off, its output, keys.
_BEFORE = ("lock", "*.log", "*key*", ".*")


def check_folder(folder: Path) -> None:
    """Raise StoreError for a folder that no server has written."""
    if not (folder / DATABASE).is_file():
        raise StoreError(f"{folder} is not a server's folder: it has no {DATABASE}; correct --dir.")


def _check_new(folder: Path) -> None:
    """Raise StoreError for a folder of somebody else, which the first start would close to others and clean up."""
    if (folder / DATABASE).is_file() or not folder.is_dir():
        return
    strange = [quote(path.name) for path in sorted(folder.iterdir()) if not _may_precede(path)]
    if strange:
        raise StoreError(
            f"{folder} is not empty and no server's folder: it has {some(strange, 3)}, but no {DATABASE}; "
            "give --dir a new folder."
        )


def _may_precede(path: Path) -> bool:
    if path.name in ("blobs", "incoming"):
        return path.is_dir() and all(inner.is_dir() for inner in path.rglob("*"))
    known = any(fnmatchcase(path.name, pattern) for pattern in _BEFORE)
    return path.name == "lost+found" or (known and path.is_file())


class Store:
    """The open folder. Connections belong to threads; writers take turns."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        _check_new(folder)
        self.folder = folder
        self.clock = clock
        self._local = threading.local()
        self._writing = threading.RLock()
        self._durability = Durability(folder / f"{DATABASE}-wal")
        self._sweep_locks: dict[int, threading.RLock] = {}
        self._address = ""
        self._lock_file = lock_folder(folder)
        try:
            permissions.tighten(folder)
            self.blobs = Blobs(folder)
            check_format(folder, self.db)
            migration.migrate(self.db)
            with self.write() as db:
                blobs.remove_leftovers(db, self.blobs)
        except (OSError, sqlite3.Error) as error:
            self.close()
            raise StoreError(f"{folder} cannot be used as the server's folder: {explain(error)}.") from error
        except StoreError:
            self.close()
            raise
        self.opened_at = clock()
        self.watched_since = self.opened_at
        """Silence of runs counts from here; moved when the clock was set."""

    @property
    def db(self) -> TimedConnection:
        """This thread's connection, in autocommit: each SELECT sees the committed state."""
        connection: TimedConnection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = connect(self.folder / DATABASE)
            connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    @contextlib.contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One transaction: committed and on disk when the block ends, rolled back when it raises."""
        with self._writing:
            if self.db.in_transaction:
                yield self.db
                return
            self.db.execute("BEGIN IMMEDIATE")
            try:
                yield self.db
                self.db.commit()
            except BaseException:
                self.db.rollback()
                raise
        self._durability.wait()

    def sweep_lock(self, sweep_id: int) -> threading.RLock:
        """Held while a sweep decides, so that two agents never get the same configuration."""
        return self._sweep_locks.setdefault(sweep_id, threading.RLock())

    def secret(self, name: str) -> str:
        """A random secret of 64 hex digits, made once per folder."""
        with self.write() as db:
            known = crud.value(db, "SELECT value FROM meta WHERE key = ?", name)
            if known is not None and blobs.is_digest(known):
                return str(known)
            made = secrets.token_hex(32)
            db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, made))
            return made

    def write_address(self, url: str) -> None:
        """Write the server's URL to the file `address`, for programs that know only the folder."""
        self._address = f"{url}\n"
        permissions.write(self.folder / "address", self._address)

    def close(self) -> None:
        address = self.folder / "address"
        if address.is_file() and address.read_text() == self._address:  # not that of a folder in this one's place
            address.unlink()
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._local.connection = None
        self._durability.close()
        self._lock_file.close()


@contextlib.contextmanager
def folder_transaction(folder: Path) -> Iterator[sqlite3.Connection]:
    """One transaction on a folder that a server may be using: takes no lock of the folder, only SQLite's."""
    check_folder(folder)
    try:
        with contextlib.closing(connect(folder / DATABASE)) as db:
            check_format(folder, db)
            if migration.format_version(db) != migration.FORMAT:
                Store(folder).close()
            db.execute("BEGIN IMMEDIATE")
            with db:
                yield db
    except sqlite3.Error as error:
        raise StoreError(f"{folder}/wandb.sqlite cannot be used: {error}") from error


def lock_folder(folder: Path, name: str = "lock", taken: str = "") -> TextIO:
    """Holds the folder's file `name` until closed. Raises StoreError, with `taken` when someone else has it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / name).open("a")
    except OSError as error:
        raise StoreError(f"{folder} cannot be written to ({error.strerror}); choose another --dir.") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        sentence = f"Another server is using {folder}; stop it or choose another --dir."
        raise StoreError(taken or sentence) from None
    return lock


def check_format(folder: Path, db: sqlite3.Connection) -> None:
    """Raises StoreError for a folder that only a newer server understands."""
    found = migration.format_version(db)
    if found > migration.FORMAT:
        raise StoreError(
            f"{folder} was written by a newer server (format {found}, this one knows {migration.FORMAT}); "
            "update the code."
        )
