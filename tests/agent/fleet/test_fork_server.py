"""The real thing: `agent.train` forked from the fork server, killed halfway, and finished under its own run id."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from agent.fleet import fork_server, launch
from data import synthetic
from tests.agent.fleet.machine import Machine, kill, until
from tests.server.running import ROOT, Client

TINY = {**{"model": "unet_transposed", "width": 4, "image_size": 32, "epochs": 6}, **{"fold": 1, "deterministic": True}}


def children_of_agents(fleet: int) -> list[psutil.Process]:
    warm = [each for each in psutil.Process(fleet).children() if "agent.fleet.fork_server" in each.cmdline()]
    agents = [agent for parent in warm for agent in parent.children()]
    return [child for agent in agents for child in agent.children()]


READ_BACK = """
import json, wandb
runs = []
for run in wandb.Api().sweep({path!r}).runs:
    runs.append({{
        "id": run.id,
        "state": run.state,
        "config": dict(run.config),
        "models": [each.metadata for each in run.logged_artifacts() if each.type == "model"],
        "rows": list(run.scan_history(keys=["epoch", "val/iou"])),
        "gaps": [row["val/bn_gap"] for row in run.scan_history(keys=["val/bn_gap"])],
        "summary": {{k: v for k, v in run.summary.items() if isinstance(v, (int, float, str))}},
    }})
