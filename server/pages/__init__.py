"""What a person sees in a browser, at the addresses that the wandb client prints.

On loopback the pages ask for no key, so that a link in a terminal simply opens: who can connect there is on this
machine. A web site could still try, from the person's own browser. One that lets its name point to 127.0.0.1 (DNS
rebinding) sends that name as Host, which is refused; one that links here cannot read the answer, and the pages only
ever read. On any other address the pages ask for the key, as the password of Basic authentication.
"""

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from server.pages import artifact as artifact_page
from server.pages import home as home_page
from server.pages import run as run_page
from server.pages import sweep as sweep_page
from server.pages.guard import guarded
from server.pages.render import missing, render
from server.store import Store, projects, runs, sweeps


def _store(request: Request) -> Store:
    store: Store = request.app.state.store
    return store


@guarded
def home(request: Request) -> Response:
    return HTMLResponse(render("home.html", **home_page.gather(_store(request))))


@guarded
def authorize(request: Request) -> Response:
    folder = _store(request).folder.resolve()
    return PlainTextResponse(
        f"The API key of this server is in {folder}/api-key, which only its owner can read.\n"
    )


@guarded
def project(request: Request) -> Response:
    entity, name = request.path_params["entity"], request.path_params["project"]
    row = projects.find(_store(request).db, entity, name)
    if row is None:
        return missing(_store(request), f"There is no project {entity}/{name}.")
    return HTMLResponse(render("project.html", **home_page.gather_project(_store(request), row)))


@guarded
def run(request: Request) -> Response:
    place = request.path_params
    row = runs.at(_store(request).db, place["entity"], place["project"], place["run"])
    if row is None:
        what = f"There is no run {place['run']} in {place['entity']}/{place['project']}."
        return missing(_store(request), what, place["entity"], place["project"])
    signed = request.app.state.signer
    return HTMLResponse(render("run.html", **run_page.gather(_store(request), signed, row)))


@guarded
def sweep(request: Request) -> Response:
    place, store = request.path_params, _store(request)
    project = projects.find(store.db, place["entity"], place["project"])
    row = sweeps.find(store.db, project["id"], place["sweep"]) if project else None
    if project is None or row is None:
        what = f"There is no sweep {place['sweep']} in {place['entity']}/{place['project']}."
        return missing(store, what, place["entity"], place["project"])
    return HTMLResponse(render("sweep.html", **sweep_page.gather(store, project, row)))


@guarded
def artifact(request: Request) -> Response:
    """`TYPE/COLLECTION/ALIAS`, as the client's own links have it."""
    place, store = request.path_params, _store(request)
    project = projects.find(store.db, place["entity"], place["project"])
    shown = artifact_page.gather(store, request.app.state.signer, project, place["path"]) if project else None
    if shown is None:
        what = f"There is no artifact {place['path']} in {place['entity']}/{place['project']}."
        return missing(store, what, place["entity"], place["project"])
    return HTMLResponse(render("artifact.html", **shown))


@guarded
def nothing(request: Request) -> Response:
    return missing(_store(request), "There is nothing at this address.")
