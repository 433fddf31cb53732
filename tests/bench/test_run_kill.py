"""A short run of the bench that interrupts runs: once in each way."""

import re
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
    ways = re.findall(r"(SIGTERM|kill -9(?: with the client)?) (\d)", done.stdout)
    assert ways == [("SIGTERM", "1"), ("kill -9", "1"), ("kill -9 with the client", "1")]
    assert "bit-identical" in done.stdout.splitlines()[-1]
