"""The user behind a request, and the features of this server."""

from typing import Any

from server import clients
from server.graphql.context import Context, Resolvers, constant, global_id, id_of, user
from server.store import Row
from server.store import users as stored_users
from server.store.disk import blobs

FEATURES = (
    "SWEEPS_LOCAL_SCHEDULER",
    "ARTIFACT_DIGEST_ALGORITHM",
    "ARTIFACT_COLLECTIONS_FILTERING_SORTING",
    "USE_ARTIFACT_WITH_ENTITY_AND_PROJECT_INFORMATION",
    "TOTAL_COUNT_IN_FILE_CONNECTION",
    "MARK_RUN_FILES_UPLOADED",
)
# W&B's names of roles.
ROLE_NAMES = {stored_users.OWNER: "admin", stored_users.READER: "viewer"}


def viewer(root: Any, ctx: Context) -> Row:
    return user(ctx)


def users(root: Any, ctx: Context, query: str | None = None) -> Row:
    """The person who asks; for an admin, everybody. `query` is a part of the name; the person of just that is first."""
    others = [person.name for person in stored_users.all_users(ctx.db)] if ctx.person.admin else []
    wanted = (query or "").casefold()
    names = [name for name in dict.fromkeys([ctx.person.name, *others]) if wanted in name.casefold()]
    return {"edges": [{"node": user(ctx, name)} for name in sorted(names, key=lambda name: name != query)]}


def server_info(root: Any, ctx: Context) -> Row:
    """The server's own facts; nothing is known about newer ones, so `latestLocalVersionInfo` is null."""
    return {
        "features": [{"name": name, "is_enabled": True} for name in FEATURES],
        "cli_version_info": {"max_cli_version": clients.NEWEST},
    }


def entity(root: Any, ctx: Context, name: str | None = None) -> Row:
    return {"name": name or ctx.entity}


def organization(root: Any, ctx: Context) -> None:
    """Always None: there are no organizations."""


def teams(row: Row, ctx: Context) -> Row:
    """The entities that a person may write to, of another person those that the asking one may see."""
    person = stored_users.by_name(ctx.db, row["name"]) or ctx.person
    return {"edges": [{"node": {"name": name}} for name in person.own_entities if ctx.person.sees(name)]}


def members(row: Row, ctx: Context) -> list[Row]:
    found = stored_users.members(ctx.db, row["name"])
    if not found and ctx.person.admin:
        return [user(ctx)]
    return [user(ctx, member["name"]) | {"role": ROLE_NAMES[member["role"]]} for member in found]


def api_keys(row: Row, ctx: Context) -> Row:
    """The id of one's own key, its first characters; a key that was made before ids were kept has none."""
    if row["name"] != ctx.person.name:
        return {"edges": []}
    known = stored_users.key_id(ctx.settings.api_key) if ctx.person.admin else ctx.person.key_id
    node = {"id": global_id("ApiKey", ctx.person.number), "name": known}
    return {"edges": [{"node": node}] if known else []}


def own_organization(row: Row, ctx: Context) -> Row:
    """An entity is its own organization: its registries are projects of the entity."""
    return {"id": global_id("Organization", 1), "name": row["name"], "org_entity": {"name": row["name"]}}


def storage_bytes(row: Row, ctx: Context) -> int:
    return blobs.total_size(ctx.db, row["name"])


RESOLVERS: Resolvers = {
    "Query": {
        "viewer": viewer,
        "users": users,
        "serverInfo": server_info,
        "entity": entity,
        "organization": organization,
    },
    "User": {
        "id": id_of("User"),
        "admin": lambda row, ctx: row["name"] == stored_users.LOCAL,
        "flags": constant("{}"),
        "apiKeys": api_keys,
        "teams": teams,
        "organizations": constant([]),
    },
    "Entity": {
        "id": lambda row, ctx: global_id("Entity", 1),
        "available": constant(False),
        "readOnly": lambda row, ctx: not ctx.person.owns(row["name"]),
        "readOnlyAdmin": constant(False),
        "isTeam": constant(False),
        "entityType": constant("user"),
        "privateOnly": constant(False),
        "storageBytes": storage_bytes,
        "codeSavingEnabled": constant(True),
        "defaultAccess": constant("PRIVATE"),
        "isPaid": constant(False),
        "members": members,
        "organization": own_organization,
        "xxhashDigestsEnabled": constant(False),
        "user": lambda row, ctx: user(ctx, row["name"]),
    },
    "Member": {"id": id_of("User"), "admin": constant(False), "accountType": constant("USER")},
}
