"""Who is asking, and what this server can do."""

from typing import Any

from server.graphql.common import Info, Resolvers, constant, context, global_id, id_of, user
from server.store import Row, blobs

FEATURES = (
    "SWEEPS_LOCAL_SCHEDULER",
    "ARTIFACT_DIGEST_ALGORITHM",
    "USE_ARTIFACT_WITH_ENTITY_AND_PROJECT_INFORMATION",
    "TOTAL_COUNT_IN_FILE_CONNECTION",
    "MARK_RUN_FILES_UPLOADED",
)


def viewer(root: Any, info: Info) -> Row:
    return user(info)


def users(root: Any, info: Info, query: str | None = None) -> Row:
    person = user(info)
    found = query in (None, "", person["username"])
    return {"edges": [{"node": person}] if found else []}


def server_info(root: Any, info: Info) -> Row:
    return {"features": [{"name": name, "is_enabled": True} for name in FEATURES]}


def entity(root: Any, info: Info, name: str | None = None) -> Row:
    return {"name": name or context(info).settings.entity}


def storage_bytes(row: Row, info: Info) -> int:
    return blobs.total_size(context(info).db)


RESOLVERS: Resolvers = {
    "Query": {"viewer": viewer, "users": users, "serverInfo": server_info, "entity": entity},
    "User": {
        "id": id_of("User"),
        "admin": constant(False),
        "flags": constant("{}"),
        "apiKeys": constant({"edges": []}),
        "teams": lambda row, info: {"edges": [{"node": {"name": row["entity"]}}]},
        "organizations": constant([]),
    },
    "Entity": {
        "id": lambda row, info: global_id("Entity", 1),
        "available": constant(False),
        "readOnly": constant(False),
        "readOnlyAdmin": constant(False),
        "isTeam": constant(False),
        "entityType": constant("user"),
        "privateOnly": constant(False),
        "storageBytes": storage_bytes,
        "codeSavingEnabled": constant(True),
        "defaultAccess": constant("PRIVATE"),
        "isPaid": constant(False),
        "members": lambda row, info: [user(info)],
        "xxhashDigestsEnabled": constant(False),
        "user": lambda row, info: user(info),
    },
    "Member": {"id": id_of("User"), "admin": constant(False)},
}
