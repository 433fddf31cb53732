"""Kill everything once in the middle of a real sweep: `python -m bench.fleet_kill --sweep sweeps/cpu.yaml`.

`python -m agent.fleet` works on the sweep with the embedded server as W&B. A trial, an agent, the server, the warm
parent and the fleet get SIGKILL, one after the other; server and fleet are started again by their own commands, as a
person would do. At the end every configuration must be finished, in exactly one run, with a row for every epoch.
"""

from __future__ import annotations

import argparse
import functools
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
import yaml

from tests.agent.fleet.machine import Machine, kill, until, warm_parent
from tests.server import running
from tests.server.running import Client

READ = """
import json, wandb
sweep = wandb.Api().sweep({path!r})
rows = {{run.id: [row["epoch"] for row in run.scan_history(keys=["epoch"])] for run in sweep.runs}}
runs = {{run.id: [run.config["model"], run.config["seed"], run.state, rows[run.id]] for run in sweep.runs}}
print(json.dumps([sweep.state, runs]))
"""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser("python -m bench.fleet_kill", description="Kill a sweep's every process once.")
    parser.add_argument("--sweep", type=Path, default=Path("sweeps/cpu.yaml"))
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--size", type=int, default=64, help="side of the images, pixels")
    parser.add_argument("--agents", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="fleet-kill-") as folder:
        server = running.start(Path(folder, "server"))
        Path(folder, "client").mkdir()
        machine = Machine(Client(server, Path(folder, "client")), Path(folder))
        try:
            faults = work(machine, options)
        finally:
            server.stop()
    print("\n".join(faults) or "every configuration is finished exactly once, with every row once")
    return 1 if faults else 0


def work(machine: Machine, options: argparse.Namespace) -> list[str]:
    sweep = yaml.safe_load(options.sweep.read_text())
    sweep["parameters"] |= {"epochs": {"value": options.epochs}, "image_size": {"value": options.size}}
    file = machine.folder / "sweep.yaml"
    file.write_text(yaml.safe_dump(sweep))
    rng, began = random.Random(options.seed), time.monotonic()
    fleet = start(machine, file, options.agents)
    for what in ("trial", "agent", "server", "warm parent", "fleet"):
        until(functools.partial(begun, fleet), patience=300)
        time.sleep(rng.uniform(2, 8))
        print(f"[{time.monotonic() - began:4.0f} s] kill -9 of the {what}", flush=True)
        fleet = end(what, machine, fleet, file, options.agents)
    if fleet.wait() != 0:
        return [f"the fleet ended with {fleet.returncode}"]
    name = next(each.name for each in machine.folder.glob("fleet/*") if each.name != "made")
    return compare(machine, name, sweep, options.epochs)


def start(machine: Machine, file: Path, agents: int) -> subprocess.Popen[bytes]:
    env = machine.environment(PUZZLE_RUNS=str(machine.folder / "runs"), OMP_NUM_THREADS="1")
    command = [sys.executable, "-m", "agent.fleet", str(file), f"--agents={agents}"]
    return subprocess.Popen(command, env=env, start_new_session=True)


def end(what: str, machine: Machine, fleet: Any, file: Path, agents: int) -> Any:
    """Kill it, start again what a person would have to, and return the fleet."""
    if what == "trial":
        kill(trials(fleet)[0])
    elif what == "agent":
        kill(psutil.Process(trials(fleet)[0].ppid()))
    elif what == "warm parent":
        kill(warm_parent(fleet))
    elif what == "server":
        machine.client.server.stop(signal.SIGKILL)
        machine.client.server.restart()
    else:
        os.kill(fleet.pid, signal.SIGKILL)
        fleet.wait()
        return start(machine, file, agents)
    return fleet


def begun(fleet: Any) -> bool:
    """Whether a trial is there to be killed.

    Raises:
        SystemExit: the fleet has ended.
    """
    if fleet.poll() is not None:
        raise SystemExit(
            f"the fleet ended with {fleet.returncode} before everything was killed: more --epochs take longer"
        )
    return bool(trials(fleet))


def trials(fleet: Any) -> list[psutil.Process]:
    """Forked trials, oldest first: children of the agents, which are children of the warm parent."""
    try:
        agents = warm_parent(fleet).children()
        found = [child for agent in agents for child in agent.children() if "agent.fleet.warm" in child.cmdline()]
    except (StopIteration, psutil.Error):
        return []
    return sorted(found, key=lambda each: each.create_time())


def compare(machine: Machine, name: str, sweep: dict[str, Any], epochs: int) -> list[str]:
    """What is not as it should be."""
    state, found = machine.client.run(READ.format(path=f"local/puzzle/{name}"))
    n_expected = len(sweep["parameters"]["model"]["values"]) * len(sweep["parameters"]["seed"]["values"])
    print(f"sweep {state}: {len(found)} runs of {n_expected} configurations")
    wanted = list(range(1, epochs + 1))
    faults = [f"{run}: {each}" for run, each in found.items() if each[2:] != ["finished", wanted]]
    configurations = {(model, seed) for model, seed, *_ in found.values()}
    if not len(configurations) == len(found) == n_expected or state != "FINISHED":
        faults.append(f"{len(found)} runs of {len(configurations)} configurations; sweep {state}")
    return faults


if __name__ == "__main__":
    sys.exit(main())
