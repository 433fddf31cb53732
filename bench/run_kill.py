"""Kill a run with SIGKILL again and again, let it go on, and compare: `python -m bench.run_kill --kills 20`.

A tiny run is made once without interruption. Then runs of the same configuration are killed at random moments between
their start and their end, every second time together with the W&B client's own process, and started again under the
same id until they finish. The server's history, row by row, and the last state (weights, optimizer, random state) with
the kept checkpoints have to equal those of the uninterrupted run bit by bit; only times may differ. Trials are forked
from one process that has everything imported, on the embedded server.
"""

import argparse
import json
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from bench.wire import Wire, close, free_port, start, wait_until_ready
from data import synthetic

FLAGS = ("--model=unet_bilinear", "--width=4", "--image_size=64", "--batch_size=2", "--augmentation=strong")
TIMES = ("seconds_per_epoch", "_timestamp", "_runtime")
HISTORY = """query ($p: String, $r: String!) { project(name: $p, entityName: "local") { run(name: $r) {
    state history(minStep: 0, maxStep: 100000) } } }"""
PROJECT = "kill"
FORK = multiprocessing.get_context("fork")


@dataclass
class Found:
    """What became of one run: history rows without times, tensors of its last files by name, and its state."""

    rows: list[dict[str, Any]]
    tensors: dict[str, Any]
    state: str


@dataclass
class Bench:
    folder: Path
    wire: Wire
    epochs: int
    kills: Counter[str] = field(default_factory=Counter)

    @property
    def flags(self) -> list[str]:
        return [*FLAGS, f"--epochs={self.epochs}", f"--data={self.folder / 'drawn'}"]

    def attempt(self, run: str, seconds: float | None = None, all_of_it: bool = False) -> bool:
        """Start the run or go on with it; kill it after so many seconds. Returns whether it finished."""
        process = FORK.Process(target=self._child, args=(run,))
        process.start()
        process.join(seconds)
        if process.is_alive() and process.pid:
            family = psutil.Process(process.pid).children(recursive=True) if all_of_it else []
            process.kill()
            for each in family:
                each.kill()
            self.kills[self._moment(run)] += 1
        process.join()
        if process.exitcode not in (0, -9):
            raise SystemExit(f"the run ended with {process.exitcode}:\n{self._log(run).read_text()}")
        return process.exitcode == 0

    def _child(self, run: str) -> None:
        from agent import resume, train

        settle = resume.settle
        resume.settle = lambda plan, run: (
            shutil.copytree(plan.folder, self.copy(run.id)),
            settle(plan, run),
        )[1]
        with self._log(run).open("a") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        os.environ["WANDB_RUN_ID"] = run
        sys.exit(train.main(self.flags))

    def copy(self, run: str) -> Path:
        return self.folder / f"{run}.last"

    def _log(self, run: str) -> Path:
        return self.folder / f"{run}.log"

    def _moment(self, run: str) -> str:
        """What the run was doing, by the last line that it printed since it was started."""
        log = self._log(run)
        lines = log.read_text().splitlines() if log.exists() else []
        told = [line for line in lines if line.startswith(("trial", "epoch", "going", "test IoU", "run"))]
        last = told[-1] if told else ""
        log.write_text("")
        if last.startswith("epoch"):
            return "testing" if last.startswith(f"epoch {self.epochs}/") else "training"
        return "training" if last else "starting"

    def found(self, run: str) -> Found:
        answer = self.wire.graphql(HISTORY, p=PROJECT, r=run)["project"]["run"]
        rows = [json.loads(line) for line in answer["history"]]
        return Found([without_times(row) for row in rows], tensors_of(self.copy(run)), answer["state"])


def without_times(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in TIMES}


def tensors_of(folder: Path) -> dict[str, Any]:
    """The content of the state and of the kept checkpoints, by file name."""
    import torch

    content = {path.name: torch.load(path, weights_only=True) for path in folder.glob("*.pt")}
    del content["state.pt"]["run"], content["state.pt"]["progress"]
    return content


