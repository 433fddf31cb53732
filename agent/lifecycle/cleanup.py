"""What a run deletes: files of its own in its own folder, and versions of its own Artifacts."""

import contextlib
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import wandb

from agent.lifecycle import lock, state
from agent.lifecycle.preflight import UNANSWERED

PREDICTIONS = "predictions"
DOWNLOAD = "fetched-"
"""Beginning of the name of the folder that an uploaded state is downloaded into."""
FOLDERS = (PREDICTIONS, f"{DOWNLOAD}*")
FILES = (state.FILE, "epoch-*.pt", "*.unfinished", lock.FILE)
"""With the folders, all that is ever deleted in a run's folder; the lock last."""


@contextlib.contextmanager
def remove_if_empty(folder: Path) -> Iterator[None]:
    """At the end of the block, a folder in which the run left neither a state nor a checkpoint is removed."""
    try:
        yield
    finally:
        if not any(folder.glob("*.pt")):
            _clear(folder)


def clean_up(folder: Path, run: wandb.Run) -> None:
    """Once the server has the whole run: drop the state, here and there, and what an earlier part of the run left."""
    if run.offline:
        (folder / state.FILE).unlink(missing_ok=True)
        return
    _clear(folder)
    if was_cut_off(run):
        delete_stale(run, ("model", "predictions"))
        with contextlib.suppress(*UNANSWERED):
            wandb.Api().artifact_collection("state", f"{run.entity}/{run.project}/state-{run.id}").delete()


def was_cut_off(run: wandb.Run) -> bool:
    """Whether the server has rows of an earlier part; a sweep's run exists there before its first part begins."""
    return bool(run.resumed) and run.starting_step > 0


def _clear(folder: Path) -> None:
    """Delete what the run made in its folder, and the folder if nothing else is in it."""
    for path in (each for pattern in FOLDERS for each in folder.glob(pattern)):
        shutil.rmtree(path, ignore_errors=True)
    with contextlib.suppress(OSError):
        for path in (each for pattern in FILES for each in folder.glob(pattern)):
            path.unlink()
        folder.rmdir()


def delete_stale(run: wandb.Run, types: Sequence[str]) -> None:
    """Delete the versions of this run's Artifacts that have no alias any more."""
    for kind in types:
        name = f"{run.entity}/{run.project}/{kind}-{run.id}"
        with contextlib.suppress(*UNANSWERED):
            for version in wandb.Api().artifacts(kind, name):
                if not version.aliases:
                    version.delete()
