"""Charts of a run: one per metric, with its splits in it."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from common.text import plural
from server.jsontext import is_media
from server.pages.charts.line_chart import Line, Series, View, chart, is_finite, series_style
from server.pages.charts.step_metrics import Axes

SPLITS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "eval": "val"}
SPLITS |= {"test": "test"}
STEP, EPOCH = "_step", "epoch"
DASHES = {"val": "", "train": "dashed", "test": "dotted"}
OTHER_DASH = "dash-dotted"
"""Patterns of lines of one colour, by split; the other one is for a second metric of a split, and those of none."""
OWN = {STEP, "_runtime", "_timestamp", "_wandb"}
"""Keys that the client adds to each row: an axis, never a curve."""
LABEL = "/l:"
"""What the client writes between a metric of the machine and the `x_label` of a process of a run of several."""
PER_PAGE = 24
Row = dict[str, Any]


@dataclass
class Survey:
    """Counts of a run's metrics, without the values. counts: rows of each metric; on_axis, on_epoch: with its axis."""

    axes: Axes
    counts: Counter[str] = field(default_factory=Counter)
    on_axis: Counter[str] = field(default_factory=Counter)
    on_epoch: Counter[str] = field(default_factory=Counter)
    _asked: dict[str, str | None] = field(default_factory=dict)

    def add(self, row: Row) -> None:
        values = numbers(row)
        metrics = values.keys() - OWN
        self._asked |= {metric: self.axes.of(metric) for metric in metrics - self._asked.keys()}
        self.counts.update(metrics)
        self.on_axis.update(metric for metric in metrics if self._asked[metric] in values)
        if EPOCH in values:
            self.on_epoch.update(metrics)

    def watch(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The same rows, counted as they pass."""
        for row in rows:
            self.add(row)
            yield row

    def axis(self, metric: str) -> str:
        """Axis of a metric: as defined; else the epoch, if each of its rows has one; else the step."""
        asked = self._asked[metric]
        if asked is None and metric != EPOCH and self.on_epoch[metric] == self.counts[metric]:
            return EPOCH
        return asked if asked and self.on_axis[metric] else STEP

    def charts(self) -> list[tuple[str, str, list[str]]]:
        """Title, axis and metrics of each chart. A metric that is the axis of another one has none."""
        drawn = {metric: self.axis(metric) for metric, n in self.counts.items() if n > 1}
        groups: dict[tuple[str, str], list[str]] = {}
        for metric in sorted(drawn.keys() - set(drawn.values())):
            groups.setdefault((title(metric), drawn[metric]), []).append(metric)
        ordered = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
        return [(title, axis, metrics) for (title, axis), metrics in ordered]


@dataclass(frozen=True)
class Page:
    """Charts number `first` to `last` of `total`, counted from 1; `number` of `pages`."""

    sections: list[tuple[str, list[Markup]]]
    number: int
    pages: int
    total: int

    @property
    def charts(self) -> list[Markup]:
        return [chart for _, charts in self.sections for chart in charts]

    @property
    def first(self) -> int:
        return (self.number - 1) * PER_PAGE + 1

    @property
    def last(self) -> int:
        return self.first + len(self.charts) - 1


def page(
    survey: Survey, rows: Iterable[Row], number: int, search: str = "", view: View | None = None, separator: str = "/"
) -> Page:
    """Charts of every number logged at least twice with `search` in its name, in sections by prefix.

    `rows`: those of the survey; `_step` in each of them. A prefix ends at the first `separator`.
    """
    text = search.lower()
    found = [one for one in survey.charts() if any(text in metric.lower() for metric in one[2])]
    found.sort(key=lambda one: _section(one[0], separator))
    pages = max(1, -(-len(found) // PER_PAGE))
    number = min(max(number, 1), pages)
    shown = found[(number - 1) * PER_PAGE : number * PER_PAGE]
    series = _series(rows, {metric: axis for _, axis, metrics in shown for metric in metrics}, view or View())
    sections: dict[str, list[Markup]] = {}
    for title, axis, metrics in shown:
        drawn = _chart(title, axis, {metric: series[metric] for metric in metrics}, view)
        sections.setdefault(_section(title, separator), []).append(drawn)
    return Page(list(sections.items()), number, pages, len(found))


def _section(title: str, separator: str) -> str:
    """The prefix of a name; "" if it has none."""
    head, found, _ = title.partition(separator)
    return head if found else ""


def _series(rows: Iterable[Row], axes: dict[str, str], view: View) -> dict[str, "_Values"]:
    """Sampled points by metric: from the shown stretch alone, but for a smooth line also from before it."""
    found = {metric: _Values(View() if view.smooth else view) for metric in axes}
    if not axes:
        return found
    for row in rows:
        values = numbers(row)
        for metric in values.keys() & axes.keys():
            found[metric].add(values.get(axes[metric]), values[metric])
    return found


@dataclass
class _Values:
    """A metric's points, and the number of values without a place: without the axis, or not finite."""

    view: View
    series: Series = field(default_factory=Series)
    elsewhere: int = 0
    infinite: int = 0

    def add(self, x: float | None, y: float) -> None:
        if x is None:
            self.elsewhere += 1
            return
        if self.view.is_zoomed and not self.view.shows(x):
            return
        self.infinite += not is_finite(x, y)
        self.series.add(x, y)


def _chart(title: str, axis: str, values: dict[str, _Values], view: View | None) -> Markup:
    lines = [_line(metric, each.series.points(), i, len(values)) for i, (metric, each) in enumerate(values.items())]
    notes = {
        f"without {axis}": sum(each.elsewhere for each in values.values()),
        "NaN or infinite": sum(each.infinite for each in values.values()),
    }
    note = ", ".join(f"{plural(n, 'value')} {what}" for what, n in notes.items() if n)
    return chart(title, lines, axis.lstrip("_") if axis in OWN else axis, note, view)


def _line(metric: str, points: list[tuple[float, float]], number: int, n: int) -> Line:
    if LABEL in metric:
        return Line(metric.partition(LABEL)[2], points, series_style(number))
    head = metric.partition("/")[0]
    if title(metric) != metric:
        return Line(head, points, SPLITS[head])
    return Line(metric if n > 1 else "", points)


def title(metric: str) -> str:
    metric = metric.partition(LABEL)[0]
    head, _, rest = metric.partition("/")
    return rest if rest and head in SPLITS else metric


def dashes(metrics: Iterable[str]) -> dict[str, str]:
    """The pattern of each metric, as a class of the style sheet: that of its split, or one that is left.

    Of more than four metrics some have the same.
    """
    every = [*DASHES.values(), OTHER_DASH]
    free, found = every, dict[str, str]()
    for metric in sorted(metrics, key=lambda metric: metric.partition("/")[0] not in SPLITS):
        usual = DASHES[SPLITS.get(metric.partition("/")[0], "val")]
        found[metric] = usual if usual in free else free[-1]
        free = [each for each in free if each != found[metric]] or every
    return found


def numbers(row: Row) -> dict[str, float]:
    """The numbers of a row under their dotted paths, without those in descriptions of media."""
    flat: dict[str, float] = {}
    for key, value in row.items():
        kind = type(value)
        if kind is float or kind is int:
            flat[key] = value
        elif kind is dict and not is_media(value):
            flat |= {f"{key}.{below}": number for below, number in numbers(value).items()}
    return flat
