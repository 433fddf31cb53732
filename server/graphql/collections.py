"""Artifact types, collections and memberships; links."""

from typing import Any

from server.graphql import access
from server.graphql.common import (
    Info,
    Resolvers,
    connection,
    constant,
    context,
    existing_project,
    global_id,
    id_of,
    number_in,
    time_of,
)
from server.jsontext import load_object
from server.store import NotFound, Refused, Row, artifacts, collections, projects

FILTERS = ("name", "type", "description")
ORDERS = {name: name for name in FILTERS}
TIMES = {"createdAt": "created_at", "updatedAt": "updated_at"}
ORDERS |= TIMES | {name: name for name in TIMES.values()}


def type_of(collection: Row) -> Row:
    return {name: collection[name] for name in ("id", "project_id", "created_at")} | {"name": collection["type"]}


def artifact_type(row: Row, info: Info, name: str) -> Row | None:
    return next((t for t in collections.types(context(info).db, row["id"]) if t["name"] == name), None)


def artifact_types(row: Row, info: Info, after: str | None = None, first: int | None = None) -> Row:
    return connection(collections.types(context(info).db, row["id"]), first, after)


def collection_by_id(root: Any, info: Info, id: str) -> Row:
    return collections.by_id(context(info).db, access.must_see(info, "ArtifactCollection", _number(id)))


def _number(text: str) -> int:
    return number_in("ArtifactCollection", text)


def collection(row: Row, info: Info, name: str) -> Row | None:
    return collections.find(context(info).db, row["id"], name)


def alias_names(aliases: list[Row], collection: str) -> list[str]:
    """The aliases of an input, each of which says again which collection it is for. Raises Refused for another one."""
    for alias in aliases:
        if (home := alias["artifact_collection_name"]) != collection:
            raise Refused(f"the alias {alias['alias']!r} is for {home!r}, not {collection!r}")
    return [alias["alias"] for alias in aliases]


def sequence_in_type(row: Row, info: Info, name: str) -> Row | None:
    found = collection_in_type(row, info, name)
    return found if found is not None and found["kind"] == collections.SEQUENCE else None


def collection_in_type(row: Row, info: Info, name: str) -> Row | None:
    found = collections.find(context(info).db, row["project_id"], name)
    return found if found is not None and found["type"] == row["name"] else None


def all_collections(
    row: Row,
    info: Info,
    after: str | None = None,
    first: int | None = None,
    filters: str | None = None,
    order: str | None = None,
) -> Row:
    """Of a project, or of a type in it. Filters on equal values and one order key; others are refused."""
    in_type = "project_id" in row
    rows = collections.of_project(
        context(info).db, row["project_id" if in_type else "id"], row["name"] if in_type else None
    )
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


def membership_named(row: Row, info: Info, name: str) -> Row | None:
    """The membership that `collection:alias` stands for in a project; an artifact's digest works as an alias too."""
    db = context(info).db
    collection_name, alias = collections.parse(name)
    found = collections.find(db, row["id"], collection_name)
    return None if found is None else collections.member(db, found["id"], alias)


def membership_in(row: Row, info: Info, alias_name: str) -> Row | None:
    return collections.member(context(info).db, row["id"], alias_name)


def collection_artifacts(
    row: Row,
    info: Info,
    after: str | None = None,
    first: int | None = None,
    order: str | None = None,
    filters: str | None = None,
) -> Row:
    """Newest version first; `order` may turn that round. Links to what a person may not see are left out."""
    ctx = context(info)
    found = [a for a in artifacts.in_collection(ctx.db, row["id"]) if access.visible(ctx, a)]
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


def collection_aliases(row: Row, info: Info, after: str | None = None, first: int | None = None) -> Row:
    return connection(collections.aliases(context(info).db, collection_id=row["id"]), first, after)


def collection_tags(row: Row, info: Info) -> Row:
    return connection(collections.tags(context(info).db, "collection", row["id"]))


def latest_artifact(row: Row, info: Info) -> Row | None:
    found = collections.member(context(info).db, row["id"], collections.LATEST)
    return None if found is None else artifacts.by_id(context(info).db, found["artifact_id"])


def digest_algorithm(row: Row, info: Info) -> str | None:
    latest = latest_artifact(row, info)
    return None if latest is None else str(latest["digest_algorithm"])


def member_aliases(row: Row, info: Info) -> list[Row]:
    return collections.aliases(context(info).db, row["artifact_id"], row["collection_id"])


def member_collection(row: Row, info: Info) -> Row:
    return collections.by_id(context(info).db, row["collection_id"])


