"""Environment variables, our own and those that keep wandb out of a person's home, and where the project lies."""

import os
from collections.abc import Mapping
from pathlib import Path

OWN = {
    "PUZZLE_RUNS": "folder of the states of runs that are under way (default: .cache/runs)",
    "PUZZLE_FLEET": "folder of the fleets' journals (default: .cache/fleet)",
    "PUZZLE_DISK_BUDGET": "gigabytes that the runs of a machine may hold at a time (default: no limit)",
    "PUZZLE_EVENTS": "file that a trial appends its progress to, as JSON lines (set by agent.fleet)",
    "PUZZLE_STEP_SECONDS": "table of step times measured on this machine (default: .cache/step_seconds.csv)",
    "PUZZLE_DATA": "folder of photographs for the tests that need real ones (default: those tests are skipped)",
}
"""Every variable that is the project's own, and what it says."""

ROOT = Path(__file__).resolve().parents[1]
"""Of the project."""

CACHE = ROOT / ".cache"
"""What commands keep between calls; it may be deleted."""

FOLDERS = ("WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR", "WANDB_ARTIFACT_DIR", "WANDB_DIR")


def own(name: str, environ: Mapping[str, str] = os.environ) -> str | None:
    """The value of a variable of `OWN`; None where it is not set or empty."""
    if name not in OWN:
        raise KeyError(name)
    return environ.get(name) or None


def private_wandb(folder: Path) -> dict[str, str]:
    """Variables with which the client reads and writes under `folder` what it would in the person's home."""
    place = folder.absolute()
    folders = {name: str(place / name.split("_")[1].lower()) for name in FOLDERS}
    return {
        **folders,
        "WANDB_DIR": str(place),
        "NETRC": str(place / "netrc"),
        "WANDB_ERROR_REPORTING": "false",
    }
