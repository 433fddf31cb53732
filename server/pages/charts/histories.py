"""Numbers in the histories of many runs at once, for charts of several runs."""

import math
from array import array
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from threading import Lock
from typing import Any

from server.jsontext import load_objects
from server.pages.charts.line_chart import Point, View, is_finite
from server.pages.charts.metric_charts import EPOCH, OWN, STEP, numbers
from server.store import Connection, Row, Store, streams

AXES = {"step": STEP, "epoch": EPOCH, "time": "_runtime"}
MAX_LENGTH = 48 << 20  # characters of history that a page reads
MAX_REMEMBERED = 4_000_000  # numbers of 8 bytes
POINTS = 18_000  # of all lines of a page
FEWEST, MOST = 24, 400  # of a line
PAGE = 2000  # rows that are read at once
_height = itemgetter(1)


@dataclass
class History:
    """History of one run. `columns`: name → numbers of the rows that have it, and their values."""

    columns: dict[str, tuple["array[int]", "array[float]"]] = field(default_factory=dict)
    n: int = 0

    def add(self, steps: Sequence[int], rows: Sequence[dict[str, Any]]) -> None:
        columns = self.columns
        for at, (step, row) in enumerate(zip(steps, rows, strict=True), start=self.n):
            if type(row.get(STEP)) not in (int, float):
                row[STEP] = step
            for name, value in row.items():
                kind = type(value)
                if kind is float or kind is int:
                    if name not in columns:
                        columns[name] = (array("l"), array("d"))
                    numbers_, values = columns[name]
                    numbers_.append(at)
                    values.append(value)
                elif kind is dict:
                    for below, number in numbers({name: value}).items():
                        numbers_, values = columns.setdefault(below, (array("l"), array("d")))
                        numbers_.append(at)
                        values.append(number)
        self.n += len(rows)

    def copy(self) -> "History":
        """A copy whose columns share no list of rows, so that rows can be added."""
        return History({name: (rows[:], values[:]) for name, (rows, values) in self.columns.items()}, self.n)

    def share_rows(self) -> "History":
        """The history with one list of rows for all columns with equal lists."""
        same: dict[bytes, array[int]] = {}
        columns = {name: (same.setdefault(rows.tobytes(), rows), of) for name, (rows, of) in self.columns.items()}
        return History(columns, self.n)

    @property
    def size(self) -> int:
        """Number of numbers in memory."""
        places = {id(rows): len(rows) for rows, _ in self.columns.values()}
        return sum(places.values()) + sum(len(values) for _, values in self.columns.values())

    @property
    def metrics(self) -> dict[str, int]:
        """Metrics that may be drawn, with the number of their values."""
        return {name: len(values) for name, (_, values) in self.columns.items() if name not in OWN}

    def gaps(self, metric: str) -> int:
        """Number of values that are not finite."""
        return sum(value - value != 0 for value in self.columns[metric][1]) if metric in self.columns else 0

    def has(self, metric: str, axis: str) -> bool:
        """Whether each of a metric's rows has the axis; True without rows."""
        if metric not in self.columns:
            return True
        rows, places = (self.columns.get(name, ((), ()))[0] for name in (metric, AXES[axis]))
        return rows is places or rows == places or set(rows) <= set(places)

    def points(self, metric: str, axis: str) -> list[Point]:
        """Points of a metric's rows that have the axis, in their order."""
        if metric not in self.columns or AXES[axis] not in self.columns:
            return []
        (rows, values), (places, xs) = self.columns[metric], self.columns[AXES[axis]]
        if rows is places or rows == places:
            return list(zip(xs, values, strict=True))
        at = dict(zip(places, xs, strict=True))
        return [(at[row], value) for row, value in zip(rows, values, strict=True) if row in at]


@dataclass(frozen=True)
class CachedHistory:
    """A run's history as read: a `share` of its first `n` lines, of `length` characters in all, and the last line."""

    history: History
    share: float
    n: int
    length: int
    last: str


