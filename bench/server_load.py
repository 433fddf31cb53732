"""How the server bears load: `python -m bench.server_load agents|runs|artifact`.

`agents`: agents with runs that log 10 rows/s each, posted once a second, on connections that stay open as the client's
do. `runs`: lists of a project with very many runs. `artifact`: large files up and down with the real client.
Figures are of the server process on this machine; the load generator shares its cores.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.wire import AGENT, BEAT, SWEEP, Wire, serving
from server.store import Store, lines, projects, runs

PROJECT = "load"


@contextlib.contextmanager
def connected(folder: Path) -> Iterator[tuple[Wire, int]]:
    """A server on `folder`: a connection to it and its process id."""
    with serving(folder) as (url, pid):
        yield Wire(url, (folder / "api-key").read_text().strip(), PROJECT), pid


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
    """Every agent gets a configuration, logs for the whole time, heartbeats every 5 s and polls whether to stop."""
    with connected(folder) as (wire, pid):
        config = {"method": "random", "parameters": {"x": {"min": 0.0, "max": 1.0}}, "program": "x.py"}
        place = {"entityName": "local", "projectName": PROJECT}
        sweep = wire.graphql(SWEEP, i=place | {"config": json.dumps(config)})["upsertSweep"]["sweep"]["name"]
        wires = [Wire(wire.url, wire.key, PROJECT) for _ in range(options.agents)]
        faults: list[str] = []
        end = time.monotonic() + options.seconds
        threads = [
            threading.Thread(target=_guarded, args=(faults, _agent, each, place | {"sweep": sweep}, end))
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
        found = wire.graphql(f"query ($p: String!) {{ project(name: $p) {{ {fields} }} }}", p=PROJECT)
    rows = sum(edge["node"]["historyLineCount"] for edge in found["project"]["runs"]["edges"])
    wanted = sum(each.rows for each in wires)
    print(f"{options.agents} agents, {options.seconds} s, 10 rows/s each: {rows} rows stored of {wanted} sent")
    print(f"file_stream {spread([seconds for what, seconds in times if what == 'file_stream'])}")
    print(f"GraphQL     {spread([seconds for what, seconds in times if what != 'file_stream'])}")
    warm = max(memory[: max(1, len(memory) // 5) + 1])
    print(f"resident memory {memory[0]:.0f} MiB at first, {warm:.0f} after a fifth, {memory[-1]:.0f} at the end")
    print(f"requests repeated: {repeats}; errors: {len(faults)}", *faults[:5], sep="\n")


def _guarded(faults: list[str], job: Callable[..., None], *given: Any) -> None:
    try:
        job(*given)
    except Exception as error:
        faults.append(f"{type(error).__name__}: {error}")
        raise


def _agent(wire: Wire, place: dict[str, str], end: float) -> None:
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


def many_runs(options: argparse.Namespace, folder: Path) -> None:
    """Lists as `wandb.Api().runs` asks for them, pages at random places."""
    began = time.monotonic()
    if not folder.exists():
        _fill(folder, options.runs, options.rows)
    size = sum(path.stat().st_size for path in folder.glob("wandb.sqlite*")) / 2**30
    print(f"{options.runs} runs, {options.rows} rows, {size:.1f} GiB, filled in {time.monotonic() - began:.0f} s")
    with connected(folder) as (wire, pid):
        rng = random.Random(0)
        for title, ask in QUESTIONS.items():
            for _ in range(3):
                _ask(wire, **ask(rng, options.runs))
            wire.times.clear()
            for _ in range(options.repeat):
                _ask(wire, **ask(rng, options.runs))
            print(f"{title:<46} {spread([seconds for _, seconds in wire.times])}", flush=True)
        print(f"resident memory {resident(pid):.0f} MiB")


# Title → what to ask: filters, order, page size and how many runs to skip.
QUESTIONS: dict[str, Callable[[random.Random, int], dict[str, Any]]] = {
    "first page of 50, newest first": lambda rng, n: {},
    "a page of 50 in the middle": lambda rng, n: {"skip": rng.randrange(n - 50)},
    "a page of 50 in the middle, by summary": lambda rng, n: {
        "skip": rng.randrange(n - 50),
        "order": "-summary_metrics.val/iou",
    },
    "by summary, first 50": lambda rng, n: {"order": "-summary_metrics.val/iou"},
    "by config, first 50": lambda rng, n: {"order": "+config.lr.value"},
    "filter on config (a tenth), by summary": lambda rng, n: {
        "filters": {"config.seed": rng.randrange(10)},
        "order": "+summary_metrics.val/loss",
    },
    "filter on summary range and state": lambda rng, n: {
        "filters": {"$and": [{"summary_metrics.val/iou": {"$gt": rng.random()}}, {"state": "finished"}]}
    },
    "filter by regular expression on the name": lambda rng, n: {
        "filters": {"display_name": {"$regex": f"{rng.randrange(100)}$"}}
    },
    "filter by tag and group": lambda rng, n: {
        "filters": {"$or": [{"tags": {"$in": ["tag-3"]}}, {"group": f"group-{rng.randrange(20)}"}]}
    },
    "first page of 1000": lambda rng, n: {"first": 1000},
}
RUNS = """query ($p: String!, $e: String, $f: JSONString, $o: String, $n: Int, $a: String) {
    project(name: $p, entityName: $e) { internalId runCount(filters: $f) readOnly
        runs(filters: $f, after: $a, first: $n, order: $o) {
            edges { node { id tags name displayName sweepName state group jobType commit readOnly createdAt heartbeatAt
                description notes historyLineCount config summaryMetrics user { name username } } cursor }
            pageInfo { endCursor hasNextPage } } } }"""


def _ask(wire: Wire, filters: Any = None, order: str = "-created_at", first: int = 50, skip: int = 0) -> None:
    after = _cursors(wire, order)[skip - 1] if skip else None
    given = {"f": json.dumps(filters or {}), "o": order, "n": first, "a": after}
    found = wire.graphql(RUNS, p=PROJECT, e="local", **given)["project"]
    if not filters and len(found["runs"]["edges"]) != min(first, found["runCount"] - skip):
        raise AssertionError(f"{len(found['runs']['edges'])} runs on the page")


@functools.cache
def _cursors(wire: Wire, order: str) -> list[str]:
    """Those of all runs in this order; not part of what is measured."""
    fields = "runs(first: 10000, order: $o) { edges { cursor } }"
    other = Wire(wire.url, wire.key, wire.project)
    query = f"query ($p: String!, $o: String) {{ project(name: $p) {{ {fields} }} }}"
    found = other.graphql(query, p=PROJECT, o=order)
    return [edge["cursor"] for edge in found["project"]["runs"]["edges"]]


def _fill(folder: Path, n_runs: int, n_rows: int) -> None:
    store, rng = Store(folder), random.Random(0)
    with store.write() as db:
        project, _ = projects.ensure(db, "local", PROJECT, store.clock())
    for first in range(0, n_runs, 50):
        with store.write() as db:
            for n in range(first, min(first + 50, n_runs)):
                _fill_run(db, project["id"], n, n_rows // n_runs, rng)
    store.close()


def _fill_run(db: Any, project_id: int, n: int, rows: int, rng: random.Random) -> None:
    now = 1_700_000_000.0 + n * 60
    config = {"lr": 10 ** rng.uniform(-5, -1), "seed": n % 10, "batch": 2 ** rng.randrange(6), "model": f"m{n % 8}"}
    more = {f"parameter_{i}": rng.random() for i in range(12)}
    content = [
        json.dumps({"_step": i, "_runtime": i, "_timestamp": now + i, "train/loss": round(rng.random(), 6)})
        for i in range(rows)
    ]
    scores = {"val/iou": rng.random(), "val/loss": rng.random(), "epoch": rows}
    run_id = runs.insert(
        db,
        project_id,
        f"r{n:07d}",
        "finished" if n % 5 else "crashed",
        now,
        config=json.dumps({key: {"value": value} for key, value in (config | more).items()}),
        summary=json.dumps(scores | json.loads(content[-1])),
        tags=[f"tag-{n % 7}"],
        group_name=f"group-{n % 20}",
    )
    lines.put_history(db, run_id, 0, content)


PROGRAM = """
import filecmp, json, os, sys, time, wandb
mib, n = int(sys.argv[1]), int(sys.argv[2])
os.mkdir("big")
for i in range(n):
    with open(f"big/{i:05}.bin", "wb") as file:
        left = (mib << 20) // n
        while left:
            left -= file.write(os.urandom(min(left, 1 << 20)))
