"""Which run, and how it goes on when it was cut off: its state here and as an Artifact, rows that the server lacks."""

import contextlib
import fcntl
import os
import secrets
import shutil
import signal
import string
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import IO, Any

import wandb
from wandb.errors import Error as ClientError
from wandb.sdk.lib.service.service_connection import WandbApiFailedError

from agent.config import Config, ConfigError, Parser, from_settings, parse
from agent.lifecycle import checkpoints, preflight, state
from agent.lifecycle.checkpoints import FILES
from agent.lifecycle.disk import RESERVED
from agent.lifecycle.interruption import EXIT_CODES, Interruption
from agent.lifecycle.state import Row, State
from agent.lifecycle.torch_file import BadFile
from common.names import BadName, check_name
from common.wandb_api import BadAddress, server_address

SWEEP = "WANDB_SWEEP_ID"

UPLOAD_SECONDS = 20.0
"""What a preempted run takes to upload its state; clusters kill 30 seconds after the signal."""

MOST_THREADS = 1024
"""More than any machine has cores: a run that names more is not believed."""

LOCK = "lock"
PREDICTIONS = "predictions"
FETCHED = "fetched-"
"""Beginning of the name of the folder that an uploaded state is fetched into."""
OWN_FOLDERS = (PREDICTIONS, f"{FETCHED}*")
OWN_FILES = (state.FILE, "epoch-*.pt", "*.unfinished", RESERVED, LOCK)
"""With the folders, what a run makes in its own folder, and all that is ever deleted there; the lock last."""
LOCK_SECONDS = 10.0
"""So long a run waits for another process that has it: those that augment outlive one that is killed by 5 s."""

UNANSWERED = (ClientError, WandbApiFailedError, ValueError, TimeoutError)
"""What questions to the server raise where it says no, or nothing."""


@dataclass(frozen=True)
class Plan:
    """Which run to make or to go on with. `entity` and `project` are None where the environment decides."""

    config: Config
    run_id: str
    entity: str | None
    project: str | None

    @property
    def folder(self) -> Path:
        return state.folder_of(self.run_id)


def plan(arguments: Sequence[str], default_project: str) -> Plan:
    """The run that flags and environment ask for: `--resume RUN_ID`, the one an agent hands out, or a new one.

    With `--resume` the configuration is that of the state on this machine, or of the run on the server; further flags
    may only repeat it.

    Raises:
        ConfigError: a flag is wrong, or there is no such run.
    """
    parser = Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("--resume")
    known, flags = parser.parse_known_args(arguments)
    asked = parse(flags)
    entity, project = (
        os.environ.get("WANDB_ENTITY") or None,
        os.environ.get("WANDB_PROJECT") or default_project,
    )
    run_id = (os.environ.get("WANDB_RUN_ID") or new_id()) if known.resume is None else known.resume
    try:
        for kind, name in (("entity", entity), ("project", project), ("sweep id", os.environ.get(SWEEP))):
            if name:
                check_name(kind, name)
        folder = state.folder_of(run_id)
        if (address := os.environ.get("WANDB_BASE_URL")) and not is_offline():
            os.environ["WANDB_BASE_URL"] = server_address(address)
    except (BadName, BadAddress) as error:
        raise ConfigError(str(error)) from None
    if known.resume is None:
        return Plan(asked, run_id, entity, project)
    trouble, config = f"run {run_id} has no state in {folder}", None
    try:
        if found := state.load(folder):
            config = found.config
            entity, project, _ = found.run.split("/")
    except BadFile as error:
        trouble, config = str(error), asked if flags else _config_of_checkpoint(folder)
    config = config or config_of(run_id, entity, project, trouble)
    if flags and asked != config:
        raise ConfigError(f"run {run_id} has other settings than the flags say: leave the flags out")
    return Plan(config, run_id, entity or None, project)


def _local_state(folder: Path) -> State | None:
    """That of this machine; one that is damaged counts as none, and the console says so."""
    try:
        return state.load(folder)
    except BadFile as error:
        print(
            f"agent.train: {error}; starting anew, unless the server has a state", file=sys.stderr, flush=True
        )
        return None


def new_id() -> str:
    """An id of the kind that W&B gives: 8 digits of base 36."""
    return "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(8))


def _config_of_checkpoint(folder: Path) -> Config | None:
    """Of the checkpoints that lie beside a damaged state, if one can be read."""
    for path in sorted(folder.glob("epoch-*.pt")):
        with contextlib.suppress(BadFile):
            return checkpoints.load(path)[1]
    return None


