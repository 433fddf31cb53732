"""Artifacts as they are read: versions, aliases, files, lineage."""

import mimetypes
from collections.abc import Callable
from typing import Any

from server import storage_paths
from server.graphql import rights
from server.graphql.context import (
    Context,
    Resolver,
    Resolvers,
    connection,
    constant,
    get_project,
    global_id,
    paginate,
    read_id,
)
from server.graphql.resolvers import collections as collection_resolvers
from server.graphql.resolvers.runs import get_run
from server.store import Connection, NotFound, Row, artifacts, collections, runs

TTL_OFF = -2


def artifact(root: Any, ctx: Context, id: str) -> Row | None:
    try:
        return artifacts.by_id(ctx.db, read_id("Artifact", id))
    except NotFound:
        return None


def project_artifact(row: Row, ctx: Context, name: str) -> Row | None:
    membership = collection_resolvers.membership_by_name(row, ctx, name)
    return None if membership is None else artifacts.by_id(ctx.db, membership["artifact_id"])


def artifact_of_type(row: Row, ctx: Context, name: str) -> Row | None:
    found = project_artifact({"id": row["project_id"]}, ctx, name)
    return (
        found if found is not None and collection_resolvers.collection_of(found, ctx)["type"] == row["name"] else None
    )


def client_id_mapping(root: Any, ctx: Context, client_id: str) -> Row | None:
    found = artifacts.by_client_id(ctx.db, client_id)
    hidden = found is None or not rights.is_visible(ctx, found)
    return None if found is None or hidden else {"server_id": global_id("Artifact", found["id"])}


def current_manifest(row: Row, ctx: Context) -> Row | None:
    return artifacts.manifest(ctx.db, row["manifest_id"]) if row["manifest_id"] else None


def created_by(row: Row, ctx: Context) -> Row | None:
    return runs.by_id(ctx.db, row["run_id"]) if row["run_id"] else None


def used_by(row: Row, ctx: Context) -> Row:
    found = runs.get_many(ctx.db, artifacts.run_ids_using(ctx.db, row["id"]))
    return connection([run for run in found if rights.is_visible(ctx, run)])


def memberships(row: Row, ctx: Context) -> Row:
    return connection([m for m in collections.memberships(ctx.db, row["id"]) if rights.is_visible(ctx, m)])


def all_aliases(row: Row, ctx: Context) -> list[Row]:
    """All aliases, with `vN` for every collection that it is in."""
    db = ctx.db
    versions = [m | {"alias": f"v{m['version']}"} for m in collections.memberships(db, row["id"])]
    return [*collections.aliases(db, row["id"]), *versions]


def artifact_files(
    row: Row, ctx: Context, names: list[str] | None = None, after: str | None = None, first: int | None = None
) -> Row:
    """The files of a version, references included: the client downloads all of them."""
    return connection(
        artifacts.entries(ctx.db, row["id"], names),
        first,
        after,
        key=lambda entry: entry["path"],
        load=lambda rows: [_file(row, ctx, e) for e in rows],
    )


def member_files(
    row: Row, ctx: Context, names: list[str] | None = None, after: str | None = None, first: int | None = None
) -> Row:
    return artifact_files(collection_resolvers.member_artifact(row, ctx), ctx, names, after, first)


def _file(row: Row, ctx: Context, entry: Row) -> Row:
    """A file's node; the digest of a reference is the version by the name of its own store."""
    node = {
        "id": global_id("ArtifactFile", row["id"]),
        "name": entry["path"],
        "display_name": entry["path"],
        "path": None,
        "direct_url": entry["ref"],
        "size_bytes": entry["size"],
        "mimetype": mimetypes.guess_type(entry["path"])[0] or "application/octet-stream",
        "updated_at": row["updated_at"],
        "digest": entry["digest"],
        "writable": False,
    }
    if entry["ref"] is not None:
        return node
    path = storage_paths.artifact_file(row["id"], entry["digest"], entry["path"])
    place = {"path": path, "direct_url": ctx.signed_url("GET", path), "storage_path": path.removeprefix("/storage/")}
    return node | place | {"md5": entry["digest"]}


def files_by_entries(row: Row, ctx: Context, entries: list[Row] | None = None) -> Row:
    """The files of entries; an entry without a name stands for every file of that digest."""
    wanted = {(entry.get("name"), entry["digest"]) for entry in entries or []}
    found = [
        e
        for e in artifacts.entries(ctx.db, row["id"])
        if e["ref"] is None and wanted & {(e["path"], e["digest"]), (None, e["digest"])}
    ]
    return connection(found, key=lambda e: e["path"], load=lambda rows: [_file(row, ctx, e) for e in rows])