began = time.monotonic()
with wandb.init(project="load", settings=wandb.Settings(console="off", x_disable_stats=True)) as run:
    artifact = wandb.Artifact("big", "dataset")
    artifact.add_dir("big", policy="immutable")
    run.log_artifact(artifact).wait()
up = time.monotonic() - began
began = time.monotonic()
wandb.Api().artifact("load/big:latest").download("back", skip_cache=True)
down = time.monotonic() - began
names = sorted(os.listdir("big"))
same = names == sorted(os.listdir("back")) and all(filecmp.cmp(f"big/{x}", f"back/{x}", shallow=False) for x in names)
print(json.dumps([up, down, same]))
"""


def artifact(options: argparse.Namespace, folder: Path) -> None:
    """`--files` files of `--mib` MiB in all as an artifact, logged and downloaded by the wandb client."""
    home = folder.parent / "client"
    home.mkdir()
    with connected(folder) as (wire, pid):
        names = ("HOME", "WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR", "WANDB_DIR", "WANDB_ARTIFACT_DIR")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("WANDB")}
        environment |= dict.fromkeys(names, str(home)) | {"NETRC": str(home / "netrc"), "WANDB_SILENT": "true"}
        environment |= {"WANDB_BASE_URL": wire.url, "WANDB_API_KEY": wire.key, "WANDB_ERROR_REPORTING": "false"}
        memory = [resident(pid)]
        command = [sys.executable, "-c", PROGRAM, str(options.mib), str(options.files)]
        process = subprocess.Popen(command, cwd=home, env=environment, stdout=subprocess.PIPE, text=True)
        while process.poll() is None:
            time.sleep(0.1)
            memory.append(resident(pid))
        assert process.stdout is not None
        up, down, same = json.loads(process.stdout.read().splitlines()[-1])
        process.stdout.close()
    print(f"{options.files} files, {options.mib} MiB: logged in {up:.1f} s, downloaded in {down:.1f} s, equal: {same}")
    print(f"resident memory of the server {memory[0]:.0f} MiB before, {max(memory):.0f} MiB at most")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser("python -m bench.server_load", description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("agents", "runs", "artifact"))
    parser.add_argument("--agents", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=300.0, help="of `agents`")
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--rows", type=int, default=10_000_000, help="of all runs together")
    parser.add_argument("--repeat", type=int, default=200, help="questions of each kind")
    parser.add_argument("--mib", type=int, default=1024, help="of the artifact")
    parser.add_argument("--files", type=int, default=1, help="of the artifact")
    parser.add_argument("--dir", type=Path, help="keep everything here; `runs` fills it only once")
    options = parser.parse_args(arguments)
    folder = options.dir or Path(tempfile.mkdtemp(prefix="server-load-"))
    try:
        {"agents": agents, "runs": many_runs, "artifact": artifact}[options.what](options, folder / "store")
    finally:
        if not options.dir:
            shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
