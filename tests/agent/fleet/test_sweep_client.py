"""What an answer, a refusal and silence of the server become."""

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.fleet.agent import Agent, Plan
from agent.fleet.sweep_client import Sweep
from common.names import BadName
from common.wandb_api import KeyRefused, NotFound, RequestRefused, ServerUnavailable


class Answers(http.server.BaseHTTPRequestHandler):
    status, body = 200, b"{}"
    asked: list[tuple[str, Any]] = []  # noqa: RUF012

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append((str(self.headers["Authorization"]), asked["variables"]))
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, format: str, *arguments: Any) -> None:
        return


@pytest.fixture
def sweep(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sweep]:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # what is on this machine is not asked for there
    monkeypatch.setattr(Answers, "asked", [])
    with http.server.HTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield Sweep(f"http://127.0.0.1:{server.server_port}", "k", "me", "puzzle", "s1")
        server.shutdown()
        thread.join()


def answer(monkeypatch: pytest.MonkeyPatch, status: int, body: Any) -> None:
    monkeypatch.setattr(Answers, "status", status)
    monkeypatch.setattr(Answers, "body", body if isinstance(body, bytes) else json.dumps(body).encode())


def test_a_heartbeat_says_what_runs_and_brings_commands(sweep: Sweep, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = [{"type": "stop", "run_id": "r1"}]
    answer(monkeypatch, 200, {"data": {"agentHeartbeat": {"commands": json.dumps(commands)}}})
    assert sweep.heartbeat("a1", ["r1"], timeout=5) == commands
    (asked,) = Answers.asked
    assert asked == ("Basic YXBpOms=", {"id": "a1", "metrics": "{}", "runState": '{"r1": true}'})


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (500, b"", ServerUnavailable),
        (503, b"", ServerUnavailable),
        (429, b"", ServerUnavailable),
        (200, b"<html>a proxy's page</html>", ServerUnavailable),
        (404, b"no such agent", NotFound),
        (401, b"", KeyRefused),
        (400, b"bad", RequestRefused),
        (200, {"errors": [{"message": "no such field"}]}, RequestRefused),
    ],
)
def test_what_may_pass_is_told_from_what_will_not(
    sweep: Sweep, monkeypatch: pytest.MonkeyPatch, status: int, body: Any, kind: type[Exception]
) -> None:
    answer(monkeypatch, status, body)
    with pytest.raises(kind) as caught:
        sweep.heartbeat("a1", [], timeout=5)
    assert type(caught.value) is kind


@pytest.mark.parametrize("name", ["..", ".", "", "../../x", "a/b", "a\nb"])
def test_a_name_that_leads_out_of_its_folder_is_no_sweep(name: str) -> None:
    with pytest.raises(BadName, match="sweep id"):
        Sweep("http://127.0.0.1:9", "k", "me", "puzzle", name)


def test_a_run_that_could_not_stay_in_its_folder_is_refused(
    sweep: Sweep, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    commands = [{"type": "run", "run_id": "../../x", "args": {}}]
    answer(monkeypatch, 200, {"data": {"agentHeartbeat": {"commands": json.dumps(commands)}}})
    folder = tmp_path / "s1" / "trials"
    agent = Agent(1, Plan(sweep, None, 1, folder, tmp_path, 1, warm=False), {}, events=-1, id="a1")
    with pytest.raises(RequestRefused, match=r"hands out what is no run: run id '\.\./\.\./x' has '/'"):
        agent._ask()
    assert list(tmp_path.rglob("*")) == []


def test_nobody_there_is_away() -> None:
    with pytest.raises(ServerUnavailable, match=r"no answer from http://127.0.0.1:9 \(.*refused"):
        Sweep("http://127.0.0.1:9", "k", "me", "puzzle", "s1").look()


def test_a_sweep_or_run_that_is_not_there_is_none(sweep: Sweep, monkeypatch: pytest.MonkeyPatch) -> None:
    for body in ({"data": {"project": None}}, {"data": {"project": {"sweep": None, "run": None}}}):
        answer(monkeypatch, 200, body)
        assert sweep.look() is None
        assert sweep.run_state("r1") is None