print(json.dumps(runs))
"""


@dataclass(frozen=True)
class Swept:
    """A sweep over corrupt and good photographs, whose good trial was killed in its third epoch or later."""

    printed: str
    folder: Path
    runs: list[dict[str, Any]]
    """As the real client reads them back, those that failed first."""


@pytest.fixture(scope="module")
def swept(client: Client, tmp_path_factory: pytest.TempPathFactory) -> Swept:
    machine = Machine(client, tmp_path_factory.mktemp("machine"))
    good, corrupt = machine.folder / "good", machine.folder / "corrupt"
    synthetic.write(good, seed=2, n_train=4, n_val=2, n_test=2, height=48, width=64)
    shutil.copytree(good, corrupt)
    broken = corrupt / "train" / "images" / "image-2.png"
    broken.write_bytes(broken.read_bytes()[:200])
    file = machine.sweep(data=[str(corrupt), str(good)], **TINY)
    command = """command: ["${env}", "${interpreter}", "-m", "agent.train", "${args}"]"""
    file.write_text(re.sub(r"command:\n(- .*\n)+", command + "\n", file.read_text()))
    path = machine.made(file)
    fleet = machine.start(path, "--agents=1", PUZZLE_RUNS=str(machine.folder / "runs"))
    logs = machine.folder / "fleet" / path.split("/")[-1] / "logs"
    log = until(lambda: [f for f in logs.glob("*.log") if "epoch 2/6" in f.read_text()])[0]
    (trial,) = [each for each in children_of_agents(fleet.pid) if "agent.fleet.fork_server" in each.cmdline()]
    kill(trial)
    printed = machine.finish(fleet)
    assert fleet.returncode == 1, printed
    assert log.read_text().count("epoch 6/6") == 1
    runs = client.run(READ_BACK.format(path=path))
    return Swept(printed, machine.folder, sorted(runs, key=lambda run: str(run["state"])))


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_forked_trial_that_is_killed_goes_on_and_no_row_is_lost_or_doubled(swept: Swept) -> None:
    assert re.search(r"warm after [\d.]+ s", swept.printed)
    assert "was ended by SIGKILL" in swept.printed
    assert [run["state"] for run in swept.runs] == ["failed", "finished"]
    assert [row["epoch"] for row in swept.runs[1]["rows"]] == [1, 2, 3, 4, 5, 6]
    assert not list(swept.folder.glob("fleet/*/trials/*.json"))


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_corrupt_image_fails_its_run_with_the_reason_and_the_next_trial_is_trained(swept: Swept) -> None:
    failed, finished = swept.runs
    broken = swept.folder / "corrupt" / "train" / "images" / "image-2.png"
    log = next(swept.folder.glob(f"fleet/*/logs/{failed['id']}.log")).read_text()
    assert failed["config"]["data"] == str(swept.folder / "corrupt")
    reason = failed["summary"]["error"]
    assert reason.startswith(f"{broken} cannot be read ")
    assert f"agent.train: {reason}" in log
    assert f"failed: {reason}" in swept.printed
    assert "Traceback" not in log
    assert "Ignoring" not in log, "the client warns of names that a sweep decides about"
    assert "error" not in finished["summary"]


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_batchnorm_check_fold_and_weights_are_on_the_server(swept: Swept) -> None:
    run = swept.runs[1]
    config, summary, (metadata,) = run["config"], run["summary"], run["models"]
    assert (config["fold"], config["deterministic"], config["weights_source"]) == (1, True, "none")
    assert len(str(config["test_digest"])) == 64
    for rule in ("best_iou", "best_loss"):
        gap = summary[f"{rule}/bn_gap"]
        assert gap in run["gaps"]
        assert metadata[rule]["bn_gap"] == gap
        assert metadata[rule]["bn_repaired"] == summary[f"{rule}/bn_repaired"] == (gap > 0.02)
    assert summary["val/bn_gap"] == summary["best_iou/bn_gap"]
    assert summary["bn_repaired"] == summary["best_iou/bn_repaired"]


def forked(command: list[str], flags: list[str] | None, folder: Path) -> tuple[int, str]:
    """Exit code and log of a trial."""
    env = {**os.environ, "MARK": "mine"}
    log, lock = folder / "log", folder / "lock"
    with lock.open("w") as held:
        start = launch.Launch(command, flags, env, 1, log)
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
    assert log.splitlines()[-1].startswith("agent.fleet: /nowhere/python cannot be started")


AGENT = """
import os, sys, time
from pathlib import Path
from agent.fleet import launch
lock = open("lock", "w")
command = [sys.executable, "-c", "import time; time.sleep(60)"]
print(launch.fork(launch.Launch(command, None, dict(os.environ), 1, Path("log")), False, lock.fileno(), []), flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell a process that its parent died")
def test_a_trial_ends_when_its_agent_is_killed(tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    agent = subprocess.Popen([sys.executable, "-c", AGENT], cwd=tmp_path, env=env, stdout=subprocess.PIPE)
    assert agent.stdout is not None
    with agent.stdout as said:
        trial = psutil.Process(int(said.readline()))
        agent.kill()
        agent.wait()
    assert not psutil.wait_procs([trial], timeout=10)[1]


def test_a_stop_in_the_first_moments_of_a_trial_waits_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the trial has replaced the agent's handler, which would only note the signal."""
    blocked: list[set[int]] = []

    def fork() -> int:
        blocked.append({int(each) for each in signal.pthread_sigmask(signal.SIG_BLOCK, ())})
        return 1

    monkeypatch.setattr(os, "fork", fork)
    launch.fork(launch.Launch([], None, {}, 1, tmp_path / "log"), warm=False, locked=0, close=[])
    assert signal.SIGTERM in blocked[0]
    assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_an_agent_that_is_to_end_in_its_first_moments_ends(tmp_path: Path) -> None:
    """As when the fleet is killed while it warms up: the order to start is read, and then the end of the input."""
    sweep = {"base_url": "http://127.0.0.1:9", "key": "k", "entity": "e", "project": "p", "name": "s"}
    folders = {"folder": str(tmp_path), "logs": str(tmp_path)}
    plan = {"sweep": sweep, "command": ["true"], "threads": 1, "grace": 0, **folders}
    done = subprocess.run(
        [sys.executable, "-m", "agent.fleet.fork_server"],
        input="".join(f"{json.dumps(order)}\n" for order in (plan, {"start": 1, "env": {}})),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert json.loads(done.stdout.splitlines()[-1]) == {"agent": 1, "state": "gone", "code": 0}, done.stderr


def test_a_parent_that_has_a_gpu_open_is_known(tmp_path: Path) -> None:
    (tmp_path / "1").symlink_to("/dev/null")
    assert not fork_server._holds_gpu(tmp_path)
    (tmp_path / "7").symlink_to("/dev/nvidiactl")
    assert fork_server._holds_gpu(tmp_path)
    assert not fork_server._holds_gpu(tmp_path / "no such folder")
