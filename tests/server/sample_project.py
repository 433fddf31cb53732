"""A project with runs, a sweep and artifacts in a store, and a push of it."""

import json
from pathlib import Path

import pytest

from server.__main__ import main
from server.store import Connection, Store, artifacts, files, projects, runs, streams, sweeps
from tests.server.content import add_version
from tests.server.running import Server

SWEEP = "method: grid\nprogram: x.py\nparameters: {lr: {values: [1, 2]}}\n"


def fill(store: Store, db: Connection) -> None:
    """A finished run of 2,500 rows, one that was killed, one of a sweep; a version, and one that refers to it."""
    project, _ = projects.ensure(db, "lab", "pieces", 1.0)
    sweep = sweeps.insert(db, project["id"], "sweepone", SWEEP, 7, 1.0)
    sweeps.change(db, sweep, 1.0, state="FINISHED", display_name="both")
    for name, state in (("done", "finished"), ("shot", "killed"), ("swept", "finished")):
        run = runs.by_id(
            db, runs.insert(db, project["id"], name, "running", 2.0, config='{"lr": {"value": 0.5}}', tags=["a"])
        )
        runs.touch(db, run, 3.0)
        n = 2500 if name == "done" else 3
        rows = [json.dumps({"_step": i, "x": i / 7, "bad": float("nan")}) for i in range(n)]
        streams.put_history(db, run["id"], 0, rows)
        streams.put(db, "console", run["id"], 0, ["first\n", "second ü\n"])
        streams.put(db, "system_metrics", run["id"], 0, ['{"cpu": 1}'])
        runs.change(
            db,
            run["id"],
            summary=rows[-1],
            notes="n",
            group_name="g",
            display_name=f"name of {name}",
            sweep_id=sweep if name == "swept" else None,
        )
        for path in ("config.yaml", "media/a b.txt"):
            files.put(db, run["id"], path, store.blobs.add(f"{path} of {name}".encode()), 4.0)
        runs.set_state(db, run["id"], state, 5.0, 0 if state == "finished" else None)
    done = runs.find(db, project["id"], "done")
    assert done is not None
    first = add_version(store, db, done, {"w": b"weights 0"}, aliases=["best"], metadata='{"n": 1}')
    ref = f"wandb-artifact://{f'Artifact:{first}'.encode().hex()}/w"
    old = {"old": {"ref": ref, "digest": "d", "size": 9}}
    second = add_version(store, db, done, {"w": b"weights 1"}, old, aliases=["newest"], metadata='{"n": 1}')
    swept = runs.find(db, project["id"], "swept")
    assert swept is not None
    artifacts.use(db, second, swept["id"], "model")


def push(source: Path, target: Server, project: str, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setenv("WANDB_API_KEY", target.key)
    return main(["push", "lab/pieces", "--dir", str(source), "--to", target.url, "--as", f"local/{project}"])
