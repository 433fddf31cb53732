"""Times of training steps on the GPUs of this machine, measured by the runs themselves, for `agent.lint`.

A run that has trained all its epochs on a GPU appends one row to `.cache/step_seconds.csv` (PUZZLE_STEP_SECONDS names
another file), with the columns of agent/lint/step_seconds.csv. A run on a CPU appends none: its seconds grow with
other work on the machine. So do those of trials that share a GPU; therefore the fastest of the rows with equal
settings counts. If a GPU was always shared, its estimated hours are too many, at most by the number of trials.
A run long enough for torch.compile has most of its epochs after it, and its row is about them.
"""

import csv
import dataclasses
import fcntl
import os
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.config import Config
from common.environment import CACHE, own

ONE_CORE = "one core of "
"""Beginning of the device's name in a row of CPU seconds; other rows have seconds of a clock."""

WITHOUT_BFLOAT16 = " without bfloat16"
"""End of the device's name in a row of a CPU that does not multiply bfloat16 itself."""

Settings = tuple[str, str, str, int, int, int, str, int]
"""The columns up to `macs`, on which the time of a step depends."""

GPU = "cuda: "
"""Beginning of a GPU's name in `agent.training.performance.device_name`."""


class StepTimesError(ValueError):
    """A table of step times cannot be read; the text has its file, the reason and the remedy."""


@dataclass(frozen=True)
class Step:
    """A measured training step; the fields are the columns of the tables.

    `macs` are multiply-accumulates of its forward pass, `seconds` the median of `n` measurements, `deviation` their
    standard deviation (0 if n is 1). In a run's row each of them is the mean over the steps of an epoch.
    """

    device: str
    architecture: str
    backbone: str
    width: int
    image_size: int
    batch_size: int
    precision: str
    macs: int
    seconds: float
    deviation: float
    n: int

    @property
    def settings(self) -> Settings:
        model = (self.device, self.architecture, self.backbone, self.width)
        return (*model, self.image_size, self.batch_size, self.precision, self.macs)


TYPES: dict[str, Any] = {each.name: each.type for each in dataclasses.fields(Step)}
COLUMNS = tuple(TYPES)
NEVER = Step("", "", "", 0, 0, 0, "", 0, float("inf"), 0.0, 0)


def table_file() -> Path:
    """The table of this machine."""
    return Path(own("PUZZLE_STEP_SECONDS") or CACHE / "step_seconds.csv")


def summarize(settings: Settings, seconds: Sequence[float]) -> Step:
    """The row of a step, from every measurement of it, in seconds."""
    deviation = statistics.stdev(seconds) if len(seconds) > 1 else 0.0
    return Step(*settings, round(statistics.median(seconds), 6), round(deviation, 6), len(seconds))


def record(config: Config, device: str, precision: str, macs: float, seconds: Sequence[float]) -> None:
    """Keep the step times of a run: `seconds` per step, a number for each epoch that counts.

    `device` is a name by `performance.device_name`. Nothing is kept for a CPU, nor if no epoch counts. A disk that
    refuses is reported on the console and ends nothing.
    """
    if not device.startswith(GPU) or not seconds:
        return
    model = (config.architecture, config.backbone, config.width)
    settings = (device.removeprefix(GPU), *model, config.image_size, config.batch_size, precision, round(macs))
    try:
        append(summarize(settings, seconds), table_file())
    except OSError as error:
        print(
            f"agent.train: step times are not recorded, {table_file()} cannot be written ({error.strerror}): name "
            "another file in PUZZLE_STEP_SECONDS",
            file=sys.stderr,
        )


def append(step: Step, file: Path) -> None:
    """One more row, written in one piece by one process at a time. Raises OSError."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", newline="") as table:
        fcntl.flock(table, fcntl.LOCK_EX)
        writer = csv.DictWriter(table, COLUMNS, lineterminator="\n")
        if not os.fstat(table.fileno()).st_size:
            writer.writeheader()
        writer.writerow(dataclasses.asdict(step))


def read(file: Path) -> list[Step]:
    """The rows of a table, of those with equal settings the fastest; none if the file is not there.

    A row cut short by a full disk is passed over.

    Raises:
        StepTimesError: the file cannot be read.
    """
    try:
        text = file.read_text(errors="replace")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StepTimesError(
            f"{file} cannot be read ({error.strerror}): name another file in PUZZLE_STEP_SECONDS"
        ) from None
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    rows = [_step(row) for row in csv.DictReader(lines)]
    fastest: dict[Settings, Step] = {}
    for step in rows:
        if step and step.seconds < fastest.get(step.settings, NEVER).seconds:
            fastest[step.settings] = step
    return list(fastest.values())


def _step(row: dict[str, str]) -> Step | None:
    try:
        return Step(**{name: kind(row[name]) for name, kind in TYPES.items()})
    except (KeyError, TypeError, ValueError):
        return None
