"""The study's sweep on the server: made with `wandb sweep`, read with `wandb.Api()`, trained by `agent.fleet`."""

import contextlib
import functools
import io
import json
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import wandb
from rich.console import Console
from rich.live import Live
from wandb.sdk.lib.service.service_connection import WandbApiFailedError

from common.retry import retry
from study import processes
from study.plan import StudyError, StudyPlan
from study.progress import Progress
from study.server import Server

NO_SUCH_SWEEP = "Could not find sweep"
"""Beginning of the client's message when there is no such sweep."""

CONNECT_WAITS = (0.0, 0.0)

CLIENT_ERRORS = (wandb.errors.Error, WandbApiFailedError, ValueError, TimeoutError)

DEAD_STATES = {"failed", "crashed", "killed"}

SILENCE_SECONDS = 60
"""Patience with an embedded server that is away; the fleet waits for it much longer."""

SAY_EVERY_SECONDS = 30

WANDB = str(Path(sys.executable).parent / "wandb")


def create(plan: StudyPlan, server: Server) -> str:
    """The sweep as `wandb sweep FILE` makes it; its path ENTITY/PROJECT/ID.

    Raises:
        StudyError: the server refuses it, or the key.
    """
    (plan.folder / "sweep.yaml").write_text(plan.yaml)
    try:
        wandb.setup(wandb.Settings(silent=True))
        entity = server.login.get("WANDB_ENTITY") or plan.sweep.get("entity") or connect(server).default_entity
        project = plan.sweep.get("project") or "uncategorized"
        with contextlib.redirect_stdout(io.StringIO()):
            name = wandb.sweep(plan.sweep, entity=entity, project=project)
    except CLIENT_ERRORS as error:
        raise StudyError(f"the sweep was refused: {' '.join(str(error).split())}") from error
    return f"{entity}/{project}/{name}"


def journal_folder(plan: StudyPlan, path: str) -> Path:
    """The fleet's journal of the sweep: `trials/RUN_ID.json`, `logs/RUN_ID.log`."""
    return plan.folder / "fleet" / path.rpartition("/")[2]


def delete_failed(plan: StudyPlan, path: str, server: Server) -> int | None:
    """Number of finished runs of the sweep, after deleting those that failed; None if the sweep is gone.

    A run that failed occupies its cell of the grid. Deleting it frees the cell, on W&B as here. Runs that the fleet has
    in its journal go on from their checkpoints. On the embedded server nobody else works on this study, so any other
    run that seems to go on is dead as well.

    Raises:
        StudyError: the server refuses the key or does not answer.
    """
    ended = DEAD_STATES if server.folder is None else DEAD_STATES | {"running", "pending", "preempting"}
    begun = {file.stem for file in (journal_folder(plan, path) / "trials").glob("*.json")}
    try:
        runs = list(connect(server).sweep(path).runs)
        lost = [run for run in runs if run.state in ended and run.id not in begun]
        for run in lost:
            run.delete()
    except CLIENT_ERRORS as error:
        if NO_SUCH_SWEEP in str(error):
            return None
        raise StudyError(f"the sweep {path} cannot be read from {server.base_url}: {error}") from error
    if lost:
        print(f"study: deleted {len(lost)} runs that failed, to train them again", flush=True)
    return len([run for run in runs if run.state == "finished"])


def connect(server: Server) -> wandb.Api:
    """A client of the server; on a busy machine the client's own time limits are too short for the first try."""
    client = functools.partial(
        wandb.Api, overrides={"base_url": server.base_url}, api_key=server.login["WANDB_API_KEY"]
    )
    return retry(client, CLIENT_ERRORS, CONNECT_WAITS)


def resume(path: str, env: Mapping[str, str]) -> None:
    """`wandb sweep --resume`: a sweep that has ended hands out its free cells again."""
    code, printed = processes.run([WANDB, "sweep", "--resume", path], env)
    if code:
        raise StudyError(f"`wandb sweep --resume {path}` failed:\n{printed.strip()}")


def train(
    plan: StudyPlan, path: str, n_before: int, side_by_side: int, server: Server, env: Mapping[str, str]
) -> Progress:
    """`agent.fleet PATH`, until the sweep is done.

    Raises:
        StudyError: the embedded server is gone.
    """
    console = Console()
    progress = Progress(plan.n_trials, n_before, plan.epochs, console)
    logs = journal_folder(plan, path) / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "agent.fleet", path, f"--agents={side_by_side}", "--events"]
    fleet_env = {**env, "PUZZLE_FLEET": str((plan.folder / "fleet").resolve())}
    with contextlib.ExitStack() as stack:
        log = stack.enter_context((logs / "fleet.log").open("a"))
        fleet = stack.enter_context(processes.child_process(command, fleet_env, stderr=log))
        assert fleet.stdout
        reader = threading.Thread(target=read_events, args=(fleet.stdout, progress), daemon=True)
        reader.start()
        if console.is_terminal:
            stack.enter_context(Live(get_renderable=progress.render, console=console, refresh_per_second=4))
        wait(reader, server, progress)
    return progress


def read_events(lines: Iterable[str], progress: Progress) -> None:
    """Pass on the fleet's events, as they come, until its output ends."""
    for line in lines:
        progress.handle(json.loads(line))


def wait(reader: threading.Thread, server: Server, progress: Progress) -> None:
    """Wait for the end of the fleet's output, in short waits, so that Ctrl-C is heard."""
    last_line = answered = time.monotonic()
    while reader.is_alive():
        reader.join(timeout=1)
        now = time.monotonic()
        if server.answers():
            answered = now
        elif now - answered > SILENCE_SECONDS:
            raise StudyError(
                f"the embedded server at {server.base_url} is gone; the same command starts it again and goes on"
            )
        if now - last_line > SAY_EVERY_SECONDS:
            last_line = now
            progress.print_lines()
