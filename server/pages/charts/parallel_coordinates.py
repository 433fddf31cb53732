"""Parallel coordinates as SVG text: an axis for each setting and for the result, a line for each run. Pure.

`static/parallel.js` turns a stretch of an axis that is dragged over into terms of the page's filter.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from markupsafe import Markup

from common.text import natural_order
from server.pages.charts.axis_scale import Category, LogScale, Scale
from server.pages.charts.line_chart import MAX_LABEL, cut, text_width

WIDTH, HEIGHT = 1100, 330
SIDE, TOP, BOTTOM = 20, 40, 24
BETWEEN = 24  # a label and the next axis, at least
MAX_AXES, MAX_LINES = 12, 1000
MAX_VALUES = 60
STEPS = 7  # of the colour scale
WIDE = 50  # ratio of largest to smallest value above which an axis is logarithmic


@dataclass(frozen=True)
class Axis:
    """An axis. `key`: its name in filters; `values`: one for each run, None if it has none."""

    key: str
    values: Sequence[Any]


@dataclass(frozen=True)
class Run:
    """A run's line. `rank`: 0 for the worst result, 1 for the best, None without one; `passes` the page's filter."""

    name: str
    title: str
    rank: float | None
    passes: bool = True


def scale_of(values: Sequence[Any]) -> tuple[Scale | LogScale | Category, list[float | None]]:
    """A scale, and for each value its argument: numbers as they are, or the number of a value among all."""
    known = [value for value in values if value is not None]
    if known and all(type(value) in (int, float) and math.isfinite(value) for value in known):
        low, high = min(known), max(known)
        numbers = [None if value is None else float(value) for value in values]
        if low > 0 and high / low >= WIDE:
            return LogScale.over(known), numbers
        return Scale.over(known), numbers
    names = sorted({_text(value) for value in known}, key=natural_order)[:MAX_VALUES]
    places = {name: float(at) for at, name in enumerate(names)}
    return Category(tuple(names) or ("–",)), [None if v is None else places.get(_text(v)) for v in values]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def step(rank: float | None) -> str:
    """The class of a place on the colour scale."""
    return "q" if rank is None else f"q{min(int(rank * STEPS), STEPS - 1)}"


def draw(axes: Sequence[Axis], runs: Sequence[Run]) -> Markup:
    """A figure, as wide as its labels need; runs that do not pass are faded, the best lie above."""
    shown = list(axes)[-MAX_AXES:]
    scaled = [scale_of(axis.values) for axis in shown]
    labels = [_labels(*each) for each in scaled]
    needed = [_width(_name(axis, scale), texts) for axis, (scale, _), texts in zip(shown, scaled, labels, strict=True)]
    width = max(WIDTH, round(SIDE + sum(needed)))
    more = (width - SIDE - sum(needed)) / max(len(shown) - 1, 1)
    at = [SIDE + start + number * more for number, start in enumerate(accumulate(needed[:-1], initial=0.0))]
    order = sorted(
        range(len(runs))[:MAX_LINES], key=lambda i: (runs[i].passes, runs[i].rank is not None, runs[i].rank or 0)
    )
    lines = []
    for i in order:
        places = [
            (x, _y(scale, numbers[i])) for x, (scale, numbers) in zip(at, scaled, strict=True) if numbers[i] is not None
        ]
        if len(places) < 2:
            continue
        path = "L".join(f"{x:.0f} {y:.1f}" for x, y in places)
        faded = "" if runs[i].passes else " faded"
        lines.append(
            Markup('<path class="{}{}" data-name="{}" d="M{}"/>').format(step(runs[i].rank), faded, runs[i].title, path)
        )
    parts = [_axis(axis, x, scale, texts) for axis, x, (scale, _), texts in zip(shown, at, scaled, labels, strict=True)]
    return Markup(
        '<figure class="chart parallel"><p class="soft hint{}">scroll sideways for the other axes →</p>'
        '<div class="wide-figure" tabindex="0" role="region" '
        'aria-label="Parallel coordinates, scrolls sideways"><svg viewBox="0 0 {} {}" width="{}" role="img" '
        'aria-label="A line for each run through its settings and its result"><g class="lines">{}</g>{}</svg></div>'
        "</figure>"
    ).format(
        *(" narrow" if width == WIDTH else "", width, HEIGHT, width), *(Markup("").join(lines), Markup("").join(parts))
    )


def _labels(scale: Scale | LogScale | Category, numbers: Sequence[float | None]) -> list[tuple[float, str]]:
    """Place and text of labels; none between whole numbers if an axis has only those."""
    if not isinstance(scale, Scale):
        return scale.ticks()
    return scale.ticks(whole=all(number is None or number.is_integer() for number in numbers))


def _name(axis: Axis, scale: Scale | LogScale | Category) -> str:
    """The name of an axis, with the number to be added to every label."""
    return f"{cut(axis.key, MAX_LABEL)} {scale.origin}".rstrip()


def _width(name: str, labels: Sequence[tuple[float, str]]) -> float:
    """The room that an axis needs for its name and the labels at its right."""
    widest = max((text_width(cut(label, MAX_LABEL)) for _, label in labels), default=0.0)
    return max(widest + 6, text_width(name, 12.5)) + BETWEEN


def _y(scale: Scale | LogScale | Category, value: float | None) -> float:
    assert value is not None
    return TOP + (1 - scale.share(value)) * (HEIGHT - TOP - BOTTOM)


def _axis(axis: Axis, x: float, scale: Scale | LogScale | Category, labels: Sequence[tuple[float, str]]) -> Markup:
    edges = " ".join(f"{edge:.17g}" for edge in scale.edges)
    kind = {LogScale: "log", Category: "category"}.get(type(scale), "linear")
    texts = Markup("").join(
        Markup('<text x="{:.0f}" y="{:.1f}">{}{}</text>').format(
            *(x + 6, TOP + (1 - share) * (HEIGHT - TOP - BOTTOM) + 3.5),
            *(cut(label, MAX_LABEL), Markup("<title>{}</title>").format(label) if len(label) > MAX_LABEL else ""),
        )
        for share, label in labels
    )
    values = json.dumps(scale.values, ensure_ascii=False) if isinstance(scale, Category) else "[]"
    return Markup(
        '<g class="axis" data-key="{}" data-kind="{}" data-edges="{}" data-values="{}" data-x="{:.0f}" data-top="{}" '
        'data-bottom="{}"><rect class="grip" x="{:.0f}" y="{}" width="32" height="{}"/><path d="M{:.0f} {}V{}"/>'
        '<text class="name" x="{:.0f}" y="{}">{}<title>{}</title></text>{}</g>'
    ).format(
        *(axis.key, kind, edges, values, x, TOP, HEIGHT - BOTTOM),
        *(x - 16, TOP, HEIGHT - TOP - BOTTOM, x, TOP, HEIGHT - BOTTOM),
        *(x - 2, TOP - 16, _name(axis, scale), axis.key, texts),
    )
