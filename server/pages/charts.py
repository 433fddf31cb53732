"""Line charts as SVG text. Pure: values in, text out. Colours come from the page's style sheet."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

WIDTH, HEIGHT = 440, 240  # of the drawing, in SVG units
LEFT, RIGHT, TOP, BOTTOM = 52, 62, 12, 30
MAX_POINTS = 400
MAX_DOTS = 25
Point = tuple[float, float]


@dataclass(frozen=True)
class Line:
    """`points` by x. `style` is a class of the style sheet: train, val, test or plain; `dots` draws no line."""

    name: str
    points: Sequence[Point]
    style: str = "plain"
    dots: bool = False


def chart(title: str, lines: Sequence[Line], x_name: str) -> Markup:
    """A figure with one line each, named at its end. Points that are not finite interrupt a line."""
    finite = [point for line in lines for point in line.points if all(map(math.isfinite, point))]
    if not finite:
        return Markup("")
    xs, ys = _span([x for x, _ in finite]), _padded(_span([y for _, y in finite]))
    parts = [_grid(xs, ys, x_name)]
    parts += [_drawn(line, xs, ys) for line in lines]
    parts += _names([line for line in lines if line.name], ys)
    label = f"{title} against {x_name}"
    body = Markup("").join(parts)
    return Markup(
        '<figure class="chart"><figcaption>{}</figcaption>'
        '<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg></figure>'
    ).format(title, WIDTH, HEIGHT, label, body)


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers within [low, high], at most `most` + 1 of them, steps of 1, 2 or 5 times a power of ten."""
    raw = (high - low) / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [i * step for i in range(first, math.floor(high / step + 1e-9) + 1)]


def thin(points: Sequence[Point], most: int = MAX_POINTS) -> list[Point]:
    """At most `most` points, evenly chosen, ends included."""
    if len(points) <= most:
        return list(points)
    return [points[round(i * (len(points) - 1) / (most - 1))] for i in range(most)]


def _span(values: list[float]) -> Point:
    low, high = min(values), max(values)
    if low == high:
        margin = abs(low) * 0.1 or 1.0
        return low - margin, high + margin
    return low, high


def _padded(span: Point) -> Point:
    margin = (span[1] - span[0]) * 0.05
    return span[0] - margin, span[1] + margin


def _x(value: float, xs: Point) -> float:
    return LEFT + (value - xs[0]) / (xs[1] - xs[0]) * (WIDTH - LEFT - RIGHT)


def _y(value: float, ys: Point) -> float:
    return HEIGHT - BOTTOM - (value - ys[0]) / (ys[1] - ys[0]) * (HEIGHT - TOP - BOTTOM)


def _grid(xs: Point, ys: Point, x_name: str) -> Markup:
    rows = "".join(
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{_y(t, ys):.1f}" y2="{_y(t, ys):.1f}"/>'
        f'<text class="tick" x="{LEFT - 6}" y="{_y(t, ys) + 3.5:.1f}" text-anchor="end">{_short(t)}</text>'
        for t in ticks(*ys)
    )
    columns = "".join(
        f'<text class="tick" x="{_x(t, xs):.1f}" y="{HEIGHT - BOTTOM + 15}" text-anchor="middle">{_short(t)}</text>'
        for t in ticks(*xs)
        if not all(map(float.is_integer, map(float, xs))) or math.isclose(t, round(t))
    )
    name = f'<text class="tick" x="{WIDTH - RIGHT + 16}" y="{HEIGHT - BOTTOM + 15}">{escape(x_name)}</text>'
    return Markup(rows + columns + name)


def _short(value: float) -> str:
    return f"{value:.4g}".replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")


def _drawn(line: Line, xs: Point, ys: Point) -> Markup:
    points = thin(line.points)
    places = [(_x(x, xs), _y(y, ys)) if math.isfinite(x) and math.isfinite(y) else None for x, y in points]
    dots = [
        f'<circle class="{line.style}" cx="{place[0]:.1f}" cy="{place[1]:.1f}" r="{3 if line.dots else 2.2}">'
        f"<title>{escape(line.name)} {_short(y)} at {_short(x)}</title></circle>"
        for place, (x, y) in zip(places, points, strict=True)
        if place is not None and (line.dots or len(points) <= MAX_DOTS)
    ]
    path, pen = [], "M"
    for place in places:
        if place is None:
            pen = "M"
            continue
        path.append(f"{pen}{place[0]:.1f} {place[1]:.1f}")
        pen = "L"
    drawn = "" if line.dots else f'<path class="{line.style}" d="{" ".join(path)}"/>'
    return Markup(drawn + "".join(dots))


def _names(lines: Sequence[Line], ys: Point) -> list[Markup]:
    """Each line's name beside its end, moved apart where they would overlap."""
    ends = []
    for line in lines:
        last = next((y for x, y in reversed(line.points) if math.isfinite(y)), None)
        if last is not None:
            ends.append((_y(last, ys), line))
    ends.sort(key=lambda end: end[0])
    names, free = [], TOP
    for y, line in ends:
        place = max(y + 4, free)
        free = place + 13  # type: ignore[assignment]
        names.append(
            Markup('<text class="name {}" x="{}" y="{}">{}</text>').format(
                line.style, WIDTH - RIGHT + 8, round(place, 1), line.name
            )
        )
    return names
