"""Processes of a study: started with the environment they need, and stopped again with their descendants."""

import contextlib
import functools
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

import psutil

from common.environment import ROOT, private_wandb
from common.parent import end_with_parent

GRACE_SECONDS = 60
"""Time from SIGTERM to SIGKILL of a process: a fleet gives its trials 45."""


def environment(folder: Path, login: Mapping[str, str]) -> dict[str, str]:
    """The environment of every process of a study.

    Of the person's WANDB_ variables only `login` counts: WANDB_MODE=offline, say, would make every trial vanish.
    Everything that the wandb client would read or write in the person's home lies in `folder` instead.
    """
    private = folder.resolve() / "wandb"
    private.mkdir(parents=True, exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    return {
        **kept,
        **private_wandb(private),
        **login,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "PYTHONUNBUFFERED": "1",
        "NO_ALBUMENTATIONS_UPDATE": "1",
    }


@contextlib.contextmanager
def child_process(
    command: Sequence[str],
    env: Mapping[str, str],
    stdout: IO[str] | int = subprocess.PIPE,
    stderr: IO[str] | int = subprocess.STDOUT,
    *,
    ends_with_us: bool = False,
) -> Iterator[subprocess.Popen[str]]:
    """A process in a session of its own; stopped at the end of the block. The terminal's Ctrl-C does not reach it.

    With `ends_with_us` it gets SIGTERM when this process is killed (Linux).
    """
    process = None
    try:
        with delay_signals():
            process = subprocess.Popen(
                command,
                env=dict(env),
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                text=True,
                errors="replace",
                start_new_session=True,
                preexec_fn=functools.partial(end_with_parent, signal.SIGTERM, os.getpid()) if ends_with_us else None,
            )
        yield process
    finally:
        if process:
            stop([process])


@contextlib.contextmanager
def delay_signals() -> Iterator[None]:
    """Ctrl-C and its like wait until the end of the block, so that no process is started and then forgotten."""
    waiting: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, lambda number, frame: waiting.append(number)) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for caught in waiting:
            signal.raise_signal(caught)


def stop(processes: Sequence[subprocess.Popen[str]]) -> None:
    """End processes and their descendants: SIGTERM first, SIGKILL after GRACE_SECONDS or at a Ctrl-C."""
    family: list[psutil.Process] = []
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            parent = psutil.Process(process.pid)
            family += [parent, *parent.children(recursive=True)]
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
    try:
        _, alive = psutil.wait_procs(family, timeout=GRACE_SECONDS)
    except KeyboardInterrupt:
        alive = family
    for survivor in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            survivor.kill()
    psutil.wait_procs(alive, timeout=GRACE_SECONDS)
    for process in processes:
        process.wait()


def run(command: Sequence[str], env: Mapping[str, str], stderr: IO[str] | int = subprocess.STDOUT) -> tuple[int, str]:
    """Run a command to its end; exit code and output."""
    with child_process(command, env, stderr=stderr) as process:
        assert process.stdout is not None
        with process.stdout as printed:
            text = printed.read()
        return process.wait(), text
