"""`python -m agent.train` as a process of its own, without a server."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def train(home: Path, *flags: str) -> "subprocess.CompletedProcess[str]":
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WANDB")}
    private = {
        name: str(home)
        for name in ("HOME", "WANDB_DIR", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR", "PUZZLE_RUNS")
    }
    return subprocess.run(
        [sys.executable, "-m", "agent.train", *flags],
        cwd=ROOT,
        env={**kept, **private, "WANDB_MODE": "offline", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
