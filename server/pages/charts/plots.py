"""Bars, heat maps and the client's own plots of tables, as SVG or HTML text. Pure; colours come from style sheets."""

import math
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from common.colours import assign
from common.text import natural_order
from server.pages.charts.axis_scale import format_tick
from server.pages.charts.line_chart import Line, chart, cut, downsample

WIDTH, ROW, LABEL, VALUE = 440, 22, 130, 60  # of a bar chart, in SVG units
MAX_BARS = 60
MAX_LABEL = 20
MAX_CLASSES = 40  # of a confusion matrix
COLUMNS, BINS = 60, 64  # of a heat map
Rows = Sequence[dict[str, Any]]


def bar_chart(title: str, values: Sequence[tuple[str, float]], note: str = "") -> Markup:
    """Horizontal bars from 0, labelled with their values."""
    known = [(label, value) for label, value in values if math.isfinite(value)]
    shown = known[:MAX_BARS]
    if len(known) > len(shown):
        note = ", ".join(filter(None, (note, f"the first {len(shown)} of {len(known)}")))
    low, high = min([0.0, *(value for _, value in shown)]), max([0.0, *(value for _, value in shown)])
    room, span = WIDTH - LABEL - VALUE, (high - low) or 1.0
    zero = LABEL + room * -low / span
    parts = []
    for i, (label, value) in enumerate(shown):
        length, y = room * abs(value) / span, i * ROW
        start = zero if value >= 0 else zero - length
        parts.append(
            Markup(
                '<g><title>{0} {1}</title><text x="{2}" y="{3}" text-anchor="end">{4}</text>'
                '<rect class="bar" x="{5:.1f}" y="{6}" width="{7:.1f}" height="{8}"/>'
                '<text class="name" x="{9:.1f}" y="{3}">{1}</text></g>'
            ).format(
                *(label, format_tick(value), LABEL - 6, y + 15, cut(label, MAX_LABEL), start, y + 4),
                *(max(length, 1), ROW - 8, max(start + length, zero) + 5),
            )
        )
    return _figure(title, note, WIDTH, max(len(shown), 1) * ROW, parts)


