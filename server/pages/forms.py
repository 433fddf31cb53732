"""Forms that change runs, sweeps, aliases and views. Each needs a login with the right to change it."""

from collections.abc import Mapping
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from common.names import check_name
from server.pages.access_control import Form, check_owner, form_action, project_of, store_of
from server.pages.overview import saved_views
from server.pages.render import part, project_address
from server.scheduler import scheduler
from server.store import NotFound, Refused, Row, Store, collections, runs, sweeps, views

MOST = {"display_name": 300, "notes": 20_000, "tag": 64, "alias": 128, "view": 120}  # characters
MAX_TAGS = 50
Wanted = TypeVar("Wanted")
SWEEP_STATES = {"pause": "PAUSED", "resume": "RUNNING", "stop": "FINISHED", "cancel": "CANCELED"}


@form_action
def change_run(request: Request, form: Form) -> Response:
    """`action`: edit (name, notes, tags: those that the form has), stop or delete."""
    project, store = _own_project(request), store_of(request)
    name = request.path_params["run"]
    with store.write() as db:
        run = runs.find(db, project["id"], name)
        if run is None:
            raise NotFound(f"There is no run {name} in {project['entity']}/{project['name']}.")
        _act(form, {"edit": _edit_run, "stop": _stop_run, "delete": _delete_run})(store, run, form)
    there = "" if form["action"] == "delete" else f"/runs/{part(name)}{_tab(form)}"
    return RedirectResponse(project_address(project) + there, 303)


def _edit_run(store: Store, run: Row, form: Form) -> None:
    new = {field: form[field].strip() for field in ("display_name", "notes") if field in form}
    for field, text in new.items():
        _check_length(field.replace("_", " "), text, MOST[field])
    if new.get("display_name") == "":
        raise Refused("A run needs a name.")
    tags = None
    if "tags" in form:
        tags = list(dict.fromkeys(tag.strip() for tag in form["tags"].split(",") if tag.strip()))
        if len(tags) > MAX_TAGS:
            raise Refused(f"A run has at most {MAX_TAGS} tags, not {len(tags)}.")
        for tag in tags:
            _check_length("tag", tag, MOST["tag"])
    runs.change(store.db, run["id"], tags=tags, **new)


def _stop_run(store: Store, run: Row, form: Form) -> None:
    if run["state"] not in (*runs.ALIVE, "pending"):
        raise Refused(f"The run is {run['state']}: there is nothing to stop.")
    if run["stop_requested_at"] is None:
        runs.request_stop(store.db, run["id"], store.clock())
        sweeps.record_stop(store.db, run["id"], "stopped by hand")


def _delete_run(store: Store, run: Row, form: Form) -> None:
    """Delete a run. Its artifacts stay, as W&B's do by default."""
    if run["state"] in runs.ALIVE:
        raise Refused("The run goes on: stop it first.")
    runs.delete(store.db, run["id"])


@form_action
def change_sweep(request: Request, form: Form) -> Response:
    """`action`: pause, resume, stop (no new runs) or cancel (running ones end, too)."""
    project, store = _own_project(request), store_of(request)
    name = request.path_params["sweep"]
    sweep = sweeps.find(store.db, project["id"], name)
    if sweep is None:
        raise NotFound(f"There is no sweep {name} in {project['entity']}/{project['name']}.")
    scheduler.set_state(store, sweep, _act(form, SWEEP_STATES))
    return RedirectResponse(f"{project_address(project)}/sweeps/{part(name)}", 303)


@form_action
def change_view(request: Request, form: Form) -> Response:
    """`action`: save (an address under a name) or delete."""
    project, store = _own_project(request), store_of(request)
    name, place = " ".join(form.get("name", "").split()), project_address(project)
    with store.write() as db:
        if _act(form, {"save": True, "delete": False}):
            _check_length("name", name, MOST["view"])
            if not name:
                raise Refused("A view needs a name.")
            place = saved_views.save(db, project, name, form.get("address", ""), store.clock())
        else:
            for view in views.of_project(db, project["id"], saved_views.TYPE, name)[:1]:
                views.delete(db, view["id"])
    return RedirectResponse(place, 303)


@form_action
def change_artifact(request: Request, form: Form) -> Response:
    """`action`: add or drop an alias."""
    project, store = _own_project(request), store_of(request)
    kind, name, version = (request.path_params[key] for key in ("type", "collection", "version"))
    with store.write() as db:
        collection = collections.get(db, project["id"], name)
        member = collections.member(db, collection["id"], version)
        if member is None:
            raise NotFound(f"There is no version {version} of {name}.")
        _act(form, {"add": _add_alias, "drop": _drop_alias})(store, member, form)
    return RedirectResponse(f"{project_address(project)}/artifacts/{part(kind)}/{part(name)}/v{member['version']}", 303)


def _add_alias(store: Store, member: Row, form: Form) -> None:
    alias = form.get("alias", "").strip()
    _check_length("alias", alias, MOST["alias"])
    if collections.is_version(check_name("alias", alias, collections.SEPARATORS)):
        raise Refused(f"{alias} is the name of a version: choose another alias.")
    collections.set_alias(store.db, member["collection_id"], alias, member["artifact_id"])


def _drop_alias(store: Store, member: Row, form: Form) -> None:
    collections.drop_alias(store.db, member["collection_id"], form.get("alias", ""), member["artifact_id"])


def _act(form: Form, actions: Mapping[str, Wanted]) -> Wanted:
    action = form.get("action", "")
    if action not in actions:
        raise Refused(f"This form asks for {action[:40]!r}; it may ask for {', '.join(actions)}.")
    return actions[action]


def _check_length(what: str, text: str, most: int) -> None:
    if len(text) > most:
        raise Refused(f"The {what} has {len(text)} characters; at most {most} fit.")


def _tab(form: Form) -> str:
    tab = form.get("tab", "")
    return f"/{part(tab)}" if tab else ""


def _own_project(request: Request) -> Row:
    project = project_of(request)
    if project is None:
        raise NotFound("There is no project {entity}/{project}.".format(**request.path_params))
    check_owner(request, project["entity"])
    return project
