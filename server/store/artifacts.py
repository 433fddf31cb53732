"""Artifact versions: created, filled, committed once every blob is there, used, deleted."""

import base64
import hashlib
import json
import sqlite3
from collections.abc import Collection
from typing import Any

from server.jsontext import parse
from server.store import collections, ownership
from server.store.database import crud
from server.store.database.crud import Row
from server.store.disk import blobs
from server.store.disk.blobs import Blob, Blobs
from server.store.errors import Refused
from server.store.files import check_path

PENDING, COMMITTED, DELETED = "PENDING", "COMMITTED", "DELETED"
FULL, PATCH = "FULL", "PATCH"
MAX_MANIFEST_VALUES = 10_000_000  # 700,000 files
MAX_SIZE = 2**63
MANIFEST_NAME = "wandb_manifest.json"


def by_id(db: sqlite3.Connection, artifact_id: int) -> Row:
    return crud.get(db, "SELECT * FROM artifacts WHERE id = ?", artifact_id, "artifact number")


def by_client_id(db: sqlite3.Connection, client_id: str) -> Row | None:
    return crud.first(db, "SELECT * FROM artifacts WHERE client_id = ?", client_id)


def create(db: sqlite3.Connection, collection: Row, now: float, *, deduplicate: bool, **columns: Any) -> Row:
    """A pending artifact; or the committed one of the same content, to which the wanted aliases move.

    A repeated request (same client_id) gets the row of the first one.
    """
    same = by_client_id(db, columns["client_id"]) if columns.get("client_id") else None
    if same is not None and same["collection_id"] == collection["id"]:
        return same
    if same is not None:
        raise Refused(f"there is another artifact with the client id {columns['client_id']!r}")
    shared = _open_together(db, collection["id"], columns.get("distributed_id"))
    if shared is not None:
        wanted = [*json.loads(shared["wanted_aliases"]), *columns["wanted_aliases"]]
        db.execute("UPDATE artifacts SET wanted_aliases = ? WHERE id = ?", (json.dumps(wanted), shared["id"]))
        return shared
    together = columns.get("distributed_id") is not None
    twin = _find_committed(db, collection["id"], columns["digest"]) if deduplicate and not together else None
    if twin is not None:
        collections.join(db, collection["id"], twin["id"], columns["wanted_aliases"], now)
        _log_again(db, twin, columns.get("run_id"))
        return by_id(db, twin["id"])
    columns["wanted_aliases"] = json.dumps(columns["wanted_aliases"])
    columns["ttl"] = _time_to_live(columns.get("ttl"))
    columns |= {"collection_id": collection["id"], "state": PENDING, "created_at": now, "updated_at": now}
    return by_id(db, crud.insert(db, "artifacts", **columns))


def _open_together(db: sqlite3.Connection, collection_id: int, distributed_id: str | None) -> Row | None:
    """The artifact that several runs fill together, until one of them finishes it."""
    sql = "SELECT * FROM artifacts WHERE collection_id = ? AND distributed_id = ? AND state = ?"
    return crud.first(db, sql, collection_id, distributed_id, PENDING)


def _log_again(db: sqlite3.Connection, twin: Row, run_id: int | None) -> None:
    if run_id is not None and run_id != twin["run_id"]:
        db.execute("INSERT OR IGNORE INTO artifact_relogs VALUES (?, ?)", (run_id, twin["id"]))


def _find_committed(db: sqlite3.Connection, collection_id: int, digest: str) -> Row | None:
    sql = "SELECT * FROM artifacts WHERE collection_id = ? AND digest = ? AND state = ? ORDER BY id DESC LIMIT 1"
    return crud.first(db, sql, collection_id, digest, COMMITTED)


def ensure_manifest(
    db: sqlite3.Connection, artifact_id: int, name: str, digest: str, type: str, base_artifact_id: int | None
) -> Row:
    """The manifest of that name and type: the client asks twice, without and with its digest.

    Each run that fills an artifact together with others brings a patch of its own, and asks once.
    """
    by_id(db, artifact_id)
    if type == PATCH:
        name = f"{name}.{crud.value(db, 'SELECT count(*) FROM manifests WHERE artifact_id = ?', artifact_id)}"
    db.execute(
        """INSERT INTO manifests (artifact_id, name, digest, type, base_artifact_id) VALUES (?1, ?2, ?3, ?4, ?5)
        ON CONFLICT DO UPDATE SET digest = ?3, base_artifact_id = ?5""",
        (artifact_id, name, digest, type, base_artifact_id),
    )
    row: Row = db.execute(
        "SELECT * FROM manifests WHERE artifact_id = ? AND name = ? AND type = ?", (artifact_id, name, type)
    ).fetchone()
    db.execute("UPDATE artifacts SET manifest_id = ? WHERE id = ? AND state = ?", (row["id"], artifact_id, PENDING))
    return row


