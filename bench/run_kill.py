"""Kill a run with SIGKILL again and again, let it go on, and compare: `python -m bench.run_kill --kills 20`.

A tiny run is made once without interruption. Then runs of the same configuration are interrupted at random moments
between their start and their end and started again under the same id until they finish. In turn, `kill -9` hits the run
alone, `kill -9` hits it with the W&B client's own process, and SIGTERM asks it to move: it then has to be preempted on
the server, and goes on from its state Artifact, without the files of this machine. The server's history, row by row,
and the last state (weights, optimizer, random state) with the kept checkpoints have to equal those of the uninterrupted
run bit by bit; only times may differ. Trials are forked from one process that has everything imported, on the embedded
server.
"""

import argparse
import json
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from bench.harness.protocol import ProtocolClient
from bench.harness.server_process import run_server
from common.environment import private_wandb
from data import synthetic

FLAGS = ("--model=unet_bilinear", "--width=4", "--image_size=64", "--batch_size=2", "--augmentation=strong")
TIMES = ("seconds_per_epoch", "seconds_of_steps", "_timestamp", "_runtime")
HISTORY = """query ($p: String, $r: String!) { project(name: $p, entityName: "local") { run(name: $r) {
    state history(minStep: 0, maxStep: 100000) } } }"""
LEFT = """query ($p: String) { project(name: $p, entityName: "local") { artifactTypes { edges { node { name
    artifactCollections { edges { node { name artifacts { edges { node { versionIndex } } } } } } } } } } }"""
PROJECT = "kill"
WAYS = ("kill -9", "kill -9 with the client", "SIGTERM")
FORK = multiprocessing.get_context("fork")


@dataclass
class Outcome:
    """The end of one run: history rows without times, tensors of its last files by name, and its state."""

    rows: list[dict[str, Any]]
    tensors: dict[str, Any]
    state: str


@dataclass
class Bench:
    folder: Path
    wire: ProtocolClient
    epochs: int
    ways: Counter[str] = field(default_factory=Counter)
    moments: Counter[str] = field(default_factory=Counter)

    @property
    def flags(self) -> list[str]:
        return [*FLAGS, f"--epochs={self.epochs}", f"--data={self.folder / 'drawn'}"]

    def attempt(self, run: str, seconds: float | None = None) -> bool:
        """Start the run or go on with it; interrupt it after so many seconds. Returns whether it finished."""
        process = FORK.Process(target=self._child, args=(run,))
        process.start()
        process.join(seconds)
        if process.is_alive():
            way = WAYS[self.ways.total() % len(WAYS)]
            self.ways[way] += 1
            self.moments[self._moment(run)] += 1
            interrupt(process, way)
        process.join()
        code = process.exitcode
        if code == 128 + signal.SIGTERM:
            state = self.ask(run)["state"]
            if state != "preempted":
                raise SystemExit(f"after SIGTERM the run is {state} on the server")
            shutil.rmtree(self.folder / "runs" / run, ignore_errors=True)
        elif code not in (0, -signal.SIGKILL, -signal.SIGTERM):
            raise SystemExit(f"the run ended with {code}:\n{self._log(run).read_text()}")
        return code == 0

    def _child(self, run: str) -> None:
        from agent import train  # in the child alone, which is killed

        clean_up = train.clean_up
        train.clean_up = lambda folder, run: (shutil.copytree(folder, self.copy(run.id)), clean_up(folder, run))[1]
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
        """The phase of the run, by its last line since it was started."""
        log = self._log(run)
        lines = log.read_text().splitlines() if log.exists() else []
        milestones = [line for line in lines if line.startswith(("trial", "epoch", "going", "test IoU", "run"))]
        log.write_text("")
        if not milestones:
            return "starting"
        return (
            "testing and uploading"
            if milestones[-1].startswith((f"epoch {self.epochs}/", "test", "run"))
            else "training"
        )

    def ask(self, run: str) -> dict[str, Any]:
        """State and history of a run, as the server has them."""
        answer: dict[str, Any] = self.wire.graphql(HISTORY, p=PROJECT, r=run)["project"]["run"]
        return answer

    def artifacts(self) -> dict[str, list[str]]:
        """Names of the collections of each type, once per version that is left."""
        types = self.wire.graphql(LEFT, p=PROJECT)["project"]["artifactTypes"]["edges"]
        return {
            kind["node"]["name"]: [
                collection["node"]["name"]
                for collection in kind["node"]["artifactCollections"]["edges"]
                for _ in collection["node"]["artifacts"]["edges"]
            ]
            for kind in types
        }

    def collect(self, run: str) -> Outcome:
        answer = self.ask(run)
        rows = [json.loads(line) for line in answer["history"]]
        return Outcome([without_times(row) for row in rows], tensors_of(self.copy(run)), answer["state"])


