"""`make study`: the lab's study from photographs to table, curves and mask grid.

Makes a sweep, starts the commands that a person would type (`python -m agent.fleet`, `python -m analysis`), shows their
progress, and stops them. Started again, it goes on with the unfinished trials.
"""

import argparse
import contextlib
import fcntl
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from common import cores, study_record
from common.cli import Parser, whole_number
from common.drawn_data import is_drawn
from common.environment import ROOT
from common.files import beside
from common.study_record import BadRecord, StudyRecord
from common.text import clock
from study import checks, processes, server, sweep
from study.checks import short_path
from study.plan import StudyError, StudyPlan, make_plan
from study.server import Server, browser_link


def main() -> int:
    """Exit code 0 when every trial is finished, 1 when something failed, 130 after Ctrl-C."""
    arguments = parse()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    started = time.monotonic()
    try:
        finished = study(arguments)
    except StudyError as error:
        print(f"\nstudy: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        where = error.filename or arguments.results
        print(f"\nstudy: {where} cannot be used ({error.strerror}); --results names another folder", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstudy: stopped; the same command goes on from the trials that are finished", file=sys.stderr)
        return 130
    print(f"study: {clock(time.monotonic() - started)} in all")
    return 0 if finished else 1


def parse() -> argparse.Namespace:
    parser = Parser(prog="python -m study", description="Run the lab's study from start to end.")
    parser.add_argument("--data", default="drawn", help="a folder of photographs and masks (default: drawn ones)")
    parser.add_argument("--size", type=whole_number(), help="side of the images, pixels (default: as in the sweep)")
    parser.add_argument("--epochs", type=whole_number(), help="epochs of every trial (default: as in the sweep)")
    parser.add_argument("--seeds", type=whole_number(), help="seeds of every model (default: as in the sweep)")
    parser.add_argument("--sweep", type=Path, default=ROOT / "sweeps" / "cpu.yaml", help="the sweep to run")
    parser.add_argument("--results", type=Path, default=ROOT / "results", help="where results go")
    parser.add_argument("--trials", type=whole_number(), default=min(2, cores.available()), help="trials side by side")
    return parser.parse_args()


def study(arguments: argparse.Namespace) -> bool:
    """The whole study; True if every trial is finished.

    Raises:
        StudyError: it cannot start, or cannot go on.
    """
    own = server.server_of_environment(os.environ)
    if own:
        server.check(own)
    results: Path = arguments.results
    data = resolve_data(arguments.data)
    overrides = {"image_size": arguments.size, "epochs": arguments.epochs, "seed": arguments.seeds}
    plan = make_plan(arguments.sweep, results, data, *overrides.values())
    settings = {name: value for name, value in {"data": data, **overrides}.items() if value is not None}
    print(checks.settings(plan, arguments.sweep, settings), end="", flush=True)
    digest, pictures = checks.photographs(data, plan.image_size)
    print(pictures, end="", flush=True)
    with record_start(plan.folder), exclusive_lock(results), open_server(own, results / "server") as address:
        env = processes.environment(plan.folder, address.login)
        os.environ.clear()
        os.environ.update(env)  # the wandb client in this process is as private as those it starts
        path, n_before = find_or_create_sweep(plan, address, digest, env)
        finished = n_before
        if n_before < plan.n_trials:
            print(f"study: trials to train: {plan.n_trials - n_before}", flush=True)
            progress = sweep.train(plan, path, n_before, arguments.trials, address, env)
            finished = progress.n_finished
            report_failures(plan, path, finished, progress.reasons)
        run_analysis(plan, path, env)
    remember_latest(plan.folder)
    print_result(plan, path, address)
    return finished == plan.n_trials


def resolve_data(data: str) -> str:
    """The setting `data`: drawn photographs by their name, a folder by its full path: agents work elsewhere."""
    if is_drawn(data):
        return data
    return str(Path(data).expanduser().resolve())


@contextlib.contextmanager
def record_start(folder: Path) -> Iterator[None]:
    """A study's folder; one made here in which nothing was recorded is removed at the end of the block."""
    new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        if new and not load_record(folder):
            shutil.rmtree(folder, ignore_errors=True)


def load_record(folder: Path) -> StudyRecord | None:
    """The record of an earlier start of this study, if there is one that can be read."""
    try:
        return study_record.load(folder)
    except BadRecord:
        return None


@contextlib.contextmanager
def exclusive_lock(results: Path) -> Iterator[None]:
    """Refuse a second study in these results: the two would share processor and server, and end both."""
    with (results / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StudyError(
                f"another `make study` is working in {short_path(results)}; wait for it or stop it"
            ) from None
        yield


@contextlib.contextmanager
def open_server(own: Server | None, folder: Path) -> Iterator[Server]:
    """The server: the person's own, or the embedded one with its data in `folder`."""
    if own:
        print(f"study: using the W&B server of your environment, {own.base_url}", flush=True)
        yield own
        return
    with server.embedded_server(folder.resolve()) as started:
        print(
            f"study: no W&B login in the environment, so the embedded server keeps the runs: "
            f"{started.base_url}, data in {short_path(folder)}",
            flush=True,
        )
        yield started


def find_or_create_sweep(plan: StudyPlan, address: Server, digest: str, env: dict[str, str]) -> tuple[str, int]:
    """The sweep, new or that of an earlier start, and the number of its finished trials."""
    record = load_record(plan.folder)
    server_dir = str(address.folder) if address.folder else None
    same_server = record and record.server_dir == server_dir and (server_dir or record.base_url == address.base_url)
    if record and same_server and record.data_digest == digest:
        path = record.paths[0]
        n_before = sweep.delete_failed(plan, path, address)
        if n_before is not None:
            print(f"study: going on with {path}, {n_before} of {plan.n_trials} trials are finished", flush=True)
            if n_before < plan.n_trials:
                sweep.resume(path, env)
            return path, n_before
    path = sweep.create(plan, address)
    StudyRecord((path,), address.base_url, server_dir, digest).save(plan.folder)
    owner, _, name = path.rpartition("/")
    print(f"study: sweep {path}, {address.base_url}/{owner}/sweeps/{name}")
    if address.folder:
        print(f"study: log in there with {browser_link(address, f'/{owner}/sweeps/{name}')} (once)")
    return path, 0


def report_failures(plan: StudyPlan, path: str, finished: int, reasons: list[str]) -> None:
    """Reasons of the trials that did not finish.

    Raises:
        StudyError: if none has finished, so that there is nothing to compare.
    """
    lost = plan.n_trials - finished
    if not lost:
        return
    text = (
        f"{lost} of {plan.n_trials} trials did not finish; their logs are in "
        f"{short_path(sweep.journal_folder(plan, path) / 'logs')}, and the same command tries them again"
    )
    text = "\n".join([text, *(f"  {reason}" for reason in reasons)])
    if not finished:
        raise StudyError(text)
    print(f"study: {text}", file=sys.stderr, flush=True)


def run_analysis(plan: StudyPlan, path: str, env: dict[str, str]) -> None:
    """Table, curves and mask grid, made by `python -m analysis`."""
    command = [sys.executable, "-m", "analysis", path, "--out", within_root(plan.folder)]
    code, printed = processes.run(command, env)
    if code:
        raise StudyError(f"the analysis failed:\n{printed.strip()}")
    print(printed, end="", flush=True)


def remember_latest(folder: Path) -> None:
    """Point `results/latest` at the study, in one step.

    Raises:
        StudyError: something else has that name.
    """
    latest = folder.parent / "latest"
    if latest.exists() and not latest.is_symlink():
        raise StudyError(
            f"{short_path(latest)} is no link to a study, so it is left alone; the results are in {short_path(folder)}"
        )
    with beside(latest) as link:
        link.symlink_to(folder.name)


def print_result(plan: StudyPlan, path: str, address: Server) -> None:
    """Print the places of all results, and the commands to look again."""
    entity, project, _ = path.split("/")
    print(f"all of it    {short_path(plan.folder)}, also {short_path(plan.folder.parent / 'latest')}")
    print(f"checkpoints  Artifacts {entity}/{project}/model-RUN_ID:best, RUN_ID from comparison.csv")
    print(f"look again   {'make serve' if address.folder else address.base_url}")
    print(f"read it      make report, then open {short_path(plan.folder.parent / 'latest' / 'report.html')}")


def within_root(path: Path) -> str:
    """The path relative to the root, the working folder of the analysis, if it lies there."""
    absolute = path.resolve()
    return str(absolute.relative_to(ROOT) if absolute.is_relative_to(ROOT) else absolute)


if __name__ == "__main__":
    sys.exit(main())
