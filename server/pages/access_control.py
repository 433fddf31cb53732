"""Rights to see pages and to make changes on them, logins and their forms; see the package's docstring.

The cookie of a login holds a random token and nothing else. It has a name of its own for each folder: browsers keep one
set of cookies for all servers of a machine.
"""

import functools
import re
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl, quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from common.names import BadName
from server.access import authentication
from server.access.signatures import is_same_key, parse_authorization
from server.pages.render import render
from server.store import NotFound, Refused, Row, Store, logins, ownership, projects, users
from server.store.users import Person

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "media-src 'self'; frame-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",  # with no-referrer, browsers call a form of our own one of "null"
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
MAX_FORM = 1 << 20  # bytes
MAX_FIELDS = 1000
Form = dict[str, str]


def protect(page: Callable[[Request], Response]) -> Callable[[Request], Awaitable[Response]]:
    """The page for a person who may see it, made in a worker thread."""

    @functools.wraps(page)
    async def endpoint(request: Request) -> Response:
        answer = await run_in_threadpool(lambda: _refusal(request) or _redirect_to_tidy(request) or page(request))
        answer.headers.update(HEADERS)
        return answer

    return endpoint


def public(page: Callable[[Request, Form], Response]) -> Callable[[Request], Awaitable[Response]]:
    """A page that needs no login: `person` may be None there. The form is empty if none was sent."""

    @functools.wraps(page)
    async def endpoint(request: Request) -> Response:
        form = await read_form(request) if request.method == "POST" else None

        def answer_page() -> Response:
            _identify(request)
            return page(request, form or {})

        answer = await run_in_threadpool(answer_page)
        answer.headers.update(HEADERS)
        return answer

    return endpoint


def form_action(change: Callable[[Request, Form], Response]) -> Callable[[Request], Awaitable[Response]]:
    """A form that changes something, for a logged-in person and from a page of the same login.

    `change` raises Refused, BadName or NotFound with the sentence that a person reads.
    """

    @functools.wraps(change)
    async def endpoint(request: Request) -> Response:
        form = await read_form(request)
        answer = await run_in_threadpool(lambda: _refusal(request) or _apply_change(request, form, change))
        answer.headers.update(HEADERS)
        return answer

    return endpoint


async def read_form(request: Request) -> Form | None:
    """The fields of a form, the last one of a name; None if it is no form, or too large."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        return None
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM:
            return None
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError:
        return None
    return {name: value.replace("\r\n", "\n") for name, value in pairs}


def _apply_change(request: Request, form: Form | None, change: Callable[[Request, Form], Response]) -> Response:
    if form is None:
        return show_sentence(request, "This is no form of this server, or it is larger than 1 MB.", 400)
    if person(request).guest:
        return ask_to_log_in(request)
    if not is_same_key(form.get("csrf", ""), request.state.csrf):
        return show_sentence(request, "This form is of another login: go back, reload the page and try again.", 403)
    try:
        return change(request, form)
    except (Refused, BadName) as error:
        return show_sentence(request, str(error), 422)
    except NotFound as error:
        return show_sentence(request, str(error), 404)


def check_owner(request: Request, entity: str) -> None:
    """Raises Refused for a person who may only look."""
    if not person(request).owns(entity):
        raise Refused(f"{person(request).name} may read the entity {entity}, not change it")


def may_see(store: Store, person: Person, kind: str, row: Row) -> bool:
    """Whether a person may see a thing that another project refers to; `kind` is one of `ownership.KINDS`."""
    return person.sees(ownership.entity(store.db, kind, row["id"]) or "")


def _redirect_to_tidy(request: Request) -> Response | None:
    """A redirect from an address with doubled or trailing slashes to the page; None for a tidy address."""
    path = request.scope["path"]
    tidy = re.sub("/+", "/", path).rstrip("/") or "/"
    return RedirectResponse(quote(tidy) + current_address(request)[len(quote(path)) :], 308) if tidy != path else None


def store_of(request: Request) -> Store:
    store: Store = request.app.state.store
    return store


def person(request: Request) -> Person:
    """The person who looks at a protected page."""
    found: Person = request.state.person
    return found


def project_of(request: Request) -> Row | None:
    """The project of the address; None if it does not exist, or the person may not see it."""
    entity, name = request.path_params["entity"], request.path_params["project"]
    return projects.find(request.app.state.store.db, entity, name) if person(request).sees(entity) else None


def show(request: Request, template: str, status: int = 200, **values: Any) -> Response:
    """A page from a template, with its reader and the token of its forms."""
    state = request.state
    shared = {"person": state.person, "csrf": state.csrf, "here": current_address(request)}
    return HTMLResponse(render(template, **shared, **values), status)


def current_address(request: Request) -> str:
    """The address of the page, without the server's."""
    return quote(request.scope["path"]) + (f"?{request.url.query}" if request.url.query else "")


