"""What a person sees in a browser, at the addresses that the wandb client prints.

On loopback the pages ask for no key, so that a link in a terminal simply opens: who can connect there is on this
machine. A web site could still try, from the person's own browser. One that lets its name point to 127.0.0.1 (DNS
rebinding) sends that name as Host, which is refused; one that links here cannot read the answer, and the pages only
ever read. On any other address, and as soon as there are users with rights of their own, the pages ask for a key, as
the password of Basic authentication.
"""

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from server.pages import artifact as artifact_page
from server.pages import home as home_page
from server.pages import report as report_page
from server.pages import run as run_page
from server.pages import sweep as sweep_page
from server.pages.guard import guarded, person, project_of
from server.pages.render import missing, render
from server.pages.static_files import endpoint as static
from server.store import Store, runs, sweeps

__all__ = ["artifact", "authorize", "home", "nothing", "project", "report", "run", "static", "sweep"]


def _store(request: Request) -> Store:
    store: Store = request.app.state.store
    return store


@guarded
def home(request: Request) -> Response:
    return HTMLResponse(render("home.html", **home_page.gather(_store(request), person(request))))


@guarded
def authorize(request: Request) -> Response:
    folder = _store(request).folder.resolve()
    return PlainTextResponse(
        f"The API key of this server is in {folder}/api-key, which only its owner can read.\n"
    )


@guarded
def project(request: Request) -> Response:
    row = project_of(request)
    if row is None:
        return _missing(request, "There is no project {entity}/{project}.")
    return HTMLResponse(render("project.html", **home_page.gather_project(_store(request), row)))


@guarded
def run(request: Request) -> Response:
    project, store = project_of(request), _store(request)
    row = runs.find(store.db, project["id"], request.path_params["run"]) if project else None
    if row is None:
        return _missing(request, "There is no run {run} in {entity}/{project}.")
    number = request.query_params.get("page", "")
    page = int(number) if number.isascii() and number.isdecimal() and len(number) < 10 else 1
    shown = run_page.gather(store, request.app.state.signer, row, person(request), page)
    return HTMLResponse(render("run.html", **shown))


@guarded
def sweep(request: Request) -> Response:
    project, store = project_of(request), _store(request)
    row = sweeps.find(store.db, project["id"], request.path_params["sweep"]) if project else None
    if project is None or row is None:
        return _missing(request, "There is no sweep {sweep} in {entity}/{project}.")
    return HTMLResponse(render("sweep.html", **sweep_page.gather(store, project, row)))


@guarded
def artifact(request: Request) -> Response:
    """`TYPE/COLLECTION/ALIAS`, as the client's own links have it."""
    project, path, signer = project_of(request), request.path_params["path"], request.app.state.signer
    shown = artifact_page.gather(_store(request), signer, project, path, person(request)) if project else None
    if shown is None:
        return _missing(request, "There is no artifact {path} in {entity}/{project}.")
    return HTMLResponse(render("artifact.html", **shown))


@guarded
def report(request: Request) -> Response:
    """`TITLE--ID`, as the client's own links have it."""
    project = project_of(request)
    shown = report_page.gather(_store(request), project, request.path_params["report"]) if project else None
    if shown is None:
        return _missing(request, "There is no report {report} in {entity}/{project}.")
    return HTMLResponse(render("report.html", **shown))


@guarded
def nothing(request: Request) -> Response:
    return _missing(request, "There is nothing at this address.")


def _missing(request: Request, what: str) -> Response:
    there = project_of(request) if "project" in request.path_params else None
    return missing(_store(request), what.format(**request.path_params), there, person(request))
