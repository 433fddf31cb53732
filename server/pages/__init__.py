"""What a person sees in a browser, at the addresses that the wandb client prints.

On loopback the pages ask for no key, so that a link in a terminal simply opens: who can connect there is on this
machine. A web site could still try, from the person's own browser. One that lets its name point to 127.0.0.1 (DNS
rebinding) sends that name as Host, which is refused; one that links here cannot read the answer. Who has not logged in
is a guest, who looks and changes nothing. On any other address, and as soon as there are users with rights of their
own, every page asks for a login: with a key, or with the link that the server prints and that works once. What changes
something is a form that only a page of the same login can have made.
"""

from functools import partial
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse

from server import addresses
from server.pages import artifact as artifact_page
from server.pages import home as home_page
from server.pages import overviews, query, search_results
from server.pages import report as report_page
from server.pages import run as run_page
from server.pages.changes import change_artifact, change_run, change_sweep, change_view
from server.pages.guard import person, project_of, protect, show, show_sentence
from server.pages.home import show_missing
from server.pages.login import log_in, log_out
from server.pages.pictures import Link
from server.pages.render import home as home_address
from server.pages.static_files import endpoint as static
from server.store import Row, Store, runs

__all__ = ["change_artifact", "change_run", "change_sweep", "change_view", "log_in", "log_out", "overviews", "static"]

PROJECT_PARTS = (
    *("workspace", "table", "overview", "runs", "charts", "settings", "logs", "files", "jobs", "panels", "views"),
)
RUN_TABS = {"workspace": "", "charts": "", "table": "media", "tables": "media", "console": "logs", "model": ""}
"""What W&B calls the parts of a run, and what they are called here."""


def _store(request: Request) -> Store:
    store: Store = request.app.state.store
    return store


@protect
def home(request: Request) -> Response:
    return show(request, "home.html", **home_page.gather(_store(request), person(request)))


@protect
def entity(request: Request) -> Response:
    """The projects of one entity."""
    name = request.path_params["entity"]
    shown = home_page.gather(_store(request), person(request))
    own = [each for each in shown["projects"] if each["entity"] == name]
    if not own:
        return show_missing(request, "There is no project of {entity}.")
    return show(request, "home.html", **(shown | {"projects": own}))


@protect
def search(request: Request) -> Response:
    text = request.query_params.get("q", "").strip()
    return show(request, "search.html", **search_results.gather(_store(request), text, person(request)))


@protect
def elsewhere(request: Request) -> Response:
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
    folder = _store(request).folder.resolve()
    return PlainTextResponse(f"The API key of this server is in {folder}/api-key, which only its owner can read.\n")


@protect
def run(request: Request) -> Response:
    """A tab of a run: those of `run_page.TABS`, and W&B's own names for them."""
    project, store, path = project_of(request), _store(request), request.path_params
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
    address = partial(query.address, request.query_params)
    return show(request, f"run/{tab or 'charts'}.html", address=address, **shown)


@protect
def artifacts(request: Request) -> Response:
    """The collections of a project, of one type where the address says so."""
    project, kind = project_of(request), request.path_params.get("type", "")
    if project is None:
        return show_missing(request, "There is no project {entity}/{project}.")
    search = request.query_params.get("search", "")
    return show(request, "artifacts.html", **artifact_page.list_collections(_store(request), project, kind, search))


@protect
def artifact(request: Request) -> Response:
    """`TYPE/COLLECTION`, then ALIAS or VERSION or neither, then `files/PATH`, `download` or a part that W&B has."""
    project, store, path = project_of(request), _store(request), request.path_params
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
        files = artifact_page.files_of(_store(request), artifact)
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
    return show(request, "reports.html", **report_page.list_reports(_store(request), _link(request), project))


@protect
def report(request: Request) -> Response:
    """`TITLE--ID`, as the client's own links have it."""
    project, name = project_of(request), request.path_params["report"]
    shown = report_page.gather(_store(request), _link(request), project, name, person(request)) if project else None
    if shown is None:
        return show_missing(request, "There is no report {report} in {entity}/{project}.")
    return show(request, "report.html", **shown)


def _link(request: Request) -> Link:
    """Signs the addresses of files of runs for who looks."""
    store, signer = _store(request), request.app.state.signer

    def link(run: Row, name: str) -> str:
        path = addresses.run_file(run["id"], name)
        return str(signer.url("", "GET", path, person(request).number, store.clock()))

    return link


@protect
def nothing(request: Request) -> Response:
    return show_missing(request, "There is nothing at this address.")
