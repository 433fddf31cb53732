"""A short run of the bench that interrupts runs: once in each way."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_interrupted_runs_end_as_the_uninterrupted_one() -> None:
    command = [sys.executable, "-m", "bench.run_kill", "--kills", "3", "--epochs", "5", "--seed", "3"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 times interrupted (SIGTERM 1, kill -9 1, kill -9 with the client 1;" in done.stdout
    assert done.stdout.splitlines()[-1] == (
        "history and last state of every run are bit-identical to the uninterrupted one; no row lost or doubled"
    )
