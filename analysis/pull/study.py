"""Study: the runs of a server as tidy tables, by the keys of docs/runs.md."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from analysis import AnalysisError
from analysis.pull import client, study_folder
from analysis.pull.cache import Fetched
from analysis.pull.fetch import fetch_all, open_predictions
from analysis.pull.login import resolve
from analysis.pull.masks import Predictions
from analysis.pull.predictions import LazyPredictions
from analysis.pull.sweeps import Settings, sweep_settings
from common import keys
from common.environment import own
from common.text import some
from common.wandb_api import CLOUD, ServerUnavailable, check_answers

if TYPE_CHECKING:
    from wandb.apis.public import Run

CACHE = Path(own("PUZZLE_CACHE") or ".cache")
REQUIRED = (
    *("architecture", "backbone", "weights"),
    *(keys.VAL_IOU, keys.VAL_LOSS, keys.TEST_RULE, *map(keys.test_metric, keys.METRICS)),
    *(keys.of_rule(rule, name) for rule in keys.RULES for name in ("epoch", "test_iou")),
)


@dataclass(frozen=True)
class Study:
    """Runs of a server; everything by run_id.

    `runs`: one row per usable run: run_id, path, name, state, sweep, created_at, artifact (of its checkpoints), every
    config field and summary value under its own key. `history`: one row per run × epoch, unsampled: run_id and
    `client.COLUMNS`. `scores`: one row per run × checkpoint × test image: `masks.image_scores`. `predictions`:
    the images and masks themselves, for the runs that have them. `left_out`: one row per run that cannot be used, as
    `runs`, and `reason`. `remarks`: sentences on omissions. `sweeps`: by id the settings of the sweeps.
    `server`: the address of their server; `folder`: of an exported study; `given`: the paths that `pull` was given.
    """

    runs: pd.DataFrame
    history: pd.DataFrame
    scores: pd.DataFrame
    predictions: Mapping[str, Predictions]
    left_out: pd.DataFrame = field(default_factory=pd.DataFrame)
    remarks: tuple[str, ...] = ()
    sweeps: Mapping[str, Settings] = field(default_factory=dict)
    server: str = ""
    folder: str = ""
    given: tuple[str, ...] = ()


def pull(given: Sequence[str], *, cache: Path = CACHE) -> Study:
    """The runs of the projects and sweeps `given`, or of the last study if none is given.

    Finished runs are fetched once and kept under `cache`, by content. A server that is busy or silent is asked again;
    if it stays so, the study is partial, and a remark says so. Raises `AnalysisError` if no
    path, key, server or usable run is found. The folder of an exported study (`study_folder`) needs no server; named
    beside others, it gives the part of the study that was trained before, or elsewhere.
    """
    folders = {path: folder for path in given if (folder := study_folder.place(path))}
    paths = [path for path in given if path not in folders]
    parts = [from_folder(folder) for folder in folders.values()]
    if paths or not folders:
        parts.append(from_server(paths, cache))
    return replace(reduce(join, parts), given=tuple(given))


def from_server(given: Sequence[str], cache: Path) -> Study:
    """The runs of these projects and sweeps, or of the last study, as `pull`."""
    paths, login = resolve(given, os.environ)
    if login.base_url:
        try:
            check_answers(login.base_url)
        except ServerUnavailable as error:
            raise AnalysisError(f"{error}.") from None
    api = client.connect(login, cache)
    listed = [run for path in paths for run in client.list_runs(api, path)]
    if not listed:
        raise AnalysisError(f"No run in {', '.join(map(str, paths))}: start one, or correct the path.")
    found = by_id(listed)
    usable, left_out, remarks = usable_runs(pd.DataFrame([client.describe(run) for run in found.values()]))
    fetched, lost = fetch_all([found[run_id] for run_id in usable["run_id"]], cache)
    if fetched is None:
        raise AnalysisError(f"None of {len(usable)} runs could be read: {next(iter(lost.values()))}.")
    sweeps, unknown = sweep_settings(api, usable, cache / "sweeps")
    made = assemble(usable, left_out, fetched, lost, (*remarks, *unknown), cache / "artifacts")
    return replace(made, sweeps=sweeps, server=login.base_url or CLOUD)


def from_folder(folder: Path) -> Study:
    """The study that was exported into `folder`. Raises `AnalysisError` if it is not whole, or no run can be used."""
    tables, facts, predictions = study_folder.read(folder)
    tables["runs"], others, left_out = usable_runs(tables["runs"])
    tables["left_out"] = pd.concat([frame for frame in (tables["left_out"], others) if len(frame)] or [others])
    remarks = (*facts["remarks"], *left_out, study_folder.WITHOUT)
    return Study(
        **tables,
        server="",
        predictions=predictions,
        remarks=remarks,
        sweeps=facts["sweeps"],
        folder=str(folder),
        given=(str(folder),),
    )


def join(study: Study, other: Study) -> Study:
    """One study of both; a run that both have is taken from `other`, and one that either can use is not left out."""

    def both(name: str) -> pd.DataFrame:
        table: pd.DataFrame = getattr(study, name)
        again = set(other.runs["run_id"])
        kept = table[~table["run_id"].isin(again)] if len(table) else table
        parts = [part for part in (kept, getattr(other, name)) if len(part)]
        return pd.concat(parts, ignore_index=True) if parts else table

    runs, left_out = both("runs"), both("left_out")
    left_out = left_out[~left_out["run_id"].isin(runs["run_id"])] if len(left_out) else left_out
    stale = {remark for each in (study, other) for remark in left_out_remark(each.runs, each.left_out)}
    remarks = [remark for remark in (*study.remarks, *other.remarks) if remark not in stale]
    return Study(
        runs=runs,
        history=both("history"),
        scores=both("scores"),
        predictions=LazyPredictions(
            [*study.predictions, *other.predictions],
            lambda run_id: (other if run_id in other.predictions else study).predictions[run_id],
        ),
        left_out=left_out,
        remarks=(*left_out_remark(runs, left_out), *dict.fromkeys(remarks)),
        sweeps={**study.sweeps, **other.sweeps},
        server=other.server or study.server,
        folder=study.folder or other.folder,
    )


def by_id(listed: Iterable[Run]) -> dict[str, Run]:
    """Runs by their id, each once. Raises `AnalysisError` if two projects have runs of the same id."""
    found: dict[str, Run] = {}
    for run in listed:
        other = found.setdefault(run.id, run)
        if (other.entity, other.project) != (run.entity, run.project):
            raise AnalysisError(
                f"{other.project} and {run.project} both have a run {run.id}: give one of the projects at a time."
            )
    return found


def assemble(
    usable: pd.DataFrame,
    left_out: pd.DataFrame,
    fetched: Fetched,
    lost: Mapping[str, str],
    remarks: tuple[str, ...],
    artifacts: Path,
) -> Study:
    """The study of the runs that could be fetched; those in `lost` (run_id → reason) join the ones left out."""
    facts = fetched.runs[["run_id", "artifact"]]
    runs = usable.drop(columns="artifact", errors="ignore").merge(facts, on="run_id", sort=False)
    missing = usable[usable["run_id"].isin(lost)]
    missing = missing.assign(reason=missing["run_id"].map(dict(lost)))
    order = {run_id: place for place, run_id in enumerate(runs["run_id"])}

    def sorted_by_run(table: pd.DataFrame) -> pd.DataFrame:
        table = table.drop(columns="content").sort_values("run_id", key=lambda ids: ids.map(order), kind="stable")
        return table.reset_index(drop=True)

    return Study(
        runs=runs,
        history=sorted_by_run(fetched.history),
        scores=sorted_by_run(fetched.scores),
        predictions=open_predictions(fetched, artifacts),
        left_out=pd.concat([frame for frame in (left_out, missing) if len(frame)] or [left_out], ignore_index=True),
        remarks=(*remarks, *partial(lost, len(usable))),
    )


def partial(lost: Mapping[str, str], n_usable: int) -> tuple[str, ...]:
    """A sentence that this pull is partial, if it is; `lost` gives a reason for every run that could not be read."""
    if not lost:
        return ()
    reason = Counter(lost.values()).most_common()[-1][0]
    return (
        f"PARTIAL: {len(lost)} of {n_usable} usable runs could not be read ({some(lost, 3)}), for instance because"
        f" {reason}; all of this is without them. Ask again: the others need not be fetched a second time.",
    )


def usable_runs(runs: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, tuple[str, ...]]:
    """The finished runs that have every key of `REQUIRED`; the others with a `reason`; and a sentence about these.

    Raises `AnalysisError` if none is left.
    """
    values = runs.reindex(columns=[*dict.fromkeys([*runs.columns, *REQUIRED])])
    reasons = pd.Series([reason_against(row) for row in values.to_dict("records")], index=values.index)
    kept = values[reasons == ""].reset_index(drop=True)
    others = runs[reasons != ""].assign(reason=reasons[reasons != ""]).reset_index(drop=True)
    if kept.empty:
        raise AnalysisError(f"None of the {len(runs)} runs found can be used: {by_reason(others)}.")
    return kept, others, left_out_remark(kept, others)


def left_out_remark(kept: pd.DataFrame, left_out: pd.DataFrame) -> tuple[str, ...]:
    """A sentence on the runs that are left out, if there are any."""
    if left_out.empty:
        return ()
    return (f"{len(left_out)} of {len(kept) + len(left_out)} runs are left out: {by_reason(left_out)}.",)


def by_reason(left_out: pd.DataFrame) -> str:
    """How many runs are left out for each reason, and some of them."""
    return "; ".join(
        f"{len(ids)} {reason} ({some(ids, 3)})" for reason, ids in left_out.groupby("reason", sort=True)["run_id"]
    )


def reason_against(run: Mapping[Any, Any]) -> str:
    """Reason why a run cannot be used, in a few words; empty if it can."""
    if run["state"] != "finished":
        return str(run["state"])
    missing = [key for key in REQUIRED if pd.isna(run[key])]
    return f"without {some(missing, 2)}" if missing else ""
