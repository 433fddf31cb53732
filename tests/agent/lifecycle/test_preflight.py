"""What a server is asked before a run begins."""

import contextlib
import json
import os
import ssl
import subprocess
import sys
import urllib.error
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import wandb
from wandb.errors import CommError

from agent import train
from agent.config import Config, ConfigError, parse
from agent.fleet import sweep_setup
from agent.fleet.sweep_setup import SweepError
from agent.lifecycle import preflight
from agent.lifecycle.failures import RunFailure
from agent.lifecycle.interruption import Interrupted, Interruption
from agent.lifecycle.plan import RunPlan
from agent.lifecycle.preflight import RunOnServer
from bench.harness.protocol import ProtocolClient
from common import wandb_api
from tests.canned import Answer, canned
from tests.server import running

SETTINGS = parse(["--width=4", "--epochs=3"])
SAME: dict[str, Any] = {"model": SETTINGS.model, "width": 4, "epochs": 3}
CONFIG = {"width": {"value": 4}, "epochs": {"value": 3}, "n_parameters": {"value": 9}, "_wandb": {"value": {}}}


def check_same_config(config: Config = SETTINGS) -> None:
    preflight.check_same_config(RunPlan(config, "abc", None, "puzzle", Path("abc")), Interruption().check)


RUN_STATE = '{ project(name: "puzzle") { run(name: "abc") { state config summaryMetrics historyLineCount } } }'


def nothing() -> None:
    pass


def bucket(found: Any) -> Answer:
    return Answer(200, json.dumps({"data": {"model": {"bucket": found}}}).encode())


@pytest.fixture(autouse=True)
def client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SimpleNamespace:
    """Settings of a client with a key, for a server of which every test says the address."""
    settings = SimpleNamespace(mode="online", base_url="", app_url="", entity=None, init_timeout=60.0)
    monkeypatch.setattr(wandb, "setup", lambda *_: SimpleNamespace(settings=settings))
    monkeypatch.setattr(preflight, "FIRST_PAUSE", 0.01)
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("PUZZLE_RUNS", str(tmp_path))
    monkeypatch.delenv("WANDB_MODE", raising=False)
    return settings


def point(client: SimpleNamespace, url: str) -> None:
    client.base_url = client.app_url = url


def test_of_a_run_the_settings_and_the_number_of_rows_are_known(client: SimpleNamespace) -> None:
    client.entity = "lab"
    with canned(bucket({"config": json.dumps(CONFIG), "historyLineCount": 2})) as server:
        point(client, server.url)
        assert preflight.find_run("abc", None, "puzzle", nothing) == RunOnServer({"width": 4, "epochs": 3}, 2)
    assert [asked.variables for asked in server.asked] == [{"project": "puzzle", "entity": "lab", "name": "abc"}]