class HistoryCache:
    """Histories by folder and run; the least recently used go first."""

    def __init__(self, most: int) -> None:
        self._most, self._n = most, 0
        self._kept: OrderedDict[tuple[str, int], CachedHistory] = OrderedDict()
        self._lock = Lock()

    def get(self, key: tuple[str, int]) -> CachedHistory | None:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def put(self, key: tuple[str, int], known: CachedHistory) -> None:
        with self._lock:
            if (old := self._kept.pop(key, None)) is not None:
                self._n -= old.history.size
            self._kept[key] = known
            self._n += known.history.size
            while self._n > self._most:
                self._n -= self._kept.popitem(last=False)[1].history.size


_memory = HistoryCache(MAX_REMEMBERED)


def read(store: Store, found: Sequence[Row]) -> tuple[dict[int, History], float]:
    """Run → its history, and the share of rows that was read: 1, or ½, ¼ … if there are too many.

    Lines read before are kept, and only the lines behind them are read.
    """
    db, folder = store.db, str(store.folder)
    known = {run["id"]: _valid_cache(db, run["id"], _memory.get((folder, run["id"]))) for run in found}
    lengths = {run_id: of.length + streams.history_length(db, run_id, of.n) for run_id, of in known.items()}
    length = sum(lengths[run_id] for run_id, of in known.items() if not (of.n and of.share == 1))
    share = 2.0 ** min(0, math.floor(math.log2(MAX_LENGTH / max(length, 1))))
    for run_id, of in known.items():
        known[run_id] = more = _read_on(db, run_id, of, share, lengths[run_id])
        if more is not of:
            _memory.put((folder, run_id), more)
    return {run_id: of.history for run_id, of in known.items()}, min((of.share for of in known.values()), default=1.0)


def _valid_cache(db: Connection, run_id: int, known: CachedHistory | None) -> CachedHistory:
    """The cached history; an empty one if its lines were replaced meanwhile."""
    if known and streams.history_line(db, run_id, known.n - 1) == known.last:
        return known
    return CachedHistory(History(), 1.0, 0, 0, "")


def _read_on(db: Connection, run_id: int, known: CachedHistory, share: float, length: int) -> CachedHistory:
    n = streams.count(db, "history", run_id)
    if known.share not in (1, share) or not known.n:
        known = CachedHistory(History(), share, 0, 0, "")
    if n == known.n:
        return known
    history = known.history.copy()
    for page in streams.history_share(db, run_id, known.share, [], PAGE, (known.n, n)):
        history.add([step for step, _ in page], load_objects([content for _, content in page]))
    return CachedHistory(history.share_rows(), known.share, n, length, streams.history_line(db, run_id, n - 1) or "")


def points_per_line(n_lines: int) -> int:
    """Most points of a line, so that a page with `n_lines` lines stays quick."""
    return min(max(POINTS // max(n_lines, 1), FEWEST), MOST)


def thin(points: Sequence[Point], most: int) -> list[Point]:
    """About `most` of the points: the ends, and of each stretch the lowest, the highest and one that is not finite."""
    if len(points) <= most:
        return list(points)
    width = -(-2 * len(points) // most)
    kept: list[Point] = []
    for start in range(0, len(points), width):
        stretch = points[start : start + width]
        finite = [point for point in stretch if point[1] - point[1] == 0]
        chosen = {min(finite, key=_height), max(finite, key=_height)} if finite else set()
        chosen |= {points[0], points[-1]}
        gap = next((point for point in stretch if point[1] - point[1] != 0), None)
        kept += [point for point in stretch if point is gap or point in chosen]
    return kept


def band(
    series: Sequence[Sequence[Point]], most: int, view: View | None = None
) -> tuple[list[Point], list[tuple[float, float, float]]]:
    """Mean, and (x, lowest, highest), of several whole lines, interpolated at each x that lies in the range of all.

    After the end of one the others have no common mean, so the band ends as well. `view`: the stretch that is shown.
    """
    lines_ = [sorted(point for point in points if is_finite(*point)) for points in series]
    lines_ = [points for points in lines_ if points]
    if not lines_:
        return [], []
    first, last = max(points[0][0] for points in lines_), min(points[-1][0] for points in lines_)
    shows = (view or View()).shows
    xs = [x for x in sorted({x for points in lines_ for x, _ in points if first <= x <= last}) if shows(x)]
    xs = [xs[i] for i in streams.spread_indices(len(xs), most)]
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
