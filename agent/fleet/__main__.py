"""`python -m agent.fleet SWEEP`: every GPU of this machine, or all its cores, at work on one sweep until it is done.

SWEEP is a YAML file, which makes the sweep, or ENTITY/PROJECT/ID. The same command started again goes on: trials that
were cut off continue from their checkpoints under their own run ids. `wandb agent` may work on it at the same time.
"""

import argparse
import os
import signal
import sys
from collections.abc import Sequence

from rich.console import Console

from agent import cores
from agent.fleet import cluster, devices, journal, slurm, target
from agent.fleet.board import Board
from agent.fleet.devices import DeviceError
from agent.fleet.supervisor import Fleet, Place
from agent.fleet.target import Target, TargetError


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when the sweep is done and no trial failed, 1 when one did or nothing could start, 128 + n after signal n."""
    options = parser().parse_args(arguments)
    try:
        code = cluster.hand_over(options) if options.slurm or options.kubernetes else start(options)
    except (TargetError, DeviceError) as error:
        print(f"agent.fleet: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    if options.requeue and code == 128 + signal.SIGTERM:
        slurm.requeue()
    return code


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m agent.fleet", description="Work on a sweep with the whole machine."
    )
    made.add_argument("sweep", metavar="SWEEP", help="a YAML file, or ENTITY/PROJECT/ID")
    made.add_argument(
        "--per-gpu",
        type=per_gpu,
        default=1,
        metavar="N|auto",
        help="trials side by side on each GPU (default: 1); auto: as many as its memory holds, as measured",
    )
    made.add_argument(
        "--agents",
        type=positive,
        metavar="N",
        help="trials side by side without a GPU (default: as many as cores)",
    )
    made.add_argument(
        "--new", action="store_true", help="make a new sweep even if the file's last one is not done"
    )
    cluster.add_options(made)
    return made


def positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 up")
    return int(text)


def per_gpu(text: str) -> int | None:
    """None for auto."""
    return None if text == "auto" else positive(text)


def start(options: argparse.Namespace) -> int:
    """Everything from the sweep's name to its end."""
    gpus = devices.gpus(os.environ)
    if gpus and options.agents:
        raise DeviceError(f"--agents is for machines without a GPU; this one has {len(gpus)}: use --per-gpu")
    found = target.find(options.sweep, options.new)
    folder = target.folder() / found.sweep.name
    trials, logs = folder / "trials", folder / "logs"
    for each in (trials, logs):
        each.mkdir(parents=True, exist_ok=True)
    places = layout(gpus, options, found, journal.begun(trials))
    n_most = max(1, cores.available() // len(gpus)) if gpus and options.per_gpu is None else None
    threads = devices.threads(os.environ, len(places) * (n_most or 1))
    board = Board(
        found.sweep.path, found.expected, found.n_runs - journal.begun(trials), found.varied, Console()
    )
    board.tell(found.news)
    where = ", ".join(f"GPU {gpu.index} ({gpu.name})" for gpu in gpus) or "the CPU"
    board.tell(
        f"{len(places)} trial{'s' * (len(places) > 1)} side by side on {where}, threads of each: {threads}; "
        f"logs in {os.path.relpath(logs)}"
    )
    fleet = Fleet(found.sweep, found.command, places, threads, trials, logs, board, n_most)
    code = fleet.run()
    board.tell(f"{found.sweep.path}: {board.summary()}")
    return code


def layout(gpus: list[devices.Gpu], options: argparse.Namespace, found: Target, n_begun: int) -> list[Place]:
    """One place per trial that runs at once."""
    if gpus:
        return [
            Place(f"GPU {gpu.index}", {"CUDA_VISIBLE_DEVICES": gpu.visible}, gpu)
            for gpu in gpus
            for _ in range(options.per_gpu or 1)
        ]
    left = None if found.expected is None else max(1, found.expected - found.n_runs + n_begun)
    n = options.agents or devices.side_by_side(cores.available(), left, devices.free_memory())
    return [Place("CPU", {}) for _ in range(n)]


if __name__ == "__main__":
    sys.exit(main())
