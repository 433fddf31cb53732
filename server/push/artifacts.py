"""Sends artifact versions in the order in which they were committed, so that versions and aliases come out alike."""

import base64
import hashlib
import json
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from server.push import operations as ask
from server.push.remote import Remote, open_body, upload
from server.store import Connection, Row, artifacts, collections, runs
from server.store.artifacts import MANIFEST_NAME
from server.store.disk import blobs

BATCH = 100
REFERENCE = "wandb-artifact://"


@dataclass
class Pushed:
    """ids: number here → id there. sent: versions that were not there. strange: references to other projects."""

    ids: dict[int, str] = field(default_factory=dict)
    sent: int = 0
    strange: int = 0


def push(db: Connection, folder: Path, remote: Remote, project: Row) -> Pushed:
    """All versions of the project, then their uses, then the links of portfolios."""
    pushed = Pushed()
    for artifact in artifacts.of_project(db, project["id"]):
        _push_one(db, folder, remote, artifact, pushed)
    for artifact_id, there in pushed.ids.items():
        for run_id in artifacts.run_ids_using(db, artifact_id):
            run = runs.by_id(db, run_id)
            if run["project_id"] == project["id"] and run["started_at"] is not None:
                place = {"entityName": remote.entity, "projectName": remote.project, "runName": run["name"]}
                remote.graphql(ask.USE_ARTIFACT, _check_data, input={"artifactID": there, **place})
    for portfolio in collections.of_project(db, project["id"]):
        if portfolio["kind"] == collections.PORTFOLIO:
            _link(db, remote, portfolio, pushed)
    return pushed


def _push_one(db: Connection, folder: Path, remote: Remote, artifact: Row, pushed: Pushed) -> None:
    collection = collections.by_id(db, artifact["collection_id"])
    there, state = remote.graphql(
        ask.CREATE_ARTIFACT, _read_artifact, input=_artifact_input(db, remote, artifact, collection)
    )
    pushed.ids[artifact["id"]] = there
    if state == artifacts.COMMITTED:
        _set_aliases(remote, there, collection, _aliases(db, artifact, collection))
        return
    _upload_files(db, folder, remote, artifact["id"], there)
    _upload_manifest(db, folder, remote, artifact, pushed)
    remote.graphql(ask.COMMIT_ARTIFACT, _check_data, artifactID=there)
    pushed.sent += 1


def _check_data(data: Any) -> None:
    """Accept any data as the answer."""
    dict(data)


def _read_artifact(data: Any) -> tuple[str, str]:
    """Id (base64 of a kind and a number) and state."""
    made = data["createArtifact"]["artifact"]
    base64.b64decode(made["id"], validate=True)
    return made["id"], made["state"]


def _artifact_input(db: Connection, remote: Remote, artifact: Row, collection: Row) -> dict[str, Any]:
    name = collection["name"]
    return {
        "entityName": remote.entity,
        "projectName": remote.project,
        "artifactTypeName": collection["type"],
        "artifactCollectionName": name,
        "runName": _logger(db, artifact),
        "digest": artifact["digest"],
        "digestAlgorithm": artifact["digest_algorithm"],
        "description": artifact["description"],
        "metadata": artifact["metadata"],
        "ttlDurationSeconds": artifact["ttl"],
        "historyStep": artifact["history_step"],
        "aliases": [{"artifactCollectionName": name, "alias": alias} for alias in _aliases(db, artifact, collection)],
        "tags": [{"tagName": tag["name"]} for tag in collections.tags(db, "artifact", artifact["id"])],
        "enableDigestDeduplication": True,
        "clientID": _client_id(remote, collection, artifact),
        "sequenceClientID": _client_id(remote, collection),
    }


def _client_id(remote: Remote, collection: Row, artifact: Row | None = None) -> str:
    """A client id, the same in every push to a project there: a repeated push then goes on with the same artifact."""
    parts = [remote.entity, remote.project, collection["id"], collection["name"], collection["created_at"]]
    parts += [artifact["id"], artifact["digest"]] if artifact else []
    return hashlib.sha512("/".join(map(str, parts)).encode()).hexdigest()


def _logger(db: Connection, artifact: Row) -> str | None:
    return runs.by_id(db, artifact["run_id"])["name"] if artifact["run_id"] else None


