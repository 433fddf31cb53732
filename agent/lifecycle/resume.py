"""Resumption of a run that was cut off: its state, on this machine or as an Artifact, and its missing rows."""

import contextlib
import dataclasses
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import wandb
from torch import nn

from agent.config import Config, ConfigError, from_settings
from agent.lifecycle import checkpoints, preflight, state, state_artifact
from agent.lifecycle.plan import RunPlan
from agent.lifecycle.state import Row, State
from agent.lifecycle.torch_file import BadFile

MAX_THREADS = 1024
"""More than any machine has cores: a run that names more is not believed."""


def complete_plan(plan: RunPlan) -> tuple[RunPlan, State | None]:
    """The plan, with its own configuration if the run exists already; and the state of the run on this machine.

    The configuration is that of the state, of the checkpoints beside a damaged state, or of the run on the server;
    flags may only repeat it.

    Raises:
        ConfigError: there is no such run, or the flags say other settings.
    """
    local = _local_state(plan.folder)
    if not plan.resumes:
        return plan, local
    if local:
        entity, project, _ = local.run.split("/")
        plan = dataclasses.replace(plan, entity=entity or None, project=project)
    config = local.config if local else _config_beside_damaged_state(plan) or _config_on_server(plan)
    if plan.has_flags and plan.config != config:
        raise ConfigError(f"run {plan.run_id} has other settings than the flags say: leave the flags out")
    return dataclasses.replace(plan, config=config), local


def _local_state(folder: Path) -> State | None:
    """The state on this machine; None if there is none or it cannot be used, and the console says so."""
    try:
        return state.load(folder)
    except BadFile as error:
        print(f"agent.train: {error}; starting anew, unless the server has a state", file=sys.stderr, flush=True)
        return None


def _config_beside_damaged_state(plan: RunPlan) -> Config | None:
    """Configuration of the flags, else of a readable checkpoint; None without one, or if there was no state."""
    if not os.path.lexists(plan.folder / state.STATE_FILE):
        return None
    if plan.has_flags:
        return plan.config
    for path in sorted(plan.folder.glob("epoch-*.pt")):
        with contextlib.suppress(BadFile):
            return checkpoints.load(path)[1]
    return None


def _config_on_server(plan: RunPlan) -> Config:
    """Configuration of the run on the server. Raises ConfigError: it knows no such run, or does not answer."""
    path = "/".join(part for part in (plan.entity, plan.project, plan.run_id) if part)
    try:
        preflight.check_server("agent.train")
        settings = wandb.Api().run(path).config
    except preflight.CLIENT_ERRORS as error:
        raise ConfigError(
            f"run {plan.run_id} has no state in {plan.folder}, and cannot be read from the server ({error}): check the "
            f"id, WANDB_ENTITY and WANDB_PROJECT"
        ) from None
    names = {each.name for each in dataclasses.fields(Config)}
    return from_settings({name: value for name, value in settings.items() if name in names})


def find_state(run: wandb.Run, plan: RunPlan, local: State | None, data_digest: str, model: nn.Module) -> State | None:
    """The newest state of this run: `local`, or, if it was preempted elsewhere, its Artifact; None to start anew.

    Raises:
        ConfigError: the images are not those that the run began with.
    """
    fetched = state_artifact.fetch(run, plan.folder, local.progress.epoch if local else 0) if was_cut_off(run) else None
    newest = fetched or local
    others = preflight.differences(dataclasses.asdict(newest.config), plan.config) if newest else []
    if others:
        print(f"agent.train: the state is of other settings ({', '.join(others)}); starting anew", flush=True)
        newest = None
    # Whether it has rows or not: those of a part that was killed may still be on their way.
    began = newest.data_digest if newest else run.config.get("data_digest") if run.resumed else None
    if began not in (None, data_digest):
        raise ConfigError(
            f"the images or masks of {plan.config.data} changed since run {plan.run_id} was interrupted: "
            f"restore them, or start a new run"
        )
    if newest and (reason := state.differences(newest.tensors["model"], model)):
        print(
            f"agent.train: the state is of another version of {newest.config.model} ({reason}); starting anew",
            flush=True,
        )
        return None
    return newest


def was_cut_off(run: wandb.Run) -> bool:
    """Whether the server has rows of an earlier part; a sweep's run exists there before its first part begins."""
    return bool(run.resumed) and run.starting_step > 0


def n_threads(run: wandb.Run, newest: State | None) -> int | None:
    """Threads of torch that the run began with, by its state, else, if it was cut off, by the server."""
    began = newest.n_threads if newest else run.config.get("n_threads") if was_cut_off(run) else None
    return began if isinstance(began, int) and 0 < began <= MAX_THREADS else None


def log_missing_rows(run: wandb.Run, rows: Sequence[Row]) -> None:
    """Log the rows, one per epoch from 1, that the server does not have: row n is step n - 1."""
    for row in rows:
        if row["epoch"] > run.starting_step:
            run.log(dict[str, Any](row), step=int(row["epoch"]) - 1, commit=True)
