"""The study's sweep on the server: made with `wandb sweep`, trained by `wandb agent`, read with `wandb.Api()`."""

import contextlib
import re
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import wandb
from rich.console import Console
from rich.live import Live

from study import processes
from study.login import Server
from study.plan import Plan, StudyError
from study.progress import Progress

NO_SUCH_SWEEP = "Could not find sweep"
"""How the client begins its message when the server answers that there is none."""

CONNECT_TRIES = 3

WANDB = str(Path(sys.executable).parent / "wandb")


def create(plan: Plan, env: Mapping[str, str], root: Path) -> str:
    """`wandb sweep FILE`; the path ENTITY/PROJECT/ID that it prints."""
    file = plan.folder / "sweep.yaml"
    file.write_text(plan.yaml)
    printed = processes.run([WANDB, "sweep", str(file)], env, root, "wandb sweep")
    found = re.search(r"wandb agent (\S+/\S+/\w+)", re.sub(r"\x1b\[[0-9;]*m", "", printed))
    if not found:
        raise StudyError(f"wandb sweep named no sweep:\n{printed.strip()}")
    return found[1]


def tidy(path: str, server: Server) -> int | None:
    """Number of finished runs of the sweep, after deleting the others; None if there is no such sweep any more.

    A run that was cut off or failed occupies its cell of the grid. Deleting it frees the cell, on W&B as here.

    Raises:
        StudyError: the server refuses the key or does not answer.
    """
    try:
        api = connect(server)
        runs = list(api.sweep(path).runs)
        unfinished = [run for run in runs if run.state != "finished"]
        for run in unfinished:
            run.delete()
    except wandb.errors.Error as error:
        if NO_SUCH_SWEEP in str(error):
            return None
        raise StudyError(f"the sweep {path} cannot be read from {server.base_url}: {error}") from error
    return len(runs) - len(unfinished)


def connect(server: Server) -> wandb.Api:
    """A client of the server; on a busy machine the client's own time limits are too short for the first try."""
    for _ in range(CONNECT_TRIES - 1):
        with contextlib.suppress(wandb.errors.Error):
            return wandb.Api(overrides={"base_url": server.base_url}, api_key=server.login["WANDB_API_KEY"])
    return wandb.Api(overrides={"base_url": server.base_url}, api_key=server.login["WANDB_API_KEY"])


def resume(path: str, env: Mapping[str, str], root: Path) -> None:
    """`wandb sweep --resume`: a sweep that has ended hands out its free cells again."""
    processes.run([WANDB, "sweep", "--resume", path], env, root, "wandb sweep --resume")


def train(path: str, plan: Plan, n_before: int, side_by_side: int, env: Mapping[str, str], root: Path) -> int:
    """`wandb agent PATH`, `side_by_side` times at once, until the sweep is done; the number of finished trials."""
    console = Console()
    progress = Progress(plan.n_trials, n_before, plan.epochs, console)
    logs = plan.folder / "logs"
    logs.mkdir(exist_ok=True)
    with contextlib.ExitStack() as stack:
        threads = []
        for number in range(1, side_by_side + 1):
            agent = stack.enter_context(
                processes.started([WANDB, "agent", "--forward-signals", path], env, root)
            )
            threads.append(processes.follow(agent, logs / f"agent-{number}.log", Listener(progress, number)))
        if console.is_terminal:
            stack.enter_context(Live(get_renderable=progress.render, console=console, refresh_per_second=4))
        wait(threads)
    return progress.finished


class Listener:
    """Hears one agent."""

    def __init__(self, progress: Progress, number: int) -> None:
        self.progress = progress
        self.number = number

    def __call__(self, line: str) -> None:
        self.progress.hear(self.number, line)


def wait(threads: list[threading.Thread]) -> None:
    """Until all have ended; in short waits, so that Ctrl-C is heard."""
    for thread in threads:
        while thread.is_alive():
            thread.join(timeout=0.5)
