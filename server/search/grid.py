"""Grid search: every configuration of a finite space exactly once."""

from __future__ import annotations

import random
from collections.abc import Hashable

from server.search.errors import SearchError
from server.search.space import Point, Space, names


def check(space: Space) -> None:
    """Raises SearchError if a parameter takes infinitely many values."""
    endless = [parameter for parameter in space.parameters if parameter.distribution.size is None]
    if endless:
        raise SearchError(
            f"Grid search needs finitely many values, and {names(endless)} can take any; "
            "list them as values, use a bounded q_ distribution, or method: random."
        )


def suggest(space: Space, seen: frozenset[Hashable], seed: int, shuffle: bool) -> Point | None:
    """The first configuration that was not handed out, in the order of the file or in an order that `seed` shuffles.

    A configuration that was deleted from `seen` is handed out again.
    """
    size = space.size or 0
    if shuffle:
        rng = random.Random(f"grid {seed}")
        for _ in range(4 * len(seen) + 16):
            point = space.cell(rng.randrange(size))
            if space.key(point) not in seen:
                return point
    return next((point for point in map(space.cell, range(size)) if space.key(point) not in seen), None)