def show_sentence(request: Request, text: str, status: int) -> Response:
    return show(request, "sentence.html", status, text=text, back=request.url.path, refresh=None)


def ask_to_log_in(request: Request, text: str = "", status: int = 401) -> Response:
    """The page with the field for the key; a login leads back to the page that asked for it."""
    wanted = current_address(request)
    if request.url.path in ("/login", "/logout"):
        wanted = request.query_params.get("next", "/")
    answer = show(request, "login.html", status, text=text, wanted=wanted, refresh=None)
    if status == 401:
        answer.headers["WWW-Authenticate"] = 'Bearer realm="API key"'
    return answer


def _identify(request: Request) -> None:
    """Set `request.state.person`, the reader (None for a stranger), and `.csrf`, the token of the reader's forms."""
    state = request.app.state
    store: Store = state.store
    header, token = request.headers.get("authorization"), request.cookies.get(state.cookie, "")
    found, proof = authentication.recognise(store, state.settings, header), parse_authorization(header)
    if found is None:
        found, proof = authentication.by_session(store, state.settings, token), token
    if found is None and _allows_guests(request):
        found, proof = users.GUEST, ""
    request.state.person = found
    request.state.csrf = state.signer.sign("form", proof) if proof else ""


def _allows_guests(request: Request) -> bool:
    if request.app.state.settings.pages_need_key or users.any_exist(request.app.state.store.db):
        return False
    host = request.headers.get("host", "").lower()
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
    return name in LOOPBACK_NAMES


def _refusal(request: Request) -> Response | None:
    """The answer to a reader who may not see pages; None for one who may."""
    _identify(request)
    if request.state.person is not None:
        return None
    if request.app.state.settings.pages_need_key or users.any_exist(request.app.state.store.db):
        return ask_to_log_in(request)
    return PlainTextResponse("Open this server as http://127.0.0.1 or http://localhost.\n", 403)


@public
def log_in(request: Request, form: Form) -> Response:
    """Log in; `?once=TOKEN` uses a link up, and the browser is sent on, so that the token stays in no address."""
    token, state = request.query_params.get("once"), request.app.state
    if request.method == "POST":
        key = form.get("key", "").strip()
        if authentication.by_key(state.store, state.settings, key) is None:
            return ask_to_log_in(request, "This is no key of this server.", 403)
        return _start_session(request, users.hash_key(key), form.get("next"))
    if token is None or request.method == "HEAD":  # HEAD must not use the link up
        return ask_to_log_in(request, status=200)
    with state.store.write() as db:
        key_hash = logins.spend(db, token, state.store.clock())
    if key_hash is None:
        text = "This link has been used, or is older than a day. Log in with your key, or ask for a new link."
        return ask_to_log_in(request, text, 403)
    return _start_session(request, key_hash, request.query_params.get("next"))


@form_action
def log_out(request: Request, form: Form) -> Response:
    state = request.app.state
    with state.store.write() as db:
        logins.end(db, request.cookies.get(state.cookie, ""))
    answer = RedirectResponse("/", 303)
    answer.delete_cookie(state.cookie, httponly=True, samesite="strict")
    return answer


def _start_session(request: Request, key_hash: str, wanted: str | None) -> Response:
    state = request.app.state
    with state.store.write() as db:
        token = logins.start(db, logins.SESSION, key_hash, state.store.clock())
    answer = RedirectResponse(own_address(wanted), 303)
    answer.set_cookie(
        state.cookie,
        token,
        max_age=int(logins.LIFETIME[logins.SESSION]),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer


def own_address(text: str | None) -> str:
    """`text` if it is a path of this server, else the start page: no login leads to another site."""
    return text if text and re.fullmatch(r"/(?![/\\])[!-\[\]-~]*", text) else "/"
