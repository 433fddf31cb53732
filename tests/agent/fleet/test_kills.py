"""kill -9 of a trial, an agent, the fork server, the fleet and the server in the middle of a sweep."""

import os
import re
import signal

import psutil
import pytest

from tests.agent.fleet.machine import Machine, kill, trials, until, warm_parent
from tests.server.running import Server


def far(machine: Machine) -> int:
    """Steps that all trials have logged so far."""
    files = [f for f in machine.folder.glob("steps/*") if re.fullmatch(r"\w{8}", f.name) and f.name != "finished"]
    return sum(int(file.read_text()) for file in files)


def go_on(machine: Machine, steps: int) -> None:
    goal = far(machine) + steps
    until(lambda: far(machine) >= goal)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_whatever_is_killed_every_configuration_is_finished_exactly_once(machine: Machine) -> None:
    server: Server = machine.client.server
    seeds = [1, 2, 3, 4]
    file = str(machine.sweep(seed=seeds, steps=40, pause=0.1))
    fleet = machine.start(file, "--agents=2")
    until(lambda: len(trials(fleet)) == 2)

    go_on(machine, 5)
    kill(trials(fleet)[0])
    go_on(machine, 15)
    kill(psutil.Process(trials(fleet)[0].ppid()))
    go_on(machine, 15)
    server.stop(signal.SIGKILL)
    server.restart()
    go_on(machine, 15)
    kill(warm_parent(fleet))
    go_on(machine, 15)
    family = psutil.Process(fleet.pid).children(recursive=True)
    os.kill(fleet.pid, signal.SIGKILL)
    first = machine.finish(fleet)
    psutil.wait_procs(family, timeout=20)
    assert not [each for each in family if each.is_running()]

    code, second = machine.run(file, "--agents=2")
    assert code == 0, first + second
    assert "going on with the sweep" in second
    assert [int(line.split()[0]) for line in machine.finished()] == seeds, first + second
    runs = machine.runs(second)
    assert {line.split()[1] for line in machine.finished()} == set(runs)
    assert list(runs.values()) == [("finished", 40)] * len(seeds), first + second
    assert "was ended by SIGKILL" in first
    assert "agent 1 died" in first or "agent 2 died" in first
    assert "the fork server died" in first


def test_a_trial_that_sigkill_ends_again_and_again_is_given_up(machine: Machine) -> None:
    fleet = machine.start(str(machine.sweep(seed=[1], steps=1000, pause=0.1)), "--agents=1")
    killed: set[int] = set()
    for _ in range(3):
        (trial,) = until(lambda: [each for each in trials(fleet) if each.pid not in killed])
        go_on(machine, 1)
        killed.add(trial.pid)
        kill(trial)
    printed = machine.finish(fleet)
    assert fleet.returncode == 1
    assert printed.count("it goes on from its checkpoint") == 2
    assert "failed: ended by SIGKILL" in printed
