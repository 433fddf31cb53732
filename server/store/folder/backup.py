"""A folder as one file: a tar archive of its blobs, its key, and last a snapshot of its database.

The snapshot is taken first, so that every blob it refers to is there to be copied; blobs never change. The database
comes last in the archive: one that was cut off has none, and cannot be taken for a whole one.
"""

import contextlib
import itertools
import os
import re
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from common.files import replacing, sync_folder
from common.names import quote
from server.store.disk import blobs, permissions
from server.store.disk.disk_errors import FULL, explain
from server.store.errors import StoreError
from server.store.folder import migration
from server.store.folder.integrity import find_faults
from server.store.folder.maintenance import maintenance_lock, open_read_only
from server.store.folder.store import DATABASE, Store, check_folder
from server.store.users import api_key

KEY = "api-key"
CHUNK = 1 << 20
_BLOB = re.compile(r"blobs/([0-9a-f]{2})/(\1[0-9a-f]{62})")


@dataclass
class Copied:
    """files: number of blobs; bytes: size of everything written."""

    files: int = 0
    bytes: int = 0


def write(folder: Path, target: Path) -> Copied:
    """Writes the archive; `target` exists only when it is whole. Raises StoreError."""
    check_folder(folder)
    if target.exists():
        raise StoreError(f"{target} exists already: give the backup another name.")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with maintenance_lock(folder), _snapshot(folder, target) as snapshot:
            with replacing(target, sync=True, mode=0o600) as file:
                return _archive(folder, snapshot, file)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"{target} cannot be written: {explain(error)}.") from error


@contextlib.contextmanager
def _snapshot(folder: Path, target: Path) -> Iterator[Path]:
    """A copy of the database beside the target, as it is at this moment."""
    snapshot = Path(f"{target}.snapshot")
    try:
        with contextlib.closing(sqlite3.connect(snapshot)) as copy, open_read_only(folder, moment=False) as db:
            try:
                db.backup(copy)
            except sqlite3.Error as error:
                if explain(error) == FULL:
                    raise StoreError(f"{target} cannot be written: {FULL}.") from error
                raise
        yield snapshot
    finally:
        snapshot.unlink(missing_ok=True)


def _archive(folder: Path, snapshot: Path, file: IO[bytes]) -> Copied:
    copied = Copied()
    with (
        tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT, dereference=True) as archive,
        contextlib.closing(sqlite3.connect(snapshot)) as db,
    ):
        if (folder / KEY).exists():
            archive.add(folder / KEY, KEY)
        for (sha256,) in db.execute("SELECT sha256 FROM blobs ORDER BY sha256"):
            _add(archive, folder, sha256)
            copied.files += 1
        archive.add(snapshot, DATABASE)
        archive.close()
        copied.bytes = file.tell()
    return copied


def _add(archive: tarfile.TarFile, folder: Path, sha256: str) -> None:
    try:
        with blobs.open_blob(blobs.path(folder, sha256)) as file:
            archive.addfile(archive.gettarinfo(arcname=f"blobs/{sha256[:2]}/{sha256}", fileobj=file), file)
    except OSError as error:
        if error.filename is None:  # the archive's own disk
            raise
        raise StoreError(
            f"blob {sha256} of {folder} cannot be read ({error.strerror}): `python -m server check` says more."
        ) from None


def restore(source: Path, folder: Path) -> Copied:
    """Makes `folder` from an archive and checks all of it first. Raises StoreError; the folder is then as it was."""
    if folder.exists() and any(folder.iterdir()):
        raise StoreError(f"{folder} is not empty: restore into a new folder.")
    if not source.is_file():
        raise StoreError(f"There is no file {source}; correct its path.")
    with contextlib.ExitStack() as on_failure, _explain_errors(source, folder):
        if not folder.exists():
            folder.mkdir(parents=True)
            on_failure.callback(folder.rmdir)
        with tempfile.TemporaryDirectory(dir=folder, prefix="restore-") as place:
            copied = _unpack(source, Path(place))
            _check(source, Path(place))
            for name in (KEY, "blobs", DATABASE):
                if (Path(place) / name).exists():
                    (Path(place) / name).replace(folder / name)
        permissions.tighten(folder)
        sync_folder(folder)
        on_failure.pop_all()
    return copied


@contextlib.contextmanager
def _explain_errors(source: Path, folder: Path) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, EOFError, ValueError, OverflowError) as error:
        raise StoreError(f"{source} is not a backup, or is cut off: {error}.") from error
    except sqlite3.Error as error:
        raise StoreError(f"{source} is not a backup of a server: its database is none ({error}).") from error
    except OSError as error:
        raise StoreError(f"{source} cannot be restored to {folder}: {explain(error)}.") from error


def _unpack(source: Path, folder: Path) -> Copied:
    """Unpacks the members that a backup may have; the database comes last."""
    copied, complete = Copied(), False
    with tarfile.open(source, "r:") as archive:
        for member in archive:
            body = archive.extractfile(member) if member.isreg() else None
            if body is None or not (member.name in (KEY, DATABASE) or _BLOB.fullmatch(member.name)):
                raise StoreError(f"{source} is not a backup of a server: it has {quote(member.name)}.")
            if (folder / member.name).exists():
                raise StoreError(f"{source} is not a backup of a server: it has {member.name} twice.")
            copied.bytes += _extract(body, folder, member.name)
            copied.files += member.name not in (KEY, DATABASE)
            complete = complete or member.name == DATABASE
    if not complete:
        raise StoreError(f"{source} is cut off: the database is missing.")
    return copied


def _check(source: Path, folder: Path) -> None:
    """Raises StoreError unless a server can work with the folder as it is, brought to today's format."""
    if (folder / KEY).exists():
        api_key(folder)
    with contextlib.closing(sqlite3.connect(folder / DATABASE)) as db:
        if migration.format_version(db) == 0:
            raise StoreError(f"{source} is not a backup of a server: its database is none.")
    Store(folder).close()
    with open_read_only(folder) as db:
        faults = list(itertools.islice(find_faults(db, folder), 100))
    if faults:
        raise StoreError(
            f"{source} is damaged: {faults[0]}, {len(faults)} faults in all; `tar xf` unpacks it as it is."
        )


def _extract(body: IO[bytes], folder: Path, name: str) -> int:
    path, size = folder / name, 0
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        while chunk := body.read(CHUNK):
            file.write(chunk)
            size += len(chunk)
        file.flush()
        os.fsync(file.fileno())
    return size
