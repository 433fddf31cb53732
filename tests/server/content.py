"""Projects and runs in a store, as a client would have left them."""

import json
from collections.abc import Sequence
from typing import Any

from server.store import Connection, projects, runs, streams


def add_project(db: Connection, name: str = "p", entity: str = "local") -> int:
    """The number of the project, which may be there already."""
    return int(projects.ensure(db, entity, name, 1.0)[0]["id"])


def configuration(settings: dict[str, Any]) -> str:
    """Settings as the client writes them."""
    return json.dumps({key: {"value": value} for key, value in settings.items()})


def add_run(
    db: Connection,
    project: int,
    name: str = "r",
    settings: dict[str, Any] | None = None,
    rows: Sequence[dict[str, Any]] = (),
    summary: dict[str, Any] | None = None,
    *,
    state: str = "finished",
    begin: float = 1.0,
    end: float = 2.0,
    **columns: Any,
) -> int:
    """The number of a run that has logged these rows."""
    texts = {"config": configuration(settings or {}), "summary": json.dumps(summary or {})}
    run_id = runs.insert(db, project, name, "running", begin, **texts, **columns)
    streams.put_history(db, run_id, 0, [json.dumps(row) for row in rows])
    if state != "running":
        runs.set_state(db, run_id, state, end)
    return run_id
