"""The server as a process, and the unmodified wandb client as another one beside it."""

import base64
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from common.wandb_api import open_url

ROOT = Path(__file__).parents[2]


WAIT_FOR_ROWS = """
def wait_for_rows(path, n=1):
    import time, wandb
    end = time.monotonic() + 60
    while len(list(wandb.Api().run(path).scan_history())) < n:
        assert time.monotonic() < end, "no row came"
        time.sleep(0.05)
"""
"""For the programs of clients: until the server has rows of a run."""


RUN = """mutation UpsertBucket($entity: String, $project: String, $name: String, $config: JSONString,
    $summary: JSONString, $state: String, $notes: String, $displayName: String, $tags: [String!], $group: String) {
  upsertBucket(input: {entityName: $entity, modelName: $project, name: $name, config: $config,
      summaryMetrics: $summary, state: $state, notes: $notes, displayName: $displayName, tags: $tags,
      groupName: $group}) {
    bucket { id name project { id name entity { name } } user { username } } inserted } }"""
UPLOAD = """mutation CreateRunFiles($entity: String!, $project: String!, $run: String!, $files: [String!]!) {
  createRunFiles(input: {entityName: $entity, projectName: $project, runName: $run, files: $files}) {
    files { uploadUrl } } }"""


def start(folder: Path, port: int = 0, *options: str) -> "Server":
    """Returns when the server says that it listens."""
    command = [sys.executable, "-m", "server", "--port", str(port), "--dir", str(folder), *options]
    with (folder.parent / f"{folder.name}.log").open("ab") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, start_new_session=True)
    assert process.stdout is not None
    line = process.stdout.readline().decode()
    if not line.startswith("listening on "):
        process.wait(10)
        raise AssertionError((folder.parent / f"{folder.name}.log").read_text())
    return Server(folder, line.split()[-1], process)


@dataclass
class Server:
    folder: Path
    url: str
    process: "subprocess.Popen[bytes]"
    key: str = field(init=False, default="")

    def __post_init__(self) -> None:
        if (self.folder / "api-key").exists():
            self.key = (self.folder / "api-key").read_text().strip()

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ends it; returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(10)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code

    def restart(self) -> None:
        """The same folder, port and key; call after `stop`."""
        self.process = start(self.folder, self.port).process

    def get(self, path: str, **headers: str) -> tuple[int, bytes]:
        return self.send("GET", path, None, **headers)

    def send(self, method: str, path: str, body: bytes | None, **headers: str) -> tuple[int, bytes]:
        """Status and body; `path` may be a whole address."""
        address = path if path.startswith("http") else self.url + path
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(address, data=body, method=method, headers=names)
        try:
            with open_url(request, 20) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def basic(self, key: str | None = None) -> str:
        return "Basic " + base64.b64encode(f"api:{key or self.key}".encode()).decode()

    def graphql(self, query: str, key: str | None = None, **variables: Any) -> tuple[int, Any]:
        body = json.dumps({"query": query, "variables": variables, "operationName": ""}).encode()
        status, answer = self.post("/graphql", body, Authorization=self.basic(key))
        return status, json.loads(answer)

    def open_run(self, project: str, name: str, key: str | None = None, **more: Any) -> tuple[int, Any]:
        return self.graphql(RUN, key, project=project, name=name, **more)

    def upload_urls(self, project: str, run: str, *names: str) -> list[str]:
        answer = self.graphql(UPLOAD, entity="local", project=project, run=run, files=names)[1]
        return [file["uploadUrl"] for file in answer["data"]["createRunFiles"]["files"]]

    def stream(
        self, project: str, run: str, body: bytes | dict[str, Any], entity: str = "local", **headers: str
    ) -> tuple[int, bytes]:
        """A post of lines; see `content.lines`."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        path = f"/files/{entity}/{project}/{run}/file_stream"
        return self.post(path, data, **{"Authorization": self.basic(), **headers})

    def post(self, path: str, body: bytes, **headers: str) -> tuple[int, bytes]:
        """JSON, as the client sends it."""
        return self.send("POST", path, body, Content_Type="application/json", **headers)


@dataclass
class Client:
    """Runs Python programs with wandb in `folder`, cut off from the person's own settings."""

    server: Server
    folder: Path

    def environment(self, **more: str) -> dict[str, str]:
        names = ("WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR", "WANDB_DIR", "WANDB_ARTIFACT_DIR")
        home = {name: str(self.folder / name.lower()) for name in names}
        for path in home.values():
            Path(path).mkdir(exist_ok=True)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("WANDB")}
        return {
            **kept,
            **home,
            "HOME": str(self.folder),
            "NETRC": str(self.folder / ".netrc"),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "WANDB_BASE_URL": self.server.url,
            "WANDB_API_KEY": self.server.key,
            "WANDB_SILENT": "true",
            "WANDB_ERROR_REPORTING": "false",
            "WANDB_X_FILE_STREAM_TRANSMIT_INTERVAL": "1",
            "WANDB_X_DISABLE_STATS": "true",
            "OMP_NUM_THREADS": "1",
            **more,
        }

    def start(self, command: list[str], **environment: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment(**environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def program(self, code: str, **environment: str) -> "subprocess.Popen[str]":
        return self.start([sys.executable, "-c", code], **environment)

    def finish(self, process: "subprocess.Popen[str]", timeout: float = 90) -> str:
        """Output of the process. It and its children are killed when it takes too long."""
        try:
            return process.communicate(timeout=timeout)[0]
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise AssertionError(f"took more than {timeout} s:\n{process.communicate()[0]}") from None

    def run(self, code: str, **environment: str) -> Any:
        """Runs `code`; the last line that it prints is JSON and is returned as a value."""
        process = self.program(code, **environment)
        output = self.finish(process)
        assert process.returncode == 0, output
        return json.loads(output.strip().splitlines()[-1])

    def command(self, *words: str, **environment: str) -> tuple[int, str]:
        process = self.start(list(words), **environment)
        output = self.finish(process)
        return process.returncode, output
