"""Kill the server again and again under load, and look for losses: `python -m bench.server_kill --kills 100`.

Clients that speak the wandb client's protocol log rows, upload files and artifacts, and ask sweeps for configurations.
They repeat a request until it is answered, as the client does, only sooner. The server is killed with SIGKILL at a
random moment after each start (its start included) and started again on the same folder. At the end every client
completes its work, and the server's content is compared with its answers: rows, console lines, summaries, files,
artifact versions with the digests of their downloads, and sweep decisions; then `python -m server check` runs.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from bench.harness.protocol import (
    AGENT,
    BEAT,
    COMMIT,
    CREATE,
    CREATE_FILES,
    FILES,
    MANIFEST,
    PAUSE,
    SWEEP,
    ProtocolClient,
    RequestFailed,
    md5,
)
from bench.harness.server_process import close_output, free_port, start_server, wait_until_ready
from common.environment import ROOT

ENTITY, PROJECT = "local", "kill"
Ledger = dict[str, Any]


def log_runs(wire: ProtocolClient, ledger: Ledger, end: threading.Event, name: str, rng: random.Random) -> None:
    """Runs of 20 to 200 rows, one after the other, with console lines and a summary."""
    for n in itertools.count():
        if end.is_set():
            return
        run, rows = f"{name}-{n}", rng.randint(20, 200)
        wire.upsert(run, config=json.dumps({"n": {"value": n}}))
        at = 0
        while at < rows:
            size = min(rng.randint(1, 12), rows - at)
            lines = [json.dumps({"_step": at + i, "x": rng.random()}) for i in range(size)]
            files = {
                "wandb-history.jsonl": {"offset": at, "content": lines},
                "output.log": {"offset": at, "content": [f"line {at + i}\n" for i in range(size)]},
                "wandb-summary.json": {"offset": 0, "content": [lines[-1]]},
            }
            wire.stream(run, files=files)
            ledger.setdefault(run, []).extend(lines)
            at += size
        wire.stream(run, complete=True, exitcode=0)


def upload_files(wire: ProtocolClient, ledger: Ledger, end: threading.Event, name: str, rng: random.Random) -> None:
    """One run whose files come one by one; every fifth overwrites an older one."""
    wire.upsert(name)
    for n in itertools.count():
        if end.is_set():
            return
        wire.stream(name)
        path = f"media/{rng.randrange(n) if n % 5 == 4 else n}.bin"
        content = rng.randbytes(rng.randint(1, 200_000))
        place = {"entityName": ENTITY, "projectName": PROJECT, "runName": name, "files": [path]}
        url = wire.graphql(FILES, i=place)["createRunFiles"]["files"][0]["uploadUrl"]
        wire.send("PUT file", "PUT", url, content, json_too=False)
        ledger[f"{name}/{path}"] = md5(content)


def upload_artifacts(wire: ProtocolClient, ledger: Ledger, end: threading.Event, name: str, rng: random.Random) -> None:
    """Versions of one collection, each with three files, one of which is always the same."""
    for n in itertools.count():
        if end.is_set():
            return
        contents = {"same.bin": b"same", "a.bin": rng.randbytes(50_000), "b.bin": rng.randbytes(150_000)}
        digest = hashlib.md5(contents["a.bin"], usedforsecurity=False).hexdigest()
        place = {"entityName": ENTITY, "projectName": PROJECT, "artifactTypeName": "model"}
        creation = wire.graphql(
            CREATE,
            i=place
            | {"artifactCollectionName": name, "digest": digest, "clientID": str(uuid.UUID(int=rng.getrandbits(128)))}
            | {"digestAlgorithm": "MANIFEST_MD5", "enableDigestDeduplication": True},
        )
        artifact = creation["createArtifact"]["artifact"]["id"]
        specs = [{"artifactID": artifact, "name": path, "md5": md5(c)} for path, c in contents.items()]
        edges = wire.graphql(CREATE_FILES, i={"artifactFiles": specs, "storageLayout": "V2"})
        for edge, content in zip(edges["createArtifactFiles"]["files"]["edges"], contents.values(), strict=True):
            if edge["node"]["uploadUrl"]:
                wire.send("PUT blob", "PUT", edge["node"]["uploadUrl"], content, json_too=False)
        entries = {path: {"digest": md5(c), "size": len(c)} for path, c in contents.items()}
        manifest = json.dumps({"version": 1, "contents": entries}).encode()
        request = {"entityName": ENTITY, "projectName": PROJECT, "name": "wandb_manifest.json", "type": "FULL"}
        request |= {"artifactID": artifact, "digest": md5(manifest)}
        answer = wire.graphql(MANIFEST, i=request)["createArtifactManifest"]["artifactManifest"]
        wire.send("PUT manifest", "PUT", answer["file"]["uploadUrl"], manifest, json_too=False)
        wire.graphql(COMMIT, i={"artifactID": artifact})
        ledger[f"{name}:v{n}"] = {path: md5(c) for path, c in contents.items()}


def sweep_config(cells: int) -> str:
    return json.dumps({"method": "grid", "parameters": {"cell": {"values": list(range(cells))}}, "program": "x.py"})


def work_for(wire: ProtocolClient, sweep: str, ledger: Ledger, name: str) -> None:
    """An agent, until the sweep tells it to leave."""
    place = {"entityName": ENTITY, "projectName": PROJECT, "sweep": sweep, "host": name}
    agent = wire.graphql(AGENT, i=place)["createAgent"]["agent"]["id"]
    while True:
        answer = wire.graphql(BEAT, i={"id": agent, "metrics": "{}", "runState": "{}"})
        for command in json.loads(answer["agentHeartbeat"]["commands"]):
            if command["type"] == "exit":
                return
            run, cell = command["run_id"], command["args"]["cell"]["value"]
            wire.upsert(run, sweep=sweep, config=json.dumps(command["args"]))
            line = json.dumps({"_step": 0, "cell": cell})
            wire.stream(run, files={"wandb-history.jsonl": {"offset": 0, "content": [line]}})
            wire.stream(run, complete=True, exitcode=0)
            ledger.setdefault(sweep, []).append((cell, run))
        time.sleep(PAUSE)


def sweep_on(wire: ProtocolClient, ledger: Ledger, end: threading.Event, cells: int, agents: int) -> None:
    """Grid after grid, each with several agents at once."""
    while not end.is_set():
        place = {"entityName": ENTITY, "projectName": PROJECT, "config": sweep_config(cells)}
        sweep = wire.graphql(SWEEP, i=place)["upsertSweep"]["sweep"]["name"]
        ledger[sweep] = []
        with ThreadPoolExecutor(agents) as pool:
            for worker in [pool.submit(work_for, wire, sweep, ledger, f"agent-{i}") for i in range(agents)]:
                worker.result()


def compare(wire: ProtocolClient, ledgers: dict[str, Ledger]) -> list[str]:
    """One sentence per difference between the server's answers and its content."""
    return [
        *(fault for run, lines in ledgers["rows"].items() for fault in _rows(wire, run, lines)),
        *(fault for path, digest in ledgers["files"].items() for fault in _file(wire, path, digest)),
        *(fault for name, entries in ledgers["artifacts"].items() for fault in _artifact(wire, name, entries)),
        *_counts(wire, ledgers["artifacts"]),
        *(fault for sweep, trials in ledgers["sweeps"].items() for fault in _sweep(wire, sweep, trials)),
    ]


