"""Reports and workspaces: saved by the client's own libraries, kept as they are."""

from typing import Any

from common.names import check_name
from server.graphql import access
from server.graphql.common import (
    Info,
    Resolvers,
    connection,
    context,
    existing_project,
    id_of,
    number_in,
    time_of,
    user,
)
from server.store import Row, projects, views


def view(root: Any, info: Info, id: str) -> Row:
    return views.by_id(context(info).db, access.must_see(info, "View", number_in("View", id)))


def upsert_view(root: Any, info: Info, input: Row) -> Row:
    ctx = context(info)
    with ctx.store.write() as db:
        if input.get("id"):
            old = views.by_id(db, number_in("View", input["id"]))
            view_id, inserted = old["id"], False
            if input.get("name") not in (None, old["name"]):
                check_name("report", input["name"])
        else:
            project = existing_project(info, input.get("entity_name"), input.get("project_name"))
            name = check_name("report", input.get("name") or f"view-{int(ctx.now() * 1e6):x}")
            view_id, inserted = (views.insert(db, project["id"], input.get("type") or "runs", name, ctx.now()), True)
        columns = ("name", "display_name", "description", "spec", "type")
        views.change(db, view_id, ctx.now(), **{column: input.get(column) for column in columns})
        return {"view": views.by_id(db, view_id), "inserted": inserted}


def delete_view(root: Any, info: Info, input: Row) -> Row:
    with context(info).store.write() as db:
        views.delete(db, views.by_id(db, number_in("View", input["id"]))["id"])
    return {"success": True, "pending_drafts": 0}


def all_views(
    row: Row,
    info: Info,
    view_type: str | None = None,
    view_name: str | None = None,
    first: int | None = None,
    after: str | None = None,
) -> Row:
    return connection(views.of_project(context(info).db, row["id"], view_type, view_name), first, after)


RESOLVERS: Resolvers = {
    "Query": {"view": view},
    "Mutation": {"upsertView": upsert_view, "deleteView": delete_view},
    "Project": {"allViews": all_views},
    "View": {
        "id": id_of("View"),
        "user": lambda row, info: user(info),
        "project": lambda row, info: projects.by_id(context(info).db, row["project_id"]),
        "createdAt": time_of("created_at"),
        "updatedAt": time_of("updated_at"),
    },
}