def interrupt(process: multiprocessing.process.BaseProcess, way: str) -> None:
    """Send the signal of a way of interruption, for some ways to the client's process as well."""
    assert process.pid
    family = psutil.Process(process.pid).children(recursive=True) if "client" in way else []
    os.kill(process.pid, signal.SIGTERM if way == "SIGTERM" else signal.SIGKILL)
    for each in family:
        each.kill()


def without_times(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in TIMES}


def tensors_of(folder: Path) -> dict[str, Any]:
    """The content of the state and of the kept checkpoints, by file name."""
    import torch

    content = {path.name: torch.load(path, weights_only=True) for path in folder.glob("*.pt")}
    del content["state.pt"]["run"], content["state.pt"]["progress"]
    return content


def same(a: Any, b: Any) -> bool:
    """Whether types, shapes and bits are equal, all the way down."""
    import torch

    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return bool(a == b)


def differences(expected: Outcome, run: Outcome) -> list[str]:
    """Differences from the uninterrupted run, in words."""
    steps = [row["_step"] for row in run.rows]
    all_steps = [row["_step"] for row in expected.rows]
    faults = []
    if steps != all_steps:
        faults.append(f"rows have the steps {steps} instead of {all_steps}")
    elif run.rows != expected.rows:
        faults.append("the values of the history differ")
    if not same(run.tensors, expected.tensors):
        faults.append("the last state or a checkpoint differs")
    if run.state != "finished":
        faults.append(f"the run is {run.state}")
    return faults


def measure(bench: Bench, kills: int, seed: int) -> tuple[int, list[str]]:
    """Interrupt runs until enough kills have hit. Returns the number of runs and their faults."""
    began = time.monotonic()
    bench.attempt("whole")
    whole_seconds = time.monotonic() - began
    expected = bench.collect("whole")
    rng, faults, runs = random.Random(seed), [], 0
    while bench.ways.total() < kills:
        runs += 1
        name, finished = f"run{runs}", False
        while not finished:
            more = bench.ways.total() < kills
            finished = bench.attempt(name, rng.uniform(0, whole_seconds) if more else None)
        faults += [f"{name}: {fault}" for fault in differences(expected, bench.collect(name))]
    names = ["whole", *(f"run{n + 1}" for n in range(runs))]
    for kind, left in bench.artifacts().items():
        expected_names = [f"{kind}-{name}" for name in names] if kind in ("model", "predictions") else []
        if sorted(left) != sorted(expected_names):
            faults.append(f"the server has the {kind} versions {left} instead of {expected_names}")
    print(f"uninterrupted: {whole_seconds:.1f} s, {len(expected.rows)} rows")
    return runs, faults


def sentence(counts: Counter[str]) -> str:
    return ", ".join(f"{what} {n}" for what, n in sorted(counts.items()))


def environment(folder: Path, url: str, key: str) -> dict[str, str]:
    """Environment with one server and one thread, without the person's own W&B settings."""
    return {
        **private_wandb(folder / "wandb"),
        "PUZZLE_RUNS": str(folder / "runs"),
        "WANDB_BASE_URL": url,
        "WANDB_API_KEY": key,
        "WANDB_PROJECT": PROJECT,
        "WANDB_SILENT": "true",
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
    with run_server(folder / "server") as (url, _):
        key = (folder / "server" / "api-key").read_text().strip()
        for name in [name for name in os.environ if name.startswith("WANDB")]:
            del os.environ[name]
        os.environ.update(environment(folder, url, key))
        import torch

        import agent.train  # noqa: F401  # imported before the fork, so that a trial starts at once

        torch.set_num_threads(1)
        bench = Bench(folder, ProtocolClient(url, key, PROJECT), options.epochs)
        runs, faults = measure(bench, options.kills, options.seed)
    print(
        f"{bench.ways.total()} times interrupted ({sentence(bench.ways)}; while {sentence(bench.moments)}), {runs} runs"
    )
    if not faults:
        print("history and last state of every run are bit-identical to the uninterrupted one; no row lost or doubled")
        shutil.rmtree(folder)
        return 0
    print("\n".join([*faults, f"see {folder}"]))
    return 1


if __name__ == "__main__":
    sys.exit(main())
