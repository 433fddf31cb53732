"""The command that makes a study again, or with more seeds: `make study` with variables from its sweep's settings."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from analysis.pull.login import RESULTS
from analysis.pull.sweeps import Settings
from common.drawn_data import is_drawn
from common.environment import ROOT
from common.sweep_spec.distributions import listed_values

if TYPE_CHECKING:
    from analysis.comparison.comparison import Comparison

VARIABLES = {"data": "DATA", "image_size": "SIZE", "epochs": "EPOCHS"}
"""Parameters of a sweep that `make study` fills in with one value → its variables; `seed` is SEEDS."""
USUAL = {"data": ["drawn"]}
"""Values that `make study` takes by default, in place of a sweep's own."""
DEFAULT = "cpu.yaml"
OTHER_TRAINING_SETS = "evidence.yaml"
"""Files in `sweeps/`: the default of `make study`, and the one with several training sets."""


def study_command(
    sweeps: Mapping[str, Settings], *, seeds: int | None = None, epochs: int | None = None, results: Path | None = None
) -> str | None:
    """`make study …` that trains the runs of one grid again, with other `seeds` of each model or `epochs` if given.

    A grid that is none of `sweeps/` is looked for among the studies of the folder `results`; else its settings must be
    saved: `SWEEP=sweep.yaml`. None for another search, several sweeps, or a grid that `make study` does not take.
    """
    if len(sweeps) != 1:
        return None
    (settings,) = sweeps.values()
    wanted = values_of(settings)
    if settings.get("method") != "grid" or wanted is None or any(len(wanted.get(n, ())) != 1 for n in FILLED):
        return None
    wanted |= {"epochs": [epochs]} if epochs else {}
    ours = sorted((ROOT / "sweeps").glob("*.yaml"), key=lambda file: (file.name != DEFAULT, file.name))
    for file in [*ours, *(sorted(results.glob("*/sweep.yaml")) if results else ())]:
        words = make_variables(values_in(file), wanted, seeds)
        if words is not None:
            return command_line(words if file == ours[0] else {"SWEEP": os.path.relpath(file, ROOT)} | words)
    data = wanted.get("data", [])
    if len(data) > 1:
        return None
    other = {"DATA": None if data in ([], USUAL["data"]) else data[0], "EPOCHS": epochs, "SEEDS": seeds}
    return command_line({"SWEEP": "sweep.yaml"} | {word: value for word, value in other.items() if value})


def folder_here(data: str) -> str:
    """The folder of photographs for a command; FOLDER if only its name is known, as of an exported study."""
    return data if "/" in data or is_drawn(data) or Path(data).is_dir() else "FOLDER"


FILLED = ("image_size", "epochs")
"""Parameters that must have one value in a sweep for `make study`."""


def command_here(comparison: Comparison, *, seeds: int | None = None, epochs: int | None = None) -> str | None:
    """`study_command` in the project's own folder: a grid that is none of `sweeps/` may be one of its studies."""
    return study_command(comparison.sweeps, seeds=seeds, epochs=epochs, results=ROOT / RESULTS)


@cache
def values_in(file: Path) -> Mapping[str, Sequence[Any]]:
    """`values_of` a sweep's file, read once; empty if one is no list."""
    return values_of(yaml.safe_load(file.read_text())) or {}


def values_of(settings: Settings) -> dict[str, Sequence[Any]] | None:
    """The values of every parameter; None if one is no list."""
    found = {name: listed_values(spec) for name, spec in dict(settings.get("parameters") or {}).items()}
    return {name: list(values) for name, values in found.items() if values} if all(found.values()) else None


def make_variables(
    template: Mapping[str, Sequence[Any]], wanted: Mapping[str, Sequence[Any]], seeds: int | None
) -> dict[str, object] | None:
    """The variables of `make study` that turn `template` into `wanted`; None if there are none."""
    free = {*VARIABLES, "seed"}
    names = ({*template} | {*wanted}) - free
    if any(sorted(map(str, template.get(n, ()))) != sorted(map(str, wanted.get(n, ()))) for n in names):
        return None
    words: dict[str, object] = {}
    for name, word in VARIABLES.items():
        own, usual = list(wanted.get(name, ())), USUAL.get(name) or list(template.get(name, ()))
        if own != usual:
            if len(own) != 1:
                return None
            words[word] = own[0]
    own = sorted(wanted.get("seed", ()))
    if seeds is None and own != list(template.get("seed", ())):
        if own != list(range(1, len(own) + 1)):
            return None
        seeds = len(own)
    return words | ({"SEEDS": seeds} if seeds else {})


def command_line(words: Mapping[str, object]) -> str:
    """The command line, for a shell that starts make."""
    if "DATA" in words:
        words = {**words, "DATA": folder_here(str(words["DATA"]))}
    return " ".join(["make study", *(f"{word}={quote(value)}" for word, value in words.items())])


def quote(value: object) -> str:
    """A value for make from a shell: a `$`, which make would expand, is doubled."""
    return shlex.quote(str(value).replace("$", "$$"))


def other_training_sets_command(sweeps: Mapping[str, Settings]) -> str:
    """`make study …` that trains ten models on six training sets of the same photographs."""
    found = [values_of(settings) or {} for settings in sweeps.values()]
    words: dict[str, object] = {"SWEEP": f"sweeps/{OTHER_TRAINING_SETS}"}
    for name, word in VARIABLES.items():
        values = {str(value) for own in found for value in own.get(name, ())}
        if len(values) == 1 and values != {"drawn"}:
            words[word] = values.pop()
    return command_line(words)


def best_artifact(comparison: Comparison, run_id: str | None = None) -> str:
    """The checkpoints of a run, else of the best row's best run in validation: ENTITY/PROJECT/model-RUN_ID:best."""
    best = str(comparison.table.iloc[0]["run_ids"]).split()[0]
    path = str(comparison.runs.set_index("run_id")["path"][best])
    return f"{path.rpartition('/')[0]}/model-{run_id or best}:best"


def predict_command(comparison: Comparison, run_id: str | None = None) -> str:
    """The command for masks of other photographs by a run, else by the best row."""
    return f"python -m agent.predict {best_artifact(comparison, run_id)} PHOTOGRAPH… -o masks"
