"""Lineage of runs and artifacts: a graph in three columns, as SVG text. Pure; its boxes are links."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from server.pages.charts.line_chart import cut

WIDTH, HIGH, GAP, BETWEEN = 230, 46, 12, 90  # of a box, in SVG units
MOST = 12  # boxes in a column
MAX_NAME = 30


@dataclass(frozen=True)
class Node:
    """`kind` is written above the name, and is the class of the box: run or artifact."""

    kind: str
    name: str
    url: str
    note: str = ""


def graph(before: Sequence[Node], here: Node, after: Sequence[Node]) -> Markup:
    """`before` led to `here`, which led to `after`; of many, the first ones and the number of the others."""
    columns = [column for column in (_cut(before), [here], _cut(after)) if column]
    high = max(len(column) for column in columns) * (HIGH + GAP) - GAP
    wide = len(columns) * (WIDTH + BETWEEN) - BETWEEN
    boxes, places = [], []
    for number, column in enumerate(columns):
        x = number * (WIDTH + BETWEEN)
        top = (high - len(column) * (HIGH + GAP) + GAP) / 2
        ys = [top + i * (HIGH + GAP) for i in range(len(column))]
        places.append([(x, y) for y in ys])
        boxes += [_box(node, x, y, node is here) for node, y in zip(column, ys, strict=True)]
    arrows = [_arrow(start, end) for left, right in pairwise(places) for start in left for end in right]
    label = f"{len(before)} before {here.name}, {len(after)} after"
    return Markup(
        '<div class="scroll"><svg class="lineage" viewBox="0 0 {} {}" width="{}" role="group" aria-label="{}">'
        "{}</svg></div>"
    ).format(wide, high, wide, label, Markup("").join([*arrows, *boxes]))


def _cut(nodes: Sequence[Node]) -> list[Node]:
    if len(nodes) <= MOST:
        return list(nodes)
    return [*nodes[: MOST - 1], Node("more", f"and {len(nodes) - MOST + 1} more", "")]


def _box(node: Node, x: float, y: float, is_here: bool) -> Markup:
    name = cut(node.name, MAX_NAME)
    box = Markup(
        '<g class="{}{}"><title>{}</title><rect x="{}" y="{}" width="{}" height="{}" rx="6"/>'
        '<text class="soft" x="{}" y="{}">{}</text><text class="label" x="{}" y="{}">{}</text></g>'
    ).format(
        *(node.kind, " here" if is_here else "", node.name, x + 0.5, round(y + 0.5, 1), WIDTH - 1, HIGH - 1),
        *(x + 10, round(y + 17, 1), f"{node.kind} {node.note}".strip(), x + 10, round(y + 35, 1), name),
    )
    return Markup('<a href="{}">{}</a>').format(node.url, box) if node.url and not is_here else box


def _arrow(start: tuple[float, float], end: tuple[float, float]) -> Markup:
    x, y, to = start[0] + WIDTH, start[1] + HIGH / 2, end[1] + HIGH / 2
    middle = x + BETWEEN / 2
    return Markup('<path class="arrow" d="M{} {:.1f}C{} {:.1f} {} {:.1f} {} {:.1f}"/>').format(
        x, y, middle, y, middle, to, x + BETWEEN, to
    )
