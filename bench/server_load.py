"""The server under load: `python -m bench.server_load --agents 64 --seconds 300`.

Agents with runs that log 10 rows/s each, posted once a second, on connections that stay open as the client's do.
Figures are of the server process on this machine; the load generator shares its cores.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.harness.protocol import AGENT, BEAT, SWEEP, ProtocolClient
from bench.harness.server_process import run_server

PROJECT = "load"


@contextlib.contextmanager
def connect(folder: Path) -> Iterator[tuple[ProtocolClient, int]]:
    """A server on `folder`: a connection to it and its process id."""
    with run_server(folder) as (url, pid):
        yield ProtocolClient(url, (folder / "api-key").read_text().strip(), PROJECT), pid


def resident(pid: int) -> float:
    """Resident memory of a process, in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise LookupError(f"process {pid}")


def spread(values: Sequence[float]) -> str:
    """Median, 95th and 99th percentile of seconds, as milliseconds."""
    cuts = statistics.quantiles(values, n=100)
    return f"p50 {cuts[49] * 1e3:.1f} ms, p95 {cuts[94] * 1e3:.1f} ms, p99 {cuts[98] * 1e3:.1f} ms, n = {len(values)}"


def agents(options: argparse.Namespace, folder: Path) -> None:
    """Every agent gets a configuration, logs for the whole time, heartbeats every 5 s and polls for a stop."""
    with connect(folder) as (wire, pid):
        config = {"method": "random", "parameters": {"x": {"min": 0.0, "max": 1.0}}, "program": "x.py"}
        place = {"entityName": "local", "projectName": PROJECT}
        sweep = wire.graphql(SWEEP, i=place | {"config": json.dumps(config)})["upsertSweep"]["sweep"]["name"]
        wires = [ProtocolClient(wire.url, wire.key, PROJECT) for _ in range(options.agents)]
        faults: list[str] = []
        end = time.monotonic() + options.seconds
        threads = [
            threading.Thread(target=_run_job, args=(faults, _agent, each, place | {"sweep": sweep}, end))
            for each in wires
        ]
        for thread in threads:
            thread.start()
        memory = [resident(pid)]
        while time.monotonic() < end:
            time.sleep(min(10.0, options.seconds / 10))
            memory.append(resident(pid))
        for thread in threads:
            thread.join()
        times = [time for each in wires for time in each.times]
        repeats = sum(sum(each.repeats.values()) for each in wires)
        fields = "runs(first: 10000) { edges { node { historyLineCount } } }"
        answer = wire.graphql(f"query ($p: String!) {{ project(name: $p) {{ {fields} }} }}", p=PROJECT)
    rows = sum(edge["node"]["historyLineCount"] for edge in answer["project"]["runs"]["edges"])
    sent = sum(each.rows for each in wires)
    print(f"{options.agents} agents, {options.seconds} s, 10 rows/s each: {rows} rows stored of {sent} sent")
    print(f"file_stream {spread([seconds for what, seconds in times if what == 'file_stream'])}")
    print(f"GraphQL     {spread([seconds for what, seconds in times if what != 'file_stream'])}")
    warm = max(memory[: max(1, len(memory) // 5) + 1])
    print(f"resident memory {memory[0]:.0f} MiB at first, {warm:.0f} after a fifth, {memory[-1]:.0f} at the end")
    print(f"requests repeated: {repeats}; errors: {len(faults)}", *faults[:5], sep="\n")


def _run_job(faults: list[str], job: Callable[..., None], *arguments: Any) -> None:
    try:
        job(*arguments)
    except Exception as error:
        faults.append(f"{type(error).__name__}: {error}")
        raise


def _agent(wire: ProtocolClient, place: dict[str, str], end: float) -> None:
    rng, step = random.Random(place["sweep"]), 0
    time.sleep(rng.random())
    agent = wire.graphql(AGENT, i=place | {"host": "load"})["createAgent"]["agent"]["id"]
    beat = {"id": agent, "metrics": "{}", "runState": "{}"}
    (command,) = json.loads(wire.graphql(BEAT, i=beat)["agentHeartbeat"]["commands"])
    run = command["run_id"]
    wire.upsert(run, sweep=place["sweep"], config=json.dumps(command["args"]))
    due = time.monotonic()
    while due < end:
        rows = [
            json.dumps({"_step": step + i, "_timestamp": time.time(), "_runtime": step / 10, "loss": rng.random()})
            for i in range(10)
        ]
        files = {
            "wandb-history.jsonl": {"offset": step, "content": rows},
            "wandb-summary.json": {"offset": 0, "content": [rows[-1]]},
        }
        wire.stream(run, files=files)
        step += 10
        wire.rows = step
        if step % 50 == 0:
            wire.graphql(BEAT, i=beat | {"runState": json.dumps({run: True})})
        due += 1.0
        time.sleep(max(0.0, due - time.monotonic()))
    wire.stream(run, complete=True, exitcode=0)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser("python -m bench.server_load", description=__doc__.splitlines()[0])
    parser.add_argument("--agents", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=300.0)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="server-load-") as folder:
        agents(options, Path(folder) / "store")
    return 0


if __name__ == "__main__":
    sys.exit(main())
