"""Projects and runs in a store, as a client would have left them."""

import json
from collections.abc import Sequence
from typing import Any

from server.store import Connection, Row, Store, artifacts, collections, projects, runs, streams
from server.store.disk import blobs


def lines(offset: int = 0, **content: list[str]) -> dict[str, Any]:
    """Body of a post of lines to the streams `history`, `console`, `system_metrics`; or of a `summary`."""
    names = {table: file for file, table in streams.FILES.items()} | {"summary": "wandb-summary.json"}
    return {"files": {names[name]: {"offset": offset, "content": texts} for name, texts in content.items()}}


def add_project(db: Connection, name: str = "p", entity: str = "local") -> int:
    """The number of the project, which may be there already."""
    return int(projects.ensure(db, entity, name, 1.0)[0]["id"])


def configuration(settings: dict[str, Any]) -> str:
    """Settings as the client writes them."""
    return json.dumps({key: {"value": value} for key, value in settings.items()})


def add_run(
    db: Connection,
    project: int,
    name: str = "r",
    settings: dict[str, Any] | None = None,
    rows: Sequence[dict[str, Any]] = (),
    summary: dict[str, Any] | None = None,
    *,
    state: str = "finished",
    begin: float = 1.0,
    end: float = 2.0,
    **columns: Any,
) -> int:
    """The number of a run that has logged these rows."""
    texts = {"config": configuration(settings or {}), "summary": json.dumps(summary or {})}
    run_id = runs.insert(db, project, name, "running", begin, **texts, **columns)
    streams.put_history(db, run_id, 0, [json.dumps(row) for row in rows])
    if state != "running":
        runs.set_state(db, run_id, state, end)
    return run_id


def add_version(
    store: Store,
    db: Connection,
    run: Row,
    contents: dict[str, bytes],
    more: dict[str, Any] | None = None,
    *,
    name: str = "model",
    kind: str = "model",
    aliases: Sequence[str] = (),
    **columns: Any,
) -> int:
    """The number of a committed version that the run has logged; `more`: further entries of its manifest."""
    collection = collections.ensure(db, run["project_id"], name, kind, collections.SEQUENCE, 5.0)
    columns |= {"digest": b"".join(contents.values()).hex(), "digest_algorithm": "MANIFEST_MD5"}
    columns |= {"client_id": None, "run_id": run["id"], "wanted_aliases": list(aliases)}
    version = int(artifacts.create(db, collection, 5.0, deduplicate=True, **columns)["id"])
    entries = {}
    for path, content in contents.items():
        blob = store.blobs.add(content)
        blobs.record(db, blob, 5.0, projects.by_id(db, run["project_id"])["entity"])
        entries[path] = {"digest": blob.md5, "size": blob.size, "birthArtifactID": "x"}
    manifest = artifacts.ensure_manifest(db, version, artifacts.MANIFEST_NAME, "d", "FULL", None)
    body = json.dumps({"version": 1, "contents": entries | (more or {})}).encode()
    artifacts.put_manifest(db, manifest["id"], store.blobs.add(body), 5.0)
    artifacts.commit(db, store.blobs, version, 5.0)
    return version
