"""What was handed out and is not over, on disk."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from agent.fleet import journal
from agent.fleet.journal import Trial
from common.names import BadName
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
        assert journal.claim_interrupted(tmp_path) is None
        assert journal.read_unfinished(tmp_path) == [Trial("r1", {}, None, "a")]
        other.kill()
        other.wait()
    found = journal.claim_interrupted(tmp_path)
    assert found is not None
    assert found.trial == Trial("r1", {}, None, "a")
    assert journal.claim_interrupted(tmp_path) is None, "it is mine now"
    found.release()


def test_a_trial_that_is_put_down_can_be_taken_up_and_one_that_is_over_cannot(tmp_path: Path) -> None:
    held = journal.claim(tmp_path, TRIAL)
    assert held is not None
    held.release()
    again = journal.claim_interrupted(tmp_path)
    assert again is not None
    assert again.trial == TRIAL
    again.delete()
    assert journal.claim_interrupted(tmp_path) is None
    assert journal.read_unfinished(tmp_path) == []


def test_a_trial_that_the_server_hands_out_again_waits_for_that_and_keeps_its_threads(tmp_path: Path) -> None:
    held = journal.claim(tmp_path, dataclasses.replace(TRIAL, threads=1))
    assert held is not None
    held.postpone()
    assert (journal.claim_interrupted(tmp_path), journal.read_unfinished(tmp_path)) == (None, [])
    assert [each.threads for each in journal.read_all(tmp_path)] == [1]
    again = journal.claim(tmp_path, dataclasses.replace(TRIAL, threads=2))
    assert again is not None
    assert (again.trial.threads, again.trial.put_off) == (1, False)
    again.delete()


@pytest.mark.parametrize("name", ["..", ".", "", "../..", "a/b", "/etc/x", "a\\b", "a\0b", "a\nb", "é" * 125])
def test_a_name_that_leads_out_of_the_folder_is_no_run(name: str) -> None:
    with pytest.raises(BadName):
        dataclasses.replace(TRIAL, run=name)


def test_kills_are_counted_across_agents(tmp_path: Path) -> None:
    held = journal.claim(tmp_path, TRIAL)
    assert held is not None
    held.save(dataclasses.replace(TRIAL, killed=2))
    held.release()
    later = journal.claim(tmp_path, dataclasses.replace(TRIAL, agent="agent-2"))
    assert later is not None
    assert (later.trial.killed, later.trial.agent) == (2, "agent-2")
    later.release()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"run": "r1"}',
        '{"run": "other", "args": {}, "program": null, "agent": "a"}',
        '{"run": "../r1", "args": {}, "program": null, "agent": "a"}',
    ],
)
def test_a_file_that_is_none_of_ours_is_left_alone(tmp_path: Path, text: str) -> None:
    (tmp_path / "r1.json").write_text(text)
    assert journal.claim_interrupted(tmp_path) is None


def test_no_folder_means_no_trials(tmp_path: Path) -> None:
    assert journal.read_unfinished(tmp_path / "nowhere") == []
