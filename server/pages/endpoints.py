"""Endpoints of the pages: one function for each address."""

from functools import partial
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse

from server import storage_paths
from server.pages import query_string
from server.pages.access_control import current_address, person, project_of, protect, show, show_sentence, store_of
from server.pages.detail import artifact as artifact_page
from server.pages.detail import run as run_page
from server.pages.media.image_viewer import Link
from server.pages.overview import atom_feed, saved_views, search_results
from server.pages.overview import comparison as comparison_page
from server.pages.overview import home as home_page
from server.pages.overview import project as project_page
from server.pages.overview import sweep as sweep_page
from server.pages.overview.home import show_missing
from server.pages.render import project_address as home_address
from server.pages.report import page as report_page
from server.store import Row, runs, sweeps

PROJECT_PARTS = (
    *("workspace", "table", "overview", "runs", "charts", "settings", "logs", "files", "jobs", "panels", "views"),
)
RUN_TABS = {"workspace": "", "charts": "", "table": "media", "tables": "media", "console": "logs", "model": ""}
"""W&B's names of the parts of a run → ours."""


@protect
def home(request: Request) -> Response:
    return show(request, "home.html", **home_page.gather(store_of(request), person(request)))


@protect
def entity(request: Request) -> Response:
    """The projects of one entity."""
    name = request.path_params["entity"]
    shown = home_page.gather(store_of(request), person(request))
    own = [each for each in shown["projects"] if each["entity"] == name]
    if not own:
        return show_missing(request, "There is no project of {entity}.")
    return show(request, "home.html", **(shown | {"projects": own}))


@protect
def search(request: Request) -> Response:
    text = request.query_params.get("q", "").strip()
    return show(request, "search.html", **search_results.gather(store_of(request), text, person(request)))


@protect
def redirect_part(request: Request) -> Response:
    """Parts of a project and of a sweep that W&B has at addresses of their own, and this server on their page."""
    path, project = request.path_params, project_of(request)
    if project is None:
        return show_missing(request, "There is no project {entity}/{project}.")
    place = home_address(project)
    if "sweep" in path:
        place += f"/sweeps/{quote(path['sweep'], safe='')}"
    elif path["part"] not in PROJECT_PARTS:
        return show_missing(request, "A project has no part {part}.")
    return RedirectResponse(place + (f"?{request.url.query}" if request.url.query else ""), 307)


@protect
def authorize(request: Request) -> Response:
    folder = store_of(request).folder.resolve()
    return PlainTextResponse(f"The API key of this server is in {folder}/api-key, which only its owner can read.\n")


@protect
def run(request: Request) -> Response:
    """A tab of a run: those of `run_page.TABS`, and W&B's own names for them."""
    project, store, path = project_of(request), store_of(request), request.path_params
    row = runs.find(store.db, project["id"], path["run"]) if project else None
    tab, _, rest = path.get("tab", "").partition("/")
    tab = RUN_TABS.get(tab, tab)
    if row is None or project is None:
        return show_missing(request, "There is no run {run} in {entity}/{project}.")
    if tab == "code":
        tab, rest = "files", f"code/{rest}".rstrip("/")
    if tab not in run_page.TABS:
        return show_missing(request, "The page of a run has no part {tab}.")
    page = run_page.Page(store, request.app.state.signer, row, person(request), request.query_params)
    shown = run_page.gather(page, tab, rest)
    if shown is None:
        return show_missing(request, "There is nothing at {tab} of the run {run}.")
    address = partial(query_string.address, request.query_params)
    return show(request, f"run/{tab or 'charts'}.html", address=address, **shown)


@protect
def artifacts(request: Request) -> Response:
    """The collections of a project, of one type if the address has one."""
    project, kind = project_of(request), request.path_params.get("type", "")
    if project is None:
        return show_missing(request, "There is no project {entity}/{project}.")
    search = request.query_params.get("search", "")
    return show(request, "artifacts.html", **artifact_page.list_collections(store_of(request), project, kind, search))


