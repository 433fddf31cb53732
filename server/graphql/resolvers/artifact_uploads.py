"""Artifacts as they arrive: create, manifest, files, commit."""

from typing import Any

from server import storage_paths
from server.graphql.context import Context, Resolvers, ensure_project, global_id, read_id
from server.graphql.resolvers.collections import alias_names
from server.store import Refused, Row, artifacts, collections, files, runs
from server.store.disk import blobs


def create_artifact(root: Any, ctx: Context, input: Row) -> Row:
    names = input.get("artifact_collection_names") or []
    name = input.get("artifact_collection_name") or (names[0] if names else "")
    if input.get("storage_region") not in (None, "", ctx.settings.storage_region):
        raise Refused(f"there is no storage region {input['storage_region']!r} here")
    with ctx.store.write() as db:
        project = ensure_project(ctx, input["entity_name"], input["project_name"])
        collection = collections.ensure(
            db, project["id"], name, input["artifact_type_name"], collections.SEQUENCE, ctx.now()
        )
        run = runs.find(db, project["id"], input["run_name"]) if input.get("run_name") else None
        row = artifacts.create(
            db,
            collection,
            ctx.now(),
            deduplicate=bool(input.get("enable_digest_deduplication")),
            digest=input["digest"],
            digest_algorithm=input.get("digest_algorithm") or "MANIFEST_MD5",
            client_id=input.get("client_id"),
            distributed_id=input.get("distributed_id"),
            description=input.get("description"),
            metadata=input.get("metadata"),
            ttl=input.get("ttl_duration_seconds"),
            run_id=run["id"] if run else None,
            history_step=input.get("history_step"),
            wanted_aliases=[collections.check_alias(each) for each in alias_names(input.get("aliases") or [], name)],
        )
        tags = [tag["tag_name"] for tag in input.get("tags") or []]
        collections.change_tags(db, "artifact", row["id"], tags, [])
    return {"artifact": row}


def create_manifest(root: Any, ctx: Context, input: Row) -> Row:
    base = input.get("base_artifact_id")
    with ctx.store.write() as db:
        row = artifacts.ensure_manifest(
            db,
            read_id("Artifact", input["artifact_id"]),
            input["name"],
            input["digest"],
            input.get("type") or "FULL",
            read_id("Artifact", base) if base else None,
        )
    return {"artifact_manifest": row}


def update_manifest(root: Any, ctx: Context, input: Row) -> Row:
    base = input.get("base_artifact_id")
    with ctx.store.write() as db:
        row = artifacts.change_manifest(
            db,
            read_id("ArtifactManifest", input["artifact_manifest_id"]),
            input.get("digest"),
            read_id("Artifact", base) if base else None,
        )
    return {"artifact_manifest": row}


def create_files(root: Any, ctx: Context, input: Row) -> Row:
    """One answer per file, in the order of the request; no address for a file that is here already."""
    with ctx.store.write():
        return {"files": {"edges": [{"node": _upload(ctx, spec)} for spec in input["artifact_files"]]}}


def _upload(ctx: Context, spec: Row) -> Row:
    artifact = artifacts.by_id(ctx.db, read_id("Artifact", spec["artifact_id"]))
    path = storage_paths.artifact_file(
        artifact["id"], artifacts.check_digest(spec["md5"]), files.check_path(spec["name"])
    )
    known = blobs.claim(ctx.db, spec["md5"], ctx.now(), ctx.person.visible_entities)
    return {
        "id": global_id("ArtifactFile", artifact["id"]),
        "name": spec["name"],
        "display_name": spec["name"],
        "storage_path": path.removeprefix("/storage/"),
        "upload_url": None if known else ctx.signed_url("PUT", path),
        "upload_headers": [],
        "upload_multipart_urls": None,
        "artifact": artifact,
    }


def commit_artifact(root: Any, ctx: Context, input: Row) -> Row:
    with ctx.store.write() as db:
        artifact_id = read_id("Artifact", input["artifact_id"])
        seen = ctx.person.visible_entities
        row = artifacts.commit(db, ctx.store.blobs, artifact_id, ctx.now(), seen)
        if row["size"] > ctx.settings.max_upload:
            raise Refused(f"the artifact has {row['size']} bytes; this server takes {ctx.settings.max_upload}")
        return {"artifact": row}


RESOLVERS: Resolvers = {
    "Mutation": {
        "createArtifact": create_artifact,
        "createArtifactManifest": create_manifest,
        "updateArtifactManifest": update_manifest,
        "createArtifactFiles": create_files,
        "commitArtifact": commit_artifact,
    }
}
