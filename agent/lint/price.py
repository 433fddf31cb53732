"""The price of a sweep: runs, core-hours or GPU-hours of training steps, bytes of Artifacts, and memory."""

import itertools
import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from agent.config import Config, ConfigError, from_settings
from agent.lifecycle import disk
from agent.lint import model_facts
from agent.lint.document import Document
from agent.lint.parameters.values import Parameter
from agent.training import step_times
from agent.training.step_times import ONE_CORE, WITHOUT_BFLOAT16, Step
from common import cores
from common.drawn_data import drawing_size, n_drawings
from common.text import plural, size

STEP_TIMES = Path(__file__).with_name("step_seconds.csv")
"""Measured training steps; `python -m bench.step_seconds` writes it."""

N_TRAIN = 10
"""Training images of the lab's folder and of drawn photographs."""

VALIDATION = 0.37
"""Work of a validation over that of a visit to the training images, a forward pass being a third of a step: four
validation images and, in the half of epochs that may become a checkpoint, 14 more for BatchNorm statistics."""

NO_GPU = (
    "no GPU-hours, for no GPU's training steps are recorded here: `python -m bench.step_seconds` on the GPU does it, "
    "and so does every run that it finishes"
)
LONG_HOURS = 1.0
"""Core-hours above which a GPU is suggested."""

MAX_CONFIGS = 2_000
COST_FIELDS = (
    *("model", "architecture", "backbone", "weights", "width"),
    *("image_size", "batch_size", "epochs", "repeats", "precision", "score_size", "data"),
)
"""Settings that change the price of a run."""


@dataclass(frozen=True)
class DevicePrice:
    """Price of a sweep on one device, whose name begins with `ONE_CORE` if it is a CPU."""

    device: str
    hours: float

    def text(self) -> str:
        unit = "core" if self.device.startswith(ONE_CORE) else "GPU"
        return f"{hours(self.hours, unit)} on {self.device.removeprefix(ONE_CORE)}"


@dataclass(frozen=True)
class Price:
    """Price of a sweep, or of one run of it if `n_runs` is None (unknown)."""

    n_runs: int | None
    prices: tuple[DevicePrice, ...]
    bytes: int
    memory: int

    @property
    def wants_gpu(self) -> bool:
        """Whether it is long, and its hours on a GPU are not known."""
        on_cpu = [price.device.startswith(ONE_CORE) for price in self.prices]
        return all(on_cpu) and any(price.hours > LONG_HOURS for price in self.prices)

    def text(self) -> str:
        runs = "1 run" if self.n_runs == 1 else f"{self.n_runs} runs" if self.n_runs else "each run, without end"
        parts = [price.text() for price in self.prices]
        parts.append(f"{size(self.bytes)} of Artifacts")
        parts.append(f"{size(self.memory)} of memory while training")
        return f"{runs}: {', '.join(parts)}"


def hours(value: float, unit: str) -> str:
    """Hours of one core or GPU in words, at least a minute."""
    if value < 1:
        return plural(max(1, round(value * 60)), f"{unit}-minute")
    return f"{value:.1f} {unit}-hours" if value < 10 else f"{value:.0f} {unit}-hours"


def count_runs(document: Document, parameters: Sequence[Parameter]) -> int | None:
    """Number of runs of the sweep; None if it has no end."""
    run_cap: Any = document.value.get("run_cap")
    cap: int | None = run_cap if isinstance(run_cap, int) and run_cap > 0 else None
    if document.value.get("method") != "grid":
        return cap
    cells = math.prod(each.n for each in parameters)
    return cells if cap is None else min(cap, cells)


