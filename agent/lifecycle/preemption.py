"""How a run leaves a machine before its end, so that it can go on elsewhere."""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import wandb

from agent.lifecycle import state
from agent.lifecycle.cleanup import delete_stale
from agent.lifecycle.interruption import EXIT_CODES, Interruption
from agent.lifecycle.preflight import UNANSWERED
from agent.lifecycle.state import State
from agent.lifecycle.torch_file import BadFile

UPLOAD_SECONDS = 20.0
"""What a preempted run takes to upload its state; clusters kill 30 seconds after the signal."""


def mark_preempted_and_upload(run: wandb.Run, folder: Path) -> None:
    """Mark the run as preempted and upload its state: another process, or another machine, can go on."""
    run.mark_preempting()
    with contextlib.suppress(BadFile):
        found = state.load(folder)
        if found and not run.offline:
            _upload(run, folder, found)


def _upload(run: wandb.Run, folder: Path, found: State) -> None:
    artifact = wandb.Artifact(f"state-{run.id}", type="state", metadata={"epoch": found.progress.epoch})
    try:
        for path in [folder / state.FILE, *{kept.path for kept in found.kept.values()}]:
            artifact.add_file(str(path), name=path.name, policy="immutable", skip_cache=True)
        run.log_artifact(artifact).wait(timeout=int(UPLOAD_SECONDS))
        delete_stale(run, ("state",))
    except ConnectionError:
        raise
    except (*UNANSWERED, OSError) as error:
        print(f"agent.train: the state was not uploaded ({error}); it stays in {folder}", flush=True)


@contextlib.contextmanager
def on_client_death(folder: Path, interruption: Interruption) -> Iterator[None]:
    """End the process, its state on the disk, when the client's service dies within the block, or at a second Ctrl-C.

    Slurm signals every process of a job that it ends, that service as well, and a machine short of memory may kill
    it. Then the server cannot be told and the run cannot be closed.
    """
    try:
        yield
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        print(f"agent.train: ended; go on with python -m agent.train --resume {folder.name}", flush=True)
        os._exit(EXIT_CODES["SIGINT"])
    except ConnectionError as error:
        code = EXIT_CODES.get(interruption.reason, 1)
        why = interruption.reason if code > 1 else f"the W&B client's process is gone ({error})"
        with contextlib.suppress(ConnectionError):
            print(
                f"agent.train: {why}; the state stays in {folder}; go on with python -m agent.train --resume "
                f"{folder.name}",
                flush=True,
            )
        os._exit(code)
