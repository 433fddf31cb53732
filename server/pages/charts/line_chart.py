"""Line charts as SVG text. Pure: values in, text out. Colours come from the page's style sheets.

`static/chart.js` names the line under the pointer: it reads the paths, and the values of the figure's edges.
"""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby, pairwise, zip_longest
from operator import itemgetter
from unicodedata import east_asian_width

from markupsafe import Markup, escape

from common.colours import SERIES
from common.text import plural
from server.pages.charts.axis_scale import Category, LogScale, Scale, format_tick

WIDTH, HEIGHT = 440, 252  # of the drawing, in SVG units
LEFT, RIGHT, TOP, BOTTOM = 58, 80, 14, 42
NARROW = 12  # right of lines without names
FINE = 50  # units of a path to one of the drawing
MAX_POINTS = 400
MAX_DOTS = 25
MAX_NAME = 48
MAX_LABEL = 42  # characters of a category
MAX_END_NAME, MAX_END_NAMES = 10, 6
MAX_KEYS = 40
MANY = 24  # lines, from which on they are drawn thin
CROWD = 96  # lines above which dashes are of no use, and take a browser long to draw
Point = tuple[float, float]


@dataclass(frozen=True)
class Line:
    """A line. `points` by x; `style`: classes of the style sheets, as train, val, test, record, s0; `dots`: no line.

    `band`: (x, low, high), drawn behind. Lines of one `key` go together in the legend of a page. `names`: of each
    point, for dots; `marks`: whether the points of a short line are dots as well.
    """

    name: str
    points: Sequence[Point]
    style: str = "plain"
    dots: bool = False
    band: Sequence[tuple[float, float, float]] = ()
    key: str = ""
    names: Sequence[str] = ()
    marks: bool = True


@dataclass(frozen=True)
class View:
    """Settings of all charts of a page. `smooth`: weight of the past in an exponential average, from 0 to below 1.

    `first`, `last`: the stretch of the x axis that is drawn. `log`: of the y axis.
    """

    smooth: float = 0.0
    log: bool = False
    first: float | None = None
    last: float | None = None

    @property
    def is_zoomed(self) -> bool:
        return self.first is not None or self.last is not None

    def shows(self, x: float) -> bool:
        return (self.first is None or x >= self.first) and (self.last is None or x <= self.last)


