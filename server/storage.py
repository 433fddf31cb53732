"""Bodies of files: signed PUT and GET below /storage.

    /storage/run-files/RUN/NAME                  a file of a run
    /storage/wandb_artifacts/ARTIFACT/MD5/NAME   a file of an artifact
    /storage/manifests/MANIFEST/wandb_manifest.json

    /artifactsV2/REGION/ENTITY/PROJECT/COLLECTION/[VERSION/]FIRST_VERSION/MD5/NAME

The last is read only, with a key in place of a signature: the client makes up the address of a single file itself.
The numbers are those of the store's rows. A body is streamed to disk, never held in memory.
"""

import base64
import logging
import mimetypes
import os
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from common.names import BadName
from server.access.signatures import Signer
from server.store import DatabaseError, Refused, Store, artifacts, files, ownership, runs, users
from server.store.disk import blobs
from server.store.disk.blobs import Incoming
from server.store.disk.disk_errors import explain
from server.store.users import Person

log = logging.getLogger(__name__)
# Files come from runs and may be HTML: they must not act with the rights of this server's pages.
HEADERS = {"Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"}
HEADERS |= {"X-Content-Type-Options": "nosniff"}
CHUNK = 1 << 17  # held by each upload; the client makes more than 100 at once
MAX_MANIFEST = 128 << 20  # read into memory at the commit; 100,000 files take about 30 MB
KINDS = {"run-files": "Run", "wandb_artifacts": "Artifact", "manifests": "ArtifactManifest"}


def refusal(message: str, status: int) -> Response:
    return JSONResponse({"error": message}, status)


async def endpoint(request: Request) -> Response:
    store: Store = request.app.state.store
    signer: Signer = request.app.state.signer
    path = "/storage/" + request.path_params["path"]
    method = "GET" if request.method == "HEAD" else request.method
    signed_for = signer.verify(method, path, request.query_params, store.clock())
    if signed_for is None:
        return refusal("this address is not signed by this server, or has expired", 403)
    kind, _, rest = request.path_params["path"].partition("/")
    number, _, name = rest.partition("/")
    if kind not in KINDS or not (number.isascii() and number.isdecimal() and len(number) < 19):
        return refusal("there is nothing at this address", 404)
    if not await run_in_threadpool(_has_right, store, signed_for, method, KINDS[kind], int(number)):
        return refusal("the right that this address was made with has been revoked", 403)
    if method == "PUT":
        return await _receive(request, store, kind, int(number), name)
    found = await run_in_threadpool(_find, store, kind, int(number), name)
    if found is None:
        return refusal(f"{name} does not exist any more", 404)
    return _body(found, name)


async def artifact_file(request: Request, person: Person) -> Response:
    parts = request.path_params["path"].split("/")
    found = None
    if len(parts) in (7, 8):
        place = (parts[1], parts[2], parts[3])
        store = request.app.state.store
        found = await run_in_threadpool(_find_in_collection, store, person, place, parts[-2])
    name = parts[-1]
    return refusal(f"{name} does not exist", 404) if found is None else _body(found, name)


def _has_right(store: Store, number: int, method: str, kind: str, place: int) -> bool:
    """Whether the person still has the right to a thing; True for a deleted one, whose 404 comes later."""
    person = users.by_number(store.db, number)
    entity = ownership.entity(store.db, kind, place)
    if person is None or entity is None:
        return person is not None
    return person.owns(entity) if method == "PUT" else person.sees(entity)


def _body(path: Path, name: str) -> Response:
    if not path.is_file() or not os.access(path, os.R_OK):
        log.error("%s cannot be read: `python -m server check` lists all damage", path)
        return refusal(f"the bytes of {name} are lost or cannot be read on this server", 404)
    media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return FileResponse(path, media_type=media_type, headers=HEADERS)


async def _receive(request: Request, store: Store, kind: str, number: int, name: str) -> Response:
    if "content-range" in request.headers:
        return refusal(f"{name}: this server takes a file whole, not in pieces with Content-Range", 400)
    limit = MAX_MANIFEST if kind == "manifests" else request.app.state.settings.max_upload
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and len(announced) < 19 and int(announced) > limit:
        return refusal(f"{name} has more than {limit} bytes", 413)
    body = store.blobs.receive()
    try:
        waiting, size = bytearray(), 0
        async for chunk in request.stream():
            waiting += chunk
            size += len(chunk)
            if size > limit:
                return refusal(f"{name} has more than {limit} bytes", 413)
            if len(waiting) >= CHUNK:
                await run_in_threadpool(body.write, waiting)
                waiting = bytearray()
        await run_in_threadpool(body.write, waiting)
        await run_in_threadpool(_store_body, store, kind, number, name, body)
    except (Refused, BadName) as error:
        return refusal(str(error), 422)
    except (DatabaseError, OSError) as error:
        log.error("an upload could not be stored: %s", explain(error))
        return refusal(explain(error), 503)
    finally:
        await run_in_threadpool(body.discard)
    return Response()


def _store_body(store: Store, kind: str, number: int, name: str, body: Incoming) -> None:
    blob = body.seal()
    with store.write() as db:
        if kind == "run-files":
            runs.by_id(db, number)
            body.place()
            files.put(db, number, name, blob, store.clock())
        elif kind == "manifests":
            artifacts.manifest(db, number)
            body.place()
            artifacts.put_manifest(db, number, blob, store.clock())
        else:
            if _md5(name) != blob.md5:
                raise Refused(f"{name}: its bytes have another MD5 digest than was announced")
            body.place()
            blobs.record(db, blob, store.clock(), ownership.entity(db, "Artifact", number))


def _find(store: Store, kind: str, number: int, name: str) -> Path | None:
    if kind == "run-files":
        row = files.find(store.db, number, name)
    elif kind == "manifests":
        row = artifacts.manifest(store.db, number)
    else:
        row = artifacts.entry(store.db, number, name.partition("/")[2])
    return store.blobs.path(row["sha256"]) if row and row["sha256"] else None


def _find_in_collection(store: Store, person: Person, place: tuple[str, str, str], digest: str) -> Path | None:
    """`place`: entity, project and collection. Through a link, the person must have the right to its origin."""
    try:
        md5 = _md5(digest)
    except ValueError:
        return None
    for row in artifacts.entries_in_collection(store.db, *place, md5):
        source = ownership.entity(store.db, "Artifact", row["artifact_id"])
        if person.sees(place[0]) and source is not None and person.sees(source):
            return store.blobs.path(row["sha256"])
    return None


def _md5(name: str) -> str:
    return base64.b64encode(bytes.fromhex(name.partition("/")[0])).decode()