@protect
def artifact(request: Request) -> Response:
    """`TYPE/COLLECTION`, then ALIAS or VERSION or neither, then `files/PATH`, `download` or a part that W&B has."""
    project, store, path = project_of(request), store_of(request), request.path_params
    version, _, rest = path.get("version", "").partition("/")
    part, _, inside = rest.partition("/")
    found = artifact_page.find_member(store, person(request), project, path["collection"], version) if project else None
    if found is None or project is None:
        return show_missing(request, "There is no artifact {collection} {version} in {entity}/{project}.")
    if part == "download":
        return _zip(request, *found)
    inside = inside if part == "files" else ""
    shown = artifact_page.gather(store, request.app.state.signer, project, found, inside, person(request))
    if shown is None:
        return show_missing(request, "There is no such file in {collection} {version}.")
    return show(request, "artifact.html", **shown)


def _zip(request: Request, collection: Row, member: Row, artifact: Row) -> Response:
    try:
        files = artifact_page.files_of(store_of(request), artifact)
    except FileNotFoundError as lost:
        return show_sentence(request, f"The bytes of {lost} are lost or cannot be read on this server.", 404)
    name = quote(f"{collection['name']}-v{member['version']}.zip", safe="")
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}"}
    return StreamingResponse(artifact_page.zip_stream(files), media_type="application/zip", headers=headers)


@protect
def reports(request: Request) -> Response:
    project = project_of(request)
    if project is None:
        return show_missing(request, "There is no project {entity}/{project}.")
    return show(request, "reports.html", **report_page.list_reports(store_of(request), _link(request), project))


@protect
def report(request: Request) -> Response:
    """`TITLE--ID`, as the client's own links have it."""
    project, name = project_of(request), request.path_params["report"]
    shown = report_page.gather(store_of(request), _link(request), project, name, person(request)) if project else None
    if shown is None:
        return show_missing(request, "There is no report {report} in {entity}/{project}.")
    return show(request, "report.html", **shown)


def _link(request: Request) -> Link:
    """A function that signs addresses of files of runs for the reader."""
    store, signer = store_of(request), request.app.state.signer

    def link(run: Row, name: str) -> str:
        path = storage_paths.run_file(run["id"], name)
        return str(signer.url("", "GET", path, person(request).number, store.clock()))

    return link


@protect
def not_found(request: Request) -> Response:
    return show_missing(request, "There is nothing at this address.")


@protect
def project(request: Request) -> Response:
    """`format=csv`: the table that is shown."""
    row, store, asked = project_of(request), store_of(request), request.query_params
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
    return Response(atom_feed.write(store_of(request), row, str(request.base_url)), media_type="application/atom+xml")


@protect
def compare(request: Request) -> Response:
    """`runs=`: names, or ENTITY/PROJECT/RUN, with commas or many times; else those of `sweep=` that pass `q=`."""
    store, inside = store_of(request), "project" in request.path_params
    row = project_of(request) if inside else None
    if inside and row is None:
        return show_missing(request, "There is no project {entity}/{project}.")

    def sign(path: str) -> str:
        return str(request.app.state.signer.url("", "GET", path, person(request).number, store.clock()))

    shown = comparison_page.gather(store, sign, row, request.query_params, person(request))
    return show(request, "compare.html", **(_views(request, row) if row else {"saved": None}), **shown)


@protect
def sweep(request: Request) -> Response:
    """`format=csv`: the table that is shown."""
    project, store, asked = project_of(request), store_of(request), request.query_params
    row = sweeps.find(store.db, project["id"], request.path_params["sweep"]) if project else None
    if project is None or row is None:
        return show_missing(request, "There is no sweep {sweep} in {entity}/{project}.")
    if asked.get("format") == "csv":
        return _csv(row["name"], project_page.as_csv(store, project, asked, **sweep_page.table_of(store, row)))
    shown = sweep_page.gather(store, project, row, asked)
    terms = partial(project_page.group_terms, shown["table"], asked=asked)
    return show(request, "sweep.html", terms=terms, **_views(request, project), **shown)


def _views(request: Request, project: Row) -> dict[str, Any]:
    """The project's saved views for its pages, and whether the person may change them."""
    saved = saved_views.list_views(store_of(request).db, project)
    may_change = person(request).owns(project["entity"])
    return {"saved": saved, "view_here": saved_views.current(saved, current_address(request)), "may_change": may_change}


def _csv(name: str, text: str) -> Response:
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}.csv"}
    return PlainTextResponse(text, media_type="text/csv", headers=headers)
