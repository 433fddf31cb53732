"""Which W&B server a study talks to: the person's own if the environment names one, else the embedded one."""

import base64
import contextlib
import http.client
import os
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from study import processes
from study.plan import StudyError

CLOUD = "https://api.wandb.ai"
READY = "listening on "
LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Server:
    """A server that answers, and the environment variables that log a client in."""

    base_url: str
    login: dict[str, str]
    folder: Path | None
    """Where the embedded server keeps its data; None for any other server."""

    def answers(self) -> bool:
        """Whether it is there; the embedded one only, since another's silence is for the client to bear."""
        return self.folder is None or ready(self.base_url)


def named_by(environ: Mapping[str, str]) -> Server | None:
    """The server of the person's own login, if the environment has one; its files are never looked at.

    Raises:
        StudyError: an address without a key.
    """
    key, base_url = environ.get("WANDB_API_KEY"), environ.get("WANDB_BASE_URL")
    if key:
        address = base_url or CLOUD
        login = {"WANDB_API_KEY": key, "WANDB_BASE_URL": address}
        if entity := environ.get("WANDB_ENTITY"):
            login["WANDB_ENTITY"] = entity
        return Server(address, login, None)
    if base_url:
        raise StudyError(
            f"WANDB_BASE_URL is {base_url} but WANDB_API_KEY is not set: set both, or neither for the embedded server"
        )
    return None


def check(server: Server) -> None:
    """Ask a server that is not ours whose key it is: `wandb` takes twenty seconds to say that nobody answers.

    Raises:
        StudyError: it does not answer, or not as a W&B server that takes the key.
    """
    token = base64.b64encode(f"api:{server.login['WANDB_API_KEY']}".encode()).decode()
    headers = {"Authorization": f"Basic {token}", "Content-Type": "application/json"}
    address = f"{server.base_url.rstrip('/')}/graphql"
    question = b'{"query": "query Viewer { viewer { username } }"}'
    way_out = "or unset WANDB_BASE_URL and WANDB_API_KEY for the embedded server"
    try:
        with _open(urllib.request.Request(address, question, headers), timeout=20):
            return
    except urllib.error.HTTPError as error:
        with error:
            if error.code in (401, 403):
                raise StudyError(
                    f"{server.base_url} refuses this WANDB_API_KEY: correct it, {way_out}"
                ) from None
            raise StudyError(
                f"{server.base_url} answers {error.code} {error.reason}: correct WANDB_BASE_URL, {way_out}"
            ) from None
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        if not isinstance(
            reason, ssl.SSLError
        ):  # the client may trust certificates that Python does not know
            raise StudyError(
                f"no W&B server answers at {server.base_url} ({reason}): start it, {way_out}"
            ) from None


@contextlib.contextmanager
def embedded(folder: Path, root: Path) -> Iterator[Server]:
    """The embedded server on a free loopback port, for as long as the block lasts.

    A server that already works on this folder, for instance `make serve`, is used and left running.

    Raises:
        StudyError: it did not start.
    """
    folder.mkdir(parents=True, exist_ok=True)
    running = _running(folder)
    if running:
        yield running
        return
    command = [sys.executable, "-m", "server", "--port", "0", "--dir", str(folder)]
    with processes.started(command, os.environ, root) as process:
        base_url = _address(process)
        processes.follow(process, folder / "server.log")
        yield _server(base_url, folder)


def ready(base_url: str) -> bool:
    try:
        with _open(urllib.request.Request(f"{base_url}/ready"), timeout=5):
            return True
    except (OSError, ValueError):
        return False


def _open(request: urllib.request.Request, timeout: float) -> Any:
    """As in the client, a proxy of the environment is not asked for what is on this machine."""
    here = urlsplit(request.full_url).hostname in LOOPBACK
    handlers = [urllib.request.ProxyHandler({})] if here else []
    return urllib.request.build_opener(*handlers).open(request, timeout=timeout)


def _address(process: subprocess.Popen[str]) -> str:
    """Wait for the line that carries the address."""
    printed = []
    assert process.stdout is not None
    for line in process.stdout:
        printed.append(line)
        if READY in line:
            return line.split(READY, 1)[1].split()[0]
    process.stdout.close()
    raise StudyError(f"the embedded server did not start: {''.join(printed).strip()}")


def _running(folder: Path) -> Server | None:
    address = folder / "address"
    base_url = address.read_text().strip() if address.is_file() else ""
    return _server(base_url, folder) if base_url and ready(base_url) else None


def _server(base_url: str, folder: Path) -> Server:
    key = (folder / "api-key").read_text().strip()
    login = {
        "WANDB_API_KEY": key,
        "WANDB_BASE_URL": base_url,
        "WANDB_X_FILE_STREAM_TRANSMIT_INTERVAL": "1",
        "WANDB_ERROR_REPORTING": "false",
    }
    return Server(base_url, login, folder)
