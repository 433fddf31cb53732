"""One version of an artifact."""

from typing import Any

from server import addresses
from server.jsontext import load_object
from server.pages.home import sees
from server.security import Signer
from server.store import Row, Store, artifacts, collections, runs
from server.store.users import Person

MAX_ENTRIES = 1000


def gather(store: Store, signer: Signer, project: Row, path: str, person: Person) -> dict[str, Any] | None:
    """`TYPE/COLLECTION`, with `/ALIAS` or `/VERSION` or neither; None where there is no such artifact."""
    db = store.db
    _, _, rest = path.partition("/")
    name, _, alias = rest.partition("/")
    collection = collections.find(db, project["id"], name)
    member = (
        collections.member(db, collection["id"], alias.partition("/")[0] or "latest") if collection else None
    )
    if collection is None or member is None:
        return None
    artifact = artifacts.by_id(db, member["artifact_id"])
    if not sees(store, person, "Artifact", artifact):
        return None
    versions = artifacts.in_collection(db, collection["id"])
    entries = artifacts.entries(db, artifact["id"], limit=MAX_ENTRIES)
    for entry in entries:
        if entry["sha256"]:
            place = addresses.artifact_file(artifact["id"], entry["digest"], entry["path"])
            entry["url"] = signer.url("", "GET", place, person.number, store.clock())
        else:
            entry["url"] = None
    return {
        "project": project,
        "collection": collection,
        "member": member,
        "artifact": artifact,
        "metadata": load_object(artifact["metadata"]),
        "aliases": [row["alias"] for row in collections.aliases(db, artifact["id"], collection["id"])],
        "versions": versions[:MAX_ENTRIES],
        "n_versions": len(versions),
        "entries": entries,
        "n_entries": artifacts.count_entries(db, artifact["id"]),
        "creator": runs.by_id(db, artifact["run_id"]) if artifact["run_id"] else None,
        "users": [
            run for run in runs.many(db, artifacts.users(db, artifact["id"])) if person.sees(run["entity"])
        ],
        "refresh": None,
    }
