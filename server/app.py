"""Every route of the server."""

import asyncio
import contextlib
import gzip
import io
import logging
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import anyio.to_thread
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.convertors import PathConvertor, register_url_convertor
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from server import clients, filestream, graphql, storage
from server.access.authentication import recognise
from server.access.csrf import SameOrigin, is_json
from server.access.signatures import Signer
from server.jsontext import parse
from server.pages import access_control, endpoints, forms, static_files
from server.scheduler import scheduler
from server.scheduler.system_clock import ClockMonitor
from server.settings import Settings
from server.store import DatabaseError, NotFound, Store, artifacts, runs
from server.store.disk.disk_errors import explain
from server.store.users import Person

log = logging.getLogger(__name__)
THREADS = 8
MAX_BODY = 64 << 20
LOST_RUNS_EVERY = 5.0  # seconds
ARTIFACT = "/{entity}/{project}/artifacts/{type}/{collection}/{version}"
BATCH = 100  # summaries in one transaction


class AnyPath(PathConvertor):
    """Rest of a path; Starlette's own convertor stops at a line break, which a file's name may have."""

    regex = "(?s:.*)"


register_url_convertor("path", AnyPath())


def create_app(store: Store, settings: Settings) -> Starlette:
    """The application over an open folder."""
    app = Starlette(
        routes=[
            Route("/graphql", answer_graphql, methods=["POST"]),
            Route("/files/{entity}/{project}/{run}/file_stream", answer_file_stream, methods=["POST"]),
            Route("/storage/{path:path}", storage.endpoint, methods=["GET", "PUT"]),
            Route("/artifactsV2/{path:path}", answer_artifact_file),
            Route("/ready", text_endpoint("ready")),
            # The client asks once whether telemetry is wanted, and Weave where to send: both give up on a 404.
            Route("/sdk/otel/{path:path}", text_endpoint("no telemetry here", 404), methods=["POST"]),
            Route("/traces/{path:path}", text_endpoint("no Weave here", 404), methods=["GET", "POST", "PUT", "DELETE"]),
            Route("/static/{digest}/{file}", static_files.endpoint),
            Route("/", endpoints.home),
            Route("/authorize", endpoints.authorize),
            Route("/login", access_control.log_in, methods=["GET", "POST"]),
            Route("/logout", access_control.log_out, methods=["POST"]),
            Route("/compare", endpoints.compare),
            Route("/search", endpoints.search),
            Route("/{entity}", endpoints.entity),
            Route("/{entity}/{project}", endpoints.project),
            Route("/{entity}/{project}/compare", endpoints.compare),
            Route("/{entity}/{project}/feed", endpoints.feed),
            Route("/{entity}/{project}/sweeps", endpoints.project),
            Route("/{entity}/{project}/runs/{run}", forms.change_run, methods=["POST"]),
            Route("/{entity}/{project}/runs/{run}", endpoints.run),
            Route("/{entity}/{project}/runs/{run}/{tab:path}", endpoints.run),
            Route("/{entity}/{project}/sweeps/{sweep}", forms.change_sweep, methods=["POST"]),
            Route("/{entity}/{project}/sweeps/{sweep}", endpoints.sweep),
            Route("/{entity}/{project}/sweeps/{sweep}/{part:path}", endpoints.redirect_part),
            Route(ARTIFACT, forms.change_artifact, methods=["POST"]),
            Route("/{entity}/{project}/artifacts", endpoints.artifacts),
            Route("/{entity}/{project}/artifacts/{type}", endpoints.artifacts),
            Route("/{entity}/{project}/artifacts/{type}/{collection}", endpoints.artifact),
            Route("/{entity}/{project}/artifacts/{type}/{collection}/{version:path}", endpoints.artifact),
            Route("/{entity}/{project}/reports", endpoints.reports),
            Route("/{entity}/{project}/reportlist", endpoints.reports),
            Route("/{entity}/{project}/reports/{report}", endpoints.report),
            Route("/{entity}/{project}/views", forms.change_view, methods=["POST"]),
            Route("/{entity}/{project}/{part}", endpoints.redirect_part),
            Route("/{path:path}", endpoints.not_found),
        ],
        exception_handlers={
            405: method_not_allowed,
            KeyRefused: refuse,
            NotFound: not_found,
            ClientDisconnect: client_disconnect,
        },
        middleware=[Middleware(SameOrigin)],
        lifespan=_lifespan,
    )
    app.state.store, app.state.settings = store, settings
    app.state.signer = Signer(store.secret("url-signing"))
    app.state.cookie = f"login-{app.state.signer.sign('cookie', '')[:8]}"
    return app


@contextlib.asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
    watch = asyncio.create_task(_watch(app.state.store, app.state.settings))
    yield
    watch.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await watch


async def _watch(store: Store, settings: Settings) -> None:
    """Closes silent runs, deletes expired artifacts, and indexes summaries for filters."""
    watch = ClockMonitor(store.clock)
    while True:
        await asyncio.sleep(min(LOST_RUNS_EVERY, settings.crash_after / 4))
        try:
            if step := watch.step():
                log.warning("the clock was set by %+.0f s: silence of runs counts from now on", step)
                await run_in_threadpool(scheduler.reset_silence, store)
            await run_in_threadpool(scheduler.end_silent_runs, store, settings)
            await run_in_threadpool(_tidy, store)
        except DatabaseError as error:
            log.error("silent runs and expired artifacts could not be looked after: %s", explain(error))


