"""A W&B server's address, its key, and one question to it: GraphQL over HTTP, without the client.

The client's own functions wait a minute and a half before they say that a server is away.
"""

import base64
import http.client
import ipaddress
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from common.retry import is_busy

CLOUD = "https://api.wandb.ai"


class BadAddress(ValueError):
    """No address of a server; the text is one sentence."""


class ServerUnavailable(Exception):
    """No answer, one to try again later, or one of a proxy; the text names the answer."""


class RequestRefused(Exception):
    """The server answered no; asking again will not help."""


class KeyRefused(RequestRefused):
    """The server does not take the key."""


class NotFound(RequestRefused):
    """The server does not know the thing, such as the agent of a deleted sweep; or it is another server."""


class CertificateRefused(RequestRefused):
    """Python does not trust the server's certificate; the client may, since it reads others."""


def server_address(text: str) -> str:
    """The address of a server in the form that links and requests are built from: no slash at its end.

    Raises BadAddress unless it begins with http:// or https:// and names a host.
    """
    address = text.strip().rstrip("/")
    try:
        parts = urlsplit(address)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise BadAddress(f"{text!r} is no address of a server: write http://HOST:PORT or https://HOST")
    return f"{parts.scheme}{address[len(parts.scheme) :]}"


def is_loopback(address: str) -> bool:
    """Whether the address names this machine."""
    try:
        host = urlsplit(address).hostname or ""
        return host == "localhost" or host.endswith(".localhost") or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def open_url(request: urllib.request.Request, timeout: float, *handlers: Any) -> Any:
    """`urllib.request.urlopen` with these handlers; a proxy of the environment is not asked for this machine."""
    proxies = [urllib.request.ProxyHandler({})] if is_loopback(request.full_url) else []
    return urllib.request.build_opener(*handlers, *proxies).open(request, timeout=timeout)


def check_answers(base_url: str) -> None:
    """Return if anything answers HTTP at the address. Raises ServerUnavailable: nothing does; the text says so."""
    try:
        open_url(urllib.request.Request(base_url), timeout=10).close()
    except urllib.error.HTTPError as error:
        error.close()
    except (OSError, ValueError) as error:
        raise ServerUnavailable(
            f"no server answers at {base_url} ({getattr(error, 'reason', error)}): start the embedded one with "
            "`make serve`, or correct WANDB_BASE_URL"
        ) from None


def authorization(key: str) -> dict[str, str]:
    """The header by which a request shows its API key."""
    return {"Authorization": "Basic " + base64.b64encode(f"api:{key}".encode()).decode()}


def graphql(
    base_url: str, key: str, query: str, variables: Mapping[str, Any] | None = None, timeout: float = 20
) -> dict[str, Any]:
    """The data that GraphQL answers.

    Raises ServerUnavailable, or RequestRefused in one of its kinds.
    """
    request = urllib.request.Request(
        f"{base_url.rstrip('/')}/graphql",
        json.dumps({"query": query, "variables": dict(variables or {})}).encode(),
        {**authorization(key), "Content-Type": "application/json"},
    )
    try:
        with open_url(request, timeout) as answer:
            body = answer.read()
    except urllib.error.HTTPError as error:
        with error:
            raise _refusal(error.code, error.read()) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ssl.SSLError):
            raise CertificateRefused(f"the certificate of {base_url} is not trusted ({reason})") from None
        raise ServerUnavailable(f"no answer from {base_url} ({reason})") from None
    return _data(base_url, body)


def _data(base_url: str, body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body)
        errors, data = answer.get("errors"), answer.get("data")
    except (ValueError, AttributeError, RecursionError):
        raise ServerUnavailable(f"{base_url} answers something else than a W&B server would") from None
    if errors:
        messages = errors if isinstance(errors, list) else [errors]
        texts = (each.get("message", each) if isinstance(each, dict) else each for each in messages)
        raise RequestRefused("; ".join(map(str, texts)))
    if not isinstance(data, dict):
        raise ServerUnavailable(f"{base_url} answers something else than a W&B server would")
    return data


def _refusal(status: int, body: bytes) -> Exception:
    text = body.decode(errors="replace").strip()[:300]
    if is_busy(status):
        return ServerUnavailable(f"the server answers {status}")
    if status == 404:
        return NotFound(f"the server answers 404: {text}")
    if status in (401, 403):
        return KeyRefused(f"the server refuses the API key ({status})")
    return RequestRefused(f"the server answers {status}: {text}")


def embedded_address(folder: Path) -> str | None:
    """Address of the embedded server that works in the folder; None if none does."""
    return _line(folder / "address")


def embedded_key(folder: Path) -> str | None:
    """The key of the embedded server that works in the folder; None if there is none."""
    return _line(folder / "api-key")


def _line(file: Path) -> str | None:
    return file.read_text().strip() or None if file.is_file() else None
