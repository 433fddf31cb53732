"""Requests to another W&B server, as the wandb client makes them: repeated until they are answered, or given up."""

import base64
import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from server.store import StoreError

ATTEMPTS = 8
PASSING = {408, 429}
TIMEOUT = 120.0  # seconds


class RemoteError(StoreError):
    """The other server refuses, or does not answer; the message is one sentence for a person."""


class Remote:
    """`url` without a slash at the end, `key` of an account that may write to `entity`/`project` there."""

    def __init__(
        self, url: str, key: str, entity: str, project: str, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc:
            raise RemoteError(f"--to {url}: an address such as https://api.wandb.ai is needed.")
        self.url, self.entity, self.project = url.rstrip("/"), entity, project
        self._authorization = "Basic " + base64.b64encode(f"api:{key}".encode()).decode()
        self._sleep = sleep

    def graphql(self, query: str, **variables: Any) -> Any:
        """The answer's data. Raises RemoteError for an error in it."""
        return self._ask(query, variables, ATTEMPTS)

    def graphql_once(self, query: str, **variables: Any) -> Any:
        """Never repeated, because a second request would make a second thing."""
        return self._ask(query, variables, 1)

    def _ask(self, query: str, variables: dict[str, Any], attempts: int) -> Any:
        body = json.dumps({"query": query, "variables": variables}).encode()
        answer = json.loads(self._send("POST", f"{self.url}/graphql", body, self._headers(), attempts))
        if answer.get("errors") or not answer.get("data"):
            message = (answer.get("errors") or [{"message": "an empty answer"}])[0].get("message")
            raise RemoteError(f"{self.url} refuses: {message}.")
        return answer["data"]

    def stream(self, run: str, body: dict[str, Any]) -> None:
        """One post of a run's history, console and so on."""
        place = "/".join(quote(part, safe="") for part in (self.entity, self.project, run))
        self._send(
            "POST", f"{self.url}/files/{place}/file_stream", json.dumps(body).encode(), self._headers()
        )

    def put(self, url: str, headers: list[str], content: Path | bytes) -> None:
        """The body of a file to the address that the server gave for it."""
        named = dict(header.split(":", 1) for header in headers)
        self._send("PUT", url if "://" in url else self.url + url, content, named)

    def _headers(self) -> dict[str, str]:
        return {"Authorization": self._authorization, "Content-Type": "application/json"}

    def _send(
        self, method: str, url: str, body: Path | bytes, headers: dict[str, str], attempts: int | None = None
    ) -> bytes:
        reason = ""
        for attempt in range(attempts or ATTEMPTS):
            if attempt:
                self._sleep(min(30.0, 0.5 * 2**attempt))
            try:
                return _exchange(method, url, body, headers)
            except urllib.error.HTTPError as error:
                reason = _said(error)
                if error.code in (401, 403):
                    raise RemoteError(f"{self.url} refuses the key in WANDB_API_KEY: {reason}.") from None
                if error.code < 500 and error.code not in PASSING:
                    raise RemoteError(f"{self.url} refuses: {reason}.") from None
            except (OSError, http.client.HTTPException) as error:
                reason = str(getattr(error, "reason", error))
        raise RemoteError(
            f"{self.url} does not answer ({reason}): run the same command again later, it goes on where it stopped."
        )


def _exchange(method: str, url: str, body: Path | bytes, headers: dict[str, str]) -> bytes:
    if isinstance(body, bytes):
        request = urllib.request.Request(url, body, headers, method=method)
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            return bytes(answer.read())
    with body.open("rb") as file:
        sized = headers | {"Content-Length": str(body.stat().st_size)}
        request = urllib.request.Request(url, file, sized, method=method)
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            return bytes(answer.read())


def _said(error: urllib.error.HTTPError) -> str:
    """The message of an error answer, else its status."""
    with error:
        try:
            value = json.loads(error.read())
            return str(value.get("error") or value["errors"][0]["message"]).rstrip(".")
        except (ValueError, KeyError, IndexError, TypeError, AttributeError, OSError):
            return f"status {error.code}"
