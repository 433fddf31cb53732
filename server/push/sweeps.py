"""Sends sweeps, so that their runs belong together there, as finished ones that hand out nothing."""

from typing import Any

from server.push import operations as ask
from server.push.remote import NOTHING, Remote
from server.store import Connection, Row, sweeps

PAGE = 100


def push(db: Connection, remote: Remote, project: Row) -> dict[int, str]:
    """Number of each sweep here → its name there. W&B gives the names: a line in the description tells them apart."""
    here = sweeps.of_project(db, project["id"])[::-1]
    there = _sweeps_by_mark(remote) if here else {}
    return {sweep["id"]: _push_one(remote, project, sweep, there) for sweep in here}


def mark(project: Row, sweep: Row) -> str:
    return f"pushed from {project['entity']}/{project['name']}/{sweep['name']}"


def _push_one(remote: Remote, project: Row, sweep: Row, there: dict[str, Row]) -> str:
    found = there.get(mark(project, sweep))
    if found is None:
        description = f"{sweep['description'] or ''}\n{mark(project, sweep)}".strip()
        found = remote.graphql_once(
            ask.UPSERT_SWEEP,
            _read_sweep,
            config=sweep["config"],
            description=description,
            entityName=remote.entity,
            projectName=remote.project,
            controller=sweep["controller"],
            scheduler=sweep["scheduler"],
            displayName=sweep["display_name"],
        )
    if found["state"] not in ("FINISHED", "CANCELED"):
        state = "CANCELED" if sweep["state"] == "CANCELED" else "FINISHED"
        remote.graphql(ask.UPSERT_SWEEP, _read_sweep, id=found["id"], state=state)
    return str(found["name"])


def _read_sweep(data: Any) -> Row:
    sweep = data["upsertSweep"]["sweep"]
    return {name: str(sweep[name]) for name in ("id", "name", "state")}


def _sweeps_by_mark(remote: Remote) -> dict[str, Row]:
    """Last line of the description → sweep, of all sweeps of the project there."""
    place = {"project": remote.project, "entity": remote.entity}
    nodes = remote.pages(ask.SWEEPS, _sweeps, first=PAGE, **place)
    return {str(node["description"] or "").rpartition("\n")[2]: node for node in nodes}


def _sweeps(data: Any) -> Any:
    return data["project"]["sweeps"] if data["project"] else NOTHING
