"""One trial as a process of its own: the command and the environment are those that `wandb agent` gives it.

A trial whose command is `python -m agent.train` is forked from an agent that has everything imported; any other is
started as a plain process.
"""

import contextlib
import os
import signal
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import psutil

from agent import events
from common.parent import end_with_parent
from common.sweep_spec import DEFAULT_COMMAND

TRAIN_MODULE = "agent.train"


@dataclass(frozen=True)
class Launch:
    """A program to start, with its environment and log."""

    command: list[str]
    """The command as `wandb agent` would start it."""
    flags: list[str] | None
    """Arguments of `agent.train` for a forked trial; None for a plain process."""
    env: dict[str, str]
    threads: int
    log: Path


def starts_train(command: Sequence[Any] | None) -> bool:
    """Whether the sweep's command is `[env] python -m agent.train` with flags of one kind."""
    words = [str(word) for word in command or DEFAULT_COMMAND if str(word) != "${env}"]
    kinds = ("${args}", "${args_no_equals}", "${args_no_boolean_flags}")
    return (
        words[:1] in (["${interpreter}"], ["python"])
        and [*words[1:3]] == ["-m", TRAIN_MODULE]
        and all(not word.startswith("${") or word in kinds for word in words[3:])
    )


def expand(command: Sequence[Any] | None, program: str | None, args: Mapping[str, Any], json_file: Path) -> list[str]:
    """The sweep's `command` with its macros filled in by the client's own functions.

    `args` are those of the agent protocol, `{name: {"value": value}}`; `json_file` is written if the command names one.
    """
    from wandb.sdk.launch.sweeps import utils

    values: dict[str, Any] = utils.create_sweep_command_args({"args": dict(args)})
    values |= {"interpreter": ["python"], "env": ["/usr/bin/env"], "program": [program or ""]}
    values["args_json_file"] = [str(json_file)]
    if "${args_json_file}" in (command or ()):
        json_file.write_text(values["args_json"][0])
    words: list[str] = []
    for word in utils.create_sweep_command([str(each) for each in command or DEFAULT_COMMAND]):
        words += values.get(word[2:-1], []) if word.startswith("${") and word.endswith("}") else [word]
    return words


def make_start(
    command: Sequence[Any] | None,
    program: str | None,
    run: str,
    args: Mapping[str, Any],
    env: Mapping[str, str],
    threads: int,
    log: Path,
) -> Launch:
    """`env` is the agent's own, the sweep in it. Writes the file that WANDB_SWEEP_PARAM_PATH names."""
    from wandb.sdk.lib import config_util

    folder = Path(env.get("WANDB_DIR") or Path.cwd()) / "wandb" / f"sweep-{env['WANDB_SWEEP_ID']}"
    settings = folder / f"config-{run}.yaml"
    config_util.save_config_file_from_dict(str(settings), dict(args))
    more = {
        "WANDB_RUN_ID": run,
        "WANDB_SWEEP_PARAM_PATH": str(settings),
        "WANDB_DIR": env.get("WANDB_DIR") or str(Path.cwd()),
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "PYTHONUNBUFFERED": "1",
        events.EVENTS_VARIABLE: str(log.with_suffix(".jsonl")),
    }
    words = expand(command, program, args, settings.with_suffix(".json"))
    flags = words[words.index(TRAIN_MODULE) + 1 :] if starts_train(command) else None
    return Launch(words, flags, {**env, **more}, threads, log)


def fork(start: Launch, warm: bool, locked: int, close: Sequence[int]) -> int:
    """Start the trial in a session of its own; its process id. It gets SIGTERM when this process dies.

    `locked` is the descriptor of the trial's lock, which the trial keeps open; it closes the agent's in `close`.
    The calling process must have one thread.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    parent = os.getpid()
    # A SIGTERM in the first moments waits until the trial has left the agent's handler behind, or it would be lost.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM,))
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            for descriptor in close:
                os.close(descriptor)
            _detach(start, parent)
            if warm and start.flags is not None:
                code = _train(start)
            else:
                os.set_inheritable(locked, True)
                _execute(start)
        except BaseException:
            traceback.print_exc()
        finally:
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return pid


def _detach(start: Launch, parent: int) -> None:
    """Leave everything of the agent behind: session, signals, standard files, environment."""
    os.setsid()
    end_with_parent(signal.SIGTERM, parent)
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGCHLD, signal.SIGUSR1, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    nothing, log = (os.open(os.devnull, os.O_RDONLY), os.open(start.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND))
    os.dup2(nothing, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.write(1, f"--- {time.strftime('%Y-%m-%d %H:%M:%S')} {' '.join(start.command)}\n".encode())
    os.environ.clear()
    os.environ.update(start.env)


def _train(start: Launch) -> int:
    """`agent.train` as if it had been started by its command. Everything it needs is imported already."""
    import torch
    import wandb

    from agent import train  # in the fork server alone: torch takes seconds to import

    assert start.flags is not None
    os.environ["WANDB_PROGRAM"] = f"-m {TRAIN_MODULE}"
    sys.argv = [str(train.__file__), *start.flags]
    torch.set_num_threads(start.threads)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    try:
        code = train.main(start.flags)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except KeyboardInterrupt:
        code = 128 + signal.SIGINT
    wandb.teardown(code)
    return code


def _execute(start: Launch) -> NoReturn:
    try:
        os.execvpe(start.command[0], start.command, start.env)
    except OSError as error:
        os.write(2, f"agent.fleet: {start.command[0]} cannot be started: {error.strerror}\n".encode())
        os._exit(127)


def kill_family(pid: int) -> None:
    """SIGKILL to all descendants of a process, those with a session of their own included."""
    for _ in range(2):  # again, for processes started meanwhile
        with contextlib.suppress(psutil.NoSuchProcess):
            for each in psutil.Process(pid).children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):
                    each.kill()
