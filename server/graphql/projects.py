"""Projects, and what hangs below one."""

from typing import Any

from server.graphql import runs
from server.graphql.common import (
    Info,
    Resolvers,
    connection,
    constant,
    context,
    id_of,
    number_in,
    project_at,
    time_of,
    user,
)
from server.store import NotFound, Row, projects, sweeps
from server.store import runs as stored_runs


def project(root: Any, info: Info, name: str | None = None, entity_name: str | None = None) -> Row | None:
    return project_at(info, entity_name, name)


def models(
    root: Any, info: Info, entity_name: str | None = None, after: str | None = None, first: int | None = None
) -> Row:
    ctx = context(info)
    found = [row for row in projects.listed(ctx.db, entity_name) if ctx.person.sees(row["entity"])]
    return connection(found, first, after)


def upsert_model(root: Any, info: Info, input: Row) -> Row:
    ctx = context(info)
    with ctx.store.write() as db:
        name, entity = input.get("name"), input.get("entity_name") or ctx.entity
        if input.get("id"):
            old = projects.by_id(db, number_in("Project", input["id"]))
            name, entity = old["name"], old["entity"]
        row, inserted = projects.ensure(db, entity, name or "", ctx.now(), description=input.get("description"))
    return {"project": row, "model": row, "inserted": inserted}


def run(row: Row, info: Info, name: str) -> Row | None:
    return stored_runs.find(context(info).db, row["id"], name)


def bucket(row: Row, info: Info, name: str, missing_ok: bool | None = None) -> Row | None:
    found = run(row, info, name)
    if found is None and not missing_ok:
        raise NotFound(f"run {row['entity']}/{row['name']}/{name} does not exist")
    return found


def run_count(row: Row, info: Info, filters: str | None = None) -> int:
    return stored_runs.number(context(info).db, row["id"], filters)


def sweep(row: Row, info: Info, sweep_name: str) -> Row | None:
    return sweeps.find(context(info).db, row["id"], sweep_name)


def all_sweeps(row: Row, info: Info, after: str | None = None, first: int | None = None) -> Row:
    return connection(sweeps.of_project(context(info).db, row["id"]), first, after)


RESOLVERS: Resolvers = {
    "Query": {"project": project, "model": project, "models": models},
    "Mutation": {"upsertModel": upsert_model},
    "Project": {
        "id": id_of("Project"),
        "internalId": lambda row, info: str(row["id"]),
        "entityName": lambda row, info: row["entity"],
        "entity": lambda row, info: {"name": row["entity"]},
        "access": constant("PRIVATE"),
        "createdAt": time_of("created_at"),
        "updatedAt": time_of("created_at"),
        "isBenchmark": constant(False),
        "readOnly": lambda row, info: not context(info).person.owns(row["entity"]),
        "user": lambda row, info: user(info),
        "run": run,
        "bucket": bucket,
        "runCount": run_count,
        "runs": runs.of_project,
        "sweep": sweep,
        "sweeps": all_sweeps,
        "totalSweeps": lambda row, info: len(sweeps.of_project(context(info).db, row["id"])),
    },
}
