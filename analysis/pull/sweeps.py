"""Settings of the sweeps of a study as W&B keeps them, each fetched once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pandas as pd

from analysis import AnalysisError
from analysis.pull.retry import retry_request
from common.files import write_text

if TYPE_CHECKING:
    import wandb

Settings = Mapping[str, Any]
"""Settings of one sweep as in its YAML: method, metric, parameters, command and other keys."""


def sweep_settings(api: wandb.Api, runs: pd.DataFrame, folder: Path) -> tuple[dict[str, Settings], tuple[str, ...]]:
    """The settings of every sweep that `runs` (columns path, sweep) belong to, by its id; and remarks on missing ones.

    They do not change once a sweep has run, so they are kept in `folder` and asked for once.
    """
    found: dict[str, Settings] = {}
    remarks: list[str] = []
    for sweep, path in runs.dropna(subset=["sweep"]).groupby("sweep", sort=False)["path"].first().items():
        full = f"{str(path).rpartition('/')[0]}/{sweep}"
        try:
            found[str(sweep)] = load_settings(api, full, folder)
        except AnalysisError as error:
            remarks.append(f"{error}; all sentences on the search are made without its settings.")
    return found, tuple(remarks)


def load_settings(api: wandb.Api, path: str, folder: Path) -> Settings:
    """The settings of the sweep ENTITY/PROJECT/SWEEP, from `folder` if they are there, else from the server."""
    file = folder / f"{quote(path, safe='')}.json"
    if file.is_file():
        kept: Settings = json.loads(file.read_text())
        return kept
    told: Settings = retry_request(f"The sweep {path} cannot be read", lambda: dict(api.sweep(path).config))
    folder.mkdir(parents=True, exist_ok=True)
    write_text(file, json.dumps(told, default=str))
    return told


def common_method(sweeps: Mapping[str, Settings]) -> str | None:
    """Method by which all these sweeps chose runs: `grid`, `random`, `bayes`, …; None if it differs or is unknown."""
    methods = {str(settings.get("method")) for settings in sweeps.values()}
    return methods.pop() if len(methods) == 1 else None


def common_space(sweeps: Mapping[str, Settings]) -> dict[str, dict[str, Any]]:
    """The search space by field: of one sweep its `parameters`, of several those that they have in common."""
    spaces = [dict(settings.get("parameters") or {}) for settings in sweeps.values()]
    if not spaces:
        return {}
    first, *others = spaces
    return {name: spec for name, spec in first.items() if all(other.get(name) == spec for other in others)}