@dataclass
class Series:
    """Points as they come; of many, the first, the last, and of each bucket the lowest, the highest and one gap.

    A bucket is a power of two of consecutive points, so that two merge into the bucket of all their points.
    """

    kept: list[tuple[int, float, float]] = field(default_factory=list)
    n: int = 0
    width: int = 1

    def add(self, x: float, y: float) -> None:
        self.kept.append((self.n, x, y))
        self.n += 1
        if len(self.kept) > 8 * MAX_POINTS:
            self._shrink(4 * MAX_POINTS)

    def points(self, most: int = MAX_POINTS) -> list[Point]:
        """At most `most` points, in the order in which they came."""
        self._shrink(most)
        return [(x, y) for _, x, y in self.kept]

    def _shrink(self, most: int) -> None:
        self._sample()
        while len(self.kept) > most and self.width < self.n:
            self.width *= 2
            self._sample()

    def _sample(self) -> None:
        buckets = groupby(self.kept, key=lambda point: point[0] // self.width) if self.width > 1 else ()
        sampled = [point for _, bucket in buckets for point in _extremes(list(bucket), {0, self.n - 1})]
        self.kept = sampled or self.kept


def _extremes(bucket: list[tuple[int, float, float]], ends: set[int]) -> list[tuple[int, float, float]]:
    """The lowest and the highest point, the first that is not finite, and those with a number of `ends`."""
    if len(bucket) < 3:
        return bucket
    finite = [point for point in bucket if math.isfinite(point[2]) and math.isfinite(point[1])]
    chosen = {point for point in (bucket[0], bucket[-1]) if point[0] in ends}
    if len(finite) < len(bucket):
        chosen.add(next(gap for gap, point in zip_longest(bucket, finite) if gap is not point))
    if finite:
        chosen |= {min(finite, key=_height), max(finite, key=_height)}
    return sorted(chosen)


_height = itemgetter(2)


def series_style(number: int) -> str:
    """Classes of a series: its colour, and a dash if colours are used up."""
    dash = number // len(SERIES)
    return f"s{number % len(SERIES)}{f' d{dash % 4}' if dash % 4 else ''}"


def is_finite(*values: float) -> bool:
    return all(map(math.isfinite, values))


def downsample(points: Iterable[Point], most: int = MAX_POINTS) -> list[Point]:
    """At most `most` of the points; see Series."""
    series = Series()
    for x, y in points:
        series.add(x, y)
    return series.points(most)


def smooth(points: Sequence[Point], weight: float) -> list[Point]:
    """Exponential average without the pull towards 0 at the start; values that are not finite stay gaps.

    Kingma & Ba (2015), section 3: the average of t values is divided by 1 - weight^t.
    """
    average, divisor, smooth = 0.0, 0.0, []
    for x, y in points:
        if is_finite(x, y):
            average = weight * average + (1 - weight) * y
            divisor = weight * divisor + (1 - weight)
        smooth.append((x, average / divisor if is_finite(x, y) else y))
    return smooth


def chart(
    title: str,
    lines: Sequence[Line],
    x_name: str,
    note: str = "",
    view: View | None = None,
    legend: bool = True,
    x_scale: Scale | LogScale | None = None,
    y_scale: Category | None = None,
) -> Markup:
    """A figure with one line each. Points that are not finite interrupt a line; `note` says more.

    The names of a few lines stand at their ends, those of many below the drawing, unless the page has a `legend` of
    its own.
    """
    view = view or View()
    drawn = [_apply_view(line, view) for line in lines]
    finite = [point for line in drawn for point in line.points if _is_drawable(point, view)]
    if view.log and (off := sum(y <= 0 for line in drawn for x, y in line.points if is_finite(x, y))):
        note = ", ".join(filter(None, (note, f"{plural(off, 'value')} of 0 or less")))
    caption = Markup("<figcaption>{}{}</figcaption>").format(
        title, Markup(" <small>{}</small>").format(note) if note else ""
    )
    if not finite:
        return Markup('<figure class="chart">{}<p class="soft">{}</p></figure>').format(
            caption, _empty_message(drawn, view)
        )
    named = [line for line in drawn if line.name]
    at_ends = legend and len(named) <= MAX_END_NAMES and all(len(x.name) <= MAX_END_NAME for x in named)
    right = RIGHT if at_ends and named else NARROW
    heights = [y for _, y in finite]
    heights += [y for line in drawn for _, *ends in line.band for y in ends if is_finite(y)]
    xs = x_scale or Scale.over((x for x, _ in finite), margin=0.04 if y_scale else 0.0)
    ys: Scale | LogScale | Category = y_scale or Scale.over(heights, margin=0.05)
    if view.log and not y_scale:
        ys = LogScale.over(y for y in heights if y > 0)
    values = y_scale.values if y_scale else ()
    plot = Plot(xs, ys, right, max([LEFT, *(text_width(cut(value, MAX_LABEL)) + 12 for value in values)]))
    many = "".join(f" {word}" for word, most in (("many", MANY), ("crowd", CROWD)) if len(drawn) > most)
    whole = all(float(x).is_integer() for x, _ in finite)
    parts = [plot.grid(whole), plot.axis_names(f"{x_name} {xs.origin}".rstrip(), ys.origin)]
    parts.append(plot.area([plot.line(line) for line in drawn], view.is_zoomed))
    parts += plot.names(named) if at_ends else []
    below = _legend(named) if legend and not at_ends and named else ""
    edges = [f"{edge:.12g}" for edge in (*xs.edges, *ys.edges)]
    return Markup(
        '<figure class="chart{}" data-edges="{}" data-log="{}" data-log-x="{}" data-x="{}" data-values="{}">{}'
        '<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>{}</figure>'
    ).format(
        *(many, " ".join(edges), *(int(isinstance(scale, LogScale)) for scale in (ys, xs))),
        *(x_name, json.dumps(values, ensure_ascii=False), caption, WIDTH, HEIGHT),
        *(f"{title} against {x_name}", Markup("").join(parts), below),
    )


def _apply_view(line: Line, view: View) -> Line:
    """The visible part of a line, smoothed from its start."""
    points = smooth(line.points, view.smooth) if view.smooth and not line.dots else line.points
    if not view.is_zoomed:
        return replace(line, points=points)
    inside = [point for point in points if not is_finite(point[0]) or view.shows(point[0])]
    band = [entry for entry in line.band if view.shows(entry[0])]
    return replace(line, points=inside, band=band)


def _empty_message(lines: Sequence[Line], view: View) -> str:
    points = [point for line in lines for point in line.points]
    if not points and view.is_zoomed:
        return "No value in this stretch of the axis."
    if any(is_finite(*point) for point in points):
        return "No value above 0, so a logarithmic axis shows none."
    return "No finite value."


def _is_drawable(point: Point, view: View) -> bool:
    return is_finite(*point) and not (view.log and point[1] <= 0)


def _legend(lines: Sequence[Line]) -> Markup:
    items = [
        Markup('<li><span class="swatch {}" data-key="{}"><span>{}</span></span></li>').format(
            line.style, line.key or line.name, line.name
        )
        for line in lines[:MAX_KEYS]
    ]
    if len(lines) > MAX_KEYS:
        items.append(Markup("<li>and {} more</li>").format(len(lines) - MAX_KEYS))
    return Markup('<ul class="legend">{}</ul>').format(Markup("").join(items))


def cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def text_width(text: str, size: float = 11) -> float:
    """Approximate width of a text in the drawing, for letters of that size."""
    return size * sum(1.0 if east_asian_width(letter) in "WF" else 0.6 for letter in text)


@dataclass(frozen=True)
class Plot:
    """Two scales on the drawing; `left` and `right` are the room beside the lines."""

    xs: Scale | LogScale
    ys: Scale | LogScale | Category
    right: float
    left: float = LEFT

    @property
    def width(self) -> float:
        return WIDTH - self.left - self.right

    @property
    def height(self) -> float:
        return HEIGHT - TOP - BOTTOM

    def at(self, x: float, y: float) -> tuple[int, int]:
        """A place in the area, in units of a path."""
        return (round(self.xs.share(x) * self.width * FINE), round((1 - self.ys.share(y)) * self.height * FINE))

    def grid(self, whole: bool) -> Markup:
        across = "".join(
            f'<line class="grid" x1="{self.left}" x2="{WIDTH - self.right}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text class="tick" x="{self.left - 6}" y="{y + 3.5:.1f}" text-anchor="end">{escape(label)}</text>'
            for y, label in (
                (TOP + (1 - share) * self.height, cut(label, MAX_LABEL)) for share, label in self.ys.ticks()
            )
        )
        below = "".join(
            f'<text class="tick" x="{self.left + share * self.width:.1f}" y="{HEIGHT - BOTTOM + 15}" '
            f'text-anchor="middle">{escape(label)}</text>'
            for share, label in (self.xs.ticks() if isinstance(self.xs, LogScale) else self.xs.ticks(whole))
        )
        return Markup(across + below)

    def axis_names(self, x_name: str, y_origin: str) -> Markup:
        above = Markup('<text class="tick" x="{}" y="{}">{}</text>').format(2, TOP - 5, y_origin)
        below = Markup('<text class="tick" x="{}" y="{}" text-anchor="middle">{}</text>').format(
            self.left + self.width / 2, HEIGHT - BOTTOM + 32, cut(x_name, MAX_NAME)
        )
        return above + below if y_origin else below

    def area(self, lines: Sequence[Markup], is_cut: bool) -> Markup:
        """The area of the lines, in fine units; lines show outside of it unless `is_cut`."""
        return Markup('<svg class="area{}" x="{}" y="{}" width="{}" height="{}" viewBox="0 0 {} {}">{}</svg>').format(
            *(" cut" if is_cut else "", self.left, TOP, self.width, self.height),
            *(round(self.width * FINE), round(self.height * FINE), Markup("").join(lines)),
        )

    def line(self, line: Line) -> Markup:
        log = isinstance(self.ys, LogScale)
        places = [self.at(x, y) if is_finite(x, y) and not (log and y <= 0) else None for x, y in line.points]
        every = line.dots or (line.marks and len(line.points) <= MAX_DOTS)
        dots = [
            _dot(
                place,
                3 if line.dots else 2.2,
                "" if line.names else f"{line.name} {format_tick(y)} at {format_tick(x)}".strip(),
            )
            for before, place, after, (x, y) in zip(
                [None, *places], places, [*places[1:], None], line.points, strict=False
            )
            if place is not None and (every or (before is None and after is None))
        ]
        path = "" if line.dots else Markup('<path d="{}"/>').format(_path(places))
        names = Markup(' data-names="{}"').format(json.dumps(line.names, ensure_ascii=False)) if line.names else ""
        return Markup('<g class="line {}" data-name="{}" data-key="{}"{}>{}{}{}</g>').format(
            *(line.style, line.name, line.key or line.name, names, self._band(line), path, Markup("").join(dots))
        )

    def _band(self, line: Line) -> Markup:
        entries = [
            entry for entry in line.band if is_finite(*entry) and not (isinstance(self.ys, LogScale) and entry[1] <= 0)
        ]
        if not entries:
            return Markup("")
        outline = [self.at(x, high) for x, _, high in entries] + [self.at(x, low) for x, low, _ in entries[::-1]]
        return Markup('<path class="band" d="{}z"/>').format(_path(outline))

    def names(self, lines: Sequence[Line]) -> list[Markup]:
        """Each line's name beside its end, moved apart if they would overlap."""
        ends = []
        for line in lines:
            last = next((y for x, y in reversed(line.points) if is_finite(x, y)), None)
            if last is not None and not (isinstance(self.ys, LogScale) and last <= 0):
                ends.append((TOP + (1 - self.ys.share(last)) * self.height, line))
        ends.sort(key=lambda end: end[0])
        names, free = [], float(TOP)
        for y, line in ends:
            place = max(y + 4, free)
            free = place + 13
            names.append(
                Markup(
                    '<line class="mark {0}" x1="{1}" x2="{2}" y1="{3}" y2="{3}"/>'
                    '<text class="name" x="{4}" y="{5}">{6}</text>'
                ).format(
                    *(line.style, WIDTH - self.right + 3, WIDTH - self.right + 9, round(place - 4, 1)),
                    *(WIDTH - self.right + 13, round(place, 1), line.name),
                )
            )
        return names


def _dot(place: tuple[int, int], radius: float, title: str) -> Markup:
    told = Markup("<title>{}</title>").format(title) if title else ""
    return Markup('<circle cx="{}" cy="{}" r="{}">{}</circle>').format(*place, round(radius * FINE), told)


def _path(places: Sequence[tuple[int, int] | None]) -> str:
    """A piece for each stretch without gaps, each step from the one before; a single point has no length, but a dot."""
    pieces = (list(piece) for is_gap, piece in groupby(places, key=lambda place: place is None) if not is_gap)
    texts = []
    for piece in pieces:
        whole = [place for place in piece if place]
        steps = [
            f"l{x - last_x}{' ' if y >= last_y else ''}{y - last_y}" for (last_x, last_y), (x, y) in pairwise(whole)
        ]
        texts.append(f"M{whole[0][0]} {whole[0][1]}{''.join(steps) or 'h0'}")
    return "".join(texts)