def member_artifact(row: Row, info: Info) -> Row:
    return artifacts.by_id(context(info).db, row["artifact_id"])


def link_artifact(root: Any, info: Info, input: Row) -> Row:
    ctx = context(info)
    artifact = (
        artifacts.by_id(ctx.db, number_in("Artifact", input["artifact_id"]))
        if input.get("artifact_id")
        else artifacts.by_client_id(ctx.db, input.get("client_id") or "")
    )
    if artifact is None or artifact["state"] != artifacts.COMMITTED or not access.visible(ctx, artifact):
        raise NotFound("the artifact to link does not exist, or is not committed yet")
    kind = collections.by_id(ctx.db, artifact["collection_id"])["type"]
    with ctx.store.write() as db:
        if input.get("artifact_portfolio_id"):
            portfolio = collections.by_id(db, _number(input["artifact_portfolio_id"]))
        else:
            project = _home_of_links(info, db, input)
            name = input.get("artifact_portfolio_name") or ""
            portfolio = collections.ensure(db, project["id"], name, kind, collections.PORTFOLIO, ctx.now())
        aliases = alias_names(input.get("aliases") or [], portfolio["name"])
        version = collections.join(db, portfolio["id"], artifact["id"], aliases, ctx.now())
        return {
            "version_index": version,
            "artifact_membership": collections.membership(db, portfolio["id"], artifact["id"]),
        }


def _home_of_links(info: Info, db: Any, input: Row) -> Row:
    """The project to link into, made when it is first named."""
    ctx = context(info)
    entity, name = input.get("entity_name") or ctx.entity, input.get("project_name") or ""
    return projects.ensure(db, entity, name, ctx.now())[0]


def unlink_artifact(root: Any, info: Info, input: Row) -> Row:
    with context(info).store.write() as db:
        collections.leave(db, _number(input["artifact_portfolio_id"]), number_in("Artifact", input["artifact_id"]))
    return {"artifact_id": input["artifact_id"], "success": True}


def change_collection(id_name: str) -> Any:
    def resolve(root: Any, info: Info, input: Row) -> Row:
        ctx = context(info)
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
    def resolve(root: Any, info: Info, input: Row) -> Row:
        with context(info).store.write() as db:
            return {"artifact_collection": collections.delete(db, _number(input[id_name])) | {"state": "DELETED"}}

    return resolve


def change_tags(add: bool) -> Any:
    def resolve(root: Any, info: Info, input: Row) -> Row:
        project = existing_project(info, input["entity_name"], input["project_name"])
        with context(info).store.write() as db:
            row = collections.named(db, project["id"], input["artifact_collection_name"])
            names = [tag["tag_name"] for tag in input["tags"]]
            collections.change_tags(db, "collection", row["id"], names if add else [], [] if add else names)
            return {"success": True, "tags": collections.tags(db, "collection", row["id"])}

    return resolve


COLLECTION: dict[str, Any] = {
    "id": id_of("ArtifactCollection"),
    "createdAt": time_of("created_at"),
    "updatedAt": time_of("updated_at"),
    "state": lambda row, info: row.get("state", "READY"),
    "project": lambda row, info: projects.by_id(context(info).db, row["project_id"]),
    "defaultArtifactType": lambda row, info: type_of(row),
    "tags": collection_tags,
    "aliases": collection_aliases,
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
        "artifactTypes": artifact_types,
        "artifactCollection": collection,
        "artifactCollections": all_collections,
        "artifactCollectionMembership": membership_named,
    },
    "ArtifactType": {
        "id": lambda row, info: global_id("ArtifactType", row["id"]),
        "description": constant(None),
        "createdAt": time_of("created_at"),
        "artifactCollection": collection_in_type,
        "artifactSequence": sequence_in_type,
        "artifactCollections": all_collections,
    },
    "ArtifactSequence": COLLECTION | {"latestArtifact": latest_artifact, "digestAlgorithm": digest_algorithm},
    "ArtifactPortfolio": COLLECTION,
    "ArtifactCollectionMembership": {
        "id": id_of("ArtifactCollectionMembership"),
        "versionIndex": lambda row, info: row["version"],
        "createdAt": time_of("created_at"),
        "aliases": member_aliases,
        "artifactCollection": member_collection,
        "artifact": member_artifact,
    },
    "ArtifactAlias": {
        "id": id_of("ArtifactAlias"),
        "artifactCollection": lambda row, info: collections.by_id(context(info).db, row["collection_id"]),
    },
}
