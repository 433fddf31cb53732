"""The setting `data` of drawn photographs: drawn, drawn:SEED or drawn:SEED:N; anything else is a folder."""

from __future__ import annotations

import re
from typing import NamedTuple

_FORM = re.compile(r"drawn(?::([0-9]+)(?::(0*[1-9][0-9]*))?)?")


class DrawnData(NamedTuple):
    """`seed`: None for the default one; `n`: drawings to train on, 0 for as many as the lab has photographs."""

    seed: int | None
    n: int


def is_drawn(data: str) -> bool:
    return data.partition(":")[0] == "drawn"


def parse_drawn(data: str) -> DrawnData | None:
    """Seed and number of drawings; None for a folder. Raises ValueError, one sentence, for another form of drawn."""
    if not is_drawn(data):
        return None
    found = _FORM.fullmatch(data)
    if not found:
        raise ValueError(
            f"data is {data!r}, but drawn photographs are drawn, drawn:SEED or drawn:SEED:N with whole numbers, as in"
            " drawn:7"
        )
    return DrawnData(int(found[1]) if found[1] else None, int(found[2] or 0))


SIZE = (768, 1024)
"""Height and width in pixels of drawn photographs."""

PRETRAINING_SIZE = (384, 512)
"""The same of drawn:SEED:N."""


def drawing_size(data: str) -> tuple[int, int] | None:
    """Height and width of the drawings that `data` asks for; None for a folder."""
    drawn = parse_drawn(data)
    return (PRETRAINING_SIZE if drawn.n else SIZE) if drawn else None


def n_drawings(data: str) -> int:
    """Number of drawings to train on that `data` asks for; 0 for a folder, and if it asks for none."""
    drawn = parse_drawn(data)
    return drawn.n if drawn else 0
