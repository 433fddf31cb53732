"""Sends sweeps, so that their runs belong together there; they are over there, and hand out nothing."""

from server.push import documents as ask
from server.push.remote import Remote
from server.store import Connection, Row, sweeps

PAGE = 100


def push(db: Connection, remote: Remote, project: Row) -> dict[int, str]:
    """Number of each sweep here → its name there. W&B gives the names: a line in the description tells them apart."""
    here = sweeps.of_project(db, project["id"])[::-1]
    there = _marked(remote) if here else {}
    return {sweep["id"]: _push_one(remote, project, sweep, there) for sweep in here}


def mark(project: Row, sweep: Row) -> str:
    return f"pushed from {project['entity']}/{project['name']}/{sweep['name']}"


def _push_one(remote: Remote, project: Row, sweep: Row, there: dict[str, Row]) -> str:
    found = there.get(mark(project, sweep))
    if found is None:
        description = f"{sweep['description'] or ''}\n{mark(project, sweep)}".strip()
        found = remote.graphql_once(
            ask.UPSERT_SWEEP,
            config=sweep["config"],
            description=description,
            entityName=remote.entity,
            projectName=remote.project,
            controller=sweep["controller"],
            scheduler=sweep["scheduler"],
            displayName=sweep["display_name"],
        )["upsertSweep"]["sweep"]
    state = "CANCELED" if sweep["state"] == "CANCELED" else "FINISHED"
    if found["state"] != state:
        remote.graphql(ask.UPSERT_SWEEP, id=found["id"], state=state)
    return str(found["name"])


def _marked(remote: Remote) -> dict[str, Row]:
    """Last line of the description → sweep, of all sweeps of the project there."""
    found: dict[str, Row] = {}
    after = None
    while True:
        place = {"project": remote.project, "entity": remote.entity}
        project = remote.graphql(ask.SWEEPS, after=after, first=PAGE, **place)["project"]
        if project is None:
            return found
        page = project["sweeps"]
        for edge in page["edges"]:
            found[(edge["node"]["description"] or "").rpartition("\n")[2]] = edge["node"]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            return found
