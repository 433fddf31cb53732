"""The embedded server as a process of its own."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from common.environment import ROOT


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def run_server(folder: Path, *options: str) -> Iterator[tuple[str, int]]:
    """A server on `folder` until the end of the block, its log beside it: its address and its process id."""
    port = free_port()
    with (folder.parent / f"{folder.name}.log").open("ab") as log:
        process = start_server(folder, port, log, *options)
        try:
            wait_until_ready(process)
            yield f"http://127.0.0.1:{port}", process.pid
        finally:
            process.terminate()
            process.wait(30)
            close_output(process)


def start_server(folder: Path, port: int, log: Any, *options: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "server", "--dir", str(folder), "--port", str(port), *options]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log)


def wait_until_ready(process: subprocess.Popen[bytes]) -> None:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith(b"listening"), f"the server did not start: {line!r}"


def close_output(process: subprocess.Popen[bytes]) -> None:
    assert process.stdout is not None
    process.stdout.close()
