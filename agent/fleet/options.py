"""The flags of `python -m agent.fleet`; one that means nothing beside the others is refused, not ignored."""

import argparse
import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from common.cli import whole_number

AUTO = 0
"""Value of `--per-gpu auto`."""

CLUSTER_FLAGS = ("jobs", "gpus", "cpus")
SLURM_FLAGS = ("partition", "time", "sbatch")
KUBERNETES_FLAGS = ("image",)
LOCAL_FLAGS = {
    "agents": "--cpus is the number of trials of each fleet",
    "requeue": "its jobs have it already",
    "events": "each job has a log of its own",
}
"""Flags for this machine, and their substitutes on a cluster."""


class OptionError(Exception):
    """The flags cannot be obeyed; the text is one sentence."""


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise OptionError(f"{message}; --help lists the flags")


def read(arguments: Sequence[str] | None, environ: Mapping[str, str]) -> argparse.Namespace:
    """Every flag; None, empty or false if it was not written. Raises OptionError."""
    parser = build_parser()
    options, unknown = parser.parse_known_args(arguments)
    if flags := [word.partition("=")[0] for word in unknown if word.startswith("-")]:
        near = difflib.get_close_matches(flags[0], parser._option_string_actions, n=1)
        parser.error(f"there is no flag {flags[0]}" + (f"; did you mean {near[0]}?" if near else ""))
    if unknown:
        parser.error(f"a fleet works on one sweep, and {unknown[0]} is a second")
    if not options.sweep:
        parser.error("which SWEEP? name a YAML file, or ENTITY/PROJECT/ID")
    check(options, environ)
    return options


def check(options: argparse.Namespace, environ: Mapping[str, str]) -> None:
    """Raises OptionError: a flag means nothing beside the others, or needs one that is not there."""
    if options.slurm and options.kubernetes:
        raise OptionError("--slurm submits jobs and --kubernetes writes a manifest: take one of them")
    cluster = "--slurm" if options.slurm else "--kubernetes" if options.kubernetes else ""
    for names, needed in (
        (CLUSTER_FLAGS, "" if cluster else "--slurm or --kubernetes"),
        (SLURM_FLAGS, "" if options.slurm else "--slurm"),
        (KUBERNETES_FLAGS, "" if options.kubernetes else "--kubernetes"),
    ):
        for name in names:
            if needed and vars(options)[name] not in (None, []):
                raise OptionError(f"--{name} means something with {needed} only: add that, or leave it out")
    for name, instead in LOCAL_FLAGS.items():
        if cluster and vars(options)[name]:
            raise OptionError(f"--{name} is for this machine; with {cluster}, {instead}")
    if options.agents and options.per_gpu is not None:
        raise OptionError("--agents counts all trials, --per-gpu those of each GPU: take one of them")
    if cluster and options.per_gpu is not None and not options.gpus:
        raise OptionError("--per-gpu needs --gpus: without it the jobs get no GPU")
    if options.requeue and "SLURM_JOB_ID" not in environ:
        raise OptionError("--requeue is for jobs of Slurm, and this is none: leave it out")
    if file := options.kubernetes:
        if not options.image:
            raise OptionError("--kubernetes needs --image, one whose working directory is a checkout")
        if file.is_dir() or not file.parent.is_dir():
            raise OptionError(f"--kubernetes cannot write {file}: name a file in a folder that is there")


def build_parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m agent.fleet", description="Work on a sweep with the whole machine.", allow_abbrev=False
    )
    parser.add_argument("sweep", nargs="?", metavar="SWEEP", help="a YAML file, or ENTITY/PROJECT/ID")
    parser.add_argument(
        "--per-gpu",
        type=_per_gpu,
        metavar="N|auto",
        help="trials side by side on each GPU (default: 1); auto: as many as its memory holds, as measured",
    )
    parser.add_argument(
        "--agents",
        type=whole_number(1),
        metavar="N",
        help="trials side by side, dealt out to the GPUs if there are any (default: one per GPU, or as many as cores)",
    )
    parser.add_argument("--new", action="store_true", help="make a new sweep even if the file's last one is not done")
    parser.add_argument("--events", action="store_true", help="JSON lines for a program instead (docs/fleet.md)")
    group = parser.add_argument_group("on a cluster (docs/cluster.md)")
    group.add_argument("--slurm", action="store_true", help="submit fleets as an array job of Slurm")
    group.add_argument("--kubernetes", type=Path, metavar="FILE", help="write an Indexed Job of fleets")
    group.add_argument("--jobs", type=whole_number(1), metavar="N", help="fleets, one per node (default: 1)")
    group.add_argument("--gpus", type=whole_number(0), metavar="N", help="GPUs of each fleet (default: 0)")
    group.add_argument(
        "--cpus", type=whole_number(1), metavar="N", help="cores of each fleet (default: 4 per GPU, or 1)"
    )
    group.add_argument("--partition", help="of Slurm")
    group.add_argument("--time", help="limit of each job as Slurm reads it, for instance 04:00:00")
    group.add_argument(
        "--sbatch", action="append", default=[], metavar="OPTION", help="any other, as in --sbatch=--account=lab"
    )
    group.add_argument("--image", help="container image whose working directory is a checkout")
    group.add_argument(
        "--requeue", action="store_true", help="inside a Slurm job: put it back into the queue after SIGTERM"
    )
    return parser


def _per_gpu(text: str) -> int:
    try:
        return AUTO if text == "auto" else whole_number()(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{error}, or auto") from None
