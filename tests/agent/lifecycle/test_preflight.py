"""What a server is asked before a run begins."""

import contextlib
import json
import ssl
import urllib.error
from collections.abc import Callable, Iterator
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
from tests.canned import Answer, Canned, canned
from tests.server import running

SETTINGS = parse(["--width=4", "--epochs=3"])
SAME: dict[str, Any] = {"model": SETTINGS.model, "width": 4, "epochs": 3}
CONFIG = {"width": {"value": 4}, "epochs": {"value": 3}, "n_parameters": {"value": 9}, "_wandb": {"value": {}}}


def check_same_config(config: Config = SETTINGS) -> None:
    preflight.check_same_config(RunPlan(config, "abc", None, "puzzle", Path("abc")), Interruption().check)


RUN_STATE = '{ project(name: "puzzle") { run(name: "abc") { state config summaryMetrics historyLineCount } } }'


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


@pytest.fixture
def server(client: SimpleNamespace) -> Iterator[Canned]:
    """The server of the client's settings."""
    with canned() as server:
        point(client, server.url)
        yield server


def find_run(check: Callable[[], None] = lambda: None) -> RunOnServer | None:
    return preflight.find_run("abc", None, "puzzle", check)


def test_of_a_run_the_settings_and_the_number_of_rows_are_known(client: SimpleNamespace, server: Canned) -> None:
    client.entity = "lab"
    server.answers = [bucket({"config": json.dumps(CONFIG), "historyLineCount": 2})]
    assert find_run() == RunOnServer({"width": 4, "epochs": 3}, 2)
    assert [asked.variables for asked in server.asked] == [{"project": "puzzle", "entity": "lab", "name": "abc"}]


def test_the_embedded_server_tells_what_it_has_and_is_left_as_it_was(
    client: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server = running.start(tmp_path / "server")
    try:
        point(client, server.url)
        monkeypatch.setenv("WANDB_API_KEY", server.key)
        assert find_run() is None
        _, viewer = server.graphql("{ viewer { entity } }")
        client.entity = viewer["data"]["viewer"]["entity"]
        settings = {"model": "unet_transposed", "width": 4, "epochs": 3, "learning_rate": 0.001}
        run = ProtocolClient(server.url, server.key, "puzzle", client.entity)
        run.upsert("abc", config=json.dumps({name: {"value": value} for name, value in settings.items()}))
        assert find_run() == RunOnServer(settings, 0)
        rows = [json.dumps({"_step": 0, "epoch": 1}), json.dumps({"_step": 1, "epoch": 2})]
        run.stream("abc", files={"wandb-history.jsonl": {"offset": 0, "content": rows}})
        assert find_run() == RunOnServer(settings, 2)
        check_same_config(SETTINGS)
        before = server.graphql(RUN_STATE)
        with pytest.raises(ConfigError, match=r"other settings \(epochs 3, not 4\)"):
            check_same_config(parse(["--width=4", "--epochs=4"]))
        assert server.graphql(RUN_STATE) == before
    finally:
        server.stop()


@pytest.mark.parametrize("answer", [bucket(None), Answer(200, b'{"data": {"model": null}}')])
def test_a_run_that_the_server_does_not_have_is_unknown(answer: Answer, server: Canned) -> None:
    server.answers = [answer]
    assert find_run() is None


def test_a_server_that_is_away_is_waited_for_and_that_is_said_once(
    server: Canned, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answers = [Answer(503), Answer(503), bucket(None)]
    find_run()
    assert len(server.asked) == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("agent.train: the server answers 503")


def test_a_server_that_stays_away_is_given_up_when_the_client_would(client: SimpleNamespace) -> None:
    client.init_timeout = 0.03
    point(client, "http://127.0.0.1:9")
    with pytest.raises(CommError, match=r"^no answer from http://127.0.0.1:9 \(.*refused\), for 0 s$"):
        find_run()


def test_a_fleet_waits_for_its_server_and_says_so_too(
    client: SimpleNamespace, server: Canned, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answers = [Answer(503), Answer(200, b'{"data": {"viewer": null}}')]
    preflight.check_server("agent.fleet")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("agent.fleet: the server answers 503")
    client.init_timeout = 0.03
    point(client, "http://127.0.0.1:9")
    with pytest.raises(SweepError, match=r": no answer from http://127.0.0.1:9 "):
        sweep_setup.login()


def test_a_key_that_is_refused_is_not_tried_again(server: Canned, capsys: pytest.CaptureFixture[str]) -> None:
    server.answers = [Answer(401)]
    assert train.main(["--width=4"]) == 1
    assert len(server.asked) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "refuses the API key (401)" in line
    assert line.endswith(" WANDB_MODE=offline")


def test_a_signal_ends_the_waiting(
    server: Canned, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(preflight, "POLL_SECONDS", 0.001)
    interruption = Interruption()

    def check() -> None:
        interruption.request("SIGTERM")
        interruption.check()

    server.answers = [Answer(503)]
    with pytest.raises(Interrupted, match="SIGTERM"):
        find_run(check)
    monkeypatch.setattr(train, "catch_signals", lambda: contextlib.nullcontext(interruption))
    assert train.main(["--width=4"]) == 143
    assert capsys.readouterr().err.endswith("agent.train: SIGTERM before the run began\n")


@pytest.mark.parametrize("mode", ["offline", "disabled"])
def test_without_a_server_none_is_asked(mode: str, client: SimpleNamespace, server: Canned) -> None:
    client.mode = mode
    assert find_run() is None
    assert server.asked == []


def test_what_only_the_client_can_judge_is_left_to_it(client: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise urllib.error.URLError(ssl.SSLCertVerificationError("self-signed"))

    monkeypatch.setattr(wandb_api, "open_url", refuse)
    point(client, "https://lab")
    assert find_run() is None
    monkeypatch.delenv("WANDB_API_KEY")
    assert find_run() is None, "the client asks the person for a key"


def test_settings_that_the_client_refuses_are_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def setup() -> None:
        raise ValueError("1 validation error\nbase_url\n  Input should be a valid URL [type=url]\n    For more, …")

    monkeypatch.setattr(wandb, "setup", setup)
    with pytest.raises(CommError, match=r"refuses the setting base_url Input should be a valid URL$"):
        find_run()


def test_a_run_with_rows_of_other_settings_is_refused_before_it_is_opened(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    known = RunOnServer(SAME | {"width": 8, "learning_rate": 0.5}, 2)
    monkeypatch.setattr(preflight, "find_run", lambda *_: known)
    monkeypatch.setattr(train, "open_run", lambda *_: pytest.fail("the run was opened"))
    monkeypatch.setenv("WANDB_RUN_ID", "abc")
    assert train.main(["--width=4", "--epochs=3"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "width 8, not 4" in line
    assert "learning_rate 0.5, not 0.001" in line
    assert "--resume abc" in line
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
