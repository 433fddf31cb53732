"""Schema-aware fuzzing of a running server: operations drawn from `schema.graphql`, and odd HTTP to every route.

    python -m tests.server.fuzz --requests 10000 [--seed 0]

Half of the requests are GraphQL operations that are valid but for their values, the others are malformed in some way.
What counts as a failure: an answer of 500 or above, an error that the server calls its own fault, a traceback in its
log, no answer within LIMIT seconds, and, at the end, a file where none belongs.
"""

import argparse
import base64
import contextlib
import http.client
import re
import socket
import sqlite3
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded

from server.access.signatures import Signer
from server.store.users import ADMIN
from tests.server.fuzz_requests import Call, calls
from tests.server.running import Server, start

LIMIT = 10.0  # seconds for one answer
FAULTS = re.compile(rb"fault of this server|the request failed|database failed|Traceback|File \\?\"")


class World:
    """A server with something of every kind on it, and what was seen of it."""

    def __init__(self, server: Server) -> None:
        self.server, self.ids = server, dict[str, str]()
        self.sent, self.answered, self.slowest = 0, 0, 0.0
        self.statuses: dict[int, int] = {}
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=LIMIT)
        self._signer = _signer(server)
        self.log = server.folder.parent / f"{server.folder.name}.log"

    def close(self) -> None:
        self._connection.close()

    def seed(self) -> None:
        """Makes what the ids stand for, again where it was deleted."""
        ask = self.server.graphql
        run = """mutation { upsertBucket(input: {modelName: "fuzz", name: "r", config: "{\\"x\\": {\\"value\\": 1}}"}) {
            bucket { id project { id } } } }"""
        bucket = ask(run)[1]["data"]["upsertBucket"]["bucket"]
        sweep = """mutation { upsertSweep(input: {entityName: "local", projectName: "fuzz",
            config: "method: random\\nparameters: {x: {min: 0.0, max: 1.0}}"}) { sweep { id name } } }"""
        made = ask(sweep)[1]["data"]["upsertSweep"]["sweep"]
        agent = 'mutation($s:String!) { createAgent(input: {host: "h", sweep: $s, projectName: "fuzz"}) { agent {id}}}'
        artifact = """mutation { createArtifact(input: {entityName: "local", projectName: "fuzz", digest: "d",
            artifactTypeName: "model", artifactCollectionName: "m"}) { artifact { id artifactSequence { id } } } }"""
        new = ask(artifact)[1].get("data", {}).get("createArtifact", {}).get("artifact") or {
            "id": "",
            "artifactSequence": {"id": ""},
        }
        manifest = """mutation($id: ID!) { createArtifactManifest(input: {artifactID: $id, name: "wandb_manifest.json",
            digest: "d", entityName: "local", projectName: "fuzz"}) { artifactManifest { id file { uploadUrl } } } }"""
        held = ask(manifest, id=new["id"])[1].get("data", {}).get("createArtifactManifest", {}).get("artifactManifest")
        if held:
            self.server.send("PUT", held["file"]["uploadUrl"], b'{"contents": {}}')
            ask("mutation($id: ID!) { commitArtifact(input: {artifactID: $id}) { artifact { id } } }", id=new["id"])
        view = 'mutation { upsertView(input: {projectName: "fuzz", entityName: "local"}) { view { id } } }'
        self.ids = {
            "Run": bucket["id"],
            "Project": bucket["project"]["id"],
            "Sweep": made["id"],
            "sweep name": made["name"],
        }
        self.ids["Agent"] = ask(agent, s=made["name"])[1]["data"]["createAgent"]["agent"]["id"]
        self.ids |= {"Artifact": new["id"], "ArtifactCollection": new["artifactSequence"]["id"]}
        self.ids |= {"ArtifactManifest": held["id"] if held else "", "File": base64.b64encode(b"File:1").decode()}
        self.ids["View"] = ask(view)[1]["data"]["upsertView"]["view"]["id"]

    def send(self, call: Call) -> None:
        """Raises AssertionError for an answer that must not be."""
        if self.sent % 500 == 0:
            self.seed()
        self.sent += 1
        before = time.monotonic()
        status, body = self._raw(call.raw) if call.raw is not None else self._request(call)
        took = time.monotonic() - before
        self.slowest = max(self.slowest, took)
        self.answered += body.startswith(b'{"data"')
        self.statuses[status] = self.statuses.get(status, 0) + 1
        assert status < 500, (status, body[:500], call)
        assert not FAULTS.search(body), (body[:500], call)
        assert took < LIMIT, (took, call)
        assert self.server.process.poll() is None, call

    def _filled(self, text: str) -> str:
        return re.sub(r"<([\w ]+)>", lambda found: self.ids.get(found[1], found[0]), text)

    def _request(self, call: Call) -> tuple[int, bytes]:
        path = self._filled(call.path)
        if path.endswith("?signed"):
            path = self._signer(call.method, path.removesuffix("?signed"))
        body = None if call.body is None else _replaced(self, call)
        headers = {
            "Authorization": self.server.basic(),
            "Content-Type": "application/json",
            "Content-Length": str(len(body or b"")),
            **call.headers,
        }
        headers = {name: text.encode("latin-1", "replace").decode("latin-1") for name, text in headers.items()}
        try:
            self._connection.request(call.method, path, body, headers)
            with self._connection.getresponse() as answer:
                return answer.status, answer.read()
        except (http.client.HTTPException, ConnectionError):
            self._connection.close()
            return 0, b""

    def _raw(self, data: bytes) -> tuple[int, bytes]:
        """Ends the sending side, so that a server that waits for more gives up."""
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=LIMIT) as connection:
            answer = b""
            with contextlib.suppress(ConnectionError):
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
                while chunk := connection.recv(65536):
                    answer += chunk
        status = re.match(rb"HTTP/1.1 (\d+)", answer)
        return int(status[1]) if status else 0, answer

    def resident(self) -> float:
        """MiB of the server's memory."""
        text = Path(f"/proc/{self.server.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", text)[1]) / 1024  # type: ignore[index]

    def strange_files(self) -> list[str]:
        """Files in the server's folder and beside it that nothing explains, or that others may read."""
        beside = [path for path in self.server.folder.parent.iterdir() if path not in (self.server.folder, self.log)]
        known = re.compile(r"(wandb\.sqlite(-wal|-shm)?|api-key|lock|address|blobs/../[0-9a-f]{64}|incoming/[0-9a-f]+)")
        inside = [path for path in self.server.folder.rglob("*") if path.is_file()]
        return [str(p) for p in beside] + [
            str(p)
            for p in inside
            if not known.fullmatch(str(p.relative_to(self.server.folder))) or p.stat().st_mode & 0o077
        ]


