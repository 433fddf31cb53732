"""Environment variables, our own and those that keep wandb out of a person's home, and the project's folders."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple


class Variable(NamedTuple):
    meaning: str
    default: str


OWN = {
    "PUZZLE_CACHE": Variable("folder of files that commands keep between calls; they may be deleted", "`.cache`"),
    "PUZZLE_RUNS": Variable("folder of the states of runs that are under way", "`.cache/runs`"),
    "PUZZLE_FLEET": Variable("folder of the fleets' journals", "`.cache/fleet`"),
    "PUZZLE_EVENTS": Variable(
        "file that a trial appends its progress to, as JSON lines", "none; `agent.fleet` sets it"
    ),
    "PUZZLE_STEP_SECONDS": Variable("table of step times measured on this machine", "`.cache/step_seconds.csv`"),
    "PUZZLE_DATA": Variable("folder of photographs for the tests that need real ones", "those tests are skipped"),
}
"""Every variable that is the project's own."""

OTHERS = {
    "WANDB_BASE_URL": Variable("address of the W&B server", "the W&B cloud"),
    "WANDB_API_KEY": Variable("key for that server", "as the client finds it"),
    "WANDB_ENTITY": Variable("user or team whose runs they are", "that of the key"),
    "WANDB_PROJECT": Variable("project of a run", "`puzzle`"),
    "WANDB_RUN_ID": Variable("id of the run to make or to go on with", "a new one"),
    "WANDB_MODE": Variable("`offline` keeps a run to itself; sweeps and fleets refuse it", "`online`"),
    "WANDB_AGENT_KILL_DELAY": Variable("seconds that a trial has to save itself when it is stopped", "45"),
    "OMP_NUM_THREADS": Variable("threads of a run", "the cores that it may use"),
    "CUDA_VISIBLE_DEVICES": Variable("GPUs that a fleet may use", "all"),
}
"""Variables of other programs that change a command."""

ROOT = Path(__file__).resolve().parents[1]
"""Root folder of the project."""

WANDB_FOLDERS = ("WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR", "WANDB_ARTIFACT_DIR", "WANDB_DIR")


def own(name: str, environ: Mapping[str, str] = os.environ) -> str | None:
    """The value of a variable of `OWN`; None if it is not set or empty."""
    if name not in OWN:
        raise KeyError(name)
    return environ.get(name) or None


CACHE = Path(own("PUZZLE_CACHE") or ROOT / ".cache")


def private_wandb(folder: Path) -> dict[str, str]:
    """Variables that move the client's files from the person's home to `folder`."""
    place = folder.absolute()
    folders = {name: str(place / name.split("_")[1].lower()) for name in WANDB_FOLDERS}
    return {**folders, "WANDB_DIR": str(place), "NETRC": str(place / "netrc"), "WANDB_ERROR_REPORTING": "false"}
