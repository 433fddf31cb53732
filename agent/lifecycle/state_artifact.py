"""The state of a preempted run as a W&B Artifact: uploaded, fetched on another machine, deleted at the end."""

import contextlib
import tempfile
from pathlib import Path

import wandb

from agent.lifecycle import state
from agent.lifecycle.checkpoints import CHECKPOINT_FILE
from agent.lifecycle.folder import DOWNLOAD
from agent.lifecycle.preflight import CLIENT_ERRORS
from agent.lifecycle.state import State
from agent.lifecycle.torch_file import BadFile

UPLOAD_SECONDS = 20.0
"""Time limit of the upload; clusters kill 30 seconds after the signal."""


def upload(run: wandb.Run, folder: Path) -> None:
    """Upload the state in the run's folder, if there is one and a server."""
    with contextlib.suppress(BadFile):
        local = state.load(folder)
        if local and not run.offline:
            _upload(run, folder, local)


def _upload(run: wandb.Run, folder: Path, local: State) -> None:
    artifact = wandb.Artifact(f"state-{run.id}", type="state", metadata={"epoch": local.progress.epoch})
    try:
        for path in [folder / state.STATE_FILE, *{kept.path for kept in local.kept.values()}]:
            artifact.add_file(str(path), name=path.name, policy="immutable", skip_cache=True)
        run.log_artifact(artifact).wait(timeout=int(UPLOAD_SECONDS))
        _delete_stale(run, "state")
    except ConnectionError:
        raise
    except (*CLIENT_ERRORS, OSError) as error:
        print(f"agent.train: the state was not uploaded ({error}); it stays in {folder}", flush=True)


def fetch(run: wandb.Run, folder: Path, after: int) -> State | None:
    """Bring the uploaded state into the run's folder; None if there is none of an epoch later than `after`."""
    version = _latest(run)
    return state.load(folder) if version and version.metadata["epoch"] > after and _download(version, folder) else None


def _latest(run: wandb.Run) -> wandb.Artifact | None:
    try:
        name = f"{run.entity}/{run.project}/state-{run.id}:latest"
        version: wandb.Artifact = wandb.Api().artifact(name, type="state")
    except CLIENT_ERRORS:
        return None
    return version


def _download(version: wandb.Artifact, folder: Path) -> bool:
    """Whether all files of the Artifact were downloaded; without them, more epochs are trained again, to equal bits."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=DOWNLOAD) as new:
        try:
            for name, entry in version.manifest.entries.items():
                if (name != state.STATE_FILE and not CHECKPOINT_FILE.fullmatch(name)) or entry.ref is not None:
                    raise BadFile(f"it has the file {name!r}, which no state has")
            version.download(root=new, skip_cache=True)
            if state.load(Path(new)) is None:
                raise BadFile("files are missing from it")
        except ConnectionError:
            raise
        except (*CLIENT_ERRORS, OSError) as error:
            print(f"agent.train: the uploaded state cannot be read ({error}); going on without it", flush=True)
            return False
        for path in sorted(Path(new).iterdir(), key=lambda path: path.name == state.STATE_FILE):
            path.replace(folder / path.name)
    return True


def delete(run: wandb.Run) -> None:
    """Delete the uploaded states of a run that is over, and versions without an alias logged by its earlier parts."""
    _delete_stale(run, "model")
    _delete_stale(run, "predictions")
    with contextlib.suppress(*CLIENT_ERRORS):
        wandb.Api().artifact_collection("state", f"{run.entity}/{run.project}/state-{run.id}").delete()


def _delete_stale(run: wandb.Run, kind: str) -> None:
    """Delete the versions of this run's Artifact of a type that have no alias."""
    with contextlib.suppress(*CLIENT_ERRORS):
        for version in wandb.Api().artifacts(kind, f"{run.entity}/{run.project}/{kind}-{run.id}"):
            if not version.aliases:
                version.delete()
