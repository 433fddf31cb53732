"""Questions to the wandb client: lists of runs, histories, artifacts; the only module that talks to a server."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from analysis.pull.cache import digest
from analysis.pull.login import Login, RunsPath
from analysis.pull.retry import as_analysis_error, retry_request
from common import keys
from common.environment import private_wandb
from common.text import some
from common.wandb_api import CLOUD

if TYPE_CHECKING:
    import wandb
    from wandb import Artifact
    from wandb.apis.public import Run

COLUMNS = tuple(key for key in keys.HISTORY if key != keys.SECONDS_OF_STEPS)
"""Keys of a history that are read."""

PAGE = 200
"""Runs of a list in one answer."""


def connect(login: Login, cache: Path) -> wandb.Api:
    """A client of the server that `login` names, the W&B cloud if none; its files lie under `cache`, it prints nothing.

    The person's own settings and netrc are not read: a server named there is not the one this key belongs to.
    Raises `AnalysisError` if the server refuses the key.
    """
    folder = (cache / "wandb").absolute()
    for name, value in (private_wandb(folder) | {"WANDB_SILENT": "true"}).items():
        os.environ.setdefault(name, value)
    folder.mkdir(parents=True, exist_ok=True)
    import wandb

    base_url = login.base_url or CLOUD
    with as_analysis_error(f"{base_url} does not let this key in"):
        return wandb.Api(overrides={"base_url": base_url}, api_key=login.api_key)


def list_runs(api: wandb.Api, path: RunsPath) -> list[Run]:
    """Every run of the project or sweep, with config and summary; raises `AnalysisError` if there is none such."""
    filters = {"$and": [{"sweep": path.sweep}]} if path.sweep else {}

    def ask() -> list[Run]:
        return list(api.runs(f"{path.entity}/{path.project}", filters=filters, per_page=PAGE, lazy=False))

    return retry_request(f"The runs of {path} cannot be read", ask)


def describe(run: Run) -> dict[str, Any]:
    """One run as a row: run_id, path, name, state, created_at, its config fields and its summary values."""
    summary = {key: plain(value) for key, value in run.summary_metrics.items() if not key.startswith("_")}
    return {
        **run.config,
        **{key: value for key, value in summary.items() if isinstance(value, int | float | str)},
        "run_id": run.id,
        "path": "/".join((run.entity, run.project, run.id)),
        "name": run.name,
        "state": run.state,
        "sweep": run.sweep_name,
        "created_at": run.created_at,
    }


def plain(value: object) -> object:
    """A summary value as logged: out of the {"max": value} that define_metric makes, "NaN" as a float."""
    if isinstance(value, dict) and len(value) == 1 and set(value) <= {"min", "max", "best", "last", "mean"}:
        value = next(iter(value.values()))
    return float(value) if value in ("NaN", "Infinity", "-Infinity") else value


def content(run: Run) -> str:
    """Digest of a run's entry in the list: as long as it is the same, nothing has to be fetched again."""
    facts = {name: getattr(run, name, None) for name in ("heartbeat_at", "history_line_count")}
    told = {"config": run.config, "summary": dict(run.summary_metrics), "state": run.state}
    return digest({"path": "/".join((run.entity, run.project, run.id)), **told, **facts})


def history(run: Run) -> pd.DataFrame:
    """Every epoch of one run, unsampled: run_id and the columns of `COLUMNS`, epochs ascending."""
    rows = [row for row in run.scan_history() if row.get("epoch") is not None]
    found = pd.DataFrame(rows, columns=list(COLUMNS))
    table = pd.DataFrame({key: pd.to_numeric(found[key], errors="coerce") for key in COLUMNS})
    table = table.astype(dict.fromkeys(COLUMNS, float) | {"epoch": int})
    table = table.drop_duplicates("epoch", keep="last").sort_values("epoch")
    table.insert(0, "run_id", run.id)
    return table


def artifacts(run: Run) -> list[Artifact]:
    """Artifacts that the run logged, in the order of their versions."""
    return list(run.logged_artifacts())


def last_of(logged: Sequence[Artifact], kind: str) -> Artifact | None:
    """The last version of the artifacts of one type, None if there is none."""
    return next((artifact for artifact in reversed(logged) if artifact.type == kind), None)


def download(artifact: Artifact, cache: Path) -> Path:
    """The artifact's files in a folder under `cache` named by its content; downloaded only if not yet there.

    Raises ConnectionError if a file of its manifest did not arrive: asking again may help.
    """
    folder = cache / f"{artifact.name.split(':')[0]}-{artifact.digest}"
    if not folder.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as unfinished:
            files = Path(unfinished) / "files"
            artifact.download(root=str(files), skip_cache=True)
            missing = [name for name in artifact.manifest.entries if not (files / name).is_file()]
            if missing:
                raise ConnectionError(f"{artifact.name} arrived without {some(missing)}")
            try:
                files.rename(folder)
            except OSError:
                if not folder.is_dir():  # another pull may have put the same content there meanwhile
                    raise
    return folder


def metadata(artifact: Artifact) -> str:
    """The artifact's metadata as JSON."""
    return json.dumps(artifact.metadata, default=str)
