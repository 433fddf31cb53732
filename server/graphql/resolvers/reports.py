"""Reports and workspaces: saved by the client's own libraries, kept as they are."""

from typing import Any

from common.names import check_name
from server.graphql import rights
from server.graphql.context import Context, Resolvers, connection, get_project, project_of, read_id, user
from server.store import Row, views


def view(root: Any, ctx: Context, id: str) -> Row:
    return views.by_id(ctx.db, rights.check_visible(ctx, "View", read_id("View", id)))


def upsert_view(root: Any, ctx: Context, input: Row) -> Row:
    with ctx.store.write() as db:
        if input.get("id"):
            old = views.by_id(db, read_id("View", input["id"]))
            view_id, inserted = old["id"], False
            if input.get("name") not in (None, old["name"]):
                check_name("report", input["name"])
        else:
            project = get_project(ctx, input.get("entity_name"), input.get("project_name"))
            name = check_name("report", input.get("name") or f"view-{int(ctx.now() * 1e6):x}")
            view_id, inserted = (views.insert(db, project["id"], input.get("type") or "runs", name, ctx.now()), True)
        columns = ("name", "display_name", "description", "spec", "type")
        views.change(db, view_id, ctx.now(), **{column: input.get(column) for column in columns})
        return {"view": views.by_id(db, view_id), "inserted": inserted}


def delete_view(root: Any, ctx: Context, input: Row) -> Row:
    with ctx.store.write() as db:
        views.delete(db, views.by_id(db, read_id("View", input["id"]))["id"])
    return {"success": True, "pending_drafts": 0}


def all_views(
    row: Row,
    ctx: Context,
    view_type: str | None = None,
    view_name: str | None = None,
    first: int | None = None,
    after: str | None = None,
) -> Row:
    return connection(views.of_project(ctx.db, row["id"], view_type, view_name), first, after)


RESOLVERS: Resolvers = {
    "Query": {"view": view},
    "Mutation": {"upsertView": upsert_view, "deleteView": delete_view},
    "Project": {"allViews": all_views},
    "View": {"user": lambda row, ctx: user(ctx), "project": project_of},
}
