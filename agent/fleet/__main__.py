"""`python -m agent.fleet SWEEP`: every GPU of this machine, or all its cores, at work on one sweep until it is done.

SWEEP is a YAML file, which makes the sweep, or ENTITY/PROJECT/ID. The same command started again goes on: trials that
were cut off continue from their checkpoints under their own run ids. `wandb agent` may work on it at the same time.
"""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from typing import IO

from rich.console import Console

from agent import events
from agent.fleet import devices, journal, options, packing, sweep_setup
from agent.fleet.cluster import flags, slurm
from agent.fleet.cluster.slurm import SlurmError
from agent.fleet.devices import DeviceError
from agent.fleet.display import Display
from agent.fleet.options import AUTO, OptionError
from agent.fleet.supervisor import Fleet, Place
from agent.fleet.sweep_client import Sweep
from agent.fleet.sweep_setup import SweepDone, SweepError
from agent.lifecycle import wandb_mode
from common import cores
from common.text import plural
from common.wandb_api import RequestRefused, ServerUnavailable

TRIAL_GRACE_SECONDS = 45
"""Time from SIGTERM to SIGKILL of a trial: a step, 20 s of upload, the end of its run; less than a cluster's minute."""

ACTIVE_STATES = ("pending", "running", "preempting")
"""States of a run that an agent works on."""


def main(arguments: Sequence[str] | None = None) -> int:
    """0: the sweep is done and no trial failed; 1: one did, or none started; 2: a wrong flag; 128 + n: a signal."""
    program = None
    try:
        args = options.read(arguments, os.environ)
        program = take_stdout() if args.events else None
        if why := wandb_mode.why_offline(os.environ):
            raise OptionError(why)
        code = flags.submit(args) if args.slurm or args.kubernetes else start(args, program)
    except OptionError as error:
        refuse(str(error), program)
        return 2
    except (SweepError, DeviceError, SlurmError) as error:
        refuse(str(error), program)
        return 1
    except OSError as error:
        refuse(f"{error.filename or sweep_setup.state_folder()} cannot be written: {error.strerror or error}", program)
        return 1
    except SweepDone as news:
        print(news)
        return 0
    except KeyboardInterrupt:
        return 130
    if args.requeue and code == 128 + signal.SIGTERM:
        slurm.requeue()
    return code


def take_stdout() -> IO[str]:
    """Standard output for events alone: all other output of this process and its children goes to standard error."""
    program = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return program


def refuse(reason: str, program: IO[str] | None) -> None:
    print(f"agent.fleet: {reason}", file=sys.stderr, flush=True)
    if program:
        print(events.document("error", reason=reason), end="", file=program, flush=True)


def start(args: argparse.Namespace, program: IO[str] | None) -> int:
    """Everything from the sweep's name to its end; the events go to `program`, if there is one."""
    grace = grace_seconds()
    gpus = devices.list_gpus(os.environ)
    if not gpus and args.per_gpu is not None:
        raise DeviceError("--per-gpu needs a GPU, and this machine shows none: use --agents")
    info = sweep_setup.find(args.sweep, args.new)
    folder = sweep_setup.state_folder() / info.sweep.name
    trials, logs = folder / "trials", folder / "logs"
    for each in (trials, logs):
        each.mkdir(parents=True, exist_ok=True)
    waiting = {trial.run for trial in journal.read_unfinished(trials)} | info.preempted
    n_over = info.n_runs - len(waiting)
    put_off = [trial.threads for trial in journal.read_all(trials) if trial.threads and trial.run in waiting]
    places = assign_places(gpus, args, info.expected and info.expected - n_over, put_off)
    n_most = max(1, cores.available() // len(gpus)) if gpus and args.per_gpu == AUTO else None
    threads = packing.threads_per_trial(os.environ, len(places) * (n_most or 1))
    board = Display(info.sweep.path, info.expected, n_over, info.varied_parameters, Console(), program)
    board.emit("sweep", info.news, sweep=info.sweep.path, base_url=info.sweep.base_url)
    where = ", ".join(f"GPU {gpu.index} ({gpu.name})" for gpu in gpus) or "the CPU"
    kept = f" (those put off keep {', '.join(map(str, sorted(set(put_off))))})" if {*put_off} - {threads} else ""
    board.message(
        f"{plural(len(places), 'trial')} side by side on {where}, threads of each: {threads}{kept}; "
        f"logs in {os.path.relpath(logs)}"
    )
    fleet = Fleet(info.sweep, info.command, places, threads, trials, logs, grace, board, n_most)
    code = fleet.run()
    if fleet.failure:
        refuse(fleet.failure, program)
    text = describe_end(info.sweep, board) if fleet.over else board.summary()
    board.emit("over" if fleet.over else "stop", f"{info.sweep.path}: {text}", code=code)
    return code


def grace_seconds() -> float:
    """Seconds of WANDB_AGENT_KILL_DELAY, as for the client's own agent. Raises OptionError."""
    text = os.environ.get("WANDB_AGENT_KILL_DELAY") or str(TRIAL_GRACE_SECONDS)
    if not text.isdecimal():
        raise OptionError(f"WANDB_AGENT_KILL_DELAY is {text!r}, but must be whole seconds")
    return float(text)


def assign_places(
    gpus: list[devices.Gpu], args: argparse.Namespace, n_left: int | None, put_off: Sequence[int]
) -> list[Place]:
    """One place per trial that runs at once; `put_off` are the threads of those that go on."""
    if gpus:
        n = args.agents or len(gpus) * (args.per_gpu or 1)
        dealt = [gpus[each % len(gpus)] for each in range(n)]
        return [Place(f"GPU {gpu.index}", {"CUDA_VISIBLE_DEVICES": gpu.visible}, gpu) for gpu in dealt]
    n = args.agents or packing.parallel_trials(cores.available(), n_left, devices.free_main_memory(), put_off)
    return [Place("CPU", {}) for _ in range(n)]


def describe_end(sweep: Sweep, board: Display) -> str:
    """The state of the sweep in a sentence, with the runs of other agents."""
    try:
        elsewhere, info = sweep.fetch_runs(*ACTIVE_STATES), sweep.fetch()
    except (ServerUnavailable, RequestRefused):
        return board.summary()
    if elsewhere:
        runs = plural(len(elsewhere), "run")
        return f"{board.count_ends()} here, and no more to hand out; {runs} of the sweep still at work elsewhere"
    if board.n_remaining and info:
        return f"{board.count_ends()} here; the sweep is over with {info['runCount']} of {board.expected} runs"
    return board.summary()


if __name__ == "__main__":
    sys.exit(main())
