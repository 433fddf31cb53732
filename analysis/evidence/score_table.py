"""A CSV file of scores → a `Scores`. Each fault of the file is one sentence."""

from __future__ import annotations

import csv
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from analysis.evidence.design import Scores, ScoresError
from common.text import plural

LONG = ("model", "image", "score")
OPTIONAL = ("seed", "split")
CASE = "case_id"
LARGEST = 1e100
"""Scores beyond it have no squares."""
LAYOUTS = "model,image,score and optional seed,split; or case_id and one column per model"


class Row(NamedTuple):
    """One score: of a model's run with `seed` on `split`, for an image; all names as in the file."""

    model: str
    split: str
    seed: str
    image: str
    score: float


def read(path: Path) -> list[Row]:
    """The scores of a file in either layout; raises `ScoresError`."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ScoresError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ScoresError(f"{path} is not UTF-8 text: save the table as CSV.") from error
    lines = text.splitlines()
    if not lines:
        raise ScoresError(f"{path} is empty: it needs the columns {LAYOUTS}.")
    delimiter = max(",;\t", key=lines[0].count)
    table = [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=delimiter)]
    header, body = table[0], [(number, row) for number, row in enumerate(table[1:], start=2) if any(row)]
    twice = [name for name, count in Counter(header).items() if count > 1]
    if twice or "" in header:
        raise ScoresError(f"{path} has {'two columns ' + repr(twice[0]) if twice else 'a column without a name'}.")
    if not body:
        raise ScoresError(f"{path} has a header and no scores.")
    for number, row in body:
        if len(row) != len(header):
            raise ScoresError(f"{path}, line {number} has {len(row)} cells, its header has {len(header)}.")
    rows = list(wide(path, header, body) if CASE in header else long(path, header, body))
    check(path, rows)
    return rows


def long(path: Path, header: Sequence[str], body: Sequence[tuple[int, list[str]]]) -> Iterable[Row]:
    """Rows of a table with one score per line."""
    missing = [name for name in LONG if name not in header]
    unknown = [name for name in header if name not in LONG + OPTIONAL]
    if missing or unknown:
        wrong = f"lacks the column {missing[0]!r}" if missing else f"has the unknown column {unknown[0]!r}"
        raise ScoresError(f"{path} {wrong}: columns are {LAYOUTS}.")
    for number, row in body:
        cells = dict(zip(header, row, strict=True))
        if not cells["model"] or not cells["image"]:
            raise ScoresError(f"{path}, line {number} names no {'image' if cells['model'] else 'model'}.")
        yield Row(
            cells["model"],
            cells.get("split", ""),
            cells.get("seed", ""),
            cells["image"],
            number_of(path, number, "score", cells["score"]),
        )


def wide(path: Path, header: Sequence[str], body: Sequence[tuple[int, list[str]]]) -> Iterable[Row]:
    """Rows of a table with one image per line and one column per model."""
    models = [name for name in header if name not in (CASE, *OPTIONAL)]
    for number, row in body:
        cells = dict(zip(header, row, strict=True))
        if not cells[CASE]:
            raise ScoresError(f"{path}, line {number} names no {CASE}.")
        for model in models:
            score = number_of(path, number, model, cells[model])
            yield Row(model, cells.get("split", ""), cells.get("seed", ""), cells[CASE], score)


def number_of(path: Path, line: int, column: str, text: str) -> float:
    """A number below `LARGEST`."""
    try:
        score = float(text)
    except ValueError:
        score = math.nan
    if abs(score) < LARGEST:
        return score
    raise ScoresError(
        f"{path}, line {line}: {column} is {text!r}, but must be a number such as 0.93; leave out rows without a score."
    )


def check(path: Path | str, rows: Sequence[Row]) -> None:
    """Raise `ScoresError` for scores that appear twice, do not vary, or leave nothing to compare."""
    repeated = Counter(row[:4] for row in rows).most_common(1)
    if repeated and repeated[0][1] > 1:
        model, split, seed, image = repeated[0][0]
        where = f"image {image}{f', split {split}' if split else ''}{f', seed {seed}' if seed else ''}"
        raise ScoresError(f"{path} has {model} on {where} twice: give each run its own seed, each split its name.")
    models, images = {row.model for row in rows}, {row.image for row in rows}
    if len(models) < 2:
        raise ScoresError(f"{path} has {'one model' if models else 'no model'}: a comparison needs at least two.")
    if len(images) < 2:
        raise ScoresError(f"{path} has one image, which shows no spread over images: score at least two.")
    if len({row.score for row in rows}) == 1:
        raise ScoresError(f"{path} has the same score everywhere: there is nothing to compare.")


def arrange(rows: Sequence[Row], *, train: int | None = None) -> Scores:
    """The scores as a `Scores`: complete runs, at least two models on every split; raises `ScoresError`."""
    notes: list[str] = []
    splits: dict[str, dict[tuple[str, str], dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    for row in rows:
        splits[row.split][row.model, row.seed][row.image] = row.score
    kept = {name: complete(name, dict(runs), notes) for name, runs in splits.items()}
    alone = [name for name, runs in kept.items() if len({model for model, _ in runs}) < 2]
    if alone:
        which = ", ".join(name or "(unnamed)" for name in alone)
        notes.append(f"Left out, since one model alone has runs there: split{'s' * (len(alone) > 1)} {which}.")
    kept = {name: runs for name, runs in kept.items() if name not in alone}
    models = sorted({model for runs in kept.values() for model, _ in runs})
    lost = sorted({row.model for row in rows} - set(models))
    if not kept:
        raise ScoresError(f"{', '.join(lost)}: no image in common with the others on any split.")
    notes += [f"No verdict on {name}: no image in common with the others on any split." for name in lost]
    names = sorted({image for runs in kept.values() for run in runs.values() for image in run})
    if len(names) < 2:
        raise ScoresError("models have one image in common, which shows no spread over images: score two.")
    return Scores(tuple(models), tuple(kept), *arrays(models, names, kept), train, tuple(notes))


Runs = dict[tuple[str, str], dict[str, float]]
"""(model, seed) → image → score."""


def complete(split: str, runs: Runs, notes: list[str]) -> Runs:
    """Runs that all have the same images, leaving out the runs or images that cost the fewest scores; no copies."""
    where = f" on split {split}" if split else ""
    while True:
        having = Counter(image for run in runs.values() for image in run)
        image, count = min(having.items(), key=lambda item: item[1], default=("", len(runs)))
        if count == len(runs):
            break
        lacking = {key: len(having) - len(run) for key, run in runs.items()}
        costs = {key: len(run) / max(lacking[key], 1e-9) for key, run in runs.items() if not is_only_run(key, runs)}
        run = min(costs, key=lambda key: costs[key], default=None)
        if run is not None and costs[run] < count / (len(runs) - count):
            name = f"{run[0]}{where}{f', seed {run[1]}' if run[1] else ''}"
            notes.append(f"A run is left out, {name}: {lacking[run]} of {len(having)} images have no score.")
            del runs[run]
        else:
            notes.append(
                f"Image {image}{where} is left out: {plural(len(runs) - count, 'run')} without a score for it."
            )
            runs = {key: {name: v for name, v in run.items() if name != image} for key, run in runs.items()}
    return without_copies(where, {key: run for key, run in runs.items() if run}, notes)


def is_only_run(key: tuple[str, str], runs: Runs) -> bool:
    """Whether this run is the last of its model."""
    return sum(model == key[0] for model, _ in runs) == 1


def without_copies(where: str, runs: Runs, notes: list[str]) -> Runs:
    """Runs without those whose scores are, to the last digit, those of another seed of the same model.

    Equal scores that are the same on every image copy nothing: so score models that fail, or succeed, everywhere.
    """
    seeds: dict[tuple[object, ...], str] = {}
    unique: Runs = {}
    for (model, seed), run in runs.items():
        scores = (model, *sorted(run.items()))
        if scores in seeds and len(set(run.values())) > 1:
            notes.append(f"{model}{where}: seed {seed} has all scores of seed {seeds[scores]} and counts as a copy.")
        else:
            seeds[scores] = seed
            unique[model, seed] = run
    return unique


def arrays(models: Sequence[str], names: Sequence[str], kept: dict[str, Runs]) -> tuple[np.ndarray, np.ndarray]:
    """Scores (M, K, S, I) and numbers of images (K, I), padded by NaN and -1."""
    per_split = [sorted(next(iter(runs.values()))) for runs in kept.values()]
    most_runs = max(max(Counter(model for model, _ in runs).values()) for runs in kept.values())
    width = max(map(len, per_split))
    scores = np.full((len(models), len(kept), most_runs, width), np.nan)
    images = np.full((len(kept), width), -1)
    number = {name: k for k, name in enumerate(names)}
    for k, (runs, own) in enumerate(zip(kept.values(), per_split, strict=True)):
        images[k, : len(own)] = [number[name] for name in own]
        for m, model in enumerate(models):
            of_model = [run for (name, _), run in runs.items() if name == model]
            for s, run in enumerate(of_model):
                scores[m, k, s, : len(own)] = [run[name] for name in own]
    return scores, images
