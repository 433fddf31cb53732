"""Artifacts: the collections of a project, one version with its files, and a version as one zip file."""

import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from server import storage_paths
from server.access.signatures import Signer
from server.jsontext import load_object
from server.pages.access_control import may_see
from server.pages.charts import lineage
from server.pages.detail import file_browser
from server.pages.detail.run import run_node
from server.pages.render import mark_namesakes
from server.store import Row, Store, artifacts, collections, runs
from server.store.disk.blobs import open_blob
from server.store.users import Person

MAX_VERSIONS = 200
CHUNK = 1 << 18
EARLIEST = (1980, 1, 1, 0, 0, 0)  # that a zip file can say


def list_collections(store: Store, project: Row, kind: str = "", search: str = "") -> dict[str, Any]:
    """The collections of a project, of one type where it is given, with `search` in their names."""
    every = collections.of_project(store.db, project["id"])
    found = [each for each in every if kind in ("", each["type"]) and search.lower() in each["name"].lower()]
    return {
        "project": project,
        "kind": kind,
        "search": search,
        "types": sorted({each["type"] for each in every}),
        "collections": [each | {"newest": _newest(store, each)} for each in found[:MAX_VERSIONS]],
        "n_collections": len(found),
        "refresh": None,
    }


def _newest(store: Store, collection: Row) -> Row | None:
    member = collections.member(store.db, collection["id"], collections.LATEST)
    return artifacts.by_id(store.db, member["artifact_id"]) if member else None


def find_member(store: Store, person: Person, project: Row, name: str, version: str) -> tuple[Row, Row, Row] | None:
    """Collection, membership and artifact of a version or alias; None if there is none that the person may see."""
    collection = collections.find(store.db, project["id"], name)
    member = collections.member(store.db, collection["id"], version) if collection else None
    if collection is None or member is None:
        return None
    artifact = artifacts.by_id(store.db, member["artifact_id"])
    return (collection, member, artifact) if may_see(store, person, "Artifact", artifact) else None


def gather(
    store: Store, signer: Signer, project: Row, found: tuple[Row, Row, Row], inside: str, person: Person
) -> dict[str, Any] | None:
    """Values of the page. `inside`: the folder or file that is shown; None if it does not exist."""
    db, (collection, member, artifact) = store.db, found
    entries = artifacts.entries(db, artifact["id"])
    shown = _browse(store, signer, person, artifact, entries, inside)
    if shown is None:
        return None
    versions = artifacts.in_collection(db, collection["id"])
    creator = runs.by_id(db, artifact["run_id"]) if artifact["run_id"] else None
    creator = creator if creator and person.sees(creator["entity"]) else None
    users = [
        run for run in runs.get_many(db, artifacts.run_ids_using(db, artifact["id"])) if person.sees(run["entity"])
    ]
    marked = mark_namesakes([creator, *users] if creator else users)
    creator, users = (marked[0], marked[1:]) if creator else (None, marked)
    name = f"{collection['name']}:v{member['version']}"
    path = f"{project['entity']}/{project['name']}/{name}"
    here = lineage.Node("artifact", name, "", collection["type"])
    return shown | {
        "project": project,
        "collection": collection,
        "member": member,
        "artifact": artifact,
        "metadata": load_object(artifact["metadata"]),
        "aliases": collections.alias_names(db, artifact["id"], collection["id"]),
        "versions": [
            each | {"aliases": collections.alias_names(db, each["id"], collection["id"])}
            for each in versions[:MAX_VERSIONS]
        ],
        "n_versions": len(versions),
        "n_entries": len(entries),
        "n_references": sum(entry["sha256"] is None for entry in entries),
        "creator": creator,
        "users": users,
        "graph": lineage.graph([run_node(creator)] if creator else [], here, [run_node(run) for run in users]),
        "commands": commands(path, collection["type"]),
        "may_change": person.owns(project["entity"]),
        "refresh": None,
    }


def commands(path: str, kind: str) -> list[tuple[str, str]]:
    """Commands for a terminal, and a line for a program."""
    lines = [("download", f"wandb artifact get {path}"), ("in a run", f"run.use_artifact({path!r}).download()")]
    if kind == "model":
        lines.insert(1, ("predict", f"python -m agent.predict {path} PHOTOGRAPH… -o masks/"))
    return lines


def _browse(
    store: Store, signer: Signer, person: Person, artifact: Row, entries: Sequence[Row], inside: str
) -> dict[str, Any] | None:
    """A folder of the version, or a preview of one of its files."""
    rows = [entry | {"name": entry["path"], "url": entry["sha256"]} for entry in entries]
    file = next((row for row in rows if row["name"] == inside), None)
    above = file_browser.parents(inside)
    if file is None:
        tree = file_browser.listing(rows, inside)
        return {"file": None, "tree": tree, "above": above} if tree["folders"] or tree["files"] or not inside else None
    if file["sha256"] is None:
        return {"file": file | {"kind": "none", "url": None, "cut": False}, "above": above}
    place = storage_paths.artifact_file(artifact["id"], file["digest"], file["path"])
    url = signer.url("", "GET", place, person.number, store.clock())
    shown = file_browser.preview(inside, store.blobs.path(file["sha256"]), file["size"])
    return {"file": file | shown | {"url": url}, "above": above}


def files_of(store: Store, artifact: Row) -> list[tuple[str, Path]]:
    """Name and path of each file stored here. Raises FileNotFoundError if the bytes of one are lost."""
    entries = artifacts.entries(store.db, artifact["id"])
    found = [(entry["path"], store.blobs.path(entry["sha256"])) for entry in entries if entry["sha256"]]
    for name, path in found:
        if not path.is_file():
            raise FileNotFoundError(name)
    return found


class _Sink:
    """A file for `zipfile` to write to, emptied piece by piece."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, piece: bytes) -> int:
        self._pieces.append(bytes(piece))
        return len(piece)

    def flush(self) -> None:
        """Nothing to do: nothing is buffered."""

    def take(self) -> bytes:
        taken, self._pieces = b"".join(self._pieces), []
        return taken


def zip_stream(files: Sequence[tuple[str, Path]]) -> Iterator[bytes]:
    """A zip file in pieces: nothing is compressed, and no file is ever held whole."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:  # type: ignore[call-overload]
        for name, path in files:
            with open_blob(path) as source, archive.open(zipfile.ZipInfo(name, EARLIEST), "w", force_zip64=True) as to:
                while piece := source.read(CHUNK):
                    to.write(piece)
                    yield sink.take()
            yield sink.take()
    yield sink.take()
