"""What a sweep will cost: how many runs, device-hours, bytes of Artifacts, and memory."""

import csv
import itertools
import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from agent import budget
from agent.config import Config, ConfigError, from_settings
from agent.lint import models
from agent.lint.document import Document
from agent.lint.parameters import Parameter

TABLE = Path(__file__).with_name("step_seconds.csv")
"""Measured training steps; `python -m bench.step_seconds` writes it."""

IMAGES = {"train": 10, "val": 4, "test": budget.N_TEST}
"""Of the lab's folder and of drawn photographs."""

START_SECONDS = 12
"""From handing out to the first step under plain `wandb agent`: its poll, the imports, wandb.init."""

MOST_CELLS = 2_000
SHAPING = (
    "model",
    "architecture",
    "backbone",
    "weights",
    "width",
    "image_size",
    "batch_size",
    "epochs",
    "precision",
)
"""Settings that change what a run costs."""


@dataclass(frozen=True)
class Step:
    """One measured training step: `work` is multiply-accumulates of its forward pass."""

    device: str
    architecture: str
    backbone: str
    work: float
    seconds: float


@dataclass(frozen=True)
class Cost:
    """Of a sweep, or of one run of it where the number of runs is not known (`n_runs` None)."""

    n_runs: int | None
    hours: dict[str, float]
    bytes: int
    memory: int

    def text(self, path: str) -> str:
        runs = (
            "1 run" if self.n_runs == 1 else f"{self.n_runs} runs" if self.n_runs else "each run, without end"
        )
        parts = [f"{hours(value)} on {device}" for device, value in self.hours.items()]
        parts.append(f"{size(self.bytes)} of Artifacts")
        parts.append(f"{size(self.memory)} of memory while training")
        return f"{path}: {runs}: {', '.join(parts)}"


def hours(value: float) -> str:
    return (
        f"{value * 60:.0f} minutes"
        if value < 1
        else f"{value:.1f} hours"
        if value < 10
        else f"{value:.0f} hours"
    )


def size(n: float) -> str:
    return f"{n / 1e6:.0f} MB" if n < 1e9 else f"{n / 1e9:.1f} GB"


def count(document: Document, parameters: Sequence[Parameter]) -> int | None:
    """How many runs the sweep has; None if it has no end."""
    given: Any = document.value.get("run_cap")
    cap: int | None = given if isinstance(given, int) and given > 0 else None
    if document.value.get("method") != "grid":
        return cap
    cells = math.prod(len(each.values) for each in parameters)
    return cells if cap is None else min(cap, cells)


def configs(parameters: Sequence[Parameter], method: str) -> list[Config]:
    """Configurations that stand for the whole sweep: every kind of run of a grid, else random ones."""
    shaping = [each for each in parameters if each.name in SHAPING]
    if method == "grid" and math.prod(len(each.values) for each in shaping) <= MOST_CELLS:
        names = [each.name for each in shaping]
        chosen: Iterable[dict[str, Any]] = (
            dict(zip(names, values, strict=True))
            for values in itertools.product(*(p.values for p in shaping))
        )
    else:
        rng = random.Random(0)
        chosen = ({each.name: each.draw(rng) for each in shaping} for _ in range(MOST_CELLS // 10))
    return [config for settings in chosen for config in _valid(settings)]


def _valid(settings: dict[str, Any]) -> list[Config]:
    try:
        config = from_settings(
            {name: round(v) if isinstance(v, float) else v for name, v in settings.items()}
        )
    except ConfigError:
        return []
    return [] if models.known(config.architecture, config.backbone, config.width).reason else [config]


def of(runs: Sequence[Config], n_runs: int | None, table: Path = TABLE) -> Cost:
    """Cost of `n_runs` runs that are like `runs` on average."""
    steps = measured(table)
    n = n_runs or 1
    return Cost(
        n_runs,
        {
            device: n * mean(run_seconds(config, own) for config in runs) / 3600
            for device, own in steps.items()
        },
        round(n * mean(artifact_bytes(config) for config in runs)),
        max(_facts(config).training_bytes(config.image_size, config.batch_size) for config in runs),
    )


def measured(table: Path = TABLE) -> dict[str, list[Step]]:
    """The recorded steps by device."""
    steps: dict[str, list[Step]] = {}
    with table.open(newline="") as file:
        for row in csv.DictReader(line for line in file if not line.startswith("#")):
            names = (row["device"], row["architecture"], row["backbone"])
            step = Step(*names, float(row["macs"]), float(row["seconds"]))
            steps.setdefault(step.device, []).append(step)
    return steps


def _facts(config: Config) -> models.Facts:
    return models.known(config.architecture, config.backbone, config.width)


def forward_macs(facts: models.Facts, image_size: int) -> float:
    """Multiply-accumulates of one image."""
    return facts.macs * image_size**2 / models.SIDE**2


def step_seconds(config: Config, work: float, steps: Sequence[Step]) -> float:
    """Seconds of a training step with `work` multiply-accumulates in its forward pass, from steps of one device.

    Two steps of the same model give a fixed part and one that grows with the work; neither is below 0. A model
    that was not measured is taken for the measured one of its architecture whose speed is the median.
    """
    own = [s for s in steps if (s.architecture, s.backbone) == (config.architecture, config.backbone)]
    if len({s.work for s in own}) < 2:
        like = [s for s in steps if s.architecture == config.architecture] or list(steps)
        speeds = sorted(s.work / s.seconds for s in like)
        return work / speeds[len(speeds) // 2]
    small, large = min(own, key=lambda s: s.work), max(own, key=lambda s: s.work)
    slope = max(0.0, (large.seconds - small.seconds) / (large.work - small.work))
    fixed = max(0.0, small.seconds - slope * small.work)
    return fixed + slope * work if fixed else work * large.seconds / large.work


def run_seconds(config: Config, steps: Sequence[Step]) -> float:
    """Seconds of one run: start, epochs with their validation, test. A forward pass is a third of a step."""
    image = forward_macs(_facts(config), config.image_size)
    n_steps = math.ceil(IMAGES["train"] / config.batch_size)
    training = n_steps * step_seconds(config, image * IMAGES["train"] / n_steps, steps)
    looking = step_seconds(config, image * IMAGES["val"], steps) / 3
    testing = budget.KEPT * step_seconds(config, image * IMAGES["test"], steps) / 3
    return START_SECONDS + config.epochs * (training + looking) + testing


def artifact_bytes(config: Config) -> int:
    """What a run leaves on the server, at most: `agent.budget.bytes_of_run`, without building the model."""
    return budget.left_on_server(_facts(config).checkpoint_bytes, config.image_size, IMAGES["test"])
