"""The trials that are under way, on disk, so that a fleet that was killed can finish them.

One folder per sweep. `RUN_ID.json` is the trial that was handed out; `RUN_ID.lock` is locked by the agent and, through
the file that it inherits, by the trial's own process; the system unlocks it when both are gone, however they ended. Any
agent may take over a trial without a lock. The folder may be shared by several machines.
"""

import contextlib
import fcntl
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Any

from common.files import write_text
from common.names import check_file_path, check_name


@dataclass(frozen=True)
class Trial:
    """A run that the sweep handed out: `args` as in the agent protocol, `{name: {"value": value}}`.

    Raises BadName: the server's name of the run cannot name its files.
    """

    run: str
    args: dict[str, Any]
    program: str | None
    agent: str
    """Id of the agent that got the trial; W&B sends stop commands there."""
    killed: int = 0
    """Ends by SIGKILL so far."""
    threads: int = 0
    """Number of threads, kept on a resume; 0 if it is unknown."""
    put_off: bool = False
    """The server knows that it was preempted and hands it out again, here or elsewhere."""

    def __post_init__(self) -> None:
        check_file_path("run id", f".{check_name('run id', self.run)}.json.4194304.unfinished")


@dataclass(eq=False)
class Claim:
    """The right to work on a trial, for as long as `lock` is open here or in a process that inherited it."""

    trial: Trial
    lock: IO[str]
    folder: Path

    def save(self, trial: Trial) -> None:
        self.trial = trial
        write_json(self.folder / f"{trial.run}.json", asdict(trial))

    def delete(self) -> None:
        """Forget a trial that is over: no fleet shall take it up again."""
        with exclusive_lock(self.folder):
            (self.folder / f"{self.trial.run}.json").unlink(missing_ok=True)
            (self.folder / f"{self.trial.run}.lock").unlink(missing_ok=True)
        self.lock.close()

    def postpone(self) -> None:
        """Keep the number of threads of a trial that the server will hand out again, to any agent."""
        self.save(replace(self.trial, put_off=True))
        self.lock.close()

    def release(self) -> None:
        """End the work on the trial here; the next fleet takes it up."""
        self.lock.close()


def claim(folder: Path, trial: Trial) -> Claim | None:
    """The right to a trial that the sweep handed out; None if another process has it."""
    with exclusive_lock(folder):
        lock = _lock(folder, trial.run)
        if lock is None:
            return None
        claimed = Claim(trial, lock, folder)
        if before := _read(folder / f"{trial.run}.json"):
            trial = replace(trial, killed=before.killed, threads=before.threads or trial.threads)
        claimed.save(trial)
        return claimed


def claim_interrupted(folder: Path) -> Claim | None:
    """The right to an unfinished trial that no process works on any more; None if there is none."""
    with exclusive_lock(folder):
        for trial in read_all(folder):
            lock = None if trial.put_off else _lock(folder, trial.run)
            if lock:
                return Claim(trial, lock, folder)
    return None


def read_all(folder: Path) -> list[Trial]:
    """All trials that are not over."""
    return [trial for file in sorted(folder.glob("*.json")) if (trial := _read(file))]


def read_unfinished(folder: Path) -> list[Trial]:
    """Trials that are under way or were cut off, and that no server hands out again."""
    return [trial for trial in read_all(folder) if not trial.put_off]


@contextlib.contextmanager
def exclusive_lock(folder: Path) -> Iterator[None]:
    """Keep others from changing the entries of this folder until the end of the block. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _lock(folder: Path, run: str) -> IO[str] | None:
    lock = (folder / f"{run}.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock


def _read(file: Path) -> Trial | None:
    try:
        trial = Trial(**json.loads(file.read_text()))
    except (OSError, ValueError, TypeError):
        return None
    return trial if trial.run == file.stem else None


def write_json(file: Path, content: Any) -> None:
    """Write a JSON file whole or not at all, even if the power fails."""
    write_text(file, json.dumps(content), sync=True)
