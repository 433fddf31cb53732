"""What was handed out and is not over, on disk."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from agent.fleet import journal
from agent.fleet.journal import Trial
from tests.server.running import ROOT

TRIAL = Trial("r1", {"seed": {"value": 1}}, "go.py", "agent-1")
HOLDER = """
import sys
from pathlib import Path
from agent.fleet import journal
held = journal.claim(Path({folder!r}), journal.Trial("r1", {{}}, None, "a"))
print(held is not None, flush=True)
sys.stdin.read()
"""


def test_a_trial_belongs_to_one_process_until_that_is_dead(tmp_path: Path) -> None:
    other = subprocess.Popen(
        [sys.executable, "-c", HOLDER.format(folder=str(tmp_path))],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert other.stdin is not None
    assert other.stdout is not None
    with other.stdin, other.stdout:
        assert other.stdout.readline() == b"True\n"
        assert journal.claim(tmp_path, TRIAL) is None
        assert journal.cut_off(tmp_path) is None
        assert journal.begun(tmp_path) == 1
        other.kill()
        other.wait()
    found = journal.cut_off(tmp_path)
    assert found is not None
    assert found.trial == Trial("r1", {}, None, "a")
    assert journal.cut_off(tmp_path) is None, "it is mine now"
    found.drop()


def test_a_trial_that_is_put_down_can_be_taken_up_and_one_that_is_over_cannot(tmp_path: Path) -> None:
    held = journal.claim(tmp_path, TRIAL)
    assert held is not None
    held.drop()
    again = journal.cut_off(tmp_path)
    assert again is not None
    assert again.trial == TRIAL
    again.forget()
    assert journal.cut_off(tmp_path) is None
    assert journal.begun(tmp_path) == 0


def test_kills_are_counted_across_agents(tmp_path: Path) -> None:
    held = journal.claim(tmp_path, TRIAL)
    assert held is not None
    held.save(dataclasses.replace(TRIAL, killed=2))
    held.drop()
    later = journal.claim(tmp_path, dataclasses.replace(TRIAL, agent="agent-2"))
    assert later is not None
    assert (later.trial.killed, later.trial.agent) == (2, "agent-2")
    later.drop()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"run": "r1"}'])
def test_a_file_that_is_none_of_ours_is_left_alone(tmp_path: Path, text: str) -> None:
    (tmp_path / "r1.json").write_text(text)
    assert journal.cut_off(tmp_path) is None


def test_no_folder_means_no_trials(tmp_path: Path) -> None:
    assert journal.begun(tmp_path / "nowhere") == 0
