"""Small things that prints show: eyes, crystals, stems, dots, balls."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from data.drawing.inks import INKS, Colour, ink
from data.drawing.noise import Field, Rng
from data.drawing.outline import Points

Layer = NDArray[np.uint8]
WHITE = np.array(INKS["white"], np.float64)
BLACK = np.array(INKS["black"], np.float64)


def scatter(rng: Rng, canvas: Field, unit: float, kind: str) -> None:
    """Circles, eyes, stars, stems and dots, drawn over the print with one opacity."""
    layer = canvas.astype(np.uint8)
    size = np.array(canvas.shape[1::-1])
    for _ in range(rng.poisson(2.2 if kind == "mixed" else 0.9)):
        motif = (_eye, _star, _stems, _dots, _ball)[rng.integers(5)]
        motif(rng, layer, rng.uniform(0.1, 0.9, 2) * size, unit, ink(rng, kind))
    opacity = np.float32(rng.uniform(0.6, 1))
    canvas += opacity * (layer - np.floor(canvas))


def _fixed_point(points: Points) -> NDArray[np.int32]:
    return np.round(np.atleast_2d(points) * 16).astype(np.int32)


def _disc(layer: Layer, centre: Points, radius: float, colour: Colour) -> None:
    middle = _fixed_point(centre)[0].tolist()
    cv2.circle(layer, middle, int(radius * 16), colour.tolist(), -1, cv2.LINE_AA, shift=4)


def _line(layer: Layer, points: Points, colour: Colour, thickness: float) -> None:
    cv2.polylines(layer, [_fixed_point(points)], False, colour.tolist(), max(1, round(thickness)), cv2.LINE_AA, shift=4)


def _eye(rng: Rng, layer: Layer, at: Points, unit: float, colour: Colour) -> None:
    radius = rng.uniform(22, 60) * unit
    for share, shade in ((1.12, BLACK), (1.0, WHITE), (0.6, colour), (0.36, BLACK)):
        _disc(layer, at, radius * share, shade)
    _disc(layer, at + radius * np.array([0.2, -0.2]), radius * 0.1, WHITE)


def _star(rng: Rng, layer: Layer, at: Points, unit: float, colour: Colour) -> None:
    """A six-armed crystal with side branches."""
    radius, turn, thickness = rng.uniform(20, 95) * unit, rng.uniform(0, 1), rng.uniform(1, 5) * unit
    pale = (colour + 3 * WHITE) / 4
    for arm in range(6):
        way = np.array([math.cos(turn + arm * math.pi / 3), math.sin(turn + arm * math.pi / 3)])
        side = np.array([-way[1], way[0]])
        _line(layer, np.array([at, at + way * radius]), pale, thickness)
        for share in (0.45, 0.7):
            tip = at + way * radius * (share + 0.22)
            branch = np.array([tip + side * radius * 0.2, at + way * radius * share, tip - side * radius * 0.2])
            _line(layer, branch, pale, thickness)


def _stems(rng: Rng, layer: Layer, at: Points, unit: float, colour: Colour) -> None:
    turn, thickness = rng.uniform(0, 2 * math.pi), rng.uniform(1, 9) * unit
    s = np.linspace(0, 1, 12)[:, None]
    for _ in range(rng.integers(3, 9)):
        angle = turn + rng.normal(0, 0.25)
        way = np.array([math.cos(angle), math.sin(angle)])
        bow = np.array([-way[1], way[0]]) * rng.normal(0, 40) * unit
        start = at + rng.normal(0, 25, 2) * unit
        _line(layer, start + s * way * rng.uniform(80, 300) * unit + s**2 * bow, colour, thickness)


def _dots(rng: Rng, layer: Layer, at: Points, unit: float, colour: Colour) -> None:
    spread, radius = rng.uniform(30, 130) * unit, rng.uniform(2, 16) * unit
    for _ in range(rng.integers(6, 40)):
        _disc(layer, at + rng.normal(0, spread, 2), radius * rng.uniform(0.4, 1.2), colour)


def _ball(rng: Rng, layer: Layer, at: Points, unit: float, colour: Colour) -> None:
    """A shaded round thing: concentric discs that brighten towards the light."""
    radius = rng.uniform(25, 110) * unit
    for share in np.linspace(1, 0.1, 10):
        shade = np.clip(colour * (1.25 - 0.55 * share), 0, 235)
        _disc(layer, at - radius * 0.3 * (1 - share), radius * share, shade)
