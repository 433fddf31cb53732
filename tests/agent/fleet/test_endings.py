"""How a fleet comes to its end: asked to stop, with what trials leave behind, and beside others on the same sweep."""

import re
import signal
from typing import Any

import psutil
import pytest

from agent.fleet import __main__ as fleet
from agent.fleet.display import Display
from agent.fleet.options import OptionError
from agent.fleet.sweep_client import Sweep
from common.wandb_api import ServerUnavailable
from tests.agent.fleet.displays import board
from tests.agent.fleet.machine import Machine, trials, until

SOON: dict[str, Any] = {"WANDB_AGENT_KILL_DELAY": "1"}


def test_a_trial_that_ignores_sigterm_is_killed_with_all_it_has_started(machine: Machine) -> None:
    file = machine.sweep(seed=[1], steps=1000, pause=0.1, deaf=1, child=1)
    started = machine.start(str(file), "--agents=1", **SOON)
    until(lambda: list(machine.folder.glob("steps/????????")))
    all_of_them = psutil.Process(started.pid).children(recursive=True)
    assert len(all_of_them) == 4, "fork server, agent, trial, its child"
    started.send_signal(signal.SIGINT)
    printed = machine.finish(started)
    assert started.returncode == 130
    assert "the fleet after 1 s" in printed
    assert "did not end in time" in printed
    assert "put off; it goes on later" in printed
    assert not psutil.wait_procs(all_of_them, timeout=5)[1]
    assert [file.stem for file in machine.folder.glob("fleet/*/trials/*.json")] == [*machine.runs(printed)]


def test_what_a_trial_leaves_behind_does_not_hold_the_end_of_the_fleet(machine: Machine) -> None:
    started = machine.start(str(machine.sweep(seed=[1], child=1)), "--agents=1", **SOON)
    until(lambda: trials(started))
    children = until(lambda: [p for t in trials(started) for p in t.children()] or machine.finished())
    printed = machine.finish(started)
    assert started.returncode == 0, printed
    left = [each for each in children if isinstance(each, psutil.Process)]
    assert not psutil.wait_procs(left, timeout=5)[1]
    assert int(re.findall(r"^\[0:(\d\d)\]", printed, re.MULTILINE)[-1]) < 40


@pytest.mark.slow
def test_put_off_trials_keep_their_threads_and_count_as_left(machine: Machine) -> None:
    """On two cores, whatever this machine has: two trials with a thread each, then the same two with as many."""
    file = machine.sweep(seed=[1, 2], steps=60, pause=0.1)
    started = machine.start(str(file), SLURM_CPUS_ON_NODE="2", OMP_NUM_THREADS="")
    until(lambda: len(list(machine.folder.glob("steps/????????"))) == 2)
    started.send_signal(signal.SIGINT)
    first = machine.finish(started)
    assert re.search(r"\b2 trials .* threads of each: 1\b", first)
    code, second = machine.run(str(file), SLURM_CPUS_ON_NODE="2", OMP_NUM_THREADS="3")
    assert code == 0, second
    assert re.search(r"\b2 trials .* threads of each: 3 \(those put off keep 1\)", second)
    assert "2 finished, 0 to go" in second
    logs = "".join(log.read_text() for log in machine.folder.glob("fleet/*/logs/????????.log"))
    assert re.findall(r"threads (\d)", logs) == ["1"] * 4


def test_a_configuration_counts_once_however_often_it_is_handed_out(machine: Machine) -> None:
    """The server takes a program that says nothing for one that was lost, and hands it out again."""
    _, printed = machine.run(str(machine.sweep(seed=[1, 2], silent=1)), "--agents=1")
    assert "2 finished, 0 to go" in printed
    assert "4 finished" not in printed


def test_a_second_signal_in_the_warm_up_is_not_needed(machine: Machine) -> None:
    file = machine.sweep(seed=[1])
    file.write_text(file.read_text().replace("- ${program}", "- -m\n- agent.train"))
    started = machine.start(machine.made(file), "--agents=1")
    said = until(lambda: "warming up" in (started.stdout.readline() if started.stdout else ""))
    assert said
    started.send_signal(signal.SIGINT)
    printed = machine.finish(started)
    assert started.returncode == 130
    assert "stopping: no trial has begun" in printed
    assert "warm after" not in printed


class Others(Sweep):
    """A sweep of which others have so many runs."""

    at_work: set[str] = set()  # noqa: RUF012
    n = 4
    away = False

    def fetch_runs(self, *states: str) -> set[str]:
        if self.away:
            raise ServerUnavailable("gone")
        return self.at_work

    def fetch(self) -> dict[str, object]:
        return {"runCount": self.n, "state": "FINISHED"}


def over(made: Display) -> Display:
    made.states = {"r1": "finished", "r2": "finished"}
    return made


@pytest.mark.parametrize(
    ("at_work", "away", "text"),
    [
        ({"r3"}, False, r"^2 finished here.* 1 run of the sweep still at work"),
        (set(), False, r"^2 finished here; .* 4 of 4 runs$"),
        (set(), True, r"^2 finished, 1 to go$"),
    ],
)
def test_a_fleet_that_ends_before_others_says_so(
    at_work: set[str], away: bool, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Others, "at_work", at_work)
    monkeypatch.setattr(Others, "away", away)
    assert re.search(text, fleet.describe_end(Others("http://x", "k", "me", "p", "s1"), over(board(terminal=False))))


@pytest.mark.parametrize(("text", "seconds"), [("", 45), ("0", 0), ("7", 7), ("x", None), ("-1", None), ("1.5", None)])
def test_the_grace_period_is_that_of_the_clients_own_agent(
    text: str, seconds: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_AGENT_KILL_DELAY", text)
    if seconds is None:
        with pytest.raises(OptionError, match="WANDB_AGENT_KILL_DELAY is"):
            fleet.grace_seconds()
    else:
        assert fleet.grace_seconds() == seconds
