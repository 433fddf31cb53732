"""Who may see the pages; see the package's docstring."""

import functools
from collections.abc import Awaitable, Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from server.security import key_in, same
from server.settings import Settings

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


def guarded(page: Callable[[Request], Response]) -> Callable[[Request], Awaitable[Response]]:
    """The page for those who may see it, made in a worker thread."""

    @functools.wraps(page)
    async def endpoint(request: Request) -> Response:
        refusal = _refusal(request)
        answer = await run_in_threadpool(page, request) if refusal is None else refusal
        answer.headers.update(HEADERS)
        return answer

    return endpoint


def _refusal(request: Request) -> Response | None:
    settings: Settings = request.app.state.settings
    if settings.pages_need_key:
        if same(key_in(request.headers.get("authorization")), settings.api_key):
            return None
        ask = {"WWW-Authenticate": 'Basic realm="user: api, password: the API key"'}
        return PlainTextResponse("These pages need the API key as password.\n", 401, ask)
    host = request.headers.get("host", "").lower()
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
    if name in LOOPBACK_NAMES:
        return None
    return PlainTextResponse("Open this server as http://127.0.0.1 or http://localhost.\n", 403)
