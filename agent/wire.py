"""One question to a W&B server: GraphQL over HTTP with the API key.

The client's own functions answer the same for "nothing to do" and "the server is away", or wait a minute and a half
before they say so.
"""

import base64
import http.client
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Away(Exception):
    """No answer, or one that says to come again; the text says what came instead."""


class Refused(Exception):
    """The server answered no; asking again will not help."""


class Denied(Refused):
    """The server does not take the key."""


class Gone(Refused):
    """The server does not know what it was asked for, such as the agent of a deleted sweep; or it is another server."""


def ask(
    base_url: str, key: str, query: str, variables: Mapping[str, Any], timeout: float = 20
) -> dict[str, Any]:
    """What GraphQL answers. Raises Away, Refused, Denied, or Gone."""
    request = urllib.request.Request(
        f"{base_url}/graphql",
        json.dumps({"query": query, "variables": dict(variables)}).encode(),
        {
            "Authorization": "Basic " + base64.b64encode(f"api:{key}".encode()).decode(),
            "Content-Type": "application/json",
        },
    )
    try:
        with _opener(base_url).open(request, timeout=timeout) as answer:
            body = json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            raise _refusal(error.code, error.read()) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ssl.SSLCertVerificationError):
            raise Refused(f"the certificate of {base_url} is not trusted ({reason})") from None
        raise Away(f"no answer from {base_url} ({reason})") from None
    if body.get("errors"):
        raise Refused("; ".join(str(each.get("message", each)) for each in body["errors"]))
    data: dict[str, Any] = body["data"]
    return data


def _opener(base_url: str) -> urllib.request.OpenerDirector:
    """As in the client, a proxy of the environment is not asked for what is on this machine."""
    here = urlsplit(base_url).hostname in LOOPBACK
    return urllib.request.build_opener(*([urllib.request.ProxyHandler({})] if here else []))


def _refusal(status: int, body: bytes) -> Exception:
    text = body.decode(errors="replace").strip()[:300]
    if status in (408, 429) or status >= 500:
        return Away(f"the server answers {status}")
    if status == 404:
        return Gone(f"the server answers 404: {text}")
    if status in (401, 403):
        return Denied(f"the server refuses the API key ({status})")
    return Refused(f"the server answers {status}: {text}")