def _tidy(store: Store) -> None:
    with store.write() as db:
        artifacts.expire(db, store.clock())
        n = runs.index_summaries(db, BATCH)
    while n == BATCH:
        with store.write() as db:
            n = runs.index_summaries(db, BATCH)


class KeyRefused(Exception):
    """No valid key; holds the status and the sentence of the answer."""


async def _person(request: Request) -> Person:
    """The user behind a request. Raises KeyRefused for a stranger."""
    state, header = request.app.state, request.headers.get("authorization")
    try:
        person = await run_in_threadpool(recognise, state.store, state.settings, header)
    except DatabaseError:
        log.exception("the users could not be read")
        raise KeyRefused(503, "the database failed; try again") from None
    if person is None:
        raise KeyRefused(401, "invalid API key for this server; its own key is in the file api-key of its folder")
    return person


async def refuse(request: Request, error: Exception) -> Response:
    status, message = error.args
    return JSONResponse({"errors": [{"message": message}], "error": message}, status)


class _TooLarge(ValueError):
    """Answered with 413; the client gives up on that as it does on 400."""

    def __init__(self) -> None:
        super().__init__(f"the body has more than {MAX_BODY} bytes")


async def _body(request: Request) -> Any:
    """The JSON value of a request. Raises ValueError if the body is no JSON, _TooLarge if it is too large."""
    if not is_json(request.headers):
        raise ValueError("its Content-Type must be application/json")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise _TooLarge
    packed = request.headers.get("content-encoding") == "gzip"
    large = packed or len(body) > 100_000
    return await run_in_threadpool(_decode, bytes(body), packed) if large else _decode(bytes(body), False)


def _decode(body: bytes, packed: bool) -> Any:
    """The JSON value of a body, unzipped if `packed`. Raises ValueError if it is no JSON."""
    if packed:
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(body)) as file:
                body = file.read(MAX_BODY + 1)
        except (zlib.error, OSError, EOFError) as error:
            raise ValueError(f"the body is not gzip: {error}") from None
        if len(body) > MAX_BODY:
            raise _TooLarge
    return parse(body.decode())


def _status(error: Exception) -> int:
    return 413 if isinstance(error, _TooLarge) else 400


async def answer_graphql(request: Request) -> Response:
    person = await _person(request)
    if (refusal := clients.refuse_if_too_old(request.headers.get("user-agent", ""))) is not None:
        return JSONResponse({"errors": [{"message": refusal}], "error": refusal}, 200)
    try:
        body = await _body(request)
        query, variables, name = body["query"], body.get("variables"), body.get("operationName")
        if not isinstance(query, str) or not isinstance(variables, dict | None) or not isinstance(name, str | None):
            raise ValueError("query, variables and operationName have the wrong type")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        return JSONResponse({"errors": [{"message": f"not a GraphQL request: {error}"}]}, _status(error))
    state = request.app.state
    address = str(request.base_url).rstrip("/")
    client = request.headers.get("x-wandb-client-id", "")
    context = graphql.Context(state.store, state.settings, state.signer, address, person, client)
    answer = await run_in_threadpool(graphql.execute, context, query, variables, name)
    return JSONResponse(answer.body, answer.status)


async def answer_file_stream(request: Request) -> Response:
    person = await _person(request)
    state, place = request.app.state, request.path_params
    if not person.sees(place["entity"]):
        message = "run {entity}/{project}/{run} does not exist".format(**place)
        return JSONResponse({"error": message}, 404)
    if not person.owns(place["entity"]):
        message = f"{person.name} may read the entity {place['entity']}, not change it"
        return JSONResponse({"error": message}, 403)
    try:
        body = await _body(request)
        answer = await run_in_threadpool(
            filestream.receive,
            state.store,
            place["entity"],
            place["project"],
            place["run"],
            body,
            request.headers.get("x-wandb-async-client-id", ""),
        )
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        return JSONResponse({"error": f"not a file_stream post: {error}"}, _status(error))
    except DatabaseError as error:
        log.error("a file_stream post could not be stored: %s", explain(error))
        return JSONResponse({"error": explain(error)}, 503)
    return JSONResponse(answer)


async def answer_artifact_file(request: Request) -> Response:
    return await storage.artifact_file(request, await _person(request))


def text_endpoint(text: str, status: int = 200) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        return PlainTextResponse(f"{text}\n", status)

    return answer


async def method_not_allowed(request: Request, error: Exception) -> Response:
    """A 404 in place of a 405, which the client repeats for ten minutes; it gives up on a 404 at once."""
    return JSONResponse({"error": f"this server has nothing to {request.method} at this address"}, 404)


async def not_found(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 404)


async def client_disconnect(request: Request, error: Exception) -> Response:
    """The answer to a client that went away, or took too long to send its body; nobody receives it."""
    return JSONResponse({"error": "the request was cut off"}, 400)
