"""Random search: independent draws from the parameters' distributions, no configuration twice."""

from __future__ import annotations

import random
from collections.abc import Hashable, Iterator
from itertools import islice

from server.search.distributions import Choice
from server.search.space import Point, Space

DRAWS = 200
WINDOW = 10_000


def draw(space: Space, rng: random.Random) -> Point:
    return tuple(parameter.distribution.ppf(rng.random()) for parameter in space.parameters)


def suggest(space: Space, seen: frozenset[Hashable], seed: int, n_past: int) -> Point | None:
    """A random configuration that was not handed out; None if there is none left.

    Draws until one is new. If none of 200 is, a finite space is nearly used up, and the choice is among its first
    10,000 unseen configurations, with their probabilities; an infinite one whose draws all repeat (a narrow q_normal)
    counts as used up.
    """
    rng = random.Random(f"random {seed} {n_past}")
    for _ in range(DRAWS):
        point = draw(space, rng)
        if space.key(point) not in seen:
            return point
    rest = list(islice(unused_points(space, seen), WINDOW))
    return rng.choices(rest, [_weight(space, point) for point in rest])[0] if rest else None


def unused_points(space: Space, seen: frozenset[Hashable]) -> Iterator[Point]:
    """The configurations of a finite space that were not handed out, in the order of the file."""
    cells = map(space.cell, range(space.size or 0))
    return (point for point in cells if space.key(point) not in seen)


def _weight(space: Space, point: Point) -> float:
    product = 1.0
    for parameter, value in zip(space.parameters, point, strict=True):
        distribution = parameter.distribution
        if isinstance(distribution, Choice) and distribution.weights is not None:
            product *= distribution.weights[distribution.index(value) or 0]
    return product
