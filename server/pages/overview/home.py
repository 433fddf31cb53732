"""The list of projects, and one project."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from server.pages.access_control import person, project_of, show
from server.pages.render import mark_namesakes
from server.pages.run_table.fields import summary_text
from server.scheduler import scheduler, sweep_config
from server.store import Row, Store, collections, projects, runs, sweeps
from server.store.users import Person

MAX_RUNS = 20


def gather(store: Store, person: Person) -> dict[str, Any]:
    found = [project for project in projects.of_entity(store.db) if person.sees(project["entity"])]
    return {"projects": found, "refresh": None}


def show_missing(request: Request, what: str) -> Response:
    """A 404 with a list of existing things, in the project or at all."""
    store: Store = request.app.state.store
    there = project_of(request) if "project" in request.path_params else None
    values = gather_project(store, there) if there else {"project": None} | gather(store, person(request))
    what = what.format_map({"version": ""} | request.path_params)
    return show(request, "missing.html", 404, **(values | {"what": what, "refresh": None}))


def gather_project(store: Store, project: Row) -> dict[str, Any]:
    ids = runs.ids(store.db, project["id"], None, "-created_at")
    rows = mark_namesakes(runs.get_many(store.db, ids[:MAX_RUNS]))
    return {
        "project": project,
        "runs": [run | {"values": summary_text(run)} for run in rows],
        "n_runs": len(ids),
        "sweeps": describe_sweeps(store, sweeps.of_project(store.db, project["id"])),
        "collections": collections.of_project(store.db, project["id"]),
        "refresh": 10 if any(run["state"] in ("running", "pending") for run in rows) else None,
    }


def describe_sweeps(store: Store, found: Sequence[Row]) -> list[Row]:
    """Sweeps with `title`, `n_runs`, the state for people, and `namesake`: whether another one has that title."""
    n = Counter(map(sweep_title, found))
    return [
        sweep
        | {
            "title": sweep_title(sweep),
            "namesake": n[sweep_title(sweep)] > 1,
            "n_runs": len(sweeps.run_ids(store.db, sweep["id"])),
            "state": sweep_state(store, sweep),
        }
        for sweep in found
    ]


def sweep_state(store: Store, sweep: Row) -> str:
    """The state for people: a sweep that hands out nothing any more is not over while its runs go on."""
    if sweep["state"] not in scheduler.OVER or not sweeps.live_runs(store.db, sweep["id"]):
        return str(sweep["state"]).lower()
    n_runs = len(sweeps.run_ids(store.db, sweep["id"]))
    return ending_state(sweep, n_runs, scheduler.expected_runs(store, sweep))


def ending_state(sweep: Row, n_runs: int, expected: int | None) -> str:
    """State of a sweep with live runs that hands out nothing any more; `expected`: its final number of runs."""
    if sweep["state"] == "CANCELED":
        return "canceling"
    return "finishing" if expected is not None and n_runs >= expected else "stopping"


def sweep_title(sweep: Row) -> str:
    """The name that a person gave it, else its id."""
    return str(sweep["display_name"] or sweep_config.read_config(sweep["config"]).get("name") or sweep["name"])
