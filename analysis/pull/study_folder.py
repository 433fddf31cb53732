"""A study as a folder of data, without server and photographs: `pull` reads it as it reads a server.

study.json            version, remarks, and the settings of the sweeps
runs.json, left_out.json   one object per run: every config field and summary value
history.parquet, scores.parquet   as `Study` has them
masks.json            file of each mask, by run_id, checkpoint and image
masks/DIGEST.tif      a mask in the code of fax machines (CCITT Group 4), which takes a third of the bytes of a PNG;
                      equal ones, as truth is for all models, are kept once
pages/NAME.png        pages of the server (`bench.page_pictures` writes them), for the notebooks
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import shlex
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from analysis import AnalysisError
from analysis.pull.masks import Mask, Predictions
from analysis.pull.predictions import LazyPredictions
from common.files import replacing

VERSION = 2
FILE = "study.json"
MASKS = "masks.json"
MASK_SUFFIX = ".tif"
MAIN = "lab"
"""Default of several studies in one folder."""
GROUND = 225
"""Grey level that stands for a photograph."""
WITHOUT = "The photographs themselves are not part of the exported study; masks are drawn on plain ground."


def place(text: str) -> Path | None:
    """The folder of an exported study that a path on the command line names; None if it names none."""
    folder = Path(text)
    places = (folder, folder / MAIN) if text else ()
    return next((each for each in places if (each / FILE).is_file() and (each / MASKS).is_file()), None)


def page(folder: str, name: str) -> Path | None:
    """The picture of a page of the server, if the exported study has it."""
    file = Path(folder, "pages", f"{name}.png")
    return file if folder and file.is_file() else None


def write(
    tables: Mapping[str, pd.DataFrame], facts: Mapping[str, Any], masks: Mapping[str, Predictions], folder: Path
) -> list[Path]:
    """Write `tables` (runs, left_out, history, scores), `facts` (remarks, sweeps) and all masks into `folder`.

    The folder may be the one that they are read from. Raises OSError; a study that was there before is then whole.
    """
    (folder / "masks").mkdir(parents=True, exist_ok=True)
    index = {run_id: _write_masks(predicted, folder / "masks") for run_id, predicted in masks.items()}
    contents = {f"{name}.parquet": bytes(tables[name].to_parquet(index=False)) for name in ("history", "scores")}
    documents = {name: tables[name].to_dict("records") for name in ("runs", "left_out")} | {"masks": index}
    for name, content in (documents | {"study": {"version": VERSION, **facts}}).items():
        text = json.dumps(content, indent=0, default=_plain)
        contents[f"{name}.json"] = _without_places(text, tables["runs"]).encode()
    with contextlib.ExitStack() as stack:  # no file takes its name before all are written
        for name, data in contents.items():
            file = stack.enter_context(replacing(folder / name))
            file.write(data)
            file.flush()
    used = {
        name for run in index.values() for names in (run["truth"], *run["masks"].values()) for name in names.values()
    }
    for mask in (folder / "masks").glob(f"*{MASK_SUFFIX}"):
        if mask.stem not in used:
            mask.unlink()
    return [*(folder / name for name in contents), folder / "masks"]


def _without_places(text: str, runs: pd.DataFrame) -> str:
    """The text with folders of photographs shortened to their last name: their full path is private."""
    folders = {value for value in runs.get("data", ()) if isinstance(value, str) and "/" in value}
    for folder in folders:
        text = text.replace(json.dumps(folder), json.dumps(PurePath(folder).name))
    return text


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else str(value)


def _write_masks(predicted: Predictions, folder: Path) -> dict[str, Any]:
    def names(masks: Mapping[str, Mask]) -> dict[str, str]:
        return {stem: _write_mask(mask, folder) for stem, mask in masks.items()}

    of_rules = {rule: names(masks) for rule, masks in predicted.masks.items()}
    return {"truth": names(predicted.truth), "masks": of_rules, "metadata": dict(predicted.metadata)}


def _write_mask(mask: Mask, folder: Path) -> str:
    """Write a mask unless it is there; returns the name of its file."""
    content = io.BytesIO()
    Image.fromarray(np.asarray(mask, bool)).save(content, "TIFF", compression="group4")
    name = hashlib.sha256(content.getvalue()).hexdigest()[:16]
    file = folder / f"{name}{MASK_SUFFIX}"
    if not file.exists():
        with replacing(file) as unfinished:
            unfinished.write(content.getvalue())
    return name


def origins(folder: Path) -> list[str]:
    """The paths that the command named which exported the study in `folder`; none if it is unknown."""
    try:
        words = shlex.split(str(json.loads((folder / FILE).read_text()).get("command", "")))
    except (OSError, ValueError, AttributeError):
        return []
    return [word for word in words[3:] if not word.startswith("-")]


def read(folder: Path) -> tuple[dict[str, pd.DataFrame], dict[str, Any], ExportedPredictions]:
    """The study that `write` wrote. Raises `AnalysisError` if something is missing, or of another version."""
    try:
        facts = json.loads((folder / FILE).read_text())
        if facts.pop("version") != VERSION:
            raise AnalysisError(f"{folder} was exported by another version: export the study again.")
        tables = {
            name: pd.DataFrame(json.loads((folder / f"{name}.json").read_text())) for name in ("runs", "left_out")
        }
        tables |= {name: pd.read_parquet(folder / f"{name}.parquet") for name in ("history", "scores")}
        index = json.loads((folder / MASKS).read_text())
    except (OSError, ValueError, KeyError) as error:
        raise AnalysisError(f"{folder} is no whole study ({error}): export it again.") from None
    return tables, facts, ExportedPredictions(index, folder / "masks")


class ExportedPredictions(LazyPredictions):
    """The masks of an exported study, on plain ground."""

    def __init__(self, index: Mapping[str, Any], folder: Path) -> None:
        super().__init__(index, self._predictions)
        self._index = index
        self._folder = folder

    def _predictions(self, run_id: str) -> Predictions:
        def masks(names: Mapping[str, str]) -> dict[str, Mask]:
            return {stem: self._mask(name) for stem, name in names.items()}

        entry = self._index[run_id]
        truth = masks(entry["truth"])
        return Predictions(
            images={stem: np.full((*mask.shape, 3), GROUND, np.uint8) for stem, mask in truth.items()},
            truth=truth,
            masks={rule: masks(names) for rule, names in entry["masks"].items()},
            metadata=entry["metadata"],
        )

    def _mask(self, name: str) -> Mask:
        file = self._folder / f"{name}{MASK_SUFFIX}"
        try:
            return np.asarray(Image.open(file).convert("1"))
        except OSError as error:
            raise AnalysisError(f"{file} is no mask ({error}): export the study again.") from None