def manifest(db: sqlite3.Connection, manifest_id: int) -> Row:
    return crud.get(db, "SELECT * FROM manifests WHERE id = ?", manifest_id, "artifact manifest number")


def change_manifest(db: sqlite3.Connection, manifest_id: int, digest: str | None, base: int | None) -> Row:
    crud.update(db, "manifests", manifest_id, {"digest": digest, "base_artifact_id": base})
    return manifest(db, manifest_id)


def put_manifest(db: sqlite3.Connection, manifest_id: int, blob: Blob, now: float) -> None:
    """Raises Refused for another manifest of an artifact that is committed: versions never change."""
    row = manifest(db, manifest_id)
    if row["sha256"] != blob.sha256 and by_id(db, row["artifact_id"])["state"] != PENDING:
        raise Refused("the artifact is committed: its manifest does not change any more")
    blobs.record(db, blob, now, ownership.entity(db, "ArtifactManifest", manifest_id))
    db.execute("UPDATE manifests SET sha256 = ? WHERE id = ?", (blob.sha256, manifest_id))


def commit(
    db: sqlite3.Connection, store: Blobs, artifact_id: int, now: float, entities: Collection[str] | None = None
) -> Row:
    """Reads the manifest, checks that every blob is there, gives the version and the aliases. Twice is once.

    `entities`: those whose blobs may be used, None for all.
    Raises Refused when the manifest or a blob is missing: nothing half-uploaded ever becomes a version.
    """
    artifact = by_id(db, artifact_id)
    if artifact["state"] != PENDING:
        return artifact
    content = _whole_manifest(db, store, artifact, now)
    _put_entries(db, artifact_id, content["contents"], entities)
    size = crud.value(db, "SELECT coalesce(sum(size), 0) FROM artifact_entries WHERE artifact_id = ?", artifact_id)
    version = collections.join(db, artifact["collection_id"], artifact_id, json.loads(artifact["wanted_aliases"]), now)
    digest = digest_of(content["contents"]) if artifact["distributed_id"] else artifact["digest"]
    db.execute(
        "UPDATE artifacts SET state = ?, version = ?, size = ?, digest = ?, updated_at = ? WHERE id = ?",
        (COMMITTED, version, size, digest, now, artifact_id),
    )
    return by_id(db, artifact_id)


def _whole_manifest(db: sqlite3.Connection, store: Blobs, artifact: Row, now: float) -> dict[str, Any]:
    """The manifest together with its base: the other runs' patches, or the version that it changes."""
    row = manifest(db, artifact["manifest_id"]) if artifact["manifest_id"] else None
    if row is None or row["sha256"] is None:
        raise Refused(f"artifact {artifact['id']} has no manifest yet: upload it before committing")
    content = _read_manifest(store, row)
    if row["type"] == PATCH:
        parts = _patches(db, artifact["id"])
    elif row["type"] != FULL and row["base_artifact_id"] is not None:
        parts = [manifest(db, by_id(db, row["base_artifact_id"])["manifest_id"]), row]
    else:
        return content
    content["contents"] = {
        path: entry for part in parts for path, entry in _read_manifest(store, part)["contents"].items()
    }
    put_manifest(db, row["id"], store.add(json.dumps(content).encode()), now)
    return content


def _patches(db: sqlite3.Connection, artifact_id: int) -> list[Row]:
    """Patches of an artifact that several runs fill together, in the order of their coming."""
    return db.execute(
        "SELECT * FROM manifests WHERE artifact_id = ? AND type = ? AND sha256 IS NOT NULL ORDER BY id",
        (artifact_id, PATCH),
    ).fetchall()


