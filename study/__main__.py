"""`make study`: the lab's study from photographs to table, curves and mask grid.

Starts what a person would type (`wandb sweep`, `wandb agent`, `python -m analysis`), shows how far it is, and stops
what it started. Started again, it goes on from the trials that are finished.
"""

import argparse
import contextlib
import fcntl
import os
import shlex
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from study import login, plan, processes, sweep
from study.login import Server
from study.plan import Plan, Record, StudyError
from study.progress import clock

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Exit code 0 when every trial is finished, 1 when something failed, 130 after Ctrl-C."""
    arguments = parse()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    started = time.monotonic()
    try:
        finished = study(arguments)
    except StudyError as error:
        print(f"\nstudy: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstudy: stopped; the same command goes on from the trials that are finished", file=sys.stderr)
        return 130
    print(f"study: {clock(time.monotonic() - started)} in all")
    return 0 if finished else 1


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m study", description="Run the lab's study from start to end."
    )
    parser.add_argument(
        "--data", default="drawn", help="a folder of photographs and masks (default: drawn ones)"
    )
    parser.add_argument("--size", type=positive, help="side of the images, pixels (default: as in the sweep)")
    parser.add_argument("--epochs", type=positive, help="epochs of every trial (default: as in the sweep)")
    parser.add_argument("--seeds", type=positive, help="seeds of every model (default: as in the sweep)")
    parser.add_argument("--sweep", type=Path, default=ROOT / "sweeps" / "cpu.yaml", help="the sweep to run")
    parser.add_argument("--results", type=Path, default=ROOT / "results", help="where results go")
    parser.add_argument(
        "--trials", type=positive, default=min(2, processes.cores()), help="trials side by side"
    )
    return parser.parse_args()


def positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 up")
    return int(text)


def study(arguments: argparse.Namespace) -> bool:
    """The whole study; True if every trial is finished."""
    data = arguments.data if arguments.data.startswith("drawn") else str(Path(arguments.data).resolve())
    wanted = plan.make(
        arguments.sweep, arguments.results, data, arguments.size, arguments.epochs, arguments.seeds
    )
    wanted.folder.mkdir(parents=True, exist_ok=True)
    threads = max(1, processes.cores() // arguments.trials)
    with only_one(wanted.folder), server(arguments.results / "server") as address:
        env = processes.environment(wanted.folder, address.login, threads)
        os.environ.update(env)  # the wandb client in this process is as private as those it starts
        digest = check(data, env)
        path, n_before = begin(wanted, address, digest, env)
        finished = n_before
        if n_before < wanted.n_trials:
            print(
                f"study: trials to train: {wanted.n_trials - n_before}, {arguments.trials} side by side, "
                f"threads of each: {threads}; logs in {shown(wanted.folder / 'logs')}",
                flush=True,
            )
            finished = sweep.train(path, wanted, n_before, arguments.trials, env, ROOT)
        report(wanted, path, env)
    remember_latest(wanted.folder)
    tell(wanted, path, address, finished)
    return finished == wanted.n_trials


@contextlib.contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Refuse to work on a study that another process is working on."""
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StudyError(
                f"another `make study` is working on {shown(folder)}; wait for it or stop it"
            ) from None
        yield


@contextlib.contextmanager
def server(folder: Path) -> Iterator[Server]:
    named = login.named_by(os.environ)
    if named:
        print(f"study: using the W&B server of your environment, {named.base_url}", flush=True)
        yield named
        return
    with login.embedded(folder.resolve(), ROOT) as started:
        print(
            f"study: no W&B login in the environment, so the embedded server keeps the runs: "
            f"{started.base_url}, data in {shown(folder)}",
            flush=True,
        )
        yield started


def check(data: str, env: dict[str, str]) -> str:
    """Look at the photographs before anything is trained; returns their digest."""
    printed = processes.run(
        [sys.executable, "-m", "data.puzzle", data], env, ROOT, "the check of the photographs"
    )
    print(printed, end="", flush=True)
    return printed.split()[-1]


def begin(wanted: Plan, address: Server, digest: str, env: dict[str, str]) -> tuple[str, int]:
    """The sweep, new or that of an earlier start, and how many of its trials are finished."""
    record = plan.load(wanted.folder)
    same_server = record and (record.server_dir is not None) == (address.folder is not None)
    if record and same_server and record.data_digest == digest:
        path = record.paths[0]
        n_before = sweep.tidy(path, address)
        if n_before is not None:
            print(
                f"study: going on with {path}, {n_before} of {wanted.n_trials} trials are finished",
                flush=True,
            )
            if n_before < wanted.n_trials:
                sweep.resume(path, env, ROOT)
            return path, n_before
    path = sweep.create(wanted, env, ROOT)
    server_dir = str(address.folder) if address.folder else None
    Record([path], address.base_url, server_dir, digest).save(wanted.folder)
    print(
        f"study: sweep {path}, {address.base_url}/{'/'.join(path.split('/')[:2])}/sweeps/{path.split('/')[2]}"
    )
    return path, 0


def report(wanted: Plan, path: str, env: dict[str, str]) -> None:
    """Table, curves and mask grid, made by `python -m analysis`."""
    command = [sys.executable, "-m", "analysis", path, "--out", within_root(wanted.folder)]
    print(processes.run(command, env, ROOT, "the analysis"), end="", flush=True)


def remember_latest(folder: Path) -> None:
    """Point `results/latest` at the study, in one step."""
    latest = folder.parent / "latest"
    unfinished = folder.parent / "latest.unfinished"
    unfinished.unlink(missing_ok=True)
    unfinished.symlink_to(folder.name)
    unfinished.replace(latest)


def tell(wanted: Plan, path: str, address: Server, finished: int) -> None:
    """Where everything is, and how to look again."""
    folder = shown(wanted.folder)
    print(f"checkpoints  Artifacts model-RUN_ID:best of {path.rsplit('/', 1)[0]}")
    if address.folder:
        print("look again   make serve")
    else:
        print(f"look again   {address.base_url}")
    if finished < wanted.n_trials:
        print(
            f"study: {wanted.n_trials - finished} of {wanted.n_trials} trials did not finish; "
            f"the reasons are in {folder}/logs, and the same command tries them again",
            file=sys.stderr,
        )


def within_root(path: Path) -> str:
    """Relative to the root, where the analysis works, if it lies there."""
    absolute = path.resolve()
    return str(absolute.relative_to(ROOT) if absolute.is_relative_to(ROOT) else absolute)


def shown(path: Path) -> str:
    """Relative to where the person stands, if that is shorter."""
    relative = os.path.relpath(path)
    return shlex.quote(relative if len(relative) < len(str(path)) else str(path))


if __name__ == "__main__":
    sys.exit(main())
