"""Requests to another W&B server, as the wandb client makes them: repeated until they are answered, or given up."""

import http.client
import io
import itertools
import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, TypeVar
from urllib.parse import quote, urlsplit

from common.retry import doubling, is_busy, retry
from common.wandb_api import BadAddress, authorization, open_url, server_address
from server.jsontext import parse
from server.store import StoreError
from server.store.disk import blobs

ATTEMPTS = 8
TIMEOUT = 120.0  # seconds
MAX_ANSWER = 64 << 20  # bytes
T = TypeVar("T")


class RemoteError(StoreError):
    """The other server refuses, or does not answer; the message is one sentence for a person."""


class NoAnswer(RemoteError):
    """The other server does not answer, but may later."""


class Remote:
    """`url` without a slash at the end, `key` of an account that may write to `entity`/`project` there."""

    def __init__(
        self, url: str, key: str, entity: str, project: str, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.url, self.entity, self.project = _check_url(url, "--to ").rstrip("/"), entity, project
        self._authorization = authorization(key)
        self._sleep = sleep

    def graphql(self, query: str, read: Callable[[Any], T], **variables: Any) -> T:
        """`read` of the answer's data. Raises RemoteError for an error in it, or other data."""
        return self._ask(query, read, variables, ATTEMPTS)

    def graphql_once(self, query: str, read: Callable[[Any], T], **variables: Any) -> T:
        """Never repeated, because a second request would make a second thing."""
        return self._ask(query, read, variables, 1)

    def pages(self, query: str, read: Callable[[Any], Any], **variables: Any) -> list[dict[str, Any]]:
        """All nodes of a connection, which `read` takes from the data. Ends at a page without a new cursor."""
        nodes: list[dict[str, Any]] = []
        after, seen = None, set[Any]()
        while after not in seen:
            seen.add(after)
            more, after = self.graphql(query, lambda data: _page(read(data)), after=after, **variables)
            nodes += more
        return nodes

    def _ask(self, query: str, read: Callable[[Any], T], variables: dict[str, Any], attempts: int) -> T:
        body = json.dumps({"query": query, "variables": variables}).encode()
        answer = self._send("POST", f"{self.url}/graphql", body, self._headers(), attempts)
        try:
            value = parse(answer.decode())
            if value.get("errors"):
                raise RemoteError(f"{self.url} refuses: {_line(value['errors'][0]['message']).rstrip('.')}.")
            return read(value["data"])
        except (ValueError, KeyError, IndexError, TypeError, AttributeError):
            operation = " ".join(query.split("(")[0].split()[:2])
            raise RemoteError(
                f"{self.url}/graphql answers {operation} with {_excerpt(answer)}, "
                "which no W&B server does: correct --to."
            ) from None

    def stream(self, run: str, body: dict[str, Any]) -> None:
        """One post of a run's history, console and so on."""
        place = "/".join(quote(part, safe="") for part in (self.entity, self.project, run))
        self._send("POST", f"{self.url}/files/{place}/file_stream", json.dumps(body).encode(), self._headers())

    def put(self, url: str, headers: list[str], content: Path | bytes) -> None:
        """The body of a file to the address that the server gave for it."""
        address = url if "://" in url else self.url + url
        named = dict(header.split(":", 1) for header in headers)
        self._send("PUT", _check_url(address, f"{self.url} wants files at "), content, named)

    def _headers(self) -> dict[str, str]:
        return {**self._authorization, "Content-Type": "application/json"}

    def _send(
        self, method: str, url: str, body: Path | bytes, headers: dict[str, str], attempts: int | None = None
    ) -> bytes:
        waits = itertools.islice(doubling(1.0, 30.0), (attempts or ATTEMPTS) - 1)
        return retry(lambda: self._send_once(method, url, body, headers), NoAnswer, waits, self._sleep)

    def _send_once(self, method: str, url: str, body: Path | bytes, headers: dict[str, str]) -> bytes:
        server = "{0.scheme}://{0.netloc}".format(urlsplit(url))
        with open_body(body) as file:
            try:
                return _exchange(method, url, file, headers)
            except urllib.error.HTTPError as error:
                reason = _error_message(error)
                if error.code in (401, 403) and url.startswith(self.url):
                    raise RemoteError(f"{server} refuses the key in WANDB_API_KEY: {reason}.") from None
                if not is_busy(error.code):
                    raise RemoteError(f"{server} refuses {method} {urlsplit(url).path}: {reason}.") from None
            except http.client.InvalidURL as error:
                raise RemoteError(f"{self.url} gives an address that is none: {_line(error)}.") from None
            except (OSError, http.client.HTTPException) as error:
                reason = _line(getattr(error, "reason", error)) or type(error).__name__
            except ValueError as error:
                raise RemoteError(f"{self.url} asks for headers that no request can have: {_line(error)}.") from None
        raise NoAnswer(
            f"{server} does not answer ({reason}): run the same command again later, it goes on where it stopped."
        )


def _check_url(url: str, what: str) -> str:
    """The address. Raises RemoteError for an impossible one."""
    try:
        server_address(url)
    except BadAddress as error:
        raise RemoteError(f"{what}{error}.") from None
    return url


NOTHING: dict[str, Any] = {"edges": [], "pageInfo": {"hasNextPage": False, "endCursor": None}}


def _page(connection: Any) -> tuple[list[dict[str, Any]], str | None]:
    """The nodes, and the cursor of the next page; None, which the first one has, at the end."""
    nodes = [dict(edge["node"]) for edge in connection["edges"]]
    info = connection["pageInfo"]
    return nodes, str(info["endCursor"]) if info["hasNextPage"] else None


def upload(url: Any, headers: Any) -> tuple[str, list[str]]:
    """Address and headers that an answer gives for a file. Raises TypeError or ValueError for anything else."""
    named = [str(header) for header in headers or []]
    if not isinstance(url, str) or not all(":" in header for header in named):
        raise TypeError(url)
    return url, named


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer: the key is for the named server and no other."""

    def redirect_request(self, *_: Any) -> None:
        return None


def open_body(body: Path | bytes) -> BinaryIO:
    """Raises StoreError for a file of this folder that cannot be read."""
    if isinstance(body, bytes):
        return io.BytesIO(body)
    try:
        return blobs.open_blob(body)
    except OSError as error:
        raise StoreError(
            f"{body} cannot be read ({error.strerror}): `python -m server check` lists the damage."
        ) from None


def _exchange(method: str, url: str, file: BinaryIO, headers: dict[str, str]) -> bytes:
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    sized = headers | {"Content-Length": str(size)}
    request = urllib.request.Request(url, file, sized, method=method)
    with open_url(request, TIMEOUT, _NoRedirect) as answer:
        content = bytes(answer.read(MAX_ANSWER))
        if answer.length:
            raise http.client.IncompleteRead(content, answer.length)
        return content


def _error_message(error: urllib.error.HTTPError) -> str:
    """The message of an error answer, else its status and the beginning of its body."""
    with error:
        try:
            body = error.read(MAX_ANSWER)
        except (OSError, http.client.HTTPException):
            body = b""
    if error.code in range(300, 400):
        return f"it sends on to {_line(error.headers.get('Location', 'nowhere'))}, which has to be named by --to"
    try:
        value = parse(body.decode())
        return _line(value.get("error") or value["errors"][0]["message"]).rstrip(".")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        return f"status {error.code}" + (f" with {_excerpt(body)}" if body else "")


def _excerpt(answer: bytes) -> str:
    return f"{_line(answer.decode(errors='replace'))!a}" if answer.strip() else "nothing"


def _line(value: Any) -> str:
    """A text on one line, cut, without a terminal's control characters."""
    text = re.sub(r"\s+", " ", str(value)).strip()
    return "".join(c if c.isprintable() else "?" for c in text if c)[:200]
