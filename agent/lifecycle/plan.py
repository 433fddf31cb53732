"""Which run to make or to go on with: from flags, the environment, the state on this machine and the server."""

import contextlib
import os
import secrets
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import wandb

from agent.config import Config, ConfigError, Parser, from_settings, parse
from agent.lifecycle import checkpoints, preflight, state
from agent.lifecycle.modes import SILENT
from agent.lifecycle.preflight import UNANSWERED
from agent.lifecycle.torch_file import BadFile
from common.names import BadName, check_name
from common.wandb_api import BadAddress, server_address

SWEEP = "WANDB_SWEEP_ID"


@dataclass(frozen=True)
class Plan:
    """Which run to make or to go on with. `entity` and `project` are None where the environment decides."""

    config: Config
    run_id: str
    entity: str | None
    project: str | None
    folder: Path
    in_sweep: bool = False
    """Whether an agent of a sweep has handed this run out; it then counts how the run ends."""
    offline: bool = False


def make_plan(arguments: Sequence[str], default_project: str) -> Plan:
    """The run that flags and environment ask for: `--resume RUN_ID`, the one an agent hands out, or a new one.

    With `--resume` the configuration is that of the state on this machine, or of the run on the server; further flags
    may only repeat it.

    Raises:
        ConfigError: a flag is wrong, or there is no such run.
    """
    parser = Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("--resume")
    known, flags = parser.parse_known_args(arguments)
    run_id = (os.environ.get("WANDB_RUN_ID") or new_id()) if known.resume is None else known.resume
    entity = os.environ.get("WANDB_ENTITY") or None
    project = os.environ.get("WANDB_PROJECT") or default_project
    sweep, offline = os.environ.get(SWEEP), os.environ.get("WANDB_MODE") in SILENT
    folder = _checked_folder(run_id, {"entity": entity, "project": project, "sweep id": sweep}, offline)
    plan = Plan(parse(flags), run_id, entity, project, folder, bool(sweep), offline)
    return plan if known.resume is None else _resumed(plan, bool(flags))


def new_id() -> str:
    """An id of the kind that W&B gives: 8 digits of base 36."""
    return "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(8))


def _checked_folder(run_id: str, names: Mapping[str, str | None], offline: bool) -> Path:
    """The folder of the run. Raises ConfigError: a name would lead out of its own, or the server's address is none."""
    address = None if offline else os.environ.get("WANDB_BASE_URL")
    try:
        for kind, name in names.items():
            if name:
                check_name(kind, name)
        if address:
            os.environ["WANDB_BASE_URL"] = server_address(address)
        return state.folder_of(run_id)
    except (BadName, BadAddress) as error:
        raise ConfigError(str(error)) from None


def _resumed(plan: Plan, has_flags: bool) -> Plan:
    """The plan of an earlier run, with its own configuration; `plan` is what the flags say."""
    run_id, entity, project = plan.run_id, plan.entity, plan.project
    trouble, config = f"run {run_id} has no state in {plan.folder}", None
    try:
        if found := state.load(plan.folder):
            config = found.config
            entity, project, _ = found.run.split("/")
    except BadFile as error:
        trouble, config = str(error), plan.config if has_flags else _config_of_checkpoint(plan.folder)
    config = config or _config_on_server(plan, trouble)
    if has_flags and plan.config != config:
        raise ConfigError(f"run {run_id} has other settings than the flags say: leave the flags out")
    return replace(plan, config=config, entity=entity or None, project=project)


def _config_of_checkpoint(folder: Path) -> Config | None:
    """Of the checkpoints that lie beside a damaged state, if one can be read."""
    for path in sorted(folder.glob("epoch-*.pt")):
        with contextlib.suppress(BadFile):
            return checkpoints.load(path)[1]
    return None


def _config_on_server(plan: Plan, trouble: str) -> Config:
    """The configuration of a run that the server knows; `trouble` is why this machine does not. Raises ConfigError."""
    path = "/".join(part for part in (plan.entity, plan.project, plan.run_id) if part)
    try:
        preflight.check_server("agent.train")
        settings = wandb.Api().run(path).config
    except UNANSWERED as error:
        raise ConfigError(
            f"{trouble}, and run {plan.run_id} cannot be read from the server ({error}): check the id, WANDB_ENTITY "
            f"and WANDB_PROJECT"
        ) from None
    names = {each.name for each in fields(Config)}
    return from_settings({name: value for name, value in settings.items() if name in names})
