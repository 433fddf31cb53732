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


def explain(error: Exception) -> str:
    """What is wrong with a file, on one line; of YAML only the place and the problem."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        return f"line {error.problem_mark.line + 1}: {error.problem}"
    return " ".join(str(error).split())


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
        sweep = yaml.safe_load(sweep_file.read_text())
        parameters = sweep["parameters"]
    except OSError as error:
        raise StudyError(f"{sweep_file} is not a sweep that can be read: {error.strerror}") from error
    except (UnicodeDecodeError, yaml.YAMLError, TypeError, KeyError) as error:
        raise StudyError(f"{sweep_file} is not a sweep that can be read: {explain(error)}") from error
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
    missing = [name for name in ("epochs", "image_size") if "value" not in parameters.get(name, {})]
    if missing:
        raise StudyError(f"{sweep_file} does not set {' and '.join(missing)} to one value")
    digest = hashlib.sha256(json.dumps(sweep, sort_keys=True).encode()).hexdigest()[:6]
    place = re.sub(r"\W+", "-", Path(data).name).strip("-") or "data"
    settings = f"{parameters['image_size']['value']}px-{parameters['epochs']['value']}ep"
    return StudyPlan(sweep, results / f"{sweep_file.stem}-{place}-{settings}-{digest}")
