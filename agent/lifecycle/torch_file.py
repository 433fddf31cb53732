"""Files of torch.save that notice their own damage: the SHA-256 of the rest stands in the comment of the zip archive.

torch does not compare the checksums in the archive: it loads a file with flipped bits as if it were good.
"""

import hashlib
import os
import secrets
import struct
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import torch

from common.files import replacing

MARK = b"sha256 "
COMMENT_BYTES = len(MARK) + 64
END_RECORD = struct.Struct("<4s16xH")
"""The last record of a zip archive: its signature, and the number of bytes of the comment after it."""
SIGNATURE = b"PK\x05\x06"
CHUNK = 2**20


class BadFile(ValueError):
    """A file cannot be used; the text is the end of a sentence that begins with its name."""


def write(path: Path, content: Mapping[str, Any]) -> None:
    """torch.save in one step: a crash or a full disk leaves the old file or the new one, whole.

    A folder of that name is moved out of the way.

    Raises:
        OSError: it could not be written; the old file is still there.
    """
    with replacing(path, sync=True) as file:
        torch.save(content, file)
        _seal(file)
        if path.is_dir() and not path.is_symlink():
            path.rename(path.with_name(f"{path.name}.{secrets.token_hex(4)}"))


def _seal(file: IO[bytes]) -> None:
    file.seek(-2, os.SEEK_END)
    file.write(COMMENT_BYTES.to_bytes(2, "little"))
    file.seek(0)
    digest = hashlib.file_digest(file, "sha256")  # type: ignore[arg-type]
    file.seek(0, os.SEEK_END)
    file.write(MARK + digest.hexdigest().encode())


def read(path: Path) -> Any:
    """The content of a file of torch.save, its tensors on the CPU; nothing in it is executed.

    Raises BadFile: there is none, it is damaged, or holds anything but plain values and tensors.
    """
    check(path)
    try:
        with warnings.catch_warnings(action="ignore"):
            return torch.load(path, map_location="cpu", weights_only=True)
    except MemoryError:
        raise BadFile("needs more memory than there is") from None
    except Exception:  # torch raises countless errors for files of other programs, and advises to trust them
        raise BadFile("is no file of torch.save, or one with more in it than tensors and plain values") from None


def check(path: Path) -> None:
    """Raise BadFile unless the file is whole, by its digest or, without one, by the checksums of its archive."""
    try:
        if not path.is_file():
            raise BadFile("is no file")
        with path.open("rb") as file:
            _check(file)
    except OSError as error:
        raise BadFile(f"cannot be read ({error.strerror or error})") from None


def _check(file: IO[bytes]) -> None:
    size = file.seek(0, os.SEEK_END)
    if not size:
        raise BadFile("is empty")
    end = max(0, size - COMMENT_BYTES)
    file.seek(end)
    comment = file.read()
    file.seek(0)
    if comment.startswith(MARK):
        if _digest(file, end) != comment.removeprefix(MARK):
            raise BadFile("is damaged: it differs from its SHA-256")
    elif file.read(2) == SIGNATURE[:2] and not _is_sound(file, comment):
        raise BadFile("is damaged: it is no whole zip archive of torch.save")


def _digest(file: IO[bytes], size: int) -> bytes:
    digest = hashlib.sha256()
    while chunk := file.read(min(CHUNK, size)):
        digest.update(chunk)
        size -= len(chunk)
    return digest.hexdigest().encode()


def _is_sound(file: IO[bytes], tail: bytes) -> bool:
    """Whether an archive without a digest ends with its last record and its checksums hold."""
    if END_RECORD.unpack(tail[-END_RECORD.size :].rjust(END_RECORD.size, b"\0")) != (SIGNATURE, 0):
        return False
    try:
        with zipfile.ZipFile(file) as archive:
            return archive.testzip() is None
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError, ValueError, EOFError):
        return False
