"""What an answer, a refusal and silence of the server become."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.fleet.agent import Agent, FleetSettings
from agent.fleet.sweep_client import Sweep
from common.names import BadName
from common.wandb_api import RequestRefused, ServerUnavailable
from tests.canned import Answer, Canned, canned


@pytest.fixture
def server() -> Iterator[Canned]:
    with canned() as server:
        yield server


@pytest.fixture
def sweep(server: Canned) -> Sweep:
    return Sweep(server.url, "k", "me", "puzzle", "s1")


def answer(server: Canned, status: int, data: Any) -> None:
    server.answers = [Answer(status, json.dumps({"data": data}).encode())]


def test_a_heartbeat_says_what_runs_and_brings_commands(sweep: Sweep, server: Canned) -> None:
    commands = [{"type": "stop", "run_id": "r1"}]
    answer(server, 200, {"agentHeartbeat": {"commands": json.dumps(commands)}})
    assert sweep.heartbeat("a1", ["r1"], timeout=5) == commands
    (asked,) = server.asked
    assert asked.authorization == "Basic YXBpOms="
    assert asked.variables == {"id": "a1", "metrics": "{}", "runState": '{"r1": true}'}


@pytest.mark.parametrize("name", ["..", ".", "", "../../x", "a/b", "a\nb"])
def test_a_name_that_leads_out_of_its_folder_is_no_sweep(name: str) -> None:
    with pytest.raises(BadName, match="sweep id"):
        Sweep("http://127.0.0.1:9", "k", "me", "puzzle", name)


def test_a_run_that_could_not_stay_in_its_folder_is_refused(sweep: Sweep, server: Canned, tmp_path: Path) -> None:
    commands = [{"type": "run", "run_id": "../../x", "args": {}}]
    answer(server, 200, {"agentHeartbeat": {"commands": json.dumps(commands)}})
    folder = tmp_path / "s1" / "trials"
    agent = Agent(1, FleetSettings(sweep, None, 1, folder, tmp_path, 1, warm=False), {}, events=-1, id="a1")
    with pytest.raises(RequestRefused, match=r"run id '\.\./\.\./x' has '/'"):
        agent._next_claim()
    assert list(tmp_path.rglob("*")) == []


def test_nobody_there_is_away() -> None:
    with pytest.raises(ServerUnavailable, match=r"no answer from http://127.0.0.1:9 \(.*refused"):
        Sweep("http://127.0.0.1:9", "k", "me", "puzzle", "s1").fetch()


def test_a_sweep_or_run_that_is_not_there_is_none(sweep: Sweep, server: Canned) -> None:
    for project in (None, {"sweep": None, "run": None}):
        answer(server, 200, {"project": project})
        assert sweep.fetch() is None
        assert sweep.fetch_run_state("r1") is None