def digest_of(contents: dict[str, Any]) -> str:
    """The digest that the client gives to an artifact with these contents (`ArtifactManifestV1.digest`)."""
    lines = [f"{path}:{entry['digest']}\n" for path, entry in sorted(contents.items())]
    text = "".join(["wandb-artifact-manifest-v1\n", *lines])
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _read_manifest(store: Blobs, row: Row) -> dict[str, Any]:
    try:
        with blobs.open_blob(store.path(row["sha256"])) as file:
            content = parse(file.read().decode(), MAX_MANIFEST_VALUES)
    except (ValueError, OSError):
        content = None
    if not isinstance(content, dict) or not isinstance(content.get("contents"), dict):
        raise Refused("the artifact's manifest is not a manifest: JSON with an object `contents` is expected")
    for path, entry in content["contents"].items():
        check_path(path)
        if not isinstance(entry, dict) or not isinstance(entry.get("digest"), str):
            raise Refused(f"the artifact's manifest says of {path!r} no digest")
        size = 0 if entry.get("size") is None else entry["size"]
        if not isinstance(entry.get("ref"), str | None) or type(size) is not int or not 0 <= size < MAX_SIZE:
            raise Refused(f"the artifact's manifest has a strange size or reference of {path!r}")
    return content


def _put_entries(
    db: sqlite3.Connection, artifact_id: int, contents: dict[str, Any], entities: Collection[str] | None
) -> None:
    found: list[tuple[Any, ...]] = []
    missing = []
    for path, entry in contents.items():
        if entry.get("ref"):
            found.append((artifact_id, path, entry["digest"], entry.get("size") or 0, entry["ref"], None))
            continue
        blob = blobs.by_md5(db, entry["digest"], entities)
        if blob is None:
            missing.append(path)
            continue
        found.append((artifact_id, path, entry["digest"], blob["size"], None, blob["sha256"]))
    if missing:
        raise Refused(f"{len(missing)} files of the artifact were never uploaded, the first is {missing[0]!r}")
    if sum(row[3] for row in found) >= MAX_SIZE:
        raise Refused(f"the artifact's manifest has files of {MAX_SIZE} bytes and more together")
    db.execute("DELETE FROM artifact_entries WHERE artifact_id = ?", (artifact_id,))
    db.executemany("INSERT INTO artifact_entries VALUES (?, ?, ?, ?, ?, ?)", found)


def entries(db: sqlite3.Connection, artifact_id: int, names: list[str] | None = None) -> list[Row]:
    """Files of a version, by path."""
    return db.execute(
        """SELECT * FROM artifact_entries WHERE artifact_id = ?1
        AND (?2 IS NULL OR path IN (SELECT value FROM json_each(?2))) ORDER BY path""",
        (artifact_id, json.dumps(names) if names else None),
    ).fetchall()


def entry(db: sqlite3.Connection, artifact_id: int, path: str) -> Row | None:
    return crud.first(db, "SELECT * FROM artifact_entries WHERE artifact_id = ? AND path = ?", artifact_id, path)


def entries_in_collection(db: sqlite3.Connection, entity: str, project: str, collection: str, md5: str) -> list[Row]:
    """The files of that content in the versions of a collection."""
    return db.execute(
        """SELECT artifact_entries.* FROM projects JOIN collections ON collections.project_id = projects.id
        JOIN memberships ON memberships.collection_id = collections.id
        JOIN artifact_entries ON artifact_entries.artifact_id = memberships.artifact_id
        WHERE projects.entity = ? AND projects.name = ? AND collections.name = ? AND digest = ?
        AND sha256 IS NOT NULL""",
        (entity, project, collection, md5),
    ).fetchall()


def count_entries(db: sqlite3.Connection, artifact_id: int) -> int:
    return int(crud.value(db, "SELECT count(*) FROM artifact_entries WHERE artifact_id = ?", artifact_id))


def in_collection(db: sqlite3.Connection, collection_id: int) -> list[Row]:
    """`{artifact, version}` columns of the committed members, newest first."""
    return db.execute(
        """SELECT artifacts.*, memberships.version AS member_version FROM memberships
        JOIN artifacts ON artifacts.id = memberships.artifact_id
        WHERE memberships.collection_id = ? AND state = ? ORDER BY memberships.version DESC""",
        (collection_id, COMMITTED),
    ).fetchall()


def of_project(db: sqlite3.Connection, project_id: int) -> list[Row]:
    """The versions of all its sequences, in the order in which they were committed."""
    return db.execute(
        """SELECT artifacts.* FROM artifacts JOIN collections ON collections.id = artifacts.collection_id
        JOIN memberships ON memberships.artifact_id = artifacts.id AND memberships.collection_id = collections.id
        WHERE project_id = ? AND state = ? ORDER BY memberships.id""",
        (project_id, COMMITTED),
    ).fetchall()


