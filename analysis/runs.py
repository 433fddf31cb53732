"""wandb.Api → DataFrames and arrays; the only module that talks to a server.

What runs hold is agreed in docs/runs.md.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from PIL import Image

from analysis import AnalysisError
from analysis.login import Login, RunsPath, check_server, choose_login, choose_paths, last_study
from analysis.masks import METRICS, RULES, Mask, Predictions

if TYPE_CHECKING:
    import wandb
    from wandb import Artifact
    from wandb.apis.public import Run

CACHE = Path(".cache")
CLOUD = "https://api.wandb.ai"
HISTORY_KEYS = ("epoch", "train/loss", "val/loss", "train/iou", "val/iou", "seconds_per_epoch")
REQUIRED = (
    *("architecture", "backbone", "weights"),
    *("val/iou", "val/loss", "best_iou/epoch", "best_loss/epoch", "test/rule"),
    *(f"test/{metric}" for metric in METRICS),
    *(f"{rule}/test_iou" for rule in RULES),
)


@dataclass(frozen=True)
class Study:
    """What the server holds about the runs asked for.

    `runs`: one row per usable run: run_id, path, name, state, every config field and summary value under its
    own key. `history`: one row per run × epoch: run_id and `HISTORY_KEYS`. `predictions`: by run_id, for the
    runs that have them. `remarks`: sentences on what was left out and why.
    """

    runs: pd.DataFrame
    history: pd.DataFrame
    predictions: Mapping[str, Predictions]
    remarks: tuple[str, ...] = ()


def pull(given: Sequence[str], *, cache: Path = CACHE) -> Study:
    """The runs of the projects and sweeps `given`, or of the last study if none is given.

    Raises `AnalysisError` if no path, key, server or usable run is found.
    """
    last = last_study()
    paths = choose_paths(given, last)
    login = choose_login(paths, os.environ, last, default_paths=not given)
    if login.base_url:
        check_server(login.base_url)
    api = connect(login, cache)
    found = {run.id: run for path in paths for run in list_runs(api, path)}
    if not found:
        raise AnalysisError(f"No run in {', '.join(map(str, paths))}: start one, or correct the path.")
    usable, remarks = usable_runs(pd.DataFrame([describe(run) for run in found.values()]))
    chosen = [found[run_id] for run_id in usable["run_id"]]
    with ThreadPoolExecutor(max_workers=4) as pool:
        histories = list(pool.map(history, chosen))
        predictions = list(pool.map(lambda run: predictions_of(run, cache / "artifacts"), chosen))
    return Study(
        runs=usable,
        history=pd.concat(histories, ignore_index=True),
        predictions={run.id: p for run, p in zip(chosen, predictions, strict=True) if p is not None},
        remarks=remarks,
    )


def connect(login: Login, cache: Path = CACHE) -> wandb.Api:
    """A client of the server that `login` names, the W&B cloud if none; its files lie under `cache`, it prints nothing.

    The person's own settings and netrc are not read: a server named there is not the one this key belongs to.
    Raises `AnalysisError` if the server refuses the key.
    """
    folder = (cache / "wandb").absolute()
    for name in ("WANDB_CACHE_DIR", "WANDB_DATA_DIR", "WANDB_DIR", "WANDB_CONFIG_DIR"):
        os.environ.setdefault(name, str(folder))
    os.environ.setdefault("NETRC", str(folder / "netrc"))
    os.environ.setdefault("WANDB_SILENT", "true")
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    folder.mkdir(parents=True, exist_ok=True)
    import wandb

    base_url = login.base_url or CLOUD
    with one_sentence(f"{base_url} does not let this key in"):
        return wandb.Api(overrides={"base_url": base_url}, api_key=login.api_key)


@contextmanager
def one_sentence(what: str) -> Iterator[None]:
    """Turns the client's many kinds of error into an `AnalysisError` that begins with `what`."""
    from wandb.errors import Error
    from wandb.sdk.lib.service.service_connection import WandbApiFailedError

    try:
        yield
    except (Error, WandbApiFailedError, ValueError, OSError, TimeoutError) as error:
        raise AnalysisError(f"{what}: {error}") from error


def list_runs(api: wandb.Api, path: RunsPath) -> list[Run]:
    """Every run of the project or sweep, with config and summary; raises `AnalysisError` if there is none such."""
    filters = {"$and": [{"sweep": path.sweep}]} if path.sweep else {}
    with one_sentence(f"The runs of {path} cannot be read"):
        return list(api.runs(f"{path.entity}/{path.project}", filters=filters, per_page=200, lazy=False))


