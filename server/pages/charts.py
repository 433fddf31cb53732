"""Line charts as SVG text. Pure: values in, text out. Colours come from the page's style sheet."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby, zip_longest
from operator import itemgetter

from markupsafe import Markup

from server.pages.scale import Scale, short

WIDTH, HEIGHT = 440, 252  # of the drawing, in SVG units
LEFT, RIGHT, TOP, BOTTOM = 58, 80, 14, 42
MAX_POINTS = 400
MAX_DOTS = 25
MAX_NAME = 48
Point = tuple[float, float]


@dataclass(frozen=True)
class Line:
    """`points` by x. `style` is a class of the style sheet: train, val, test or plain; `dots` draws no line."""

    name: str
    points: Sequence[Point]
    style: str = "plain"
    dots: bool = False


@dataclass
class Series:
    """Points as they come; of many, the first, the last, and of each bucket the lowest, the highest and one gap.

    A bucket is a power of two of consecutive points, so that one made of two is what it would have been at once.
    """

    kept: list[tuple[int, float, float]] = field(default_factory=list)
    n: int = 0
    width: int = 1

    def add(self, x: float, y: float) -> None:
        self.kept.append((self.n, x, y))
        self.n += 1
        if len(self.kept) > 8 * MAX_POINTS:
            self._shrink(4 * MAX_POINTS)

    def points(self) -> list[Point]:
        """At most MAX_POINTS, in the order in which they came."""
        self._shrink(MAX_POINTS)
        return [(x, y) for _, x, y in self.kept]

    def _shrink(self, most: int) -> None:
        self._sample()
        while len(self.kept) > most:
            self.width *= 2
            self._sample()

    def _sample(self) -> None:
        buckets = groupby(self.kept, key=lambda point: point[0] // self.width) if self.width > 1 else ()
        sampled = [point for _, bucket in buckets for point in _telling(list(bucket), {0, self.n - 1})]
        self.kept = sampled or self.kept


def _telling(bucket: list[tuple[int, float, float]], ends: set[int]) -> list[tuple[int, float, float]]:
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


def is_finite(*values: float) -> bool:
    return all(map(math.isfinite, values))


def sampled(points: Iterable[Point]) -> list[Point]:
    """At most MAX_POINTS of them; see Series."""
    series = Series()
    for x, y in points:
        series.add(x, y)
    return series.points()


def chart(title: str, lines: Sequence[Line], x_name: str, note: str = "") -> Markup:
    """A figure with one line each, named at its end. Points that are not finite interrupt a line; `note` says more."""
    finite = [point for line in lines for point in line.points if is_finite(*point)]
    caption = Markup("<figcaption>{}{}</figcaption>").format(
        title, Markup(" <small>{}</small>").format(note) if note else ""
    )
    if not finite:
        return Markup('<figure class="chart">{}</figure>').format(caption)
    xs, ys = Scale.over(x for x, _ in finite), Scale.over((y for _, y in finite), margin=0.05)
    whole = all(float(x).is_integer() for x, _ in finite)
    parts = [_grid(xs.ticks(whole), ys.ticks()), _axis_names(f"{x_name} {xs.origin}".rstrip(), ys.origin)]
    parts += [_drawn(line, xs, ys) for line in lines]
    parts += _names([line for line in lines if line.name], ys)
    return Markup(
        '<figure class="chart">{}<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg></figure>'
    ).format(caption, WIDTH, HEIGHT, f"{title} against {x_name}", Markup("").join(parts))


def _x(share: float) -> float:
    return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)


def _y(share: float) -> float:
    return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 1)


def _grid(columns: list[tuple[float, str]], rows: list[tuple[float, str]]) -> Markup:
    across = "".join(
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{_y(share)}" y2="{_y(share)}"/>'
        f'<text class="tick" x="{LEFT - 6}" y="{_y(share) + 3.5:.1f}" text-anchor="end">{label}</text>'
        for share, label in rows
    )
    below = "".join(
        f'<text class="tick" x="{_x(share)}" y="{HEIGHT - BOTTOM + 15}" text-anchor="middle">{label}</text>'
        for share, label in columns
    )
    return Markup(across + below)


def _axis_names(x_name: str, y_origin: str) -> Markup:
    above = Markup('<text class="tick" x="{}" y="{}">{}</text>').format(2, TOP - 3, y_origin)
    place = LEFT + (WIDTH - LEFT - RIGHT) / 2
    below = Markup('<text class="tick" x="{}" y="{}" text-anchor="middle">{}</text>').format(
        place, HEIGHT - BOTTOM + 32, _cut(x_name, MAX_NAME)
    )
    return above + below if y_origin else below


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _drawn(line: Line, xs: Scale, ys: Scale) -> Markup:
    points = line.points
    places = [(_x(xs.share(x)), _y(ys.share(y))) if is_finite(x, y) else None for x, y in points]
    dots = [
        Markup('<circle class="{}" cx="{}" cy="{}" r="{}"><title>{}</title></circle>').format(
            line.style, *place, 3 if line.dots else 2.2, f"{line.name} {short(y)} at {short(x)}".strip()
        )
        for place, (x, y) in zip(places, points, strict=True)
        if place is not None and (line.dots or len(points) <= MAX_DOTS)
    ]
    path = "" if line.dots else Markup('<path class="{}" d="{}"/>').format(line.style, _path(places))
    return Markup("").join([path, *dots])


def _path(places: Sequence[Point | None]) -> str:
    """A piece for each stretch without gaps; one of a single point is a line of no length, whose caps are a dot."""
    pieces = (list(piece) for is_gap, piece in groupby(places, key=lambda place: place is None) if not is_gap)
    texts = []
    for piece in pieces:
        text = "L".join(f"{place[0]} {place[1]}" for place in piece if place)
        texts.append(f"M{text}" if len(piece) > 1 else f"M{text}h0")
    return " ".join(texts)


def _names(lines: Sequence[Line], ys: Scale) -> list[Markup]:
    """Each line's name beside its end, moved apart where they would overlap."""
    ends = []
    for line in lines:
        last = next((y for x, y in reversed(line.points) if is_finite(x, y)), None)
        if last is not None:
            ends.append((_y(ys.share(last)), line))
    ends.sort(key=lambda end: end[0])
    names, free = [], float(TOP)
    for y, line in ends:
        place = max(y + 4, free)
        free = place + 13
        names.append(
            Markup('<text class="name {}" x="{}" y="{}">{}</text>').format(
                line.style, WIDTH - RIGHT + 8, round(place, 1), line.name
            )
        )
    return names