def logged_by_run(db: sqlite3.Connection, run_id: int) -> list[Row]:
    """Versions that a run logged, also those that were there already."""
    return db.execute(
        """SELECT * FROM artifacts WHERE state = ?2 AND (run_id = ?1
        OR id IN (SELECT artifact_id FROM artifact_relogs WHERE run_id = ?1)) ORDER BY id""",
        (run_id, COMMITTED),
    ).fetchall()


def used_by_run(db: sqlite3.Connection, run_id: int) -> list[Row]:
    return db.execute(
        """SELECT artifacts.* FROM artifact_uses JOIN artifacts ON artifacts.id = artifact_id
        WHERE artifact_uses.run_id = ? AND state = ? ORDER BY artifacts.id""",
        (run_id, COMMITTED),
    ).fetchall()


def run_ids_using(db: sqlite3.Connection, artifact_id: int) -> list[int]:
    sql = "SELECT run_id FROM artifact_uses WHERE artifact_id = ? ORDER BY run_id"
    return [row["run_id"] for row in db.execute(sql, (artifact_id,))]


def use(db: sqlite3.Connection, artifact_id: int, run_id: int, used_as: str | None) -> None:
    db.execute("INSERT OR REPLACE INTO artifact_uses VALUES (?, ?, ?)", (artifact_id, run_id, used_as))


def change(db: sqlite3.Connection, artifact_id: int, now: float, **columns: Any) -> Row:
    """Sets description and metadata if given; `ttl`: seconds, -1 inherit, -2 never."""
    texts = {name: columns.get(name) for name in ("description", "metadata")}
    crud.update(db, "artifacts", artifact_id, texts, updated_at=now)
    if columns.get("ttl") is not None:
        ttl = _time_to_live(columns["ttl"])
        db.execute("UPDATE artifacts SET ttl = ?, updated_at = ? WHERE id = ?", (ttl, now, artifact_id))
    return by_id(db, artifact_id)


def _time_to_live(seconds: int | None) -> int | None:
    """The time to live as stored. Raises Refused unless it is a time, -1 (inherit) or -2 (never)."""
    if seconds is not None and seconds < 1 and seconds not in (-1, -2):
        raise Refused(f"the time to live is {seconds}; it must be 1 or more seconds, -1 to inherit, or -2 for ever")
    return None if seconds == -1 else seconds


def delete(db: sqlite3.Connection, artifact_id: int, delete_aliases: bool, now: float) -> Row:
    """Delete a version. Raises Refused if aliases still point at it and `delete_aliases` is false."""
    row = by_id(db, artifact_id)
    held = collections.aliases(db, artifact_id)
    if held and not delete_aliases:
        names = ", ".join(alias["alias"] for alias in held)
        raise Refused(f"the artifact still has the aliases {names}; delete with delete_aliases=True")
    for membership in collections.memberships(db, artifact_id):
        collections.leave(db, membership["collection_id"], artifact_id)
    db.execute("DELETE FROM artifact_entries WHERE artifact_id = ?", (artifact_id,))
    db.execute("UPDATE artifacts SET state = ?, updated_at = ? WHERE id = ?", (DELETED, now, artifact_id))
    return row | {"state": DELETED}


def expire(db: sqlite3.Connection, now: float) -> int:
    """Deletes versions whose time to live has passed, unless a portfolio links to them. Returns their number."""
    due = db.execute(
        """SELECT id FROM artifacts WHERE state = ? AND ttl > 0 AND created_at + ttl < ? AND id NOT IN (
            SELECT artifact_id FROM memberships JOIN collections ON collections.id = memberships.collection_id
            WHERE kind = ?)""",
        (COMMITTED, now, collections.PORTFOLIO),
    ).fetchall()
    for row in due:
        delete(db, row["id"], True, now)
    return len(due)


def check_digest(md5: str) -> str:
    """A base64 MD5 as manifests hold it. Raises Refused for anything else."""
    try:
        if len(base64.b64decode(md5, validate=True)) == 16:
            return md5
    except ValueError:
        pass
    raise Refused(f"not an MD5 digest in base64: {md5!r}")
