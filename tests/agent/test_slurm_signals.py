"""Slurm signals every process of a job that it ends: the trial, and the client's service that it needs."""

import os
import signal
from pathlib import Path

import pytest

from agent import resume
from agent.config import parse
from agent.resume import STOP, Interrupted, Interruption, Plan


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    monkeypatch.setenv("PUZZLE_RUNS", str(tmp_path))
    return Plan(parse([]), "abc", None, "puzzle")


def test_a_second_sigterm_asks_for_no_more_than_the_first() -> None:
    with resume.listening() as interruption:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(Interrupted, match="SIGTERM"):
            interruption.check()


def test_a_run_whose_client_was_ended_with_it_leaves_with_its_state(
    plan: Plan, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def leave(code: int) -> None:
        raise SystemExit(code)

    monkeypatch.setattr(os, "_exit", leave)
    interruption = Interruption()
    interruption.ask("SIGTERM")
    with pytest.raises(SystemExit) as left:
        with resume.leaving_with_client(plan, interruption):
            raise ConnectionResetError("Connection lost")
    assert left.value.code == 143
    assert str(plan.folder) in capsys.readouterr().out


@pytest.mark.parametrize("reason", ["", STOP])
def test_a_lost_connection_without_a_signal_is_an_error(reason: str, plan: Plan) -> None:
    interruption = Interruption()
    interruption.ask(reason)
    with pytest.raises(ConnectionResetError):
        with resume.leaving_with_client(plan, interruption):
            raise ConnectionResetError("Connection lost")
