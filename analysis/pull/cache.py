"""Finished runs as Parquet, named by their content: fetched once, kept for ever."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import pandas as pd

VERSION = 1
"""To be raised when the columns of `Fetched` change: caches of older versions are then fetched again."""
MOST_SHARDS = 20
"""Number of parts above which a cache is joined into one."""


@dataclass(frozen=True)
class Fetched:
    """Facts of runs beyond their list. Every frame has `content`, the run's digest.

    `runs`: content, artifact (`ENTITY/PROJECT/NAME:vN` of the checkpoints, empty without), predictions (name of the
    folder of its predictions artifact, empty without), metadata (that artifact's, as JSON). `history`, `scores`: as
    in `study.Study`.
    """

    runs: pd.DataFrame
    history: pd.DataFrame
    scores: pd.DataFrame


def digest(facts: Mapping[str, object]) -> str:
    """The name of a run in the cache: equal for equal facts, whatever their order."""
    text = json.dumps([VERSION, facts], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def join(parts: Iterable[Fetched]) -> Fetched | None:
    """All parts as one, each run from the first part that has it; None if there are no parts."""
    known: set[str] = set()
    new = []
    for part in parts:
        new.append(select(part, set(part.runs["content"]) - known))
        known |= set(part.runs["content"])
    if not new:
        return None
    return Fetched(*(concatenate([getattr(part, field.name) for part in new]) for field in fields(Fetched)))


def select(part: Fetched, contents: Collection[str]) -> Fetched:
    """The rows of the runs with these digests."""
    frames = (getattr(part, field.name) for field in fields(Fetched))
    return Fetched(*(frame[frame["content"].isin(contents)].reset_index(drop=True) for frame in frames))


def concatenate(frames: list[pd.DataFrame]) -> pd.DataFrame:
    """The rows of all frames; columns of the first if none has rows."""
    full = [frame for frame in frames if len(frame)]
    return pd.concat(full, ignore_index=True) if full else frames[0]


def save(folder: Path, part: Fetched) -> Path:
    """Adds a part to the cache in `folder`, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    final = folder / digest({"runs": sorted(part.runs["content"])})
    with tempfile.TemporaryDirectory(dir=folder, prefix=".") as unfinished:
        shard = Path(unfinished) / "shard"
        shard.mkdir()
        for field in fields(Fetched):
            getattr(part, field.name).to_parquet(shard / f"{field.name}.parquet", index=False)
        try:
            shard.rename(final)
        except OSError:
            if not final.is_dir():  # another pull may have saved the same runs meanwhile
                raise
    return final


def load(folder: Path, contents: Collection[str]) -> Fetched | None:
    """Runs with these digests in the cache `folder`, each once; None if the cache is empty.

    A part that cannot be read is deleted: it will be fetched again. Many small parts become one.
    """
    shards = sorted(path for path in folder.glob("[!.]*") if path.is_dir())
    read = {shard: part for shard in shards if (part := read_shard(shard))}
    whole = join(read.values())
    if whole is None:
        return None
    if len(read) > MOST_SHARDS:
        kept = save(folder, whole)
        for shard in set(read) - {kept}:
            shutil.rmtree(shard, ignore_errors=True)
    return select(whole, contents)


def read_shard(shard: Path) -> Fetched | None:
    """One part of a cache; None, and the part is gone, if it cannot be read."""
    try:
        return Fetched(*(pd.read_parquet(shard / f"{field.name}.parquet") for field in fields(Fetched)))
    except (OSError, ValueError):
        shutil.rmtree(shard, ignore_errors=True)
        return None
