"""The wandb client's requests, without the client: many at once, timed, and repeated until they are answered."""

from __future__ import annotations

import base64
import functools
import hashlib
import http.client
import json
import time
import urllib.error
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from common.retry import doubling, retry
from common.wandb_api import authorization, open_url

PAUSE = 0.05  # seconds between two attempts
PATIENCE = 60.0  # seconds without an answer after which a server counts as gone


class RequestFailed(Exception):
    """The server refused a request for good."""


class NoAnswer(RequestFailed):
    """No answer; there may be one later."""


@dataclass(eq=False)
class ProtocolClient:
    """Requests to a server that may be away; each one is repeated until it is answered."""

    url: str
    key: str
    project: str
    entity: str = "local"
    times: list[tuple[str, float]] = field(default_factory=list)
    repeats: Counter[str] = field(default_factory=Counter)
    rows: int = 0

    def send(self, what: str, method: str, url: str, body: bytes | None, json_too: bool = True) -> bytes:
        """Raises RequestFailed on a 4xx: the client would give up there, and lose data."""
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
                raise RequestFailed(f"{what}: {error.code} {error.read()!r}") from None
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
            raise RequestFailed(str(answer))
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