def describe(run: Run) -> dict[str, Any]:
    """One run as a row: run_id, path, name, state, its config fields and its summary values."""
    summary = {key: plain(value) for key, value in run.summary_metrics.items() if not key.startswith("_")}
    return {
        **run.config,
        **{key: value for key, value in summary.items() if isinstance(value, int | float | str)},
        "run_id": run.id,
        "path": "/".join((run.entity, run.project, run.id)),
        "name": run.name,
        "state": run.state,
    }


def plain(value: object) -> object:
    """A summary value as logged: out of the {"max": value} that define_metric makes, "NaN" as a float."""
    if isinstance(value, dict) and len(value) == 1 and set(value) <= {"min", "max", "best", "last", "mean"}:
        value = next(iter(value.values()))
    return float(value) if value in ("NaN", "Infinity", "-Infinity") else value


def usable_runs(runs: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The finished runs that have every key of `REQUIRED`, and a sentence about the others.

    Raises `AnalysisError` if none is left.
    """
    values = runs.reindex(columns=[*dict.fromkeys([*runs.columns, *REQUIRED])])
    reasons = pd.Series([reason_against(row) for row in values.to_dict("records")], index=values.index)
    kept = values[reasons == ""].reset_index(drop=True)
    groups = values[reasons != ""].groupby(reasons, sort=True)["run_id"]
    told = "; ".join(f"{len(ids)} {reason} ({few(ids)})" for reason, ids in groups)
    if kept.empty:
        raise AnalysisError(f"None of the {len(runs)} runs found can be used: {told}.")
    remark = f"{len(runs) - len(kept)} of {len(runs)} runs are left out: {told}."
    return kept, (remark,) if told else ()


def reason_against(run: Mapping[Any, Any]) -> str:
    """Why a run cannot be used, in a few words; empty if it can."""
    if run["state"] != "finished":
        return str(run["state"])
    missing = [key for key in REQUIRED if pd.isna(run[key])]
    return f"without {few(missing, 2)}" if missing else ""


def few(names: Iterable[object], most: int = 3) -> str:
    """The first `most` names, and how many more there are."""
    listed = [str(name) for name in names]
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + more


def history(run: Run) -> pd.DataFrame:
    """Every epoch of one run, unsampled: run_id and the columns of `HISTORY_KEYS`, epochs ascending."""
    with one_sentence(f"The history of run {run.id} cannot be read"):
        rows = [row for row in run.scan_history() if row.get("epoch") is not None]
    found = pd.DataFrame(rows, columns=list(HISTORY_KEYS))
    table = pd.DataFrame({key: pd.to_numeric(found[key], errors="coerce") for key in HISTORY_KEYS})
    table = table.astype({"epoch": int}).drop_duplicates("epoch", keep="last").sort_values("epoch")
    table.insert(0, "run_id", run.id)
    return table


def predictions_of(run: Run, cache: Path) -> Predictions | None:
    """What the artifact `predictions-RUN_ID` holds, or None if the run has none; fetched once into `cache`."""
    with one_sentence(f"The predictions of run {run.id} cannot be read"):
        logged = [artifact for artifact in run.logged_artifacts() if artifact.type == "predictions"]
        return read_predictions(fetch(logged[-1], cache), logged[-1].metadata) if logged else None


def fetch(artifact: Artifact, cache: Path) -> Path:
    """The artifact's files in a folder under `cache` named by its content; downloaded only if not yet there."""
    folder = cache / f"{artifact.name.split(':')[0]}-{artifact.digest}"
    if not folder.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as unfinished:
            files = Path(unfinished) / "files"
            artifact.download(root=str(files), skip_cache=True)
            files.rename(folder)
    return folder


def read_predictions(folder: Path, metadata: Mapping[str, object]) -> Predictions:
    """The PNGs that docs/runs.md describes, as arrays; masks are foreground where they are above 127."""

    def masks(name: str) -> dict[str, Mask]:
        return {file.stem: np.asarray(Image.open(file).convert("L")) > 127 for file in pngs(folder / name)}

    return Predictions(
        images={file.stem: np.asarray(Image.open(file).convert("RGB")) for file in pngs(folder / "images")},
        truth=masks("truth"),
        masks={rule: masks(rule) for rule in RULES},
        metadata=metadata,
    )


def pngs(folder: Path) -> list[Path]:
    """The PNG files of a folder, in the order of their names, numbers by value."""

    def by_number(file: Path) -> list[int | str]:
        return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", file.stem)]

    return sorted(folder.glob("*.png"), key=by_number)
