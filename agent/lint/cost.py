"""What a sweep will cost: how many runs, device-hours, bytes of Artifacts, and memory."""

import itertools
import math
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from agent.config import PRECISIONS, Config, ConfigError, from_settings
from agent.lifecycle import disk
from agent.lint import duration, models
from agent.lint.document import Document
from agent.lint.duration import Duration
from agent.lint.parameters import Parameter
from agent.training import step_times
from agent.training.step_times import ONE_CORE, Step

TABLE = Path(__file__).with_name("step_seconds.csv")
"""Measured training steps; `python -m bench.step_seconds` writes it."""

LIMIT = 0.05
"""Part of a run's hours that validation, saving and test may take without being mentioned."""

NO_GPU = (
    "no GPU-hours, for no GPU's training steps are recorded here: `python -m bench.step_seconds` on the GPU does it, "
    "and so does every run that it finishes"
)
HINT_HOURS = 1.0
"""Core-hours from which on somebody may want a GPU."""

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
    "repeats",
    "precision",
    "score_size",
)
"""Settings that change what a run costs."""


@dataclass(frozen=True)
class Price:
    """Of a sweep on one device, whose name begins with `ONE_CORE` if it is a CPU.

    `aside` is the part of the hours that is not training but validation, saving or the test; `remedy` says what would
    bring it down to `LIMIT`. `lacking` are precisions of runs whose steps were not measured there.
    """

    device: str
    hours: float
    aside: float = 0.0
    remedy: str = ""
    lacking: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.device.removeprefix(ONE_CORE)

    @property
    def unit(self) -> str:
        return "core" if self.device.startswith(ONE_CORE) else "GPU"

    def text(self) -> str:
        return f"{hours(self.hours, self.unit)} on {self.name}"

    def remarks(self) -> Iterator[str]:
        if self.aside > LIMIT:
            share = f"{self.aside * 100:.0f} %"
            yield f"{share} of it on {self.name} is validation, saving and test; {self.remedy}"
        if self.lacking:
            lacking = " and ".join(self.lacking)
            yield f"that on {self.name} is taken from other steps, for none in {lacking} is recorded there"


@dataclass(frozen=True)
class Cost:
    """Of a sweep, or of one run of it where the number of runs is not known (`n_runs` None)."""

    n_runs: int | None
    prices: tuple[Price, ...]
    bytes: int
    memory: int

    @property
    def wants_gpu(self) -> bool:
        """Whether it is long, and its hours on a GPU are not known."""
        on_cpu = [price.device.startswith(ONE_CORE) for price in self.prices]
        return all(on_cpu) and any(price.hours > HINT_HOURS for price in self.prices)

    def text(self) -> str:
        runs = (
            "1 run" if self.n_runs == 1 else f"{self.n_runs} runs" if self.n_runs else "each run, without end"
        )
        parts = [price.text() for price in self.prices]
        parts.append(f"{size(self.bytes)} of Artifacts")
        parts.append(f"{size(self.memory)} of memory while training")
        remarks = [f"    {remark}" for price in self.prices for remark in price.remarks()]
        return "\n".join([f"{runs}: {', '.join(parts)}", *remarks])


def hours(value: float, unit: str) -> str:
    """Hours of one core or GPU in words, at least a minute."""
    if value < 1:
        minutes = max(1, round(value * 60))
        return f"{minutes} {unit}-minute" + "s" * (minutes > 1)
    return f"{value:.1f} {unit}-hours" if value < 10 else f"{value:.0f} {unit}-hours"


def size(n: float) -> str:
    return f"{n / 1e6:.0f} MB" if n < 1e9 else f"{n / 1e9:.1f} GB"


def count(document: Document, parameters: Sequence[Parameter]) -> int | None:
    """How many runs the sweep has; None if it has no end."""
    given: Any = document.value.get("run_cap")
    cap: int | None = given if isinstance(given, int) and given > 0 else None
    if document.value.get("method") != "grid":
        return cap
    cells = math.prod(each.n for each in parameters)
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
    return [] if models.of(config).reason else [config]


def of(runs: Sequence[Config], n_runs: int | None, tables: Sequence[Path] | None = None) -> Cost:
    """Cost of `n_runs` runs that are like `runs` on average, on every device of the tables (ours, this machine's)."""
    n = n_runs or 1
    return Cost(
        n_runs,
        tuple(price(runs, n, steps) for steps in by_device(tables or (TABLE, step_times.place())).values()),
        round(n * mean(artifact_bytes(config) for config in runs)),
        max(_facts(config).training_bytes(config.image_size, config.batch_size) for config in runs),
    )


def by_device(tables: Sequence[Path]) -> dict[str, list[Step]]:
    """The measured steps of all tables."""
    steps: dict[str, list[Step]] = {}
    for each in (step for table in tables for step in step_times.read(table)):
        steps.setdefault(each.device, []).append(each)
    return steps


def price(runs: Sequence[Config], n: int, steps: Sequence[Step]) -> Price:
    """Of `n` runs that are like `runs` on average, on the device whose steps these are."""
    each = [duration.of_run(config, steps) for config in runs]
    average = Duration(*(mean(values) for values in zip(*map(astuple, each), strict=True)))
    known = {step.precision for step in steps}
    return Price(
        steps[0].device,
        n * average.total / 3600,
        (average.aside + average.test) / average.total,
        remedy(average, min(run.epochs for run in runs)),
        tuple(p for p in PRECISIONS[:2] if p not in known and any(run.precision == p for run in runs)),
    )


def remedy(average: Duration, epochs: int) -> str:
    """How as much training gets by with less validation and saving: so many of the `epochs` in one."""
    allowed = (average.start + average.training) * LIMIT / (1 - LIMIT) - average.test
    if allowed * epochs < average.aside:
        return "longer runs, by larger `repeats`, have less of it"
    fold = math.ceil(average.aside / allowed)
    return f"{fold} times the `repeats` and 1/{fold} of the `epochs` make it {LIMIT * 100:.0f} %"


def _facts(config: Config) -> models.Facts:
    return models.of(config)


def artifact_bytes(config: Config) -> int:
    """What a run leaves on the server, at most: `agent.lifecycle.disk.bytes_of_run`, without building the model."""
    return disk.left_on_server(_facts(config).checkpoint_bytes, config.score_size, duration.IMAGES["test"])