def same(a: Any, b: Any) -> bool:
    """Equal types, shapes and bits, all the way down."""
    import torch

    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return bool(a == b)


def differences(expected: Found, run: Found) -> list[str]:
    """What is not as in the uninterrupted run, in words."""
    steps = [row["_step"] for row in run.rows]
    wanted = [row["_step"] for row in expected.rows]
    faults = []
    if steps != wanted:
        faults.append(f"rows have the steps {steps} instead of {wanted}")
    elif run.rows != expected.rows:
        faults.append("the values of the history differ")
    if not same(run.tensors, expected.tensors):
        faults.append("the last state or a checkpoint differs")
    if run.state != "finished":
        faults.append(f"the run is {run.state}")
    return faults


def measure(bench: Bench, kills: int, seed: int) -> tuple[int, list[str]]:
    """Interrupt runs until enough kills have hit. Returns the number of runs and what was wrong with them."""
    began = time.monotonic()
    bench.attempt("whole")
    whole_seconds = time.monotonic() - began
    expected = bench.found("whole")
    rng, faults, runs = random.Random(seed), [], 0
    while bench.kills.total() < kills:
        runs += 1
        name = f"run{runs}"
        while not bench.attempt(
            name,
            rng.uniform(0, whole_seconds) if bench.kills.total() < kills else None,
            all_of_it=bench.kills.total() % 2 == 1,
        ):
            pass
        faults += [f"{name}: {fault}" for fault in differences(expected, bench.found(name))]
    print(f"uninterrupted: {whole_seconds:.1f} s, {len(expected.rows)} rows")
    return runs, faults


def environment(folder: Path, url: str, key: str) -> dict[str, str]:
    """One server, one thread, and nothing of the person's own W&B settings."""
    places = ("WANDB_DIR", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR", "WANDB_ARTIFACT_DIR")
    return {
        **{name: str(folder / "wandb") for name in places},
        "NETRC": str(folder / "netrc"),
        "PUZZLE_RUNS": str(folder / "runs"),
        "WANDB_BASE_URL": url,
        "WANDB_API_KEY": key,
        "WANDB_PROJECT": PROJECT,
        "WANDB_SILENT": "true",
        "WANDB_ERROR_REPORTING": "false",
        "WANDB_X_DISABLE_STATS": "true",
        "OMP_NUM_THREADS": "1",
        "NO_ALBUMENTATIONS_UPDATE": "1",
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0 when every interrupted run equals the uninterrupted one."""
    parser = argparse.ArgumentParser(prog="python -m bench.run_kill", description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="run-kill-"))
    (folder / "wandb").mkdir()
    synthetic.write(folder / "drawn", seed=2, n_train=6, n_val=2, n_test=2)
    port = free_port()
    with (folder / "server.log").open("w") as log:
        server = start(folder / "server", port, log)
    try:
        wait_until_ready(server)
        key = (folder / "server" / "api-key").read_text().strip()
        for name in [name for name in os.environ if name.startswith("WANDB")]:
            del os.environ[name]
        os.environ.update(environment(folder, f"http://127.0.0.1:{port}", key))
        import torch

        import agent.train  # noqa: F401  # imported before the fork, so that a trial starts at once

        torch.set_num_threads(1)
        bench = Bench(folder, Wire(f"http://127.0.0.1:{port}", key, PROJECT), options.epochs)
        runs, faults = measure(bench, options.kills, options.seed)
    finally:
        server.terminate()
        server.wait()
        close(server)
    moments = ", ".join(f"{n} while {moment}" for moment, n in sorted(bench.kills.items()))
    print(f"{bench.kills.total()} kills ({moments}) of {runs} runs; seed {options.seed}")
    if not faults:
        print(
            "history and last state of every run are bit-identical to the uninterrupted one; no row lost or doubled"
        )
        shutil.rmtree(folder)
        return 0
    print("\n".join([*faults, f"see {folder}"]))
    return 1


if __name__ == "__main__":
    sys.exit(main())
