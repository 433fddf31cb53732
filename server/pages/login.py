"""Log in with a key or a link that works once, and log out.

The cookie holds a random token and nothing else. It has a name of its own for each folder: browsers keep one set of
cookies for all servers of a machine.
"""

import re

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from server.access import authentication
from server.pages.guard import Form, ask_to_log_in, form_action, public
from server.store import logins, users


@public
def log_in(request: Request, form: Form) -> Response:
    """With `?once=TOKEN`, spends a link; the browser is sent on, so that the token stays in no address."""
    token, state = request.query_params.get("once"), request.app.state
    if request.method == "POST":
        key = form.get("key", "").strip()
        if authentication.by_key(state.store, state.settings, key) is None:
            return ask_to_log_in(request, "This is no key of this server.", 403)
        return _start_session(request, users.hash_key(key), form.get("next"))
    if token is None or request.method == "HEAD":  # which only looks whether there is something
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
    """`text` where it is a path of this server, else the start page: no login leads to another site."""
    return text if text and re.fullmatch(r"/(?![/\\])[!-\[\]-~]*", text) else "/"
