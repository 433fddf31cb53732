"""Which curves a run shows: one chart per metric, with its splits in it."""

import math
from collections.abc import Iterable
from typing import Any

from markupsafe import Markup

from server.jsontext import flatten
from server.pages.charts import Line, chart

SPLITS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "eval": "val",
}
SPLITS |= {"test": "test"}
X_NAMES = ("epoch", "_step")
MAX_CHARTS = 24


def charts(rows: Iterable[dict[str, Any]]) -> list[Markup]:
    """Every number that was logged at least twice, against the epoch where there is one, else the step."""
    flat = [flatten(row) for row in rows]
    x_name = next((name for name in X_NAMES if sum(name in row for row in flat) > 1), "_step")
    series: dict[str, list[tuple[float, float]]] = {}
    for row in flat:
        x = row.get(x_name)
        if not isinstance(x, int | float):
            continue
        for key, value in row.items():
            if _is_number(value) and not key.startswith("_") and key != x_name:
                series.setdefault(key, []).append((float(x), float(value)))
    groups: dict[str, list[Line]] = {}
    for key, points in series.items():
        if sum(math.isfinite(y) for _, y in points) > 1:
            title, line = _line(key, points)
            groups.setdefault(title, []).append(line)
    shown = x_name.lstrip("_")
    ordered = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))[:MAX_CHARTS]
    return [chart(title, sorted(lines, key=lambda line: line.name), shown) for title, lines in ordered]


def _line(key: str, points: list[tuple[float, float]]) -> tuple[str, Line]:
    head, slash, rest = key.partition("/")
    if slash and head in SPLITS:
        return rest, Line(head, points, SPLITS[head])
    return key, Line("", points)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
