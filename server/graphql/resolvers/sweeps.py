"""Sweeps and their agents."""

import json
from typing import Any

from server.graphql import limits
from server.graphql.context import (
    Context,
    Resolvers,
    constant,
    ensure_project,
    get_project,
    global_id,
    project_of,
    read_id,
)
from server.graphql.resolvers.runs import run_connection
from server.jsontext import load_object
from server.scheduler import controller, scheduler, sweep_config
from server.search.past_runs import read_metric
from server.store import NotFound, Refused, Row, sweeps


def upsert_sweep(root: Any, ctx: Context, input: Row) -> Row:
    if input.get("id"):
        return _update(ctx, input)
    if not input.get("config"):
        raise Refused("a new sweep needs a configuration")
    if input.get("state") not in (None, "PENDING"):
        raise Refused(f"a new sweep is PENDING until its first agent comes, not {input['state']}")
    controller.check(load_object(input.get("controller")))
    with ctx.store.write():
        project = ensure_project(ctx, input.get("entity_name"), input.get("project_name"))
        columns = ("description", "display_name", "controller", "scheduler", "prior_runs_filters")
        sweep, warnings = scheduler.create(
            ctx.store, project["id"], input["config"], **{name: input.get(name) for name in columns}
        )
    return {"sweep": sweep, "config_validation_warnings": warnings}


def _update(ctx: Context, input: Row) -> Row:
    sweep = sweeps.by_id(ctx.db, read_id("Sweep", input["id"]))
    state = input.get("state")
    if state is not None and state not in sweeps.STATES:
        raise Refused(f"unknown sweep state {state!r}; known: {', '.join(sweeps.STATES)}")
    warnings: list[str] = []
    if input.get("config"):
        _, warnings = sweep_config.validate(input["config"], sweep["controller"], sweep["scheduler"])
    columns = ("description", "display_name", "scheduler", "prior_runs_filters")
    with ctx.store.sweep_lock(sweep["id"]), ctx.store.write() as db:
        if input.get("config"):
            scheduler.change_config(ctx.store, sweep, input["config"])
        sweeps.change(db, sweep["id"], ctx.now(), **{name: input.get(name) for name in columns})
        if state not in (None, sweep["state"]):
            scheduler.set_state(ctx.store, sweep, state)
        if input.get("controller") is not None:
            controller.follow(ctx.store, sweeps.by_id(db, sweep["id"]), load_object(input["controller"]))
        return {"sweep": sweeps.by_id(db, sweep["id"]), "config_validation_warnings": warnings}


def create_agent(root: Any, ctx: Context, input: Row) -> Row:
    project = get_project(ctx, input.get("entity_name"), input.get("project_name"))
    sweep = sweeps.find(ctx.db, project["id"], input["sweep"])
    if sweep is None:
        raise NotFound(f"sweep {project['entity']}/{project['name']}/{input['sweep']} does not exist")
    return {"agent": scheduler.add_agent(ctx.store, sweep, input["host"])}


def agent_heartbeat(root: Any, ctx: Context, input: Row) -> Row:
    """Raises NotFound for an unknown agent (its sweep was deleted): answered with 404, on which the client leaves."""
    agent = sweeps.agent(ctx.db, read_id("Agent", input["id"]))
    states = load_object(input.get("run_state"))
    commands = scheduler.heartbeat(ctx.store, ctx.settings, agent, {name for name, alive in states.items() if alive})
    return {"agent": agent, "commands": json.dumps(commands)}


def enqueue_run(root: Any, ctx: Context, input: Row) -> Row:
    """A run that the client's own scheduler suggests; the next idle agent gets it."""
    sweep = sweeps.by_id(ctx.db, read_id("Sweep", input["id"]))
    params = {
        key: item["value"] if isinstance(item, dict) and "value" in item else item
        for key, item in load_object(input["config"]).items()
    }
    with ctx.store.sweep_lock(sweep["id"]):
        item = scheduler.add_run(ctx.store, sweep, params, "scheduler", display_name=input.get("display_name"))
    return {"id": item["run"], "run_queue_item_id": None}


def sweep_runs(row: Row, ctx: Context, first: int | None = None, after: str | None = None) -> Row:
    return run_connection(ctx, sweeps.run_ids(ctx.db, row["id"]), first, after)


def prior_runs(row: Row, ctx: Context, first: int | None = None, after: str | None = None) -> Row:
    """The runs that the sweep was told to learn from; they are not runs of the sweep."""
    return run_connection(ctx, scheduler.prior_run_ids(ctx.store, row), first, after)


def heartbeat_at(row: Row, ctx: Context) -> float | None:
    return max((agent["heartbeat_at"] for agent in sweeps.agents(ctx.db, row["id"])), default=None)


def best_loss(row: Row, ctx: Context) -> float | None:
    """The best value of the sweep's metric so far; None if none was logged."""
    metric = read_metric(sweep_config.read_config(row["config"]))
    if metric is None:
        return None
    values = [metric.of(run) for run in scheduler.past_runs(ctx.store, row)]
    known = [value for value in values if value is not None]
    return metric.best(known) if known else None


def run_count_expected(row: Row, ctx: Context) -> int | None:
    """Number of runs that the sweep will have; None if unknown or above 64 bits."""
    number = scheduler.expected_runs_for_client(ctx.store, row)
    return number if number is not None and number < limits.MAX_INT else None


def agent(row: Row, ctx: Context, agent_name: str) -> Row | None:
    """An agent by its id or its name."""
    found = sweeps.agents(ctx.db, row["id"])
    return next((a for a in found if agent_name in (a["name"], global_id("Agent", a["id"]))), None)


def agent_state(row: Row, ctx: Context) -> str:
    return "RUNNING" if ctx.now() - row["heartbeat_at"] < scheduler.AGENT_SILENT else "DISCONNECTED"


def agent_runs(
    row: Row, ctx: Context, after: str | None = None, first: int | None = None, order: str | None = None
) -> Row:
    ids = [run["id"] for run in sweeps.agent_runs(ctx.db, row["id"])]
    if (order or "").startswith("-"):
        ids.reverse()
    return run_connection(ctx, ids, first, after)


RESOLVERS: Resolvers = {
    "Mutation": {
        "upsertSweep": upsert_sweep,
        "createAgent": create_agent,
        "agentHeartbeat": agent_heartbeat,
        "enqueueSweepRun": enqueue_run,
    },
    "Sweep": {
        "method": lambda row, ctx: str(sweep_config.read_config(row["config"]).get("method") or "custom"),
        "heartbeatAt": heartbeat_at,
        "bestLoss": best_loss,
        "runCount": lambda row, ctx: len(sweeps.run_ids(ctx.db, row["id"])),
        "runCountExpected": run_count_expected,
        "earlyStopJobRunning": constant(False),
        "controllerRunName": lambda row, ctx: row["controller_run"],
        "project": project_of,
        "runs": sweep_runs,
        "priorRuns": prior_runs,
        "agents": lambda row, ctx: {"edges": [{"node": each} for each in sweeps.agents(ctx.db, row["id"])]},
        "agent": agent,
    },
    "Agent": {
        "state": agent_state,
        "totalRuns": lambda row, ctx: len(sweeps.agent_runs(ctx.db, row["id"])),
        "runs": agent_runs,
    },
}
