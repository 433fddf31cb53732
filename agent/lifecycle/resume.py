"""How a run goes on that was cut off: from its state, on this machine or as an Artifact, with the rows that lack."""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import wandb

from agent.config import ConfigError
from agent.lifecycle import state
from agent.lifecycle.checkpoints import FILES
from agent.lifecycle.cleanup import DOWNLOAD, was_cut_off
from agent.lifecycle.plan import Plan
from agent.lifecycle.preflight import UNANSWERED
from agent.lifecycle.state import Row, State
from agent.lifecycle.torch_file import BadFile
from common import keys

MOST_THREADS = 1024
"""More than any machine has cores: a run that names more is not believed."""


def is_finished(run: wandb.Run) -> bool:
    """Whether the run was completed before: the last thing that it writes is there."""
    return bool(run.resumed) and run.summary.get(keys.SECONDS_TOTAL) is not None


def forget_failure(run: wandb.Run) -> None:
    """A run that is tried again has not failed: why it did before leaves its summary."""
    if run.resumed and run.summary.get("error") is not None:
        del run.summary["error"]


def find_state(run: wandb.Run, plan: Plan, data_digest: str) -> State | None:
    """The newest state of this run: on this machine, or, if it was preempted elsewhere, of its Artifact."""
    found = _local_state(plan.folder)
    epoch = found.progress.epoch if found else 0
    if was_cut_off(run) and (version := _uploaded(run)) and version.metadata["epoch"] > epoch:
        _download(version, plan.folder)
        found = _local_state(plan.folder)
    if found is None or found.config != plan.config:
        return None
    if found.data_digest != data_digest:
        raise ConfigError(
            f"the images or masks of {plan.config.data} changed since run {plan.run_id} was interrupted: "
            f"restore them, or start a new run"
        )
    return found


def _local_state(folder: Path) -> State | None:
    """That of this machine; one that is damaged counts as none, and the console says so."""
    try:
        return state.load(folder)
    except BadFile as error:
        print(f"agent.train: {error}; starting anew, unless the server has a state", file=sys.stderr, flush=True)
        return None


def _uploaded(run: wandb.Run) -> wandb.Artifact | None:
    try:
        found: wandb.Artifact = wandb.Api().artifact(f"{run.entity}/{run.project}/state-{run.id}:latest", type="state")
    except UNANSWERED:
        return None
    return found


def _download(version: wandb.Artifact, folder: Path) -> None:
    """All files of the Artifact, or none: from what is there, more epochs are trained again, to equal bits."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=DOWNLOAD) as new:
        try:
            for name, entry in version.manifest.entries.items():
                if (name != state.FILE and not FILES.fullmatch(name)) or entry.ref is not None:
                    raise BadFile(f"it has the file {name!r}, which no state has")
            version.download(root=new, skip_cache=True)
            if state.load(Path(new)) is None:
                raise BadFile("files are missing from it")
        except ConnectionError:
            raise
        except (*UNANSWERED, OSError) as error:
            print(f"agent.train: the uploaded state cannot be read ({error}); going on without it", flush=True)
            return
        for path in sorted(Path(new).iterdir(), key=lambda path: path.name == state.FILE):
            path.replace(folder / path.name)


def n_threads(run: wandb.Run, found: State | None) -> int | None:
    """With how many threads of torch the run began: what its state says, else, if it was cut off, the server."""
    began = found.n_threads if found else run.config.get("n_threads") if was_cut_off(run) else None
    return began if isinstance(began, int) and 0 < began <= MOST_THREADS else None


def log_missing(run: wandb.Run, rows: Sequence[Row]) -> None:
    """Log the rows, one per epoch from 1, that the server does not have: row n is step n - 1."""
    for row in rows:
        if row["epoch"] > run.starting_step:
            run.log(dict[str, Any](row), step=int(row["epoch"]) - 1, commit=True)
