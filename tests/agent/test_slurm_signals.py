"""Slurm signals every process of a job that it ends: the trial, and the client's service that it needs."""

import os
from pathlib import Path

import pytest

from agent.lifecycle.interruption import STOP, Interruption, on_client_death


@pytest.mark.parametrize(("reason", "code"), [("SIGTERM", 143), ("", 1), (STOP, 1)])
def test_a_run_whose_client_is_gone_keeps_its_state_and_is_preempted_only_by_the_signal_of_both(
    reason: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def leave(code: int) -> None:
        raise SystemExit(code)

    monkeypatch.setattr(os, "_exit", leave)
    interruption = Interruption()
    interruption.request(reason)
    with pytest.raises(SystemExit) as left:
        with on_client_death(tmp_path / "abc", interruption):
            raise ConnectionResetError("Connection lost")
    assert left.value.code == code
    (line,) = capsys.readouterr().out.splitlines()
    assert str(tmp_path / "abc") in line
    assert line.endswith("python -m agent.train --resume abc")