def _project(wire: ProtocolClient, fields: str, **variables: Any) -> Any:
    kinds = "".join(f", ${name}: String!" for name in variables)
    query = f"query ($e: String!, $p: String!{kinds}) {{ project(name: $p, entityName: $e) {{ {fields} }} }}"
    return wire.graphql(query, e=ENTITY, p=PROJECT, **variables)["project"]


def _rows(wire: ProtocolClient, name: str, lines: list[str]) -> list[str]:
    fields = "state history(minStep: 0, maxStep: 1000000) logLineCount summaryMetrics"
    run = _project(wire, f"run(name: $r) {{ {fields} }}", r=name)["run"]
    faults = []
    if run["history"] != lines:
        faults.append(f"{name}: {len(run['history'])} rows instead of {len(lines)}, or others")
    if run["logLineCount"] != len(lines):
        faults.append(f"{name}: {run['logLineCount']} console lines instead of {len(lines)}")
    if run["summaryMetrics"] != lines[-1] or run["state"] != "finished":
        faults.append(f"{name}: {run['state']}, summary {run['summaryMetrics']}")
    return faults


def _file(wire: ProtocolClient, path: str, digest: str) -> list[str]:
    name, _, file = path.partition("/")
    fields = "run(name: $r) { files(names: [$f]) { edges { node { md5 directUrl } } } }"
    edges = _project(wire, fields, r=name, f=file)["run"]["files"]["edges"]
    if len(edges) != 1 or edges[0]["node"]["md5"] != digest:
        return [f"{path}: {edges} instead of {digest}"]
    return [] if _download(wire, edges[0]["node"]["directUrl"]) == digest else [f"{path}: other bytes"]


def _download(wire: ProtocolClient, url: str) -> str:
    return md5(wire.send("GET", "GET", url, None, json_too=False))


def _artifact(wire: ProtocolClient, name: str, entries: dict[str, str]) -> list[str]:
    fields = "artifact(name: $a) { state files(first: 10) { edges { node { name directUrl } } } }"
    artifact = _project(wire, fields, a=name)["artifact"]
    if artifact is None or artifact["state"] != "COMMITTED":
        return [f"{name}: not there"]
    nodes = [edge["node"] for edge in artifact["files"]["edges"]]
    digests = {node["name"]: _download(wire, node["directUrl"]) for node in nodes}
    return [] if digests == entries else [f"{name}: {digests} instead of {entries}"]


def _counts(wire: ProtocolClient, ledger: Ledger) -> list[str]:
    faults = []
    for name, n in Counter(version.partition(":")[0] for version in ledger).items():
        fields = 'artifactType(name: "model") { artifactCollection(name: $c) { artifacts { totalCount } } }'
        collection = _project(wire, fields, c=name)["artifactType"]["artifactCollection"]
        if collection["artifacts"]["totalCount"] != n:
            faults.append(f"{name}: {collection['artifacts']['totalCount']} versions instead of {n}")
    return faults


