"""Artifact types, collections and memberships; links."""

from typing import Any

from server.graphql import rights
from server.graphql.context import (
    Context,
    Resolvers,
    connection,
    ensure_project,
    get_project,
    id_of,
    paginate,
    project_of,
    read_id,
)
from server.jsontext import load_object
from server.store import NotFound, Refused, Row, artifacts, collections

FILTERS = ("name", "type", "description")
ORDERS = {name: name for name in FILTERS}
TIMES = {"createdAt": "created_at", "updatedAt": "updated_at"}
ORDERS |= TIMES | {name: name for name in TIMES.values()}


def type_of(collection: Row, ctx: Context) -> Row | None:
    return collections.find_type(ctx.db, collection["project_id"], collection["type"])


def artifact_type(row: Row, ctx: Context, name: str) -> Row | None:
    return collections.find_type(ctx.db, row["id"], name)


def collection_by_id(root: Any, ctx: Context, id: str) -> Row:
    return collections.by_id(ctx.db, rights.check_visible(ctx, "ArtifactCollection", _number(id)))


def _number(text: str) -> int:
    return read_id("ArtifactCollection", text)


def collection(row: Row, ctx: Context, name: str) -> Row | None:
    return collections.find(ctx.db, row["id"], name)


def alias_names(aliases: list[Row], collection: str) -> list[str]:
    """The aliases of an input, each of which repeats its collection. Raises Refused for another collection."""
    for alias in aliases:
        if (home := alias["artifact_collection_name"]) != collection:
            raise Refused(f"the alias {alias['alias']!r} is for {home!r}, not {collection!r}")
    return [alias["alias"] for alias in aliases]


def sequence_in_type(row: Row, ctx: Context, name: str) -> Row | None:
    found = collection_in_type(row, ctx, name)
    return found if found is not None and found["kind"] == collections.SEQUENCE else None


def collection_in_type(row: Row, ctx: Context, name: str) -> Row | None:
    found = collections.find(ctx.db, row["project_id"], name)
    return found if found is not None and found["type"] == row["name"] else None


def all_collections(
    row: Row,
    ctx: Context,
    after: str | None = None,
    first: int | None = None,
    filters: str | None = None,
    order: str | None = None,
) -> Row:
    """Collections of a project, or of a type in it. Filters on equal values and one order key; others are refused."""
    in_type = "project_id" in row
    rows = collections.of_project(ctx.db, row["project_id" if in_type else "id"], row["name"] if in_type else None)
    for key, value in load_object(filters).items():
        if key not in FILTERS or not isinstance(value, str):
            raise Refused(f"artifact collections cannot be filtered by {key!r}: {value!r}")
        rows = [row for row in rows if row[key] == value]
    if order:
        column = ORDERS.get(order.lstrip("+-"))
        if column is None:
            raise Refused(f"artifact collections cannot be ordered by {order!r}")
        rows = sorted(rows, key=lambda row: row[column] or "", reverse=order.startswith("-"))
    return connection(rows, first, after)


def membership_by_name(row: Row, ctx: Context, name: str) -> Row | None:
    """The membership that `collection:alias` stands for in a project; an artifact's digest works as an alias too."""
    db = ctx.db
    collection_name, alias = collections.parse(name)
    found = collections.find(db, row["id"], collection_name)
    return None if found is None else collections.member(db, found["id"], alias)


def membership_in(row: Row, ctx: Context, alias_name: str) -> Row | None:
    return collections.member(ctx.db, row["id"], alias_name)


def collection_artifacts(
    row: Row,
    ctx: Context,
    after: str | None = None,
    first: int | None = None,
    order: str | None = None,
    filters: str | None = None,
) -> Row:
    """Versions, newest first; `order` may turn that round. Links to things that a person may not see are left out."""
    found = [a for a in artifacts.in_collection(ctx.db, row["id"]) if rights.is_visible(ctx, a)]
    for key, value in load_object(filters).items():
        if key not in ("state", "versionIndex", "version_index", "digest"):
            raise Refused(f"artifacts cannot be filtered by {key!r}")
        name = {"versionIndex": "member_version", "version_index": "member_version"}.get(key, key)
        found = [artifact for artifact in found if artifact[name] == value]
    if (order or "-").startswith("+"):
        found.reverse()
    page = connection(found, first, after)
    for edge in page["edges"]:
        edge["version"] = f"v{edge['node']['member_version']}"
    return page


def latest_artifact(row: Row, ctx: Context) -> Row | None:
    found = collections.member(ctx.db, row["id"], collections.LATEST)
    return None if found is None else artifacts.by_id(ctx.db, found["artifact_id"])


def digest_algorithm(row: Row, ctx: Context) -> str | None:
    latest = latest_artifact(row, ctx)
    return None if latest is None else str(latest["digest_algorithm"])


def collection_of(row: Row, ctx: Context) -> Row:
    """The collection of a version, of a membership or of an alias."""
    return collections.by_id(ctx.db, row["collection_id"])


def member_artifact(row: Row, ctx: Context) -> Row:
    return artifacts.by_id(ctx.db, row["artifact_id"])


