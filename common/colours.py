"""One colour code for pages, pictures and reports: the meaning of each colour, and the colour of each series."""

import hashlib
from collections.abc import Iterable

MEANINGS = {
    "train": ("#e69f00", "#e69f00"),
    "val": ("#0072b2", "#4aa8e8"),
    "test": ("#009e73", "#3cc79e"),
    "plain": ("#0072b2", "#4aa8e8"),
    "record": ("#d55e00", "#f08a3c"),
    "false-positive": ("#d55e00", "#d55e00"),
    "false-negative": ("#56b4e9", "#56b4e9"),
    "wrong-class": ("#cc79a7", "#cc79a7"),
}
"""Colours on white and on black. Okabe & Ito (2008) if legible on both: apart for every kind of colour vision."""

SERIES = (
    ("#0072b2", "#4aa8e8"),
    ("#d55e00", "#f08a3c"),
    ("#009e73", "#3cc79e"),
    ("#7a31ca", "#a35cf0"),
    ("#f4428d", "#f55dcc"),
    ("#612006", "#d41101"),
    ("#6887ff", "#445def"),
    ("#195c2e", "#3f842e"),
    ("#ca59e4", "#fabdf4"),
    ("#9f3960", "#a67b8e"),
    ("#1e2c7f", "#93fef7"),
    ("#ac849e", "#e3e04a"),
)
"""Twelve series, on white and on black; the first ones are those of Okabe & Ito."""

MASKS = (2, 1, 0, 3)
"""Places in SERIES of the masks of one picture, the truth first."""

SCALE = (
    ("#b39b00", "#6a5fae"),
    ("#7f9a1e", "#5670b8"),
    ("#3f9a55", "#3f8cb0"),
    ("#1f8a80", "#35a394"),
    ("#2a6f92", "#5fbf6b"),
    ("#3b4f90", "#a8d34a"),
    ("#46237a", "#fde725"),
)
"""Colours from the worst result to the best, in even steps of lightness away from the page."""


def slot(name: str) -> int:
    """The place in SERIES that a name has by itself, on every page and in every picture."""
    return hashlib.blake2b(name.encode("utf-8", "replace"), digest_size=4).digest()[0] % len(SERIES)


def assign(names: Iterable[str]) -> dict[str, int]:
    """A number for each name: its colour is SERIES[number % 12], its dash number // 12.

    A name has its own slot unless another one of `names` has it already; then the next free one.
    """
    numbers: dict[str, int] = {}
    used: set[int] = set()
    for name in dict.fromkeys(names):
        first = len(used) // len(SERIES) * len(SERIES)
        ring = [first + (slot(name) + i) % len(SERIES) for i in range(len(SERIES))]
        numbers[name] = next(number for number in ring if number not in used)
        used.add(numbers[name])
    return numbers
