"""Files that are there whole or not at all."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO


@contextlib.contextmanager
def replacing(path: Path, *, sync: bool = False, mode: int = 0o666) -> Iterator[IO[bytes]]:
    """A file to write to, and to read again, that takes the name `path` when the block ends.

    When the block raises, `path` stays as it was. With `sync`, the content survives a power cut once the block
    has ended. Raises OSError.
    """
    with beside(path) as unfinished:
        with os.fdopen(os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_TRUNC, mode), "w+b") as file:
            yield file
            file.flush()
            if sync:
                os.fsync(file.fileno())
    if sync:
        sync_folder(path.parent)


@contextlib.contextmanager
def beside(path: Path) -> Iterator[Path]:
    """A name in the same folder, for a file, folder or link that takes the name `path` when the block ends.

    When the block raises, the thing of this name is removed and `path` stays as it was. Raises OSError, which names
    `path`.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
    try:
        yield unfinished
        unfinished.replace(path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            if unfinished.is_dir() and not unfinished.is_symlink():
                shutil.rmtree(unfinished)
            else:
                unfinished.unlink(missing_ok=True)
        if isinstance(error, OSError) and str(error.filename or unfinished) == str(unfinished):
            error.filename = str(path)
            del error.filename2
        raise


def write_text(path: Path, text: str, *, sync: bool = False, mode: int = 0o666) -> None:
    """Replace the content of a file. Raises OSError."""
    with replacing(path, sync=sync, mode=mode) as file:
        file.write(text.encode())


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
