"""The pages over many runs: a project, a sweep, a comparison."""

from functools import partial
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from server.pages import compare as compare_page
from server.pages import feed as feed_page
from server.pages import project as project_page
from server.pages import saved as saved_views
from server.pages import sweep as sweep_page
from server.pages.guard import current_address, person, project_of, protect, show
from server.pages.home import show_missing
from server.store import Row, Store, sweeps


@protect
def project(request: Request) -> Response:
    """`format=csv`: the table that is shown."""
    row, store, asked = project_of(request), _store(request), request.query_params
    if row is None and request.path_params["project"] == "projects":
        return RedirectResponse(f"/{quote(request.path_params['entity'], safe='')}", 307)
    if row is None:
        return show_missing(request, "There is no project {entity}/{project}.")
    if asked.get("format") == "csv":
        return _csv(row["name"], project_page.as_csv(store, row, asked, first=project_page.FIRST))
    shown = project_page.gather(store, row, asked)
    terms = partial(project_page.group_terms, shown["table"], asked=asked)
    return show(request, "project.html", terms=terms, **_views(request, row), **shown)


@protect
def feed(request: Request) -> Response:
    row = project_of(request)
    if row is None:
        return show_missing(request, "There is no project {entity}/{project}.")
    return Response(feed_page.write(_store(request), row, str(request.base_url)), media_type="application/atom+xml")


@protect
def compare(request: Request) -> Response:
    """`runs=`: names, or ENTITY/PROJECT/RUN, with commas or many times; else those of `sweep=` that pass `q=`."""
    store, inside = _store(request), "project" in request.path_params
    row = project_of(request) if inside else None
    if inside and row is None:
        return show_missing(request, "There is no project {entity}/{project}.")

    def sign(path: str) -> str:
        return str(request.app.state.signer.url("", "GET", path, person(request).number, store.clock()))

    shown = compare_page.gather(store, sign, row, request.query_params, person(request))
    return show(request, "compare.html", **(_views(request, row) if row else {"saved": None}), **shown)


@protect
def sweep(request: Request) -> Response:
    """`format=csv`: the table that is shown."""
    project, store, asked = project_of(request), _store(request), request.query_params
    row = sweeps.find(store.db, project["id"], request.path_params["sweep"]) if project else None
    if project is None or row is None:
        return show_missing(request, "There is no sweep {sweep} in {entity}/{project}.")
    if asked.get("format") == "csv":
        return _csv(row["name"], project_page.as_csv(store, project, asked, **sweep_page.table_of(store, row)))
    shown = sweep_page.gather(store, project, row, asked)
    terms = partial(project_page.group_terms, shown["table"], asked=asked)
    return show(request, "sweep.html", terms=terms, **_views(request, project), **shown)


def _views(request: Request, project: Row) -> dict[str, Any]:
    """What the project's pages say about its saved views, and whether the person may change them."""
    saved = saved_views.list_views(_store(request).db, project)
    may_change = person(request).owns(project["entity"])
    return {"saved": saved, "view_here": saved_views.current(saved, current_address(request)), "may_change": may_change}


def _csv(name: str, text: str) -> Response:
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}.csv"}
    return PlainTextResponse(text, media_type="text/csv", headers=headers)


def _store(request: Request) -> Store:
    store: Store = request.app.state.store
    return store
