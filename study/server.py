"""The W&B server of a study: the person's own if the environment names one, else the embedded one."""

import contextlib
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from common import wandb_api
from common.environment import ROOT
from common.wandb_api import CLOUD, BadAddress, CertificateRefused, KeyRefused, RequestRefused, ServerUnavailable
from study import processes
from study.plan import StudyError

POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Server:
    """A server that answers, and the environment variables that log a client in."""

    base_url: str
    login: dict[str, str]
    folder: Path | None
    """Data of the embedded server; None for any other server."""

    def answers(self) -> bool:
        """Whether the embedded server answers; True for another one, whose silence the client has to bear."""
        return self.folder is None or is_ready(self.base_url)


def server_of_environment(environ: Mapping[str, str]) -> Server | None:
    """The server of the person's own login, if the environment has one; its files are never looked at.

    Raises:
        StudyError: an address without a key, or an invalid one.
    """
    key, base_url = environ.get("WANDB_API_KEY"), environ.get("WANDB_BASE_URL")
    if key:
        try:
            address = wandb_api.server_address(base_url or CLOUD)
        except BadAddress as error:
            raise StudyError(f"WANDB_BASE_URL: {error}") from None
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
    """Check a server that is not ours, and its key: `wandb` takes twenty seconds to say that nobody answers.

    Raises:
        StudyError: it does not answer, or not as a W&B server that takes the key.
    """
    way_out = "or unset WANDB_BASE_URL and WANDB_API_KEY for the embedded server"
    try:
        wandb_api.graphql(server.base_url, server.login["WANDB_API_KEY"], "query Viewer { viewer { username } }")
    except CertificateRefused:
        pass  # the client may trust certificates that Python does not know
    except KeyRefused:
        raise StudyError(f"{server.base_url} refuses this WANDB_API_KEY: correct it, {way_out}") from None
    except RequestRefused as error:
        raise StudyError(f"{server.base_url}: {error}: correct WANDB_BASE_URL, {way_out}") from None
    except ServerUnavailable as error:
        raise StudyError(f"{error}: start the server, {way_out}") from None


@contextlib.contextmanager
def embedded_server(folder: Path) -> Iterator[Server]:
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
    with (folder / "server.log").open("a+", errors="replace") as log:
        began = log.tell()
        with processes.child_process(command, os.environ, stdout=log, ends_with_us=True) as process:
            while (running := _running(folder)) is None:
                if process.poll() is not None:
                    log.seek(began)
                    raise StudyError(f"the embedded server did not start: {log.read().strip()}")
                time.sleep(POLL_SECONDS)
            yield running


def browser_link(server: Server, path: str) -> str:
    """Address of `path` for a browser; of the embedded server a link that logs it in once, so that it may stop runs."""
    if server.folder is None:
        return server.base_url + path
    command = [sys.executable, "-m", "server", "user", "link", "local", "--dir", str(server.folder)]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return f"{made.stdout.strip()}&next={quote(path)}" if made.returncode == 0 else server.base_url + path


def is_ready(base_url: str) -> bool:
    try:
        with wandb_api.open_url(urllib.request.Request(f"{base_url}/ready"), timeout=5):
            return True
    except (OSError, ValueError):
        return False


def _running(folder: Path) -> Server | None:
    base_url = wandb_api.embedded_address(folder)
    return _server(base_url, folder) if base_url and is_ready(base_url) else None


def _server(base_url: str, folder: Path) -> Server:
    key = wandb_api.embedded_key(folder)
    if key is None:
        raise StudyError(f"the embedded server at {base_url} left no key in {folder / 'api-key'}: start it again")
    login = {
        "WANDB_API_KEY": key,
        "WANDB_BASE_URL": base_url,
        "WANDB_X_FILE_STREAM_TRANSMIT_INTERVAL": "1",
        "WANDB_ERROR_REPORTING": "false",
    }
    return Server(base_url, login, folder)
