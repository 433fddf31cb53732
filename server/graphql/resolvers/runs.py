"""Runs: upserts by the client, reads by the public API."""

import json
from typing import Any

from common.names import check_name
from server.graphql.context import (
    Context,
    Resolvers,
    column,
    connection,
    ensure_project,
    get_project,
    project_of,
    read_id,
    user,
)
from server.jsontext import dumps, load_object, parse, wandb_section
from server.store import NotFound, Refused, Row, artifacts, runs, streams, sweeps


def of_project(
    row: Row,
    ctx: Context,
    filters: str | None = None,
    after: str | None = None,
    first: int | None = None,
    order: str | None = None,
) -> Row:
    ids = runs.ids(ctx.db, row["id"], filters, order)
    return run_connection(ctx, ids, first, after)


def run_connection(ctx: Context, ids: list[int], first: int | None, after: str | None) -> Row:
    """A page of runs by number; only the rows of the page are read."""
    return connection(ids, first, after, key=lambda run_id: run_id, load=lambda some: runs.get_many(ctx.db, some))


def upsert_bucket(root: Any, ctx: Context, input: Row) -> Row:
    """Null means "leave as it is". A run opened again by its name runs again; a change by id leaves the state alone."""
    with ctx.store.write() as db:
        run, inserted = (
            (runs.by_id(db, read_id("Run", input["id"])), False) if input.get("id") else _find_or_create(ctx, db, input)
        )
        runs.change(
            db,
            run["id"],
            display_name=input.get("display_name") or None,
            group_name=input.get("group_name"),
            commit_hash=input.get("commit"),
            program=input.get("job_program"),
            repo=input.get("job_repo"),
            summary=_check_object("summaryMetrics", input.get("summary_metrics")),
            config=_config(ctx.client, run, _check_object("config", input.get("config"))),
            **{name: input.get(name) for name in ("description", "notes", "job_type", "tags", "host")},
        )
        goes_on = ctx.client and run["exit_code"] is not None and not input.get("host")
        if not input.get("id") and not goes_on:
            _enter_state(db, run, input.get("state"), inserted, ctx.now())
        return {"bucket": runs.by_id(db, run["id"]), "inserted": inserted, "server_settings": {"server_messages": []}}


def _find_or_create(ctx: Context, db: Any, input: Row) -> tuple[Row, bool]:
    project = ensure_project(ctx, input.get("entity_name"), input.get("model_name"))
    name = check_name("run id", input.get("name") or runs.new_name())
    run = runs.find(db, project["id"], name)
    if run is not None:
        return run, False
    _refuse_fork(input.get("config"))
    sweep = sweeps.find(db, project["id"], input["sweep"]) if input.get("sweep") else None
    run_id = runs.insert(
        db,
        project["id"],
        name,
        input.get("state") or "running",
        ctx.now(),
        username=ctx.person.name,
        sweep_id=sweep["id"] if sweep else None,
    )
    return runs.by_id(db, run_id), True


def _refuse_fork(config: str | None) -> None:
    """Refuse a forked run, which has its branching point in its config, and only the rows after that."""
    branch = wandb_section(config).get("branch_point")
    if isinstance(branch, dict):
        raise Refused(
            f"this server cannot fork a run: start a new run without fork_from, not from {branch.get('run_id')!r}"
        )


def _enter_state(db: Any, run: Row, state: str | None, inserted: bool, now: float) -> None:
    if state is None:
        runs.touch(db, run, now)
    elif not inserted:
        runs.set_state(db, run["id"], state, now)


def _config(client: str, run: Row, text: str | None) -> str | None:
    """The new config. If several clients write a run, the values of each are added to the old ones."""
    if not client or text is None:
        return text
    old, new = load_object(run["config"]), load_object(text)
    internal = wandb_section(run["config"]) | wandb_section(text)
    return dumps(old | new | ({"_wandb": {"value": internal}} if internal else {}))