def _replaced(world: World, call: Call) -> bytes:
    assert call.body is not None
    if call.headers.get("Content-Encoding") == "gzip" or b"<" not in call.body:
        return call.body
    return world._filled(call.body.decode("latin-1")).encode("latin-1")


def _signer(server: Server) -> Any:
    """Signed addresses, also for names that the server itself would never sign."""
    with contextlib.closing(sqlite3.connect(server.folder / "wandb.sqlite")) as db:
        [secret] = db.execute("SELECT value FROM meta WHERE key = 'url-signing'").fetchone()
    signer = Signer(secret)

    def sign(method: str, path: str) -> str:
        verb = "GET" if method == "HEAD" else method
        url = signer.url("", verb, unquote(path), ADMIN.number, time.time())
        return path + "?" + url.rpartition("?")[2]

    return sign


def fuzz(world: World, requests: int, seed: int) -> None:
    """Sends the requests; raises the first failure, made as small as hypothesis can."""

    @seeded(seed)
    @settings(
        max_examples=requests,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    @given(calls)
    def one(call: Call) -> None:
        world.send(call)

    one()
    assert "Traceback" not in world.log.read_text()
    assert world.strange_files() == []


def main() -> int:
    parser = argparse.ArgumentParser("python -m tests.server.fuzz", description=__doc__)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = start(Path(folder) / "folder")
        try:
            world = World(server)
            fuzz(world, options.requests // 5, options.seed)
            warm = world.resident()
            began = time.monotonic()
            fuzz(world, options.requests - options.requests // 5, options.seed + 1)
            took = time.monotonic() - began
            print(f"{world.sent} requests, the last {options.requests * 4 // 5} in {took:.0f} s: no failure")
            print("status codes: " + ", ".join(f"{code}: {n}" for code, n in sorted(world.statuses.items())))
            print(f"{world.answered} of the GraphQL requests were answered with data")
            print(f"slowest answer {world.slowest:.2f} s")
            print(f"memory {warm:.0f} MiB after a fifth of them, {world.resident():.0f} MiB at the end")
            world.close()
        finally:
            server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
