"""The numbers that runs logged, of many runs at once, for charts in which they lie over one another."""

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

from server.jsontext import load_objects
from server.pages.charts import Point, is_finite
from server.pages.curves import EPOCH, OWN, STEP, numbers
from server.store import Connection, lines

AXES = ("step", "epoch", "time")
MAX_LENGTH = 48 << 20  # characters of history that a page reads
PAGE = 2000  # rows that are read at once


@dataclass
class History:
    """Columns of one run. `axes`: a value for each row, NaN where it has none; `metrics`: (row, value) where logged."""

    axes: dict[str, "array[float]"] = field(default_factory=lambda: {name: array("d") for name in AXES})
    metrics: dict[str, tuple["array[int]", "array[float]"]] = field(default_factory=dict)

    def add(self, step: float, row: dict[str, float]) -> None:
        at = len(self.axes["step"])
        self.axes["step"].append(row.get(STEP, step))
        self.axes["epoch"].append(row.get(EPOCH, math.nan))
        self.axes["time"].append(row.get("_runtime", math.nan))
        for name, value in row.items():
            if name not in OWN:
                rows, values = self.metrics.setdefault(name, (array("l"), array("d")))
                rows.append(at)
                values.append(value)

    def has(self, metric: str, axis: str) -> bool:
        """Whether each of a metric's rows has the axis; true where there are none."""
        rows, _ = self.metrics.get(metric, ((), ()))
        return not any(math.isnan(self.axes[axis][at]) for at in rows)

    def points(self, metric: str, axis: str) -> list[Point]:
        """Those that have a place on the axis, in the order in which they came."""
        if metric not in self.metrics:
            return []
        rows, values = self.metrics[metric]
        xs = self.axes[axis]
        return [(xs[at], value) for at, value in zip(rows, values, strict=True) if not math.isnan(xs[at])]


def read(db: Connection, run_ids: Sequence[int]) -> tuple[dict[int, History], float]:
    """Run → its history, and the share of all rows that was read: less than 1 where there are too many."""
    total = sum(lines.history_length(db, run_id) for run_id in run_ids)
    share = min(1.0, MAX_LENGTH / max(total, 1))
    found = {}
    for run_id in run_ids:
        found[run_id] = history = History()
        for page in lines.history_share(db, run_id, share, [], PAGE):
            rows = load_objects([content for _, content in page])
            for (step, _), row in zip(page, rows, strict=True):
                history.add(step, numbers(row))
    return found, share


def band(
    series: Sequence[Sequence[Point]], most: int
) -> tuple[list[Point], list[tuple[float, float, float]]]:
    """Mean, and (x, lowest, highest), over several lines, at their x where all of them are; between points on a line.

    Where one has ended the others have no common mean, so the band ends as well.
    """
    lines_ = [sorted(point for point in points if is_finite(*point)) for points in series]
    lines_ = [points for points in lines_ if points]
    if not lines_:
        return [], []
    first, last = max(points[0][0] for points in lines_), min(points[-1][0] for points in lines_)
    xs = sorted({x for points in lines_ for x, _ in points if first <= x <= last})
    xs = [xs[i] for i in lines.spaced(len(xs), most)]
    heights = [_at(points, xs) for points in lines_]
    mean = [(x, math.fsum(ys) / len(ys)) for x, ys in zip(xs, zip(*heights, strict=True), strict=True)]
    ends = [(x, min(ys), max(ys)) for x, ys in zip(xs, zip(*heights, strict=True), strict=True)]
    return mean, ends


def _at(points: Sequence[Point], xs: Sequence[float]) -> list[float]:
    """The heights of a line at ascending x within its range; of several points at one x, the last."""
    heights, i = [], 0
    for x in xs:
        while i + 1 < len(points) and points[i + 1][0] <= x:
            i += 1
        (left, low), (right, high) = points[i], points[min(i + 1, len(points) - 1)]
        share = (x - left) / (right - left) if right > left and x > left else 0.0
        heights.append(low + share * (high - low))
    return heights
