"""What a trial costs beyond its training, with `agent.fleet` and with plain `wandb agent`: `python -m bench.fleet`.

Both work on grids of the same tiny trials (`agent.train`, one epoch at 32 by 32 pixels, one thread) against an embedded
server, one agent each, in turns, so that both meet the same load of the machine. The cost of a trial is the time from
the end of the one before it to its own end, as the server saw both, less the run's own `seconds/total`, which begins
after `wandb.init` and ends with the last upload: hand-out, start and imports, init, finish.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import yaml

from bench.wire import ROOT, serving
from data import synthetic

ENTITY, PROJECT = "local", "fleet"
PHASES = ("hand-out", "start", "init and finish")
RUNS = """SELECT runs.created_at, runs.started_at, runs.finished_at, runs.state, runs.summary FROM runs
    JOIN sweeps ON sweeps.id = runs.sweep_id WHERE sweeps.name = ? ORDER BY runs.id"""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        "python -m bench.fleet", description="Seconds per trial beyond its training."
    )
    parser.add_argument(
        "--trials", type=int, default=8, help="of each sweep; the first one of each is not counted"
    )
    parser.add_argument("--rounds", type=int, default=3, help="sweeps of each kind, in turns")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="bench-fleet-") as folder:
        costs, firsts = measure(Path(folder), options.trials, options.rounds)
    for kind in ("plain", "warm"):
        print(report(kind, costs[kind], firsts[kind]))
    ratio = statistics.median(map(sum, costs["warm"])) / statistics.median(map(sum, costs["plain"]))
    print(f"warm / plain, medians: {ratio:.3f}; load average of the machine {os.getloadavg()[1]:.1f}")
    return 0


def measure(folder: Path, trials: int, rounds: int) -> tuple[dict[str, Any], dict[str, list[float]]]:
    """Costs (n, 3 phases) in seconds of each kind, and what passes before the first trial of a sweep is over."""
    costs: dict[str, Any] = defaultdict(list)
    firsts: dict[str, list[float]] = defaultdict(list)
    photographs = folder / "photographs"
    synthetic.write(photographs, seed=1, n_train=4, n_val=2, n_test=2)
    with serving(folder / "store"):
        env = environment(folder)
        for number in range(2 * rounds):
            kind = ("plain", "warm")[number % 2]
            path = make_sweep(folder, photographs, trials, env)
            began = time.time()
            work(kind, path, folder, env)
            rows = read(folder / "store" / "wandb.sqlite", path.split("/")[-1])
            firsts[kind].append(rows[0][2] - began)
            costs[kind] += [phases(before, row) for before, row in itertools.pairwise(rows)]
    return costs, firsts


def environment(folder: Path) -> dict[str, str]:
    names = ("WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR", "WANDB_DIR", "WANDB_ARTIFACT_DIR")
    home = {name: str(folder / name.lower()) for name in names}
    for path in home.values():
        Path(path).mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WANDB")}
    return {
        **kept,
        **home,
        "NETRC": str(folder / "netrc"),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "WANDB_BASE_URL": (folder / "store" / "address").read_text().strip(),
        "WANDB_API_KEY": (folder / "store" / "api-key").read_text().strip(),
        "WANDB_ERROR_REPORTING": "false",
        "PUZZLE_FLEET": str(folder / "fleet"),
        "PUZZLE_RUNS": str(folder / "runs"),
        "OMP_NUM_THREADS": "1",
        "NO_ALBUMENTATIONS_UPDATE": "1",
    }


def make_sweep(folder: Path, photographs: Path, trials: int, env: dict[str, str]) -> str:
    sweep = yaml.safe_load((ROOT / "sweeps" / "cpu.yaml").read_text())
    fixed = {"model": "unet_transposed", "width": 4, "image_size": 32, "epochs": 1, "data": str(photographs)}
    sweep["parameters"] = {name: {"value": value} for name, value in fixed.items()}
    sweep["parameters"]["seed"] = {"values": list(range(1, trials + 1))}
    sweep["project"] = PROJECT
    file = folder / "sweep.yaml"
    file.write_text(yaml.safe_dump(sweep))
    made = subprocess.run(
        ["wandb", "sweep", str(file)], env=env, cwd=ROOT, capture_output=True, text=True, check=True
    )
    name = made.stderr.split("wandb agent ")[-1].split()[0].split("/")[-1]
    return f"{ENTITY}/{PROJECT}/{name}"


def work(kind: str, path: str, folder: Path, env: dict[str, str]) -> None:
    fleet = [sys.executable, "-m", "agent.fleet", path, "--agents=1"]
    command = ["wandb", "agent", path] if kind == "plain" else fleet
    with (folder / f"{kind}.log").open("ab") as log:
        subprocess.run(command, env=env, cwd=ROOT, stdout=log, stderr=log, check=True)


def read(database: Path, sweep: str) -> list[tuple[float, float, float, float]]:
    """Of each run in order: handed out, opened by its client, ended (all since 1970), and its own `seconds/total`."""
    with sqlite3.connect(database) as db:
        rows = db.execute(RUNS, (sweep,)).fetchall()
    if any(row[3] != "finished" for row in rows):
        raise SystemExit(f"not every trial is finished: {[row[3] for row in rows]}")
    return [(*row[:3], float(json.loads(row[4])["seconds/total"])) for row in rows]


def phases(before: tuple[float, ...], row: tuple[float, ...]) -> tuple[float, float, float]:
    """Seconds of hand-out, of the start until the server hears of the run, and of the rest but its training."""
    handed, opened, ended, total = row
    return handed - before[2], opened - handed, ended - opened - total


def report(kind: str, costs: list[tuple[float, float, float]], firsts: list[float]) -> str:
    whole = sorted(map(sum, costs))
    middle = ", ".join(
        f"{name} {statistics.median(part):.2f}"
        for name, part in zip(PHASES, zip(*costs, strict=True), strict=True)
    )
    quarter = statistics.quantiles(whole, n=4)
    return (
        f"{kind:5}  n = {len(whole)}: median {statistics.median(whole):.2f} s per trial beyond its training, quartiles "
        f"{quarter[0]:.2f} to {quarter[2]:.2f} ({middle}); the first trial over after {statistics.mean(firsts):.1f} s"
    )


if __name__ == "__main__":
    sys.exit(main())