def link_artifact(root: Any, ctx: Context, input: Row) -> Row:
    artifact = (
        artifacts.by_id(ctx.db, read_id("Artifact", input["artifact_id"]))
        if input.get("artifact_id")
        else artifacts.by_client_id(ctx.db, input.get("client_id") or "")
    )
    if artifact is None or artifact["state"] != artifacts.COMMITTED or not rights.is_visible(ctx, artifact):
        raise NotFound("the artifact to link does not exist, or is not committed yet")
    kind = collections.by_id(ctx.db, artifact["collection_id"])["type"]
    with ctx.store.write() as db:
        if input.get("artifact_portfolio_id"):
            portfolio = collections.by_id(db, _number(input["artifact_portfolio_id"]))
        else:
            project = ensure_project(ctx, input.get("entity_name"), input.get("project_name"))
            name = input.get("artifact_portfolio_name") or ""
            portfolio = collections.ensure(db, project["id"], name, kind, collections.PORTFOLIO, ctx.now())
        aliases = alias_names(input.get("aliases") or [], portfolio["name"])
        version = collections.join(db, portfolio["id"], artifact["id"], aliases, ctx.now())
        return {
            "version_index": version,
            "artifact_membership": collections.membership(db, portfolio["id"], artifact["id"]),
        }


def unlink_artifact(root: Any, ctx: Context, input: Row) -> Row:
    with ctx.store.write() as db:
        collections.leave(db, _number(input["artifact_portfolio_id"]), read_id("Artifact", input["artifact_id"]))
    return {"artifact_id": input["artifact_id"], "success": True}


def change_collection(id_name: str) -> Any:
    def resolve(root: Any, ctx: Context, input: Row) -> Row:
        with ctx.store.write() as db:
            row = collections.change(
                db,
                _number(input[id_name]),
                ctx.now(),
                name=input.get("name"),
                description=input.get("description"),
                type=input.get("destination_artifact_type_name"),
            )
        return {"artifact_collection": row}

    return resolve


def delete_collection(id_name: str) -> Any:
    def resolve(root: Any, ctx: Context, input: Row) -> Row:
        with ctx.store.write() as db:
            return {"artifact_collection": collections.delete(db, _number(input[id_name])) | {"state": "DELETED"}}

    return resolve


def change_tags(add: bool) -> Any:
    def resolve(root: Any, ctx: Context, input: Row) -> Row:
        project = get_project(ctx, input["entity_name"], input["project_name"])
        with ctx.store.write() as db:
            row = collections.get(db, project["id"], input["artifact_collection_name"])
            names = [tag["tag_name"] for tag in input["tags"]]
            collections.change_tags(db, "collection", row["id"], names if add else [], [] if add else names)
            return {"success": True, "tags": collections.tags(db, "collection", row["id"])}

    return resolve


COLLECTION: dict[str, Any] = {
    "id": id_of("ArtifactCollection"),
    "state": lambda row, ctx: row.get("state", "READY"),
    "project": project_of,
    "defaultArtifactType": type_of,
    "tags": lambda row, ctx: connection(collections.tags(ctx.db, "collection", row["id"])),
    "aliases": paginate(lambda row, ctx: collections.aliases(ctx.db, collection_id=row["id"])),
    "artifacts": collection_artifacts,
    "artifactMembership": membership_in,
}

RESOLVERS: Resolvers = {
    "Query": {"artifactCollection": collection_by_id},
    "Mutation": {
        "linkArtifact": link_artifact,
        "unlinkArtifact": unlink_artifact,
        "updateArtifactSequence": change_collection("artifact_sequence_id"),
        "updateArtifactPortfolio": change_collection("artifact_portfolio_id"),
        "moveArtifactSequence": change_collection("artifact_sequence_id"),
        "deleteArtifactSequence": delete_collection("artifact_sequence_id"),
        "deleteArtifactPortfolio": delete_collection("artifact_portfolio_id"),
        "createArtifactCollectionTagAssignments": change_tags(True),
        "deleteArtifactCollectionTagAssignments": change_tags(False),
    },
    "Project": {
        "artifactType": artifact_type,
        "artifactTypes": paginate(lambda row, ctx: collections.types(ctx.db, row["id"])),
        "artifactCollection": collection,
        "artifactCollections": all_collections,
        "artifactCollectionMembership": membership_by_name,
    },
    "ArtifactType": {
        "artifactCollection": collection_in_type,
        "artifactSequence": sequence_in_type,
        "artifactCollections": all_collections,
    },
    "ArtifactSequence": COLLECTION | {"latestArtifact": latest_artifact, "digestAlgorithm": digest_algorithm},
    "ArtifactPortfolio": COLLECTION,
    "ArtifactCollectionMembership": {
        "versionIndex": lambda row, ctx: row["version"],
        "aliases": lambda row, ctx: collections.aliases(ctx.db, row["artifact_id"], row["collection_id"]),
        "artifactCollection": collection_of,
        "artifact": member_artifact,
    },
    "ArtifactAlias": {"artifactCollection": collection_of},
}