def config_of(run_id: str, entity: str | None, project: str | None, trouble: str) -> Config:
    """The configuration of a run that the server knows; `trouble` is why this machine does not. Raises ConfigError."""
    path = "/".join(part for part in (entity, project, run_id) if part)
    try:
        preflight.check_server("agent.train")
        settings = wandb.Api().run(path).config
    except UNANSWERED as error:
        raise ConfigError(
            f"{trouble}, and run {run_id} cannot be read from the server ({error}): check the id, WANDB_ENTITY and "
            f"WANDB_PROJECT"
        ) from None
    names = {each.name for each in fields(Config)}
    return from_settings({name: value for name, value in settings.items() if name in names})


def check_same_config(plan: Plan, interruption: Interruption) -> None:
    """Before the run is opened: is the server there, and were the rows that it has made with these settings?

    Raises:
        ConfigError: they were not; two configurations would mix in one run.
        CommError, AuthenticationError: the server does not answer, or does not take the key.
        Interrupted: a signal came meanwhile.
    """
    if is_offline():
        return
    known = preflight.find_run(plan.run_id, plan.entity, plan.project, interruption.check)
    if known and known.n_rows and (others := _differences(known.settings, plan.config)):
        raise ConfigError(
            f"run {plan.run_id} has rows on the server that were made with other settings ({', '.join(others)}): "
            f"unset WANDB_RUN_ID to start a new run, or go on with --resume {plan.run_id} and no other flag"
        )


def _differences(settings: Mapping[str, Any], config: Config) -> list[str]:
    both = [
        (each.name, settings.get(each.name, each.default), getattr(config, each.name))
        for each in fields(config)
    ]
    return [f"{name} {theirs}, not {ours}" for name, theirs, ours in both if theirs != ours]


def in_sweep() -> bool:
    """Whether an agent of a sweep has handed this run out; it then counts how the run ends."""
    return bool(os.environ.get(SWEEP))


def is_offline() -> bool:
    return os.environ.get("WANDB_MODE") in ("offline", "disabled", "dryrun")


def is_finished(run: wandb.Run) -> bool:
    """Whether the run was completed before: the last thing that it writes is there."""
    return bool(run.resumed) and run.summary.get("seconds/total") is not None


def forget_failure(run: wandb.Run) -> None:
    """A run that is tried again has not failed: why it did before leaves its summary."""
    if run.resumed and run.summary.get("error") is not None:
        del run.summary["error"]


def was_cut_off(run: wandb.Run) -> bool:
    """Whether the server has rows of an earlier part; a sweep's run exists there before its first part begins."""
    return bool(run.resumed) and run.starting_step > 0


def find_state(run: wandb.Run, plan: Plan, data_digest: str) -> State | None:
    """The newest state of this run: on this machine, or, if it was preempted elsewhere, of its Artifact."""
    found = _local_state(plan.folder)
    known = found.progress.epoch if found else 0
    if was_cut_off(run) and (version := _uploaded(run)) and version.metadata["epoch"] > known:
        _fetch(version, plan.folder)
        found = _local_state(plan.folder)
    if found is None or found.config != plan.config:
        return None
    if found.data_digest != data_digest:
        raise ConfigError(
            f"the images or masks of {plan.config.data} changed since run {plan.run_id} was interrupted: "
            f"restore them, or start a new run"
        )
    return found


def n_threads(run: wandb.Run, found: State | None) -> int | None:
    """With how many threads of torch the run began: what its state says, else, if it was cut off, the server."""
    began = found.n_threads if found else run.config.get("n_threads") if was_cut_off(run) else None
    return began if isinstance(began, int) and 0 < began <= MOST_THREADS else None


