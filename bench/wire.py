"""The wandb client's requests, without the client: many at once, timed, and repeated until they are answered."""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
import http.client
import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from common.retry import doubling, retry
from common.wandb_api import authorization, open_url

ROOT = Path(__file__).parents[1]
PAUSE = 0.05  # seconds between two attempts
PATIENCE = 60.0  # seconds without an answer after which a server counts as gone


class Gone(Exception):
    """The server refused a request for good."""


class NoAnswer(Gone):
    """It may answer later."""


@dataclass(eq=False)
class Wire:
    """Requests to a server that may be away; each one is repeated until it is answered."""

    url: str
    key: str
    project: str
    entity: str = "local"
    times: list[tuple[str, float]] = field(default_factory=list)
    repeats: Counter[str] = field(default_factory=Counter)
    rows: int = 0

    def send(self, what: str, method: str, url: str, body: bytes | None, json_too: bool = True) -> bytes:
        """Raises Gone on a 4xx: the client would give up there, and lose data."""
        headers = {**authorization(self.key), "Content-Type": "application/json"}
        request = urllib.request.Request(url, body, headers if json_too else {}, method=method)

        def count(error: Exception, wait: float) -> None:
            self.repeats[what] += 1

        send = functools.partial(self._send_once, what, request)
        return retry(send, NoAnswer, doubling(PAUSE, PAUSE, PATIENCE), report=count)

    def _send_once(self, what: str, request: urllib.request.Request) -> bytes:
        began = time.monotonic()
        try:
            with open_url(request, 20) as answer:
                content = bytes(answer.read())
        except urllib.error.HTTPError as error:
            if error.code < 500:
                raise Gone(f"{what}: {error.code} {error.read()!r}") from None
            raise NoAnswer(f"{what}: {error.code} for {PATIENCE:.0f} s") from None
        except (OSError, http.client.HTTPException):
            raise NoAnswer(f"{what}: no answer for {PATIENCE:.0f} s") from None
        self.times.append((what, time.monotonic() - began))
        return content

    def graphql(self, query: str, **variables: Any) -> Any:
        what = query.partition("{")[2].partition("(")[0].strip()
        body = json.dumps({"query": query, "variables": variables, "operationName": ""}).encode()
        answer = json.loads(self.send(what, "POST", f"{self.url}/graphql", body))
        if "errors" in answer:
            raise Gone(str(answer))
        return answer["data"]

    def stream(self, run: str, **body: Any) -> Any:
        url = f"{self.url}/files/{self.entity}/{self.project}/{run}/file_stream"
        return json.loads(self.send("file_stream", "POST", url, json.dumps(body).encode()))

    def upsert(self, run: str, **more: Any) -> Any:
        return self.graphql(UPSERT, i={"name": run, "entityName": self.entity, "modelName": self.project, **more})


UPSERT = "mutation ($i: UpsertBucketInput!) { upsertBucket(input: $i) { bucket { id name } inserted } }"
FILES = "mutation ($i: RunFilesInput!) { createRunFiles(input: $i) { files { name uploadUrl } } }"
CREATE = "mutation ($i: CreateArtifactInput!) { createArtifact(input: $i) { artifact { id state } } }"
CREATE_FILES = """mutation ($i: CreateArtifactFilesInput!) { createArtifactFiles(input: $i) {
    files { edges { node { uploadUrl } } } } }"""
MANIFEST = """mutation ($i: CreateArtifactManifestInput!) { createArtifactManifest(input: $i) {
    artifactManifest { id file { uploadUrl } } } }"""
COMMIT = "mutation ($i: ArtifactIDInput!) { commitArtifact(input: $i) { artifact { id } } }"
SWEEP = "mutation ($i: UpsertSweepInput!) { upsertSweep(input: $i) { sweep { id name } } }"
AGENT = "mutation ($i: CreateAgentInput!) { createAgent(input: $i) { agent { id } } }"
BEAT = "mutation ($i: AgentHeartbeatInput!) { agentHeartbeat(input: $i) { commands } }"


def md5(content: bytes) -> str:
    return base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def serving(folder: Path, *options: str) -> Iterator[tuple[str, int]]:
    """A server on `folder` until the end of the block, its log beside it: its address and its process id."""
    port = free_port()
    with (folder.parent / f"{folder.name}.log").open("ab") as log:
        process = start(folder, port, log, *options)
        try:
            wait_until_ready(process)
            yield f"http://127.0.0.1:{port}", process.pid
        finally:
            process.terminate()
            process.wait(30)
            close(process)


def start(folder: Path, port: int, log: Any, *options: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "server", "--dir", str(folder), "--port", str(port), *options]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log)


def wait_until_ready(process: subprocess.Popen[bytes]) -> None:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith(b"listening"), f"the server did not start: {line!r}"


def close(process: subprocess.Popen[bytes]) -> None:
    assert process.stdout is not None
    process.stdout.close()
