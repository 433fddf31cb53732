"""The axis of each metric by `run.define_metric(step_metric=…)`."""

import re
from dataclasses import dataclass
from typing import Any

from server.jsontext import wandb_section

NAME, GLOB, STEP_NAME, STEP_INDEX, OPTIONS = "1", "2", "4", "5", "6"
DEFINED = 3
"""Field numbers and the option of the client's MetricRecord, the form of definitions in a configuration."""


@dataclass(frozen=True)
class Axes:
    """`names` of metrics, and patterns of them, to their axis; a metric defined without one stands for None."""

    names: dict[str, str | None]
    patterns: tuple[tuple[re.Pattern[str], str], ...] = ()

    def of(self, metric: str) -> str | None:
        """Axis of a metric; None if none is defined, or the metric itself."""
        if metric in self.names:
            found = self.names[metric]
        else:
            found = next((axis for pattern, axis in self.patterns if pattern.fullmatch(metric)), None)
        return None if found == metric else found


def read(config: str) -> Axes:
    """The definitions in a run's configuration; invalid ones are ignored."""
    records = wandb_section(config).get("m")
    if not isinstance(records, list):
        return Axes({})
    names: dict[str, str | None] = {}
    patterns = []
    for record in (record for record in records if isinstance(record, dict)):
        axis = _axis(record, records)
        name, glob, options = record.get(NAME), record.get(GLOB), record.get(OPTIONS)
        if isinstance(name, str) and (axis or (isinstance(options, list) and DEFINED in options)):
            names[name] = axis
        elif isinstance(glob, str) and axis:
            patterns.append((re.compile(re.escape(glob).replace(r"\*", ".*"), re.DOTALL), axis))
    return Axes(names, tuple(patterns))


def _axis(record: dict[str, Any], records: list[Any]) -> str | None:
    name, index = record.get(STEP_NAME), record.get(STEP_INDEX)
    if isinstance(index, int) and 0 < index <= len(records) and isinstance(records[index - 1], dict):
        name = records[index - 1].get(NAME)
    return name if isinstance(name, str) and name else None
