"""A project with runs, a sweep and artifacts in a store, and a push of it."""

import json
from pathlib import Path
from typing import Any

import pytest

from server.__main__ import main
from server.store import Connection, Row, Store, artifacts, collections, files, projects, runs, streams, sweeps
from server.store.disk import blobs
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
    first = _artifact(store, db, done, b"weights 0", ["best"], {})
    ref = f"wandb-artifact://{f'Artifact:{first}'.encode().hex()}/w"
    second = _artifact(store, db, done, b"weights 1", ["newest"], {"old": {"ref": ref, "digest": "d", "size": 9}})
    swept = runs.find(db, project["id"], "swept")
    assert swept is not None
    artifacts.use(db, second, swept["id"], "model")


def _artifact(store: Store, db: Connection, run: Row, content: bytes, aliases: list[str], more: dict[str, Any]) -> int:
    collection = collections.ensure(db, run["project_id"], "model", "model", collections.SEQUENCE, 5.0)
    columns = {"digest": content.hex(), "digest_algorithm": "MANIFEST_MD5", "client_id": None, "run_id": run["id"]}
    row = artifacts.create(
        db, collection, 5.0, deduplicate=True, wanted_aliases=aliases, metadata='{"n": 1}', **columns
    )
    blob = store.blobs.add(content)
    blobs.record(db, blob, 5.0, "lab")
    contents = {"w": {"digest": blob.md5, "size": blob.size, "birthArtifactID": "x"}} | more
    manifest = artifacts.ensure_manifest(db, row["id"], artifacts.MANIFEST_NAME, "d", "FULL", None)
    body = json.dumps({"version": 1, "contents": contents}).encode()
    artifacts.put_manifest(db, manifest["id"], store.blobs.add(body), 5.0)
    artifacts.commit(db, store.blobs, row["id"], 5.0)
    return int(row["id"])


def push(source: Path, target: Server, project: str, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setenv("WANDB_API_KEY", target.key)
    return main(["push", "lab/pieces", "--dir", str(source), "--to", target.url, "--as", f"local/{project}"])