def _aliases(db: Connection, artifact: Row, collection: Row) -> list[str]:
    names = collections.alias_names(db, artifact["id"], collection["id"])
    return [name for name in names if name != collections.LATEST]


def _set_aliases(remote: Remote, there: str, collection: Row, aliases: list[str]) -> None:
    place = {"entityName": remote.entity, "projectName": remote.project}
    place["artifactCollectionName"] = collection["name"]
    if aliases:
        wanted = [{**place, "alias": alias} for alias in aliases]
        remote.graphql(ask.ADD_ALIASES, _check_data, input={"artifactID": there, "aliases": wanted})


def _upload_files(db: Connection, folder: Path, remote: Remote, artifact_id: int, there: str) -> None:
    entries = [entry for entry in artifacts.entries(db, artifact_id) if entry["sha256"]]
    for first in range(0, len(entries), BATCH):
        batch = entries[first : first + BATCH]
        specs = [{"artifactID": there, "name": e["path"], "md5": e["digest"]} for e in batch]
        given = {"artifactFiles": specs, "storageLayout": "V2"}
        for entry, place in remote.graphql(ask.CREATE_ARTIFACT_FILES, partial(_uploads, batch), input=given):
            remote.put(*place, blobs.path(folder, entry["sha256"]))


def _uploads(batch: list[Row], data: Any) -> list[tuple[Row, tuple[str, list[str]]]]:
    """The entries that the other server lacks, with address and headers."""
    nodes = [edge["node"] for edge in data["createArtifactFiles"]["files"]["edges"]]
    pairs = zip(batch, nodes, strict=True)
    return [(e, upload(n["uploadUrl"], n["uploadHeaders"])) for e, n in pairs if n["uploadUrl"]]


def _upload_manifest(db: Connection, folder: Path, remote: Remote, artifact: Row, pushed: Pushed) -> None:
    row = artifacts.manifest(db, artifact["manifest_id"])
    with open_body(blobs.path(folder, row["sha256"])) as file:
        content = json.load(file)
    there = pushed.ids[artifact["id"]]
    for entry in content["contents"].values():
        if "birthArtifactID" in entry:
            entry["birthArtifactID"] = there
        if str(entry.get("ref", "")).startswith(REFERENCE):
            entry["ref"] = _translate_reference(entry["ref"], pushed)
    body = json.dumps(content).encode()
    digest = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
    place = {"entityName": remote.entity, "projectName": remote.project, "runName": _logger(db, artifact) or ""}
    asked = {"artifactID": there, "name": MANIFEST_NAME, "digest": digest, **place}
    remote.put(*remote.graphql(ask.CREATE_MANIFEST, _manifest_upload, **asked), body)


def _manifest_upload(data: Any) -> tuple[str, list[str]]:
    file = data["createArtifactManifest"]["artifactManifest"]["file"]
    return upload(file["uploadUrl"], file["uploadHeaders"])


def _translate_reference(ref: str, pushed: Pushed) -> str:
    """A reference to a file of another artifact, by its id there."""
    number, _, path = ref.removeprefix(REFERENCE).partition("/")
    try:
        here = bytes.fromhex(number).decode().removeprefix("Artifact:")
        there = pushed.ids[int(here)]
    except (ValueError, KeyError):
        pushed.strange += 1
        return ref
    return f"{REFERENCE}{base64.b64decode(there).hex()}/{path}"


def _link(db: Connection, remote: Remote, portfolio: Row, pushed: Pushed) -> None:
    for artifact in reversed(artifacts.in_collection(db, portfolio["id"])):
        if artifact["id"] not in pushed.ids:
            pushed.strange += 1
            continue
        wanted = [
            name for name in collections.alias_names(db, artifact["id"], portfolio["id"]) if name != collections.LATEST
        ]
        remote.graphql(
            ask.LINK_ARTIFACT,
            _check_data,
            artifactPortfolioName=portfolio["name"],
            entityName=remote.entity,
            projectName=remote.project,
            aliases=[{"artifactCollectionName": portfolio["name"], "alias": alias} for alias in wanted],
            artifactId=pushed.ids[artifact["id"]],
        )
