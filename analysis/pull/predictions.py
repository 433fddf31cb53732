"""The files of a predictions artifact, as arrays, read on demand."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from analysis import AnalysisError
from analysis.pull.masks import Mask, Predictions
from common.keys import RULES
from common.text import natural_order


class LazyPredictions(Mapping[str, Predictions]):
    """By run_id the value of `read`; only the last few are kept in memory."""

    def __init__(self, run_ids: Iterable[str], read: Callable[[str], Predictions]) -> None:
        self._run_ids = dict.fromkeys(run_ids)
        self._read = lru_cache(maxsize=16)(read)

    def __getitem__(self, run_id: str) -> Predictions:
        if run_id not in self._run_ids:
            raise KeyError(run_id)
        return self._read(run_id)

    def __contains__(self, run_id: object) -> bool:
        return run_id in self._run_ids

    def __iter__(self) -> Iterator[str]:
        return iter(self._run_ids)

    def __len__(self) -> int:
        return len(self._run_ids)


class StoredPredictions(LazyPredictions):
    """Predictions of artifacts in folders.

    `folders` gives for each run_id the folder of its artifact and the artifact's metadata as JSON.
    """

    def __init__(self, folders: Mapping[str, tuple[Path, str]]) -> None:
        super().__init__(folders, lambda run_id: read_predictions(*folders[run_id]))


def read_predictions(folder: Path, metadata: str = "{}") -> Predictions:
    """The PNGs that docs/runs.md describes, as arrays; pixels of masks above 127 are foreground.

    Raises `AnalysisError` if a file is no picture, or a checkpoint has not one mask of the truth's size per image.
    """

    def masks(name: str) -> dict[str, Mask]:
        return {file.stem: np.asarray(Image.open(file).convert("L")) > 127 for file in pngs(folder / name)}

    try:
        read = Predictions(
            images={file.stem: np.asarray(Image.open(file).convert("RGB")) for file in pngs(folder / "images")},
            truth=masks("truth"),
            masks={rule: masks(rule) for rule in RULES},
            metadata=json.loads(metadata),
        )
    except OSError as error:
        raise AnalysisError(f"{folder} holds a file that is no picture ({error}): delete that folder.") from None
    shapes = {stem: mask.shape for stem, mask in read.truth.items()}
    for rule, of_rule in read.masks.items():
        if {stem: mask.shape for stem, mask in of_rule.items()} != shapes:
            raise AnalysisError(f"{folder / rule} does not hold one mask of the truth's size per test image.")
    return read


def pngs(folder: Path) -> list[Path]:
    """The PNG files of a folder, in the order of their names, numbers by value."""
    return sorted(folder.glob("*.png"), key=lambda file: natural_order(file.stem))
