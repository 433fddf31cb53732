"""A study: one grid sweep over given photographs, and the folder its results go to."""

import hashlib
import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from common.sweep_spec.distributions import listed_values
from common.sweep_spec.file import SweepFileError, read


class StudyError(Exception):
    """The study cannot go on; the text is one sentence for the person who started it."""


@dataclass(frozen=True)
class StudyPlan:
    """The sweep as it will be sent, and the folder of its results."""

    sweep: dict[str, Any]
    folder: Path

    @property
    def yaml(self) -> str:
        return yaml.safe_dump(self.sweep, sort_keys=False, width=100)

    @property
    def n_trials(self) -> int:
        return math.prod(len(listed_values(spec) or []) for spec in self.sweep["parameters"].values())

    @property
    def epochs(self) -> int:
        return int(self.sweep["parameters"]["epochs"]["value"])

    @property
    def image_size(self) -> int:
        return int(self.sweep["parameters"]["image_size"]["value"])


def make_plan(
    sweep_file: Path, results: Path, data: str, size: int | None, epochs: int | None, seeds: int | None
) -> StudyPlan:
    """The sweep of `sweep_file` with data and the given size, epochs and number of seeds filled in.

    The folder's name has the main settings; its last part is a digest of the whole sweep, so that a study with other
    settings, or on another folder of photographs, never continues this one.

    Raises:
        StudyError: the file is missing, not a sweep, or not a grid over plain values.
    """
    try:
        sweep = read(sweep_file)
    except SweepFileError as error:
        raise StudyError(str(error)) from error
    parameters = sweep.get("parameters")
    if not isinstance(parameters, dict):
        raise StudyError(f"{sweep_file} is not a sweep: parameters: is no mapping of settings")
    for name, value in {"data": data, "image_size": size, "epochs": epochs}.items():
        if value is not None:
            parameters[name] = {"value": value}
    if seeds is not None:
        parameters["seed"] = {"values": list(range(1, seeds + 1))}
    if sweep.get("method") != "grid" or any(not listed_values(spec) for spec in parameters.values()):
        raise StudyError(
            f"{sweep_file} is no grid over listed values: `make study` must know its trials beforehand; "
            f"run it with `wandb sweep` and `wandb agent` instead"
        )
    one = {name: parameters.get(name, {}).get("value") for name in ("epochs", "image_size")}
    missing = [name for name, value in one.items() if type(value) is not int or value < 1]
    if missing:
        raise StudyError(f"{sweep_file} does not set {' and '.join(missing)} to one whole number from 1 on")
    try:
        text = json.dumps(sweep, sort_keys=True, default=str)
    except TypeError:
        raise StudyError(f"{sweep_file} mixes words and numbers as keys of one mapping: quote the numbers") from None
    digest = hashlib.sha256(text.encode()).hexdigest()[:6]
    place = re.sub(r"\W+", "-", Path(data).name).strip("-") or "data"
    settings = f"{one['image_size']}px-{one['epochs']}ep"
    return StudyPlan(sweep, results / f"{sweep_file.stem}-{place}-{settings}-{digest}")
