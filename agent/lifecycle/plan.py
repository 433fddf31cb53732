"""The run to make or to resume, as flags and environment say."""

import os
import secrets
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.config import Config, ConfigError, Parser, parse
from agent.lifecycle.wandb_mode import OFFLINE_MODES
from common.environment import CACHE, own
from common.names import BadName, check_name
from common.wandb_api import BadAddress, server_address

SWEEP_VARIABLE = "WANDB_SWEEP_ID"


@dataclass(frozen=True)
class RunPlan:
    """The run to make or to resume. `entity` and `project` are None if the environment decides."""

    config: Config
    run_id: str
    entity: str | None
    project: str | None
    folder: Path
    in_sweep: bool = False
    """Whether an agent of a sweep has handed this run out; its failure must then reach the server."""
    offline: bool = False
    resumes: bool = False
    """Whether the run must exist already; `agent.lifecycle.resume.complete_plan` then finds its configuration."""
    has_flags: bool = True


def make_plan(arguments: Sequence[str], default_project: str) -> RunPlan:
    """The run that flags and environment ask for: `--resume RUN_ID`, the one an agent hands out, or a new one.

    Raises:
        ConfigError: a flag is wrong, a name would lead out of its folder, or the server's address is none.
    """
    parser = Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("--resume")
    options, flags = parser.parse_known_args(arguments)
    run_id = (os.environ.get("WANDB_RUN_ID") or new_id()) if options.resume is None else options.resume
    entity = os.environ.get("WANDB_ENTITY") or None
    project = os.environ.get("WANDB_PROJECT") or default_project
    sweep, offline = os.environ.get(SWEEP_VARIABLE), os.environ.get("WANDB_MODE") in OFFLINE_MODES
    folder = _resolve_folder(run_id, {"entity": entity, "project": project, "sweep id": sweep}, offline)
    resumes = options.resume is not None
    return RunPlan(parse(flags), run_id, entity, project, folder, bool(sweep), offline, resumes, bool(flags))


def new_id() -> str:
    """An id of the kind that W&B gives: 8 digits of base 36."""
    return "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(8))


def _resolve_folder(run_id: str, names: Mapping[str, str | None], offline: bool) -> Path:
    """The folder of the run. Raises ConfigError: a name would lead out of its own, or the server's address is none."""
    address = None if offline else os.environ.get("WANDB_BASE_URL")
    try:
        for kind, name in names.items():
            if name:
                check_name(kind, name)
        if address:
            os.environ["WANDB_BASE_URL"] = server_address(address)
        return run_folder(run_id)
    except (BadName, BadAddress) as error:
        raise ConfigError(str(error)) from None


def run_folder(run_id: str) -> Path:
    """Folder of a run's state on this machine, just below that of all runs.

    Raises BadName: the id would lead elsewhere.
    """
    runs = Path(own("PUZZLE_RUNS") or CACHE / "runs")
    folder = runs / check_name("run id", run_id)
    if run_id.startswith(".") or folder.resolve().parent != runs.resolve():
        raise BadName(f"run id {run_id!r} is no name of a folder of its own in {runs}: take another")
    return folder