def heat_map(
    title: str, columns: Sequence[tuple[float, Sequence[float]]], low: float, high: float, note: str
) -> Markup:
    """`columns`: (step, counts from `low` to `high`), drawn from left to right, each scaled to its own largest."""
    step = max(1, -(-len(columns) // COLUMNS))
    shown = columns[::step]
    width, height, left = 440, 200, 58
    parts = [
        Markup('<text class="tick" x="{}" y="{}" text-anchor="end">{}</text>').format(left - 6, y, format_tick(value))
        for y, value in ((12, high), (height - 24, low))
    ]
    wide, tall = (width - left - 12) / max(len(shown), 1), height - 30
    for i, (_, counts) in enumerate(shown):
        largest, each = max([*counts, 1e-300]), tall / max(len(counts), 1)
        parts += [
            Markup('<rect class="bar" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" opacity="{:.2f}"/>').format(
                left + i * wide, tall - (k + 1) * each, wide + 0.3, each + 0.3, count / largest
            )
            for k, count in enumerate(counts)
            if count > 0
        ]
    ends = ((left, "start", shown[0][0]), (width - 12, "end", shown[-1][0])) if shown else ()
    parts += [
        Markup('<text class="tick" x="{}" y="{}" text-anchor="{}">step {}</text>').format(
            x, height - 8, anchor, format_tick(at)
        )
        for x, anchor, at in ends
    ]
    return _figure(title, note, width, height, parts)


def histogram(title: str, values: Sequence[float], note: str = "", bins: int = 20) -> Markup:
    known = [value for value in values if math.isfinite(value)]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    span = (high - low) or 1.0
    counts = [0] * bins
    for value in known:
        counts[min(int((value - low) / span * bins), bins - 1)] += 1
    edges = [low + span * i / bins for i in range(bins + 1)]
    return draw_bins(title, counts, edges, note)


def draw_bins(title: str, counts: Sequence[float], edges: Sequence[float], note: str = "") -> Markup:
    """Upright bars between `edges`, of which there is one more than counts."""
    width, height, left, bottom = 440, 200, 58, 26
    largest = max([*counts, 1e-300])
    wide, tall = (width - left - 12) / max(len(counts), 1), height - bottom - 12
    parts = [
        Markup(
            '<rect class="bar" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}">'
            "<title>{} from {} to {}</title></rect>"
        ).format(
            *(left + i * wide, 12 + tall * (1 - count / largest), max(wide - 0.6, 0.4), tall * count / largest),
            *(format_tick(count), format_tick(edges[i]), format_tick(edges[i + 1])),
        )
        for i, count in enumerate(counts)
    ]
    for x, anchor, value in ((left, "start", edges[0]), (width - 12, "end", edges[-1])):
        parts.append(
            Markup('<text class="tick" x="{}" y="{}" text-anchor="{}">{}</text>').format(
                x, height - 8, anchor, format_tick(value)
            )
        )
    parts.append(
        Markup('<text class="tick" x="{}" y="20" text-anchor="end">{}</text>').format(left - 6, format_tick(largest))
    )
    return _figure(title, note, width, height, parts)


def _figure(title: str, note: str, width: int, height: int, parts: Sequence[Markup]) -> Markup:
    return Markup(
        '<figure class="chart"><figcaption>{}{}</figcaption>'
        '<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg></figure>'
    ).format(
        *(title, Markup(" <small>{}</small>").format(note) if note else "", width, height, title),
        Markup("").join(parts),
    )


def confusion(title: str, rows: Rows, actual: str, predicted: str, number: str) -> Markup:
    """A table of counts; larger ones are darker."""
    cells: dict[tuple[str, str], float] = {}
    for row in rows:
        place = (str(row.get(actual)), str(row.get(predicted)))
        cells[place] = cells.get(place, 0) + (_number(row.get(number)) or 0)
    known = sorted({name for place in cells for name in place}, key=natural_order)
    names = known[:MAX_CLASSES]
    more = f", the first {MAX_CLASSES} of {len(known)} classes" if len(known) > MAX_CLASSES else ""
    largest = max([*cells.values(), 1e-300])
    head = Markup("").join(Markup('<th scope="col" class="long" title="{0}">{0}</th>').format(name) for name in names)
    body = Markup("").join(
        Markup('<tr><th scope="row" class="long" title="{0}">{0}</th>{1}</tr>').format(
            name,
            Markup("").join(
                Markup('<td class="number heat h{}">{}</td>').format(
                    round(9 * cells.get((name, other), 0) / largest), format_tick(cells.get((name, other), 0))
                )
                for other in names
            ),
        )
        for name in names
    )
    return Markup(
        '<figure class="chart"><figcaption>{} <small>rows: actual, columns: predicted{}</small></figcaption>'
        '<div class="scroll" tabindex="0"><table><thead><tr><td></td>{}</tr></thead><tbody>{}</tbody></table>'
        "</div></figure>"
    ).format(title, more, head, body)


def draw(kind: str, fields: dict[str, str], title: str, rows: Rows) -> Markup | None:
    """A plot of `wandb.plot` from the rows of its table; None for an unknown kind."""
    x, y = fields.get("x", "x"), fields.get("y", "y")
    if kind == "wandb/bar/v0":
        label, value = fields.get("label", "label"), fields.get("value", "value")
        pairs = [(str(row.get(label)), _number(row.get(value))) for row in rows]
        return bar_chart(title, [(name, number) for name, number in pairs if number is not None])
    if kind == "wandb/histogram/v0":
        return histogram(
            title, [v for row in rows if (v := _number(row.get(fields.get("value", "value")))) is not None]
        )
    if kind == "wandb/confusion_matrix/v1":
        names = ("Actual", "Predicted", "nPredictions")
        return confusion(title, rows, *(fields.get(name, name) for name in names))
    if kind == "wandb/scatter/v0":
        return chart(title, [Line("", downsample(_points(rows, x, y)), "plain", dots=True)], x, y)
    series = {"wandb/line/v0": (x, y, fields.get("stroke")), "wandb/area-under-curve/v0": (x, y, fields.get("class"))}
    series["wandb/lineseries/v0"] = (
        fields.get("step", "step"),
        fields.get("lineVal", "lineVal"),
        fields.get("lineKey"),
    )
    return _lines(title, rows, *series[kind]) if kind in series else None


def _lines(title: str, rows: Rows, x: str, y: str, by: str | None) -> Markup:
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(str(row.get(by)) if by and by in row else "", []).append(row)
    styles = assign(groups)
    lines = [
        Line(name, downsample(_points(group, x, y)), f"s{styles[name] % 12}" if name else "plain")
        for name, group in groups.items()
    ]
    return chart(title, lines, x, y)


def _points(rows: Rows, x: str, y: str) -> list[tuple[float, float]]:
    pairs = [(_number(row.get(x)), _number(row.get(y))) for row in rows]
    return [(a, b) for a, b in pairs if a is not None and b is not None]


def _number(value: Any) -> float | None:
    return value if type(value) in (int, float) else None
