"""Processes are started whole and stopped whole."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from common.environment import ROOT
from study import processes

TREE = """
import subprocess, sys, signal
child = subprocess.Popen([sys.executable, "-c", "import signal; {ignore} signal.pause()"], start_new_session=True)
print(child.pid, flush=True)
{ignore}
signal.pause()
"""
DEAF = "signal.signal(signal.SIGTERM, signal.SIG_IGN);"


@pytest.mark.parametrize("ignore", ["", DEAF], ids=["polite", "deaf"])
def test_descendants_end_with_their_parent_even_in_a_session_of_their_own(
    ignore: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "GRACE_SECONDS", 0.5)
    with processes.child_process([sys.executable, "-c", TREE.format(ignore=ignore)], os.environ) as process:
        assert process.stdout is not None
        child = psutil.Process(int(process.stdout.readline()))
        process.stdout.close()
    assert process.returncode is not None
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


STUDY = """
import os, sys
from study import processes
child = [sys.executable, "-c", "import signal; signal.pause()"]
with processes.child_process(child, os.environ, ends_with_us=True) as process:
    print(process.pid, flush=True)
    process.wait()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell a process that its parent died")
def test_the_server_of_a_study_that_is_killed_ends() -> None:
    study = subprocess.Popen([sys.executable, "-c", STUDY], cwd=ROOT, stdout=subprocess.PIPE)
    assert study.stdout is not None
    with study.stdout as said:
        server = psutil.Process(int(said.readline()))
        study.kill()
        study.wait()
    assert not psutil.wait_procs([server], timeout=10)[1]


def test_a_signal_while_a_process_starts_stops_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[subprocess.Popen[str]] = []
    popen = subprocess.Popen

    def interrupted(*arguments: object, **options: object) -> "subprocess.Popen[str]":
        begun.append(popen(*arguments, **options))  # type: ignore[call-overload]
        signal.raise_signal(signal.SIGINT)
        return begun[0]

    monkeypatch.setattr(subprocess, "Popen", interrupted)
    with pytest.raises(KeyboardInterrupt):
        with processes.child_process([sys.executable, "-c", "import signal; signal.pause()"], os.environ):
            raise AssertionError("the signal was lost")
    assert not psutil.pid_exists(begun[0].pid)
    assert begun[0].stdout is not None
    begun[0].stdout.close()


def test_no_variable_of_wandb_passes_but_those_of_the_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_ENTITY", "elsewhere")
    env = processes.environment(tmp_path, {"WANDB_API_KEY": "k"})
    assert env["WANDB_API_KEY"] == "k"
    assert {"WANDB_MODE", "WANDB_ENTITY"}.isdisjoint(env)
    inside = [env[name] for name in ("NETRC", "WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR", "WANDB_DIR")]
    assert all(path.startswith(str(tmp_path)) for path in inside)


def test_output_is_read_whole_with_the_exit_code() -> None:
    code, printed = processes.run([sys.executable, "-c", "print('x' * 5000); raise SystemExit(3)"], os.environ)
    assert (code, len(printed)) == (3, 5001)
