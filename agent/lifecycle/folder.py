"""The folder of a run on this machine: one process at a time has it, since two would double the rows of the run."""

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from agent.config import ConfigError
from agent.lifecycle import state

LOCK = "lock"
PREDICTIONS = "predictions"
DOWNLOAD = "fetched-"
"""Beginning of the name of the folder that an uploaded state is downloaded into."""
RUN_FOLDERS = (PREDICTIONS, f"{DOWNLOAD}*")
RUN_FILES = (state.STATE_FILE, "epoch-*.pt", "*.unfinished", LOCK)
"""Files that a run deletes in its folder, beside its downloads; the lock last."""

LOCK_SECONDS = 10.0
"""Time that a run waits for another process to leave its folder: workers of a killed one outlive it by 5 s."""
POLL_SECONDS = 0.2


@contextlib.contextmanager
def exclusive_folder(folder: Path) -> Iterator[None]:
    """Hold the folder of a run: no other process of this machine has it until the end of the block.

    A folder without a state or a checkpoint is removed then.

    Raises:
        ConfigError: another has it, or its folder cannot be made, or is no run's.
    """
    if not _is_own(folder):
        raise ConfigError(
            f"{folder} holds other things than a run: take another run id, or another folder in PUZZLE_RUNS"
        )
    deadline = time.monotonic() + LOCK_SECONDS
    while (lock := _lock(folder)) is None:
        if time.monotonic() > deadline:
            raise ConfigError(
                f"run {folder.name} is under way in another process on this machine: wait for it or end it"
            )
        time.sleep(POLL_SECONDS)
    with lock:
        try:
            yield
        finally:
            if not any(folder.glob("*.pt")):
                clear(folder)


def clear(folder: Path) -> None:
    """Delete the run's own files in its folder, and the folder if it is then empty."""
    for path in (each for pattern in RUN_FOLDERS for each in folder.glob(pattern)):
        shutil.rmtree(path, ignore_errors=True)
    with contextlib.suppress(OSError):
        for path in (each for pattern in RUN_FILES for each in folder.glob(pattern)):
            path.unlink()
        folder.rmdir()


def _is_own(folder: Path) -> bool:
    """Whether a folder is new, empty, or was made by a run."""
    try:
        names = {each.name for each in folder.iterdir()}
    except FileNotFoundError:
        return True
    except OSError:
        return not folder.is_dir()  # `_lock` names the fault of a file of that name
    return not names or bool(names & {LOCK, state.STATE_FILE})


def _lock(folder: Path) -> IO[str] | None:
    """The locked file; None if another process holds it, or has just removed the folder."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / LOCK).open("w")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"{folder} cannot be used ({error.strerror}): name another in PUZZLE_RUNS") from None
    with contextlib.suppress(BlockingIOError, FileNotFoundError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(file.fileno()), (folder / LOCK).stat()):
            return file
    file.close()
    return None
