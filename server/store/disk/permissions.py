"""The folder and everything in it is its owner's alone: it holds keys, and the secret that signs addresses.

Every command runs under the umask OTHERS; the start closes files that an older server left open to others.
"""

import logging
import stat
from collections.abc import Iterator
from pathlib import Path

from common.files import write_text

log = logging.getLogger(__name__)
OTHERS = 0o077
OURS = ("wandb.sqlite*", "api-key*", "address*", "lock", "maintenance", "blobs", "incoming")


def write(path: Path, text: str) -> None:
    """Write a file for its owner alone, whole or not at all, also on a full disk and after a power cut."""
    for stale in path.parent.glob(f".{path.name}.*.unfinished"):  # of a server that was killed
        stale.unlink(missing_ok=True)
    write_text(path, text, sync=True, mode=0o600)


def tighten(folder: Path) -> None:
    """Closes the folder and the server's files in it. A folder that is everybody's by design, as /tmp, stays open."""
    for path in _open_to_others(folder):
        try:
            path.chmod(stat.S_IMODE(path.stat().st_mode) & ~OTHERS)
        except OSError as error:
            log.warning("%s is open to others on this machine (%s): it holds keys", path, error.strerror)


def _open_to_others(folder: Path) -> Iterator[Path]:
    """Paths open to others. `blobs` is searched only while it is open itself: once closed, it closes all below."""
    mode = folder.stat().st_mode
    if mode & OTHERS and not mode & stat.S_ISVTX:
        yield folder
    for path in (found for pattern in OURS for found in folder.glob(pattern)):
        if not path.is_symlink() and path.stat().st_mode & OTHERS:
            yield from (inner for inner in path.rglob("*") if not inner.is_symlink())
            yield path