def test_the_embedded_server_tells_what_it_has_and_is_left_as_it_was(
    client: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server = running.start(tmp_path / "server")
    try:
        point(client, server.url)
        monkeypatch.setenv("WANDB_API_KEY", server.key)
        assert preflight.find_run("abc", None, "puzzle", nothing) is None
        _, viewer = server.graphql("{ viewer { entity } }")
        client.entity = viewer["data"]["viewer"]["entity"]
        settings = {"model": "unet_transposed", "width": 4, "epochs": 3, "learning_rate": 0.001}
        run = ProtocolClient(server.url, server.key, "puzzle", client.entity)
        run.upsert("abc", config=json.dumps({name: {"value": value} for name, value in settings.items()}))
        assert preflight.find_run("abc", None, "puzzle", nothing) == RunOnServer(settings, 0)
        rows = [json.dumps({"_step": 0, "epoch": 1}), json.dumps({"_step": 1, "epoch": 2})]
        run.stream("abc", files={"wandb-history.jsonl": {"offset": 0, "content": rows}})
        assert preflight.find_run("abc", None, "puzzle", nothing) == RunOnServer(settings, 2)
        check_same_config(SETTINGS)
        before = server.graphql(RUN_STATE)
        with pytest.raises(ConfigError, match=r"other settings \(epochs 3, not 4\)"):
            check_same_config(parse(["--width=4", "--epochs=4"]))
        assert server.graphql(RUN_STATE) == before
    finally:
        server.stop()


@pytest.mark.parametrize("answer", [bucket(None), Answer(200, b'{"data": {"model": null}}')])
def test_a_run_that_the_server_does_not_have_is_unknown(answer: Answer, client: SimpleNamespace) -> None:
    with canned(answer) as server:
        point(client, server.url)
        assert preflight.find_run("abc", None, "puzzle", nothing) is None


def test_a_server_that_is_away_is_waited_for_and_that_is_said_once(
    client: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    with canned(Answer(503), Answer(503), bucket(None)) as server:
        point(client, server.url)
        preflight.find_run("abc", None, "puzzle", nothing)
    assert len(server.asked) == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("agent.train: the server answers 503")


def test_a_server_that_stays_away_is_given_up_when_the_client_would(client: SimpleNamespace) -> None:
    client.init_timeout = 0.03
    point(client, "http://127.0.0.1:9")
    with pytest.raises(CommError, match=r"^no answer from http://127.0.0.1:9 \(.*refused\), for 0 s$"):
        preflight.find_run("abc", None, "puzzle", nothing)


def test_a_fleet_waits_for_its_server_and_says_so_too(
    client: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    with canned(Answer(503), Answer(200, b'{"data": {"viewer": null}}')) as server:
        point(client, server.url)
        preflight.check_server("agent.fleet")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("agent.fleet: the server answers 503")
    client.init_timeout = 0.03
    point(client, "http://127.0.0.1:9")
    with pytest.raises(SweepError, match=r"^no W&B server to work with: no answer from http://127.0.0.1:9 "):
        sweep_setup.login()


def test_a_key_that_is_refused_is_not_tried_again(client: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    with canned(Answer(401)) as server:
        point(client, server.url)
        assert train.main(["--width=4"]) == 1
    assert len(server.asked) == 1
    assert capsys.readouterr().err == (
        "agent.train: the server did not take the run: the server refuses the API key (401); correct WANDB_BASE_URL "
        "and WANDB_API_KEY (`make serve` prints both), or do without: WANDB_MODE=offline\n"
    )


def test_a_signal_ends_the_waiting(
    client: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(preflight, "POLL_SECONDS", 0.001)
    interruption = Interruption()

    def check() -> None:
        interruption.request("SIGTERM")
        interruption.check()

    with canned(Answer(503)) as server:
        point(client, server.url)
        with pytest.raises(Interrupted, match="SIGTERM"):
            preflight.find_run("abc", None, "puzzle", check)
        monkeypatch.setattr(train, "catch_signals", lambda: contextlib.nullcontext(interruption))
        assert train.main(["--width=4"]) == 143
    assert capsys.readouterr().err.endswith("agent.train: SIGTERM before the run began\n")


@pytest.mark.parametrize("mode", ["offline", "disabled"])
def test_without_a_server_none_is_asked(mode: str, client: SimpleNamespace) -> None:
    with canned(Answer(401)) as server:
        point(client, server.url)
        client.mode = mode
        assert preflight.find_run("abc", None, "puzzle", nothing) is None
    assert server.asked == []


def test_what_only_the_client_can_judge_is_left_to_it(client: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise urllib.error.URLError(ssl.SSLCertVerificationError("self-signed"))

    monkeypatch.setattr(wandb_api, "open_url", refuse)
    point(client, "https://lab")
    assert preflight.find_run("abc", None, "puzzle", nothing) is None
    monkeypatch.delenv("WANDB_API_KEY")
    assert preflight.find_run("abc", None, "puzzle", nothing) is None, "the client asks the person for a key"


def test_settings_that_the_client_refuses_are_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def setup() -> None:
        raise ValueError("1 validation error\nbase_url\n  Input should be a valid URL [type=url]\n    For more, …")

    monkeypatch.setattr(wandb, "setup", setup)
    with pytest.raises(CommError, match=r"refuses the setting base_url Input should be a valid URL$"):
        preflight.find_run("abc", None, "puzzle", nothing)


def test_a_run_with_rows_of_other_settings_is_refused_before_it_is_opened(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    known = RunOnServer(SAME | {"width": 8, "learning_rate": 0.5}, 2)
    monkeypatch.setattr(preflight, "find_run", lambda *_: known)
    monkeypatch.setattr(train, "open_run", lambda *_: pytest.fail("the run was opened"))
    monkeypatch.setenv("WANDB_RUN_ID", "abc")
    assert train.main(["--width=4", "--epochs=3"]) == 2
    assert capsys.readouterr().err == (
        "agent.train: run abc has rows on the server that were made with other settings (width 8, not 4, learning_rate "
        "0.5, not 0.001): unset WANDB_RUN_ID to start a new run, or go on with --resume abc and no other flag\n"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "known",
    [
        None,
        RunOnServer({}, 0),
        RunOnServer(SAME | {"width": 8}, 0),
        RunOnServer(SAME, 2),
        RunOnServer(SAME | {"learning_rate": 0.001, "deterministic": False}, 2),
    ],
)
def test_a_run_that_is_new_or_has_these_settings_begins(
    known: RunOnServer | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A setting that the run's configuration lacks was not there yet: it had its default."""
    monkeypatch.setattr(preflight, "find_run", lambda *_: known)
    check_same_config(SETTINGS)
    monkeypatch.setattr(preflight, "find_run", lambda *_: RunOnServer({"width": 8}, 1))
    with pytest.raises(ConfigError):
        check_same_config(SETTINGS)


def test_offline_no_server_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise RunFailure("this far")

    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setattr(preflight, "find_run", lambda *_: pytest.fail("asked"))
    monkeypatch.setattr(train, "prepare", refuse)
    assert train.main(["--width=8"]) == 1


@pytest.mark.parametrize(("given", "used"), [({}, "false"), ({"WANDB_ERROR_REPORTING": "true"}, "true")])
def test_the_client_reports_to_its_maker_only_where_the_person_asks_for_it(given: dict[str, str], used: str) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WANDB")}
    code = "import os, agent; print(os.environ['WANDB_ERROR_REPORTING'])"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=kept | given, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == used
