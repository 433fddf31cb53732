"""Projects, and the runs in them."""

from typing import Any

from server.graphql.context import (
    Context,
    Resolvers,
    column,
    connection,
    constant,
    find_project,
    paginate,
    read_id,
    user,
)
from server.graphql.resolvers import runs
from server.store import NotFound, Row, projects, sweeps
from server.store import runs as stored_runs


def project(root: Any, ctx: Context, name: str | None = None, entity_name: str | None = None) -> Row | None:
    return find_project(ctx, entity_name, name)


def models(
    root: Any, ctx: Context, entity_name: str | None = None, after: str | None = None, first: int | None = None
) -> Row:
    found = [row for row in projects.of_entity(ctx.db, entity_name) if ctx.person.sees(row["entity"])]
    return connection(found, first, after)


def upsert_model(root: Any, ctx: Context, input: Row) -> Row:
    with ctx.store.write() as db:
        name, entity = input.get("name"), input.get("entity_name") or ctx.entity
        if input.get("id"):
            old = projects.by_id(db, read_id("Project", input["id"]))
            name, entity = old["name"], old["entity"]
        row, inserted = projects.ensure(db, entity, name or "", ctx.now(), description=input.get("description"))
    return {"project": row, "model": row, "inserted": inserted}


def run(row: Row, ctx: Context, name: str) -> Row | None:
    return stored_runs.find(ctx.db, row["id"], name)


def bucket(row: Row, ctx: Context, name: str, missing_ok: bool | None = None) -> Row | None:
    found = run(row, ctx, name)
    if found is None and not missing_ok:
        raise NotFound(f"run {row['entity']}/{row['name']}/{name} does not exist")
    return found


RESOLVERS: Resolvers = {
    "Query": {"project": project, "model": project, "models": models},
    "Mutation": {"upsertModel": upsert_model},
    "Project": {
        "internalId": lambda row, ctx: str(row["id"]),
        "entityName": lambda row, ctx: row["entity"],
        "entity": lambda row, ctx: {"name": row["entity"]},
        "access": constant("PRIVATE"),
        "updatedAt": column("created_at"),
        "isBenchmark": constant(False),
        "readOnly": lambda row, ctx: not ctx.person.owns(row["entity"]),
        "user": lambda row, ctx: user(ctx),
        "run": run,
        "bucket": bucket,
        "runCount": lambda row, ctx, filters=None: stored_runs.count(ctx.db, row["id"], filters),
        "runs": runs.of_project,
        "sweep": lambda row, ctx, sweep_name: sweeps.find(ctx.db, row["id"], sweep_name),
        "sweeps": paginate(lambda row, ctx: sweeps.of_project(ctx.db, row["id"])),
        "totalSweeps": lambda row, ctx: len(sweeps.of_project(ctx.db, row["id"])),
    },
}