def sample_configs(parameters: Sequence[Parameter], method: str) -> list[Config]:
    """Configurations that stand for the whole sweep: every kind of run of a grid, else random ones."""
    shaping = [each for each in parameters if each.name in COST_FIELDS]
    if method == "grid" and math.prod(len(each.values) for each in shaping) <= MAX_CONFIGS:
        names = [each.name for each in shaping]
        chosen: Iterable[dict[str, Any]] = (
            dict(zip(names, values, strict=True)) for values in itertools.product(*(p.values for p in shaping))
        )
    else:
        rng = random.Random(0)
        chosen = ({each.name: each.draw(rng) for each in shaping} for _ in range(MAX_CONFIGS // 10))
    return [config for settings in chosen for config in _valid(settings)]


def _valid(settings: dict[str, Any]) -> list[Config]:
    try:
        config = from_settings({name: round(v) if isinstance(v, float) else v for name, v in settings.items()})
    except ConfigError:
        return []
    return [] if model_facts.facts(config).reason else [config]


def estimate(runs: Sequence[Config], n_runs: int | None) -> Price:
    """Price of `n_runs` runs that are like `runs` on average, on the devices of our table and this machine's."""
    n = n_runs or 1
    devices = with_cpus_like_this(steps_by_device((STEP_TIMES, step_times.table_file())))
    return Price(
        n_runs,
        tuple(
            DevicePrice(device, n * mean(seconds(config, steps) for config in runs) / 3600)
            for device, steps in devices.items()
        ),
        round(n * mean(server_bytes(config) for config in runs)),
        max(model_facts.facts(config).training_bytes(config.image_size, config.batch_size) for config in runs),
    )


def steps_by_device(tables: Sequence[Path]) -> dict[str, list[Step]]:
    """The measured steps of all tables."""
    steps: dict[str, list[Step]] = {}
    for each in (step for table in tables for step in step_times.read(table)):
        steps.setdefault(each.device, []).append(each)
    return steps


def with_cpus_like_this(devices: dict[str, list[Step]]) -> dict[str, list[Step]]:
    """Without the CPUs that have bfloat16 if this one has none, or have none if it has it; all if none is left."""
    cpus = {name for name in devices if name.startswith(ONE_CORE)}
    unlike = {name for name in cpus if name.endswith(WITHOUT_BFLOAT16) == cores.multiply_bfloat16()}
    return {name: steps for name, steps in devices.items() if name not in unlike or unlike == cpus}


def seconds(config: Config, steps: Sequence[Step]) -> float:
    """Seconds of a run's steps: their number, times those of the most similar measured step, in proportion to the work.

    Validation counts as so many steps more; start, saving, test and upload do not.
    """
    n_train = n_drawings(config.data) or N_TRAIN
    per_visit = math.ceil(n_train / config.batch_size)
    macs = model_facts.facts(config).macs_at(config.image_size) * n_train / per_visit
    step = most_similar(config, macs, steps)
    n_steps = config.epochs * (config.repeats + VALIDATION) * per_visit
    return n_steps * step.seconds * macs / step.macs


def most_similar(config: Config, macs: float, steps: Sequence[Step]) -> Step:
    """The most similar measured step: by precision (`auto` takes the faster one), then model, then width, then work."""

    def distance(step: Step) -> tuple[float, ...]:
        # Narrow convolutions do less work in a second than wide ones; a backbone has widths of its own.
        width = abs(math.log(step.width / config.width)) if config.backbone == "none" else 0.0
        return (
            config.precision not in ("auto", step.precision),
            step.architecture != config.architecture,
            step.backbone != config.backbone,
            width,
            abs(math.log(step.macs / macs)),
            step.seconds / step.macs,
        )

    return min(steps, key=distance)


def server_bytes(config: Config) -> int:
    """Bytes of a run on the server, at most: `agent.lifecycle.disk.bytes_on_server`, without building the model.

    Photographs of a folder are taken to be squares of `score_size`.
    """
    n_test = n_drawings(config.data) // 10 or disk.N_TEST
    height, width = drawing_size(config.data) or (config.score_size, config.score_size)
    part = min(1, config.score_size / max(height, width))
    n_pixels = n_test * round(height * part) * round(width * part)
    return disk.artifact_bytes(model_facts.facts(config).checkpoint_bytes, n_pixels)
