"""`--slurm` and `--kubernetes`: the same command, submitted to the machines of a cluster instead of started here."""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from agent.fleet import kubernetes, slurm, target
from agent.fleet.kubernetes import Pods
from agent.fleet.slurm import Jobs, SlurmError


def add_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("on a cluster (docs/cluster.md)")
    group.add_argument("--slurm", action="store_true", help="submit fleets as an array job of Slurm")
    group.add_argument("--kubernetes", type=Path, metavar="FILE", help="write an Indexed Job of fleets")
    group.add_argument(
        "--jobs", type=_from(1), default=1, metavar="N", help="fleets, one per node (default: 1)"
    )
    group.add_argument(
        "--gpus", type=_from(0), default=0, metavar="N", help="GPUs of each fleet (default: 0)"
    )
    group.add_argument(
        "--cpus", type=_from(1), metavar="N", help="cores of each fleet (default: 4 per GPU, or 1)"
    )
    group.add_argument("--partition", default="", help="of Slurm")
    group.add_argument(
        "--time", default="", help="limit of each job as Slurm reads it, for instance 04:00:00"
    )
    group.add_argument(
        "--sbatch",
        action="append",
        default=[],
        metavar="OPTION",
        help="any other, as in --sbatch=--account=lab",
    )
    group.add_argument("--image", help="container image whose working directory is a checkout")
    group.add_argument(
        "--requeue", action="store_true", help="inside a Slurm job: put it back into the queue after SIGTERM"
    )


def _from(least: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} up")
        return int(text)

    return read


def hand_over(options: argparse.Namespace) -> int:
    """Find or make the sweep, and submit the job or write the manifest; the exit code.

    Raises:
        TargetError: there is no sweep to work on.
    """
    if options.kubernetes and not options.image:
        print(
            "agent.fleet: --kubernetes needs --image, one whose working directory is a checkout",
            file=sys.stderr,
        )
        return 1
    found = target.find(options.sweep, options.new)
    print(found.news)
    if slurm.is_loopback(found.sweep.base_url):
        print(f"note: only this machine reaches {found.sweep.base_url}; docs/cluster.md says how others do")
    cpus = options.cpus or slurm.CPUS_PER_GPU * options.gpus or 1
    if options.kubernetes:
        pods = Pods(options.image, options.jobs, options.gpus, cpus)
        options.kubernetes.write_text(
            kubernetes.text(found.sweep.path, found.sweep.base_url, pods, options.per_gpu)
        )
        print(f"{options.kubernetes}: start it with kubectl apply -f {options.kubernetes}")
        return 0
    folder = target.folder() / found.sweep.name / "slurm"
    folder.mkdir(parents=True, exist_ok=True)
    jobs = Jobs(options.jobs, options.partition, options.gpus, cpus, options.time, tuple(options.sbatch))
    try:
        script = slurm.script(found.sweep.path, jobs, target.ROOT, folder, options.per_gpu)
        job = slurm.submit(script, folder)
    except SlurmError as error:
        print(f"agent.fleet: {error}", file=sys.stderr)
        return 1
    print(
        f"Slurm job {job} with {options.jobs} × agent.fleet: squeue -j {job}; logs in {os.path.relpath(folder)}"
    )
    return 0
