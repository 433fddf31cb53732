"""The real thing: `agent.train` forked from the warm parent, killed halfway, and finished under its own run id."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from agent.fleet import launch, warm
from data import synthetic
from tests.agent.fleet.machine import Machine, kill, until
from tests.server.running import ROOT

TINY = {"model": "unet_transposed", "width": 4, "image_size": 32, "epochs": 6}


def children_of_agents(fleet: int) -> list[psutil.Process]:
    warm = [each for each in psutil.Process(fleet).children() if "agent.fleet.warm" in each.cmdline()]
    agents = [agent for parent in warm for agent in parent.children()]
    return [child for agent in agents for child in agent.children()]


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_forked_trial_that_is_killed_goes_on_and_no_row_is_lost_or_doubled(machine: Machine) -> None:
    photographs = machine.folder / "photographs"
    synthetic.write(photographs, seed=1, n_train=4, n_val=2, n_test=2)
    file = machine.sweep(data=str(photographs), seed=[1, 2], **TINY)
    command = """command: ["${env}", "${interpreter}", "-m", "agent.train", "${args}"]"""
    file.write_text(re.sub(r"command:\n(- .*\n)+", command + "\n", file.read_text()))
    fleet = machine.start(machine.made(file), "--agents=1", PUZZLE_RUNS=str(machine.folder / "runs"))
    (log,) = until(lambda: [f for f in machine.folder.glob("fleet/*/logs/*.log") if f.name != "fleet.log"])
    until(lambda: "epoch 2/6" in log.read_text())
    (trial,) = [each for each in children_of_agents(fleet.pid) if "agent.fleet.warm" in each.cmdline()]
    kill(trial)
    printed = machine.finish(fleet)
    assert fleet.returncode == 0, printed
    assert re.search(r"warm after [\d.]+ s: trials start without importing anything", printed)
    assert "was ended by SIGKILL; it goes on from its checkpoint" in printed
    states = machine.runs(printed)
    assert [state for state, _ in states.values()] == ["finished"] * 2
    assert len({n for _, n in states.values()}) == 1, "the run that was killed has as many rows as the other"
    assert log.read_text().count("epoch 6/6") == 1
    assert not list(machine.folder.glob("fleet/*/trials/*.json"))


def forked(command: list[str], flags: list[str] | None, folder: Path) -> tuple[int, str]:
    """Exit code and log of a trial."""
    env = {**os.environ, "MARK": "mine"}
    log, lock = folder / "log", folder / "lock"
    with lock.open("w") as held:
        start = launch.Start(command, flags, env, 1, log)
        pid = launch.fork(start, warm=False, locked=held.fileno(), close=[])
        _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), log.read_text()


def test_a_plain_trial_has_a_session_a_log_and_an_environment_of_its_own(tmp_path: Path) -> None:
    say = "import os, sys; print(os.environ['MARK'], os.getsid(0) == os.getpid(), sys.stdin.read() == '')"
    code, log = forked([sys.executable, "-c", f"{say}; sys.exit(7)"], None, tmp_path)
    assert code == 7
    assert log.splitlines()[-1] == "mine True True"
    assert log.startswith("--- ")


def test_a_command_that_does_not_exist_is_one_sentence(tmp_path: Path) -> None:
    code, log = forked(["/nowhere/python"], None, tmp_path)
    assert code == 127
    assert log.splitlines()[-1] == "agent.fleet: /nowhere/python cannot be started: No such file or directory"


AGENT = """
import os, sys, time
from pathlib import Path
from agent.fleet import launch, warm
lock = open("lock", "w")
command = [sys.executable, "-c", "import time; time.sleep(60)"]
print(launch.fork(launch.Start(command, None, dict(os.environ), 1, Path("log")), False, lock.fileno(), []), flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(
    sys.platform != "linux", reason="other systems do not tell a process that its parent died"
)
def test_a_trial_ends_when_its_agent_is_killed(tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    agent = subprocess.Popen([sys.executable, "-c", AGENT], cwd=tmp_path, env=env, stdout=subprocess.PIPE)
    assert agent.stdout is not None
    with agent.stdout as said:
        trial = psutil.Process(int(said.readline()))
        agent.kill()
        agent.wait()
    assert not psutil.wait_procs([trial], timeout=10)[1]


def test_a_stop_in_the_first_moments_of_a_trial_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until the trial has replaced the agent's handler, which would only note the signal."""
    blocked: list[set[int]] = []

    def fork() -> int:
        blocked.append({int(each) for each in signal.pthread_sigmask(signal.SIG_BLOCK, ())})
        return 1

    monkeypatch.setattr(os, "fork", fork)
    launch.fork(launch.Start([], None, {}, 1, tmp_path / "log"), warm=False, locked=0, close=[])
    assert signal.SIGTERM in blocked[0]
    assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_a_parent_that_has_a_gpu_open_is_known(tmp_path: Path) -> None:
    (tmp_path / "1").symlink_to("/dev/null")
    assert not warm._holds_gpu(tmp_path)
    (tmp_path / "7").symlink_to("/dev/nvidiactl")
    assert warm._holds_gpu(tmp_path)
    assert not warm._holds_gpu(tmp_path / "no such folder")