def _check_object(name: str, text: str | None) -> str | None:
    if text is None:
        return None
    try:
        value = parse(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise Refused(f"{name} must be a JSON object")
    return text


def update_run_state(root: Any, ctx: Context, input: Row) -> Row:
    with ctx.store.write() as db:
        run = runs.by_id(db, read_id("Run", input["id"]))
        allowed = {"pending": ("running", "failed", "crashed", "preempted"), "failed": ("pending", "running")}
        if run["sweep_id"] is not None:
            raise Refused("the state of a sweep's run cannot be set from outside")
        if run["state"] not in allowed.get(input["state"], ()):
            raise Refused(f"a {run['state']} run cannot be set to {input['state']!r}")
        runs.set_state(db, run["id"], input["state"], ctx.now())
    return {"success": True}


def stop_run(root: Any, ctx: Context, input: Row) -> Row:
    with ctx.store.write() as db:
        runs.request_stop(db, runs.by_id(db, read_id("Run", input["id"]))["id"], ctx.now())
    return {"success": True}


def delete_run(root: Any, ctx: Context, input: Row) -> Row:
    """Delete a run, or nothing: a client repeats a request whose answer got lost."""
    with ctx.store.write() as db:
        run_id = read_id("Run", input["id"])
        if input.get("delete_artifacts"):
            own = [row for row in artifacts.logged_by_run(db, run_id) if row["run_id"] == run_id]
            for artifact in own:
                artifacts.delete(db, artifact["id"], True, ctx.now())
        runs.delete(db, run_id)
    return {"success": True}


def alert(root: Any, ctx: Context, input: Row) -> Row:
    run = get_run(ctx, input)
    with ctx.store.write() as db:
        runs.add_alert(db, run["id"], input["title"], input["text"], input.get("severity") or "INFO", ctx.now())
    return {"success": True}


def get_run(ctx: Context, input: Row) -> Row:
    """The run that entityName, projectName and runName of an input name. Raises NotFound."""
    project = get_project(ctx, input.get("entity_name"), input.get("project_name"))
    run = runs.find(ctx.db, project["id"], input["run_name"])
    if run is None:
        raise NotFound(f"run {project['entity']}/{project['name']}/{input['run_name']} does not exist")
    return run


def wandb_config(row: Row, ctx: Context, keys: list[str] | None = None) -> str:
    """The section of the config that wandb itself writes; empty for a run that no client opened."""
    values = wandb_section(row["config"])
    return dumps({key: value for key, value in values.items() if keys is None or key in keys})


def system_metrics(row: Row, ctx: Context) -> str:
    last = streams.tail(ctx.db, "system_metrics", row["id"])
    return last[-1] if last else "{}"


def _is_stop_requested(row: Row, ctx: Context) -> bool:
    return row["stop_requested_at"] is not None


RESOLVERS: Resolvers = {
    "Mutation": {
        "upsertBucket": upsert_bucket,
        "updateRunState": update_run_state,
        "stopRun": stop_run,
        "deleteRun": delete_run,
        "notifyScriptableRunAlert": alert,
    },
    "Run": {
        "projectId": column("project_id"),
        "project": project_of,
        "sweepName": column("sweep"),
        "group": column("group_name"),
        "commit": column("commit_hash"),
        "readOnly": lambda row, ctx: not ctx.person.owns(row["entity"]),
        "tags": lambda row, ctx: json.loads(row["tags"]),
        "user": lambda row, ctx: user(ctx, row["username"]),
        "exitcode": column("exit_code"),
        "systemMetrics": system_metrics,
        "summaryMetrics": column("summary"),
        "wandbConfig": wandb_config,
        "shouldStop": _is_stop_requested,
        "stopped": _is_stop_requested,
        "failed": lambda row, ctx: row["state"] in ("failed", "crashed"),
        "running": lambda row, ctx: row["state"] in runs.ALIVE,
    },
}
