"""Histories, scores and artifacts of many runs: from the cache, the rest from the server, with a bar."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pandas as pd
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from analysis import AnalysisError
from analysis.pull import cache, client
from analysis.pull.masks import image_scores
from analysis.pull.predictions import StoredPredictions, read_predictions
from analysis.pull.retry import Unreachable, retry_request

if TYPE_CHECKING:
    from wandb.apis.public import Run

THREADS = 4
BATCH = 40
"""Number of fetched runs after which they are written to the cache."""


def fetch_all(runs: Sequence[Run], folder: Path) -> tuple[cache.Fetched | None, dict[str, str]]:
    """Facts of finished runs beyond their list; and for every run_id without them the reason.

    Kept under `folder`/pulled (tables) and `folder`/artifacts (files); the server is asked only for missing runs. When
    it no longer answers, the remaining runs are not tried.
    """
    by_content = {client.content(run): run for run in runs}
    groups: dict[Path, list[str]] = {}
    for content, run in by_content.items():
        groups.setdefault(store_of(run, folder), []).append(content)
    parts: list[cache.Fetched] = []
    lost: dict[str, str] = {}
    stop = threading.Event()
    with bar(len(runs)) as advance:
        for store, contents in groups.items():
            known = cache.load(store, contents)
            have = with_files(known, folder / "artifacts")
            if known is not None:
                parts.append(cache.select(known, have))
            advance(len(have))
            missing = [content for content in contents if content not in have]
            for first in range(0, len(missing), BATCH):
                batch = {content: by_content[content] for content in missing[first : first + BATCH]}
                fetched, reasons = fetch_batch(batch, folder / "artifacts", stop, advance)
                lost |= reasons
                if fetched is not None:
                    cache.save(store, fetched)
                    parts.append(fetched)
    return cache.join(parts), lost


def store_of(run: Run, folder: Path) -> Path:
    """Folder of the cache for the runs of a project."""
    return folder / "pulled" / f"{quote(run.entity, safe='')}.{quote(run.project, safe='')}"


def with_files(known: cache.Fetched | None, artifacts: Path) -> set[str]:
    """The runs of a cache whose prediction files are still there."""
    if known is None:
        return set()
    there = [not name or (artifacts / name).is_dir() for name in known.runs["predictions"]]
    return set(known.runs["content"][there])


def fetch_batch(
    runs: Mapping[str, Run], artifacts: Path, stop: threading.Event, advance: Callable[[int], None]
) -> tuple[cache.Fetched | None, dict[str, str]]:
    """Fetched runs, several at a time, and reasons of failure by run_id. Sets `stop` once the server is silent."""

    def one(content: str, run: Run) -> cache.Fetched | AnalysisError:
        if stop.is_set():
            return Unreachable("the server had stopped answering")
        try:
            return fetch_run(content, run, artifacts, stop)
        except Unreachable as error:
            stop.set()
            return error
        except AnalysisError as error:
            return error
        finally:
            advance(1)

    pool = ThreadPoolExecutor(THREADS)
    try:
        found = dict(zip(runs.values(), pool.map(one, runs, runs.values()), strict=True))
    except BaseException:
        stop.set()
        pool.shutdown(cancel_futures=True)
        raise
    pool.shutdown()
    reasons = {run.id: str(error) for run, error in found.items() if isinstance(error, AnalysisError)}
    return cache.join(part for part in found.values() if isinstance(part, cache.Fetched)), reasons


def fetch_run(content: str, run: Run, artifacts: Path, stop: threading.Event) -> cache.Fetched:
    """History, artifact names and scores of one run; its prediction files into a folder under `artifacts`.

    Raises `AnalysisError` if that is not possible, `Unreachable` if the server no longer answers.
    """
    history = retry_request(f"the history of run {run.id} cannot be read", lambda: client.history(run), stop)
    what = f"the artifacts of run {run.id} cannot be read"
    logged = retry_request(what, lambda: client.artifacts(run), stop)
    model, predicted = client.last_of(logged, "model"), client.last_of(logged, "predictions")
    folder, metadata, scores = "", "{}", image_scores({})
    if predicted is not None:
        files = retry_request(what, lambda: client.download(predicted, artifacts), stop)
        folder, metadata = files.name, client.metadata(predicted)
        scores = image_scores({run.id: read_predictions(files, metadata)})
    name = f"{run.entity}/{run.project}/{model.name}" if model else ""
    row = {"content": content, "run_id": run.id, "artifact": name, "predictions": folder, "metadata": metadata}
    return cache.Fetched(pd.DataFrame([row]), history.assign(content=content), scores.assign(content=content))


def open_predictions(fetched: cache.Fetched, artifacts: Path) -> StoredPredictions:
    """The prediction files of the runs that have them, read on demand."""
    rows = fetched.runs[fetched.runs["predictions"] != ""].to_dict("records")
    return StoredPredictions({row["run_id"]: (artifacts / row["predictions"], row["metadata"]) for row in rows})


@contextmanager
def bar(total: int) -> Iterator[Callable[[int], None]]:
    """Progress of the pull on stderr, a bar on a terminal, else a line; yields the function that advances it."""
    console = Console(stderr=True)
    if total and not console.is_terminal:
        # The process's own stderr: a notebook would store lines on the other one.
        print(f"reading {total} runs …", file=sys.__stderr__, flush=True)
    with Progress(
        "{task.description}",
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        task = progress.add_task("reading runs", total=total)
        yield lambda count: progress.advance(task, count)
