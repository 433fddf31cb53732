"""`python -m server`: serve a folder until SIGTERM or Ctrl-C. `python -m server NAME …`: look after one."""

import argparse
import asyncio
import contextlib
import errno
import importlib
import logging
import os
import resource
import shlex
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import uvicorn

from common.cli import Parser, exit_code, number, whole_number
from common.names import BadName
from common.wandb_api import is_loopback
from server import app
from server.access.signatures import read_key
from server.access.timeouts import TimedProtocol
from server.commands import folder
from server.settings import GIGABYTE, Settings
from server.store import DatabaseError, NotFound, Refused, Store, StoreError, api_key, logins
from server.store.disk import permissions
from server.store.disk.disk_errors import explain, is_temporary
from server.store.users import KEY, hash_key

COMMANDS = {
    "user": "people, their keys and rights",
    "check": "verify a folder: digests, orphans, foreign keys",
    "gc": "free the bytes of deleted runs and artifacts",
    "backup": "everything of a folder in one file, while the server runs or not",
    "restore": "a folder from a backup",
    "push": "send a project to another W&B server",
    "export": "write a project as Parquet and JSON",
}
"""Name → purpose; `server.commands.NAME.main` takes the rest of the line."""
DESCRIPTORS = 65_536
USAGE = """python -m server --dir FOLDER [options]
       python -m server COMMAND --dir FOLDER …"""


class _Server(uvicorn.Server):
    """Says when it is ready, and ends with exit code 0 on SIGTERM and SIGINT."""

    def __init__(self, config: uvicorn.Config, greet: Callable[[], None]) -> None:
        super().__init__(config)
        self._greet = greet

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._greet()

    async def run_until_signal(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(each, self._end)
        await self._serve([listener])

    def _end(self) -> None:
        self.should_exit = True


def main(arguments: list[str] | None = None) -> int:
    words = sys.argv[1:] if arguments is None else arguments
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    os.umask(permissions.OTHERS)
    refusals = {StoreError: 1, NotFound: 1, Refused: 1, BadName: 1}
    return exit_code("server", lambda: _run_command(words), refusals, "stopped before it was done")


def _run_command(words: list[str]) -> int:
    try:
        if words and words[0] in COMMANDS:
            return int(importlib.import_module(f"server.commands.{words[0]}").main(words[1:]))
        if words and not words[0].startswith("-"):
            raise StoreError(f"There is no command {words[0]!r}; there are {', '.join(COMMANDS)}, see --help.")
        return serve(_parser().parse_args(words))
    except (DatabaseError, OSError) as error:
        if not is_temporary(error):
            raise
        raise StoreError(f"{explain(error)}.") from error


def _parser() -> argparse.ArgumentParser:
    commands = "\n".join(f"  {name:<9} {purpose}" for name, purpose in COMMANDS.items())
    parser = Parser(
        "python -m server",
        usage=USAGE,
        description="Serves a folder to the wandb client, with runs, artifacts and sweeps, until Ctrl-C or SIGTERM.",
        epilog=f"commands, each with its own --help:\n{commands}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--dir", type=folder, required=True, metavar="FOLDER", help="holds everything; made if there is none"
    )
    parser.add_argument("--port", type=whole_number(0), default=8080, help="0 takes a free one (default: 8080)")
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="address to listen on (default: 127.0.0.1); another than loopback needs --api-key-file",
    )
    key = parser.add_mutually_exclusive_group()
    key.add_argument(
        "--api-key-file",
        type=Path,
        metavar="FILE",
        help="holds the key that clients send, readable by its owner only (default: FOLDER/api-key)",
    )
    key.add_argument(
        "--api-key",
        metavar="KEY",
        help="that key itself; everybody on the machine can read it in the list of processes",
    )
    parser.add_argument(
        "--crash-after", type=number(1), default=90.0, metavar="SECONDS", help="silence that ends a run (default: 90)"
    )
    parser.add_argument(
        "--stop-grace",
        type=number(0),
        default=20.0,
        metavar="SECONDS",
        help="time a run has to stop by itself before its agent ends it (default: 20)",
    )
    parser.add_argument(
        "--max-upload",
        type=number(above=0),
        default=100.0,
        metavar="GIGABYTES",
        help="size of one file, and of one artifact, at most (default: 100)",
    )
    parser.add_argument(
        "--storage-region", metavar="NAME", help="the `storage_region` that artifacts may give (default: none)"
    )
    return parser


def serve(options: argparse.Namespace) -> int:
    """Serve until a signal comes; the exit code. Raises StoreError with one sentence if it cannot start."""
    loopback, given = is_loopback(f"http://{_in_url(options.host)}"), _key_option(options)
    if not loopback and not given:
        raise StoreError(f"--host {options.host} lets other machines in: give --api-key-file as well.")
    if not loopback and (options.dir / "api-key").exists() and given == api_key(options.dir):
        raise StoreError(f"--host {options.host} lets other machines in: choose another key than the folder's own.")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    with _listen(options.host, options.port) as listener, contextlib.closing(Store(options.dir)) as store:
        settings = Settings(
            api_key=given or api_key(options.dir),
            crash_after=options.crash_after,
            stop_grace=options.stop_grace,
            max_upload=int(min(options.max_upload * GIGABYTE, sys.maxsize)),
            pages_need_key=not loopback,
            storage_region=options.storage_region,
        )
        _run(store, settings, listener, options)
    return 0


def _key_option(options: argparse.Namespace) -> str | None:
    """The key of the command line; None for the folder's own. Raises StoreError for an invalid key."""
    key, name = options.api_key, "--api-key"
    if options.api_key_file:
        key, name = read_key(options.api_key_file), f"--api-key-file: {options.api_key_file}"
    if key is not None and not KEY.fullmatch(key):
        raise StoreError(f"{name} needs at least 40 letters, digits, - or _, as the wandb client wants them.")
    return str(key) if key else None


def _run(store: Store, settings: Settings, listener: socket.socket, options: argparse.Namespace) -> None:
    host = _in_url(options.host)
    url = f"http://{host}:{listener.getsockname()[1]}"
    # 0.0.0.0 is every address of this machine, and no address for another one.
    to_others = url.replace(host, socket.gethostname()) if options.host in ("0.0.0.0", "::") else url
    key_file = options.api_key_file or options.dir / "api-key"
    key = "…" if options.api_key else f"$(cat {shlex.quote(str(key_file))})"

    def greet() -> None:
        store.write_address(url)
        with store.write() as db:
            token = logins.start(db, logins.LINK, hash_key(settings.api_key), store.clock())
        print(f"listening on {url}")
        print(f"  export WANDB_BASE_URL={to_others} WANDB_API_KEY={key}")
        print(f"  log in with {to_others}/login?once={token} (works once, for a day)", flush=True)

    config = uvicorn.Config(
        app.create_app(store, settings),
        log_level="warning",
        access_log=False,
        http=TimedProtocol,
        timeout_graceful_shutdown=1,
        timeout_keep_alive=75,
        server_header=False,
    )
    asyncio.run(_Server(config, greet).run_until_signal(listener))


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(256)
    except (OSError, OverflowError, UnicodeError) as error:
        listener.close()
        is_port = isinstance(error, OverflowError) or getattr(error, "errno", 0) in (errno.EADDRINUSE, errno.EACCES)
        way_out = "choose another --port (0 takes a free one)" if is_port else "correct --host"
        raise StoreError(f"Cannot listen on {host} port {port} ({error}); {way_out}.") from error
    return listener


if __name__ == "__main__":
    sys.exit(main())