def _sweep(wire: ProtocolClient, name: str, trials: list[tuple[int, str]]) -> list[str]:
    fields = "sweep(sweepName: $s) { state config runs(first: 10000) { edges { node { name state config } } } }"
    sweep = _project(wire, fields, s=name)["sweep"]
    cells = len(json.loads(sweep["config"])["parameters"]["cell"]["values"])
    runs = [edge["node"] for edge in sweep["runs"]["edges"]]
    faults = []
    if sorted(cell for cell, _ in trials) != list(range(cells)):
        faults.append(f"sweep {name}: cells handed out {sorted(cell for cell, _ in trials)}")
    if {run["name"] for run in runs} != {run for _, run in trials} or len(runs) != cells:
        faults.append(f"sweep {name}: {len(runs)} runs instead of {cells}, or others")
    if any(run["state"] != "finished" for run in runs) or sweep["state"] != "FINISHED":
        faults.append(f"sweep {name}: {sweep['state']}, {Counter(run['state'] for run in runs)}")
    return faults


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser("python -m bench.server_kill", description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0, help="seed of the moments and of the content")
    parser.add_argument("--longest", type=float, default=3.0, help="seconds from a start to its kill, at most")
    parser.add_argument("--loggers", type=int, default=4)
    parser.add_argument("--cells", type=int, default=40, help="of each grid")
    options = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="server-kill-"))
    try:
        faults = _measure(options, folder)
    finally:
        shutil.rmtree(folder)
    print("\n".join(faults) or "nothing lost, nothing doubled; check: whole")
    return 1 if faults else 0


def _measure(options: argparse.Namespace, folder: Path) -> list[str]:
    rng, port = random.Random(options.seed), free_port()
    with (folder / "log").open("ab") as log:
        process = start_server(folder / "store", port, log)
        wait_until_ready(process)
        wire = ProtocolClient(f"http://127.0.0.1:{port}", (folder / "store" / "api-key").read_text().strip(), PROJECT)
        ledgers: dict[str, Ledger] = {"rows": {}, "files": {}, "artifacts": {}, "sweeps": {}}
        end, faults = threading.Event(), list[str]()
        clients = _clients(wire, ledgers, end, options, faults)
        began = time.monotonic()
        for _ in range(options.kills):
            time.sleep(rng.uniform(0.0, options.longest))
            process.send_signal(signal.SIGKILL)
            process.wait()
            close_output(process)
            process = start_server(folder / "store", port, log)
        wait_until_ready(process)
        end.set()
        for client in clients:
            client.join(300)
            faults += ["a client did not come to its end"] if client.is_alive() else []
        took = time.monotonic() - began
        faults += compare(wire, ledgers)
        process.terminate()
        faults += [f"the server ended with {code}" for code in [process.wait(20)] if code != 0]
        close_output(process)
    print(_report(options, ledgers, wire, took))
    command = [sys.executable, "-m", "server", "check", "--dir", str(folder / "store")]
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return faults + ([] if checked.returncode == 0 else [f"check: {checked.stdout}{checked.stderr}"])


def _clients(
    wire: ProtocolClient,
    ledgers: dict[str, Ledger],
    end: threading.Event,
    options: argparse.Namespace,
    faults: list[str],
) -> list[threading.Thread]:
    rng = random.Random(options.seed + 1)
    jobs: list[tuple[Any, tuple[Any, ...]]] = [
        (log_runs, (wire, ledgers["rows"], end, f"run-{i}", random.Random(rng.random())))
        for i in range(options.loggers)
    ]
    jobs.append((upload_files, (wire, ledgers["files"], end, "files", random.Random(rng.random()))))
    jobs.append((upload_artifacts, (wire, ledgers["artifacts"], end, "weights", random.Random(rng.random()))))
    jobs.append((sweep_on, (wire, ledgers["sweeps"], end, options.cells, 4)))

    def run_job(job: Any, arguments: tuple[Any, ...]) -> None:
        try:
            job(*arguments)
        except RequestFailed as error:
            faults.append(f"{job.__name__}: {error}")

    clients = [threading.Thread(target=run_job, args=job, daemon=True) for job in jobs]
    for client in clients:
        client.start()
    return clients


def _report(options: argparse.Namespace, ledgers: dict[str, Ledger], wire: ProtocolClient, took: float) -> str:
    rows = sum(map(len, ledgers["rows"].values()))
    trials = sum(map(len, ledgers["sweeps"].values()))
    return (
        f"{options.kills} kills in {took:.0f} s: {rows} rows of {len(ledgers['rows'])} runs, "
        f"{len(ledgers['files'])} files, {len(ledgers['artifacts'])} artifact versions, "
        f"{trials} trials of {len(ledgers['sweeps'])} sweeps; {sum(wire.repeats.values())} requests repeated"
    )


if __name__ == "__main__":
    sys.exit(main())
