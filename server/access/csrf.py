"""Requests that a web site makes from a person's browser, which may be logged in here with Basic authentication.

The wandb client sends neither Origin nor Sec-Fetch-Site; browsers send them with every request that changes something,
and no page can alter them. So changes from another origin are refused, and JSON is taken only under its own name, which
a form cannot give it. Requests that only read need no such care: the page that asks cannot see the answer.

A name of another site that points here (DNS rebinding) opens nothing: a browser keeps a login for the name that it was
given to, and pages without a login look at the name themselves (`server.pages.access_control`).
"""

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

READING = ("GET", "HEAD", "OPTIONS")


class SameOrigin:
    """Answers 403, which the client never repeats, to changes from another site."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] not in READING and _foreign(Headers(scope=scope)):
            message = "this server takes no changes from the pages of another site"
            answer = JSONResponse({"errors": [{"message": message}], "error": message}, 403)
            await answer(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _foreign(headers: Headers) -> bool:
    """Whether the request comes from a page of another host than the one it is sent to."""
    origin = headers.get("origin")
    if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        return True
    return origin is not None and origin.partition("://")[2] != headers.get("host")


def is_json(headers: Headers) -> bool:
    """Whether the Content-Type of a body is JSON."""
    return headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"
