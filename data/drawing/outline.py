"""The outline of a jigsaw piece: four sides, each straight, a knob or a blank, as one closed polygon."""

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.drawing.noise import Rng

Points = NDArray[np.float64]
SIDES = ("straight", "knob", "blank")
_STEPS = 24


@dataclass(frozen=True)
class Outline:
    """A closed polygon `points` (N, 2) as x, y in pixels, and the kinds of its four sides, clockwise."""

    points: Points
    sides: tuple[str, str, str, str]

    def area(self) -> float:
        """Pixels enclosed, by the shoelace formula."""
        x, y = self.points.T
        return abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2


def piece(rng: Rng) -> Outline:
    """A piece in its own units: the body is 1 high and 0.95 to 1.35 wide, the top left corner near (0, 0)."""
    width = rng.uniform(0.95, 1.35)
    corners = np.array([[0, 0], [width, 0], [width, 1], [0, 1]]) + rng.uniform(-0.03, 0.03, (4, 2))
    sides = _sides(rng)
    stretches = [_side(rng, kind, corners[i], corners[(i + 1) % 4]) for i, kind in enumerate(sides)]
    return Outline(np.concatenate(stretches), sides)


def place(rng: Rng, outline: Outline, height: int, width: int, share: float) -> Outline:
    """Turn, tilt and scale a piece to cover `share` of the picture, less if it would leave the frame."""
    points = outline.points - outline.points.mean(axis=0)
    angle = rng.uniform(0, 2 * math.pi)
    cos, sin = math.cos(angle), math.sin(angle)
    points = points @ np.array([[cos, sin], [-sin, cos]])
    points /= 1 + (points @ rng.uniform(-0.035, 0.035, 2))[:, None]  # the phone is never quite level
    points *= math.sqrt(share * height * width / Outline(points, outline.sides).area())
    extent = np.ptp(points, axis=0)
    frame = np.array([width, height]) * 0.95
    points *= min(1.0, *(frame / extent))
    low, extent = points.min(axis=0), np.ptp(points, axis=0)
    room = np.array([width, height]) - extent
    return Outline(points - low + room * np.clip(rng.normal(0.5, 0.22, 2), 0.06, 0.94), outline.sides)


def _sides(rng: Rng) -> tuple[str, str, str, str]:
    n_straight = rng.choice(3, p=[0.6, 0.32, 0.08])
    first = int(rng.integers(4))
    straight = {(first + k) % 4 for k in range(n_straight)}
    kinds = ["straight" if i in straight else str(rng.choice(SIDES[1:])) for i in range(4)]
    return kinds[0], kinds[1], kinds[2], kinds[3]


def _side(rng: Rng, kind: str, start: Points, end: Points) -> Points:
    along = end - start
    length = float(np.hypot(*along))
    along = along / length
    outward = np.array([along[1], -along[0]])
    local = _profile(rng, length) if kind != "straight" else np.zeros((1, 2))
    sign = -1 if kind == "blank" else 1
    return np.asarray(start + local[:, :1] * along + sign * local[:, 1:] * outward)


def _profile(rng: Rng, length: float) -> Points:
    """A knob as Hermite curves from (0, 0) to (length, 0), end left out; no two halves are equal."""
    centre = length * rng.uniform(0.42, 0.58)
    radius, tall, dip = rng.uniform(0.13, 0.175), rng.uniform(0.24, 0.34), rng.uniform(-0.055, 0.05)
    lean = radius * rng.uniform(-0.3, 0.3)
    top = np.array([centre + lean, dip + tall])
    left = _half_knob(rng, radius, tall, dip)
    right = [(p * [-1, 1], t * [-1, 1]) for p, t in _half_knob(rng, radius, tall, dip)]
    shift = np.array([centre, 0.0])
    lean_shift = np.array([lean, 0.0])
    slope_in, slope_out = rng.uniform(-0.4, 0.4, 2)
    knots = [
        (np.zeros(2), np.array([centre * 0.9, slope_in * centre])),
        (left[0][0] + shift, left[0][1]),
        (left[1][0] + shift + lean_shift, left[1][1]),
        (top, np.array([1.6 * radius, radius * rng.uniform(-0.25, 0.25)])),
        (right[1][0] + shift + lean_shift, -right[1][1]),
        (right[0][0] + shift, -right[0][1]),
        (np.array([length, 0.0]), np.array([(length - centre) * 0.9, slope_out * (length - centre)])),
    ]
    return np.concatenate([_hermite(*a, *b) for a, b in itertools.pairwise(knots)])


def _half_knob(rng: Rng, radius: float, tall: float, dip: float) -> list[tuple[Points, Points]]:
    """Position and tangent of the left neck and of the left end of the bulb, about the knob's axis."""
    neck = radius * rng.uniform(0.45, 0.75)
    waist, wide = rng.uniform(0.2, 0.32), rng.uniform(0.56, 0.7)
    return [
        (np.array([-neck, dip + waist * tall]), np.array([-0.02, 0.55 * tall])),
        (np.array([-radius, dip + wide * tall]), np.array([0.0, 0.55 * tall])),
    ]


def _hermite(p0: Points, t0: Points, p1: Points, t1: Points) -> Points:
    s = np.linspace(0, 1, _STEPS, endpoint=False)[:, None]
    h = 2 * s**3 - 3 * s**2
    curve = (h + 1) * p0 + (s**3 - 2 * s**2 + s) * t0 - h * p1 + (s**3 - s**2) * t1
    return np.asarray(curve, np.float64)
