"""Slurm signals every process of a job that it ends: the trial, and the client's service that it needs."""

import os
from pathlib import Path

import pytest

from agent.lifecycle.interruption import STOP, Interruption, on_client_death


@pytest.fixture
def leave(monkeypatch: pytest.MonkeyPatch) -> None:
    """What ends the process at once, ends the test's block."""

    def exit(code: int) -> None:
        raise SystemExit(code)

    monkeypatch.setattr(os, "_exit", exit)


def test_a_run_whose_client_was_ended_with_it_leaves_with_its_state(
    tmp_path: Path, leave: None, capsys: pytest.CaptureFixture[str]
) -> None:
    interruption = Interruption()
    interruption.request("SIGTERM")
    with pytest.raises(SystemExit) as left:
        with on_client_death(tmp_path / "abc", interruption):
            raise ConnectionResetError("Connection lost")
    assert left.value.code == 143
    assert str(tmp_path / "abc") in capsys.readouterr().out


@pytest.mark.parametrize("reason", ["", STOP])
def test_a_client_that_was_killed_alone_is_told_in_one_sentence(
    reason: str, tmp_path: Path, leave: None, capsys: pytest.CaptureFixture[str]
) -> None:
    interruption = Interruption()
    interruption.request(reason)
    with pytest.raises(SystemExit) as left:
        with on_client_death(tmp_path / "abc", interruption):
            raise ConnectionResetError("Connection lost")
    assert left.value.code == 1
    assert capsys.readouterr().out == (
        f"agent.train: the W&B client's process is gone (Connection lost); the state stays in {tmp_path / 'abc'}; "
        f"go on with python -m agent.train --resume abc\n"
    )