def _fetch(version: wandb.Artifact, folder: Path) -> None:
    """All files of the Artifact, or none: from what is there, more epochs are trained again, to equal bits."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=FETCHED) as new:
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
            print(
                f"agent.train: the uploaded state cannot be read ({error}); going on without it", flush=True
            )
            return
        for path in sorted(Path(new).iterdir(), key=lambda path: path.name == state.FILE):
            path.replace(folder / path.name)


def _uploaded(run: wandb.Run) -> wandb.Artifact | None:
    try:
        found: wandb.Artifact = wandb.Api().artifact(
            f"{run.entity}/{run.project}/state-{run.id}:latest", type="state"
        )
    except UNANSWERED:
        return None
    return found


def log_missing(run: wandb.Run, rows: Sequence[Row]) -> None:
    """Log the rows, one per epoch from 1, that the server does not have: row n is step n - 1."""
    for row in rows:
        if row["epoch"] > run.starting_step:
            run.log(dict[str, Any](row), step=int(row["epoch"]) - 1, commit=True)


def mark_preempted_and_upload(run: wandb.Run, plan: Plan) -> None:
    """Mark the run as preempted and upload its state: another process, or another machine, can go on."""
    run.mark_preempting()
    with contextlib.suppress(BadFile):
        found = state.load(plan.folder)
        if found and not run.offline:
            _upload(run, plan.folder, found)


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
def on_client_death(plan: Plan, interruption: Interruption) -> Iterator[None]:
    """End the process, its state on the disk, when the client's service dies within the block, or at a second Ctrl-C.

    Slurm signals every process of a job that it ends, that service as well, and a machine short of memory may kill
    it. Then the server cannot be told and the run cannot be closed.
    """
    try:
        yield
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        print(f"agent.train: ended; go on with python -m agent.train --resume {plan.run_id}", flush=True)
        os._exit(EXIT_CODES["SIGINT"])
    except ConnectionError as error:
        code = EXIT_CODES.get(interruption.reason, 1)
        why = interruption.reason if code > 1 else f"the W&B client's process is gone ({error})"
        with contextlib.suppress(ConnectionError):
            print(
                f"agent.train: {why}; the state stays in {plan.folder}; go on with python -m agent.train --resume "
                f"{plan.run_id}",
                flush=True,
            )
        os._exit(code)


@contextlib.contextmanager
def exclusive_lock(plan: Plan) -> Iterator[None]:
    """Until the end of the block no other process of this machine has the run: two would double its rows.

    Raises:
        ConfigError: another has it, or its folder cannot be made.
    """
    if not _is_own(plan.folder):
        raise ConfigError(
            f"{plan.folder} holds other things than a run: take another run id, or another folder in PUZZLE_RUNS"
        )
    deadline = time.monotonic() + LOCK_SECONDS
    while (lock := _lock(plan.folder)) is None:
        if time.monotonic() > deadline:
            raise ConfigError(
                f"run {plan.run_id} is under way in another process on this machine: wait for it or end it"
            )
        time.sleep(0.2)
    with lock:
        yield


def _is_own(folder: Path) -> bool:
    """Whether a folder is new, empty, or was made by a run."""
    try:
        names = {each.name for each in folder.iterdir()}
    except FileNotFoundError:
        return True
    except OSError:
        return not folder.is_dir()  # `_lock` says what is wrong with a file of that name
    return not names or bool(names & {LOCK, state.FILE, RESERVED})


def _lock(folder: Path) -> IO[str] | None:
    """None where another process holds it, or has just removed the folder."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / LOCK).open("w")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(
            f"{folder} cannot be used ({error.strerror}): name another in PUZZLE_RUNS"
        ) from None
    with contextlib.suppress(BlockingIOError, FileNotFoundError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(file.fileno()), (folder / LOCK).stat()):
            return file
    file.close()
    return None


@contextlib.contextmanager
def remove_if_empty(plan: Plan) -> Iterator[None]:
    """Remove the folder at the end of the block if the run left neither a state nor a checkpoint in it.

    Another counts with its own bytes, and not with those that the run might have come to.
    """
    try:
        yield
    finally:
        if any(plan.folder.glob("*.pt")):
            (plan.folder / RESERVED).unlink(missing_ok=True)
        else:
            _clear(plan.folder)


def clean_up(plan: Plan, run: wandb.Run) -> None:
    """Once the server has the whole run: drop the state, here and there, and what an earlier part of the run left."""
    if run.offline:
        for name in (state.FILE, RESERVED):
            (plan.folder / name).unlink(missing_ok=True)
        return
    _clear(plan.folder)
    if was_cut_off(run):
        delete_stale(run, ("model", "predictions"))
        with contextlib.suppress(*UNANSWERED):
            wandb.Api().artifact_collection("state", f"{run.entity}/{run.project}/state-{run.id}").delete()


def _clear(folder: Path) -> None:
    """Delete what the run made in its folder, and the folder if nothing else is in it."""
    for path in (each for pattern in OWN_FOLDERS for each in folder.glob(pattern)):
        shutil.rmtree(path, ignore_errors=True)
    with contextlib.suppress(OSError):
        for path in (each for pattern in OWN_FILES for each in folder.glob(pattern)):
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
