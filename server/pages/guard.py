"""Who may see the pages; see the package's docstring."""

import functools
import re
from collections.abc import Awaitable, Callable
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from server.people import recognise
from server.settings import Settings
from server.store import Row, Store, projects, users
from server.store.users import Person

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "media-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


def guarded(page: Callable[[Request], Response]) -> Callable[[Request], Awaitable[Response]]:
    """The page for those who may see it, made in a worker thread."""

    @functools.wraps(page)
    async def endpoint(request: Request) -> Response:
        answer = await run_in_threadpool(lambda: _refusal(request) or _tidied(request) or page(request))
        answer.headers.update(HEADERS)
        return answer

    return endpoint


def _tidied(request: Request) -> Response | None:
    """From an address with slashes doubled or at its end, as made from a server's address with one, to the page."""
    path = request.scope["path"]
    tidy = re.sub("/+", "/", path).rstrip("/") or "/"
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(quote(tidy) + query, 308) if tidy != path else None


def person(request: Request) -> Person:
    """Who looks at a guarded page."""
    found: Person = request.state.person
    return found


def project_of(request: Request) -> Row | None:
    """The project of the address; None where there is none, or none that the person may see."""
    entity, name = request.path_params["entity"], request.path_params["project"]
    return projects.find(request.app.state.store.db, entity, name) if person(request).sees(entity) else None


def _refusal(request: Request) -> Response | None:
    """None for somebody who may see pages; `request.state.person` then says who it is."""
    settings: Settings = request.app.state.settings
    store: Store = request.app.state.store
    if settings.pages_need_key or users.exist(store.db):
        found = recognise(store, settings, request.headers.get("authorization"))
        if found is not None:
            request.state.person = found
            return None
        ask = {"WWW-Authenticate": 'Basic realm="user: api, password: your API key"'}
        return PlainTextResponse("These pages need your API key as password.\n", 401, ask)
    host = request.headers.get("host", "").lower()
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
    if name in LOOPBACK_NAMES:
        request.state.person = users.ADMIN
        return None
    return PlainTextResponse("Open this server as http://127.0.0.1 or http://localhost.\n", 403)