def manifest_file(row: Row, ctx: Context) -> Row:
    """The manifest's file; its upload address only before the commit, and for a person who may change the artifact."""
    path = storage_paths.manifest(row["id"])
    artifact = artifacts.by_id(ctx.db, row["artifact_id"])
    open = artifact["state"] == artifacts.PENDING and ctx.person.owns(rights.owner_entity(ctx, artifact) or "")
    return {
        "id": global_id("ManifestFile", row["id"]),
        "name": row["name"],
        "display_name": row["name"],
        "direct_url": ctx.signed_url("GET", path),
        "upload_url": ctx.signed_url("PUT", path) if open else None,
        "upload_headers": [],
    }


def of_run(read: Callable[[Connection, int], list[Row]]) -> Resolver:
    return paginate(lambda row, ctx: [each for each in read(ctx.db, row["id"]) if rights.is_visible(ctx, each)])


def use_artifact(root: Any, ctx: Context, input: Row) -> Row:
    run = get_run(ctx, input)
    row = artifacts.by_id(ctx.db, read_id("Artifact", input["artifact_id"]))
    with ctx.store.write() as db:
        artifacts.use(db, row["id"], run["id"], input.get("used_as"))
    return {"artifact": row}


def update_artifact(root: Any, ctx: Context, input: Row) -> Row:
    artifact_id = read_id("Artifact", input["artifact_id"])
    with ctx.store.write() as db:
        row = artifacts.change(
            db,
            artifact_id,
            ctx.now(),
            description=input.get("description"),
            metadata=input.get("metadata"),
            ttl=input.get("ttl_duration_seconds"),
        )
        collections.change_tags(
            db,
            "artifact",
            artifact_id,
            [tag["tag_name"] for tag in input.get("tags_to_add") or []],
            [tag["tag_name"] for tag in input.get("tags_to_delete") or []],
        )
        for alias in input.get("aliases") or []:
            home = collections.by_id(db, row["collection_id"])
            [name] = collection_resolvers.alias_names([alias], home["name"])
            collections.set_alias(db, home["id"], name, artifact_id)
    return {"artifact": row}


def delete_artifact(root: Any, ctx: Context, input: Row) -> Row:
    with ctx.store.write() as db:
        artifact_id = read_id("Artifact", input["artifact_id"])
        return {"artifact": artifacts.delete(db, artifact_id, bool(input.get("delete_aliases")), ctx.now())}


def change_aliases(add: bool) -> Any:
    def resolve(root: Any, ctx: Context, input: Row) -> Row:
        artifact_id = read_id("Artifact", input["artifact_id"])
        with ctx.store.write() as db:
            for alias in input["aliases"]:
                project = get_project(ctx, alias["entity_name"], alias["project_name"])
                collection = collections.get(db, project["id"], alias["artifact_collection_name"])
                change = collections.set_alias if add else collections.drop_alias
                change(db, collection["id"], alias["alias"], artifact_id)
        return {"success": True}

    return resolve


RESOLVERS: Resolvers = {
    "Query": {"artifact": artifact, "clientIDMapping": client_id_mapping},
    "Mutation": {
        "useArtifact": use_artifact,
        "updateArtifact": update_artifact,
        "deleteArtifact": delete_artifact,
        "addAliases": change_aliases(True),
        "deleteAliases": change_aliases(False),
    },
    "Project": {"artifact": project_artifact},
    "ArtifactType": {"artifact": artifact_of_type},
    "ArtifactCollectionMembership": {"files": member_files},
    "Run": {"outputArtifacts": of_run(artifacts.logged_by_run), "inputArtifacts": of_run(artifacts.used_by_run)},
    "Artifact": {
        "artifactSequence": collection_resolvers.collection_of,
        "artifactType": lambda row, ctx: collection_resolvers.type_of(
            collection_resolvers.collection_of(row, ctx), ctx
        ),
        "versionIndex": lambda row, ctx: row["version"],
        "ttlDurationSeconds": lambda row, ctx: TTL_OFF if row["ttl"] is None else row["ttl"],
        "ttlIsInherited": lambda row, ctx: row["ttl"] is None,
        "tags": lambda row, ctx: collections.tags(ctx.db, "artifact", row["id"]),
        "commitHash": lambda row, ctx: f"{row['id']:020x}",
        "fileCount": lambda row, ctx: artifacts.count_entries(ctx.db, row["id"]),
        "aliases": all_aliases,
        "currentManifest": current_manifest,
        "createdBy": created_by,
        "usedBy": used_by,
        "artifactMemberships": memberships,
        "files": artifact_files,
        "filesByManifestEntries": files_by_entries,
    },
    "ArtifactManifest": {"file": manifest_file},
    "Tag": {"tagCategoryName": constant("")},
}
