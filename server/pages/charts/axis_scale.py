"""Scales: from any finite values to places along an axis, with distinct labels of ticks."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

HUGE, TINY, LARGEST = 1e290, 1e-290, 1.797e308
MAX_CATEGORIES = 18  # that are labelled on an axis
CLOSE = 1e-4
"""Relative spread below which ticks are labelled by their difference from the lowest value."""
FINEST = 1e-10
"""Distance of exponents below which values count as equal on a logarithmic scale."""


@dataclass(frozen=True)
class Scale:
    """A linear scale. `low` and `high` are (value - base) × unit: exact near the ends of the floats and far from 0."""

    low: float
    high: float
    base: float = 0
    unit: float = 1.0

    @classmethod
    def over(cls, values: Iterable[float], margin: float = 0.0) -> "Scale":
        """A scale from the lowest to the highest of finite values, widened by the share `margin` on both sides."""
        low, high = min(values := list(values)), max(values)
        largest = max(abs(low), abs(high))
        base = low if 0 < high - low < CLOSE * largest else 0
        size = high - low if base else largest
        unit = 1e-100 if size > HUGE else 1e100 if 0 < size < TINY else 1.0
        first, last = (float(value - base) * unit for value in (low, high))
        if first == last:
            around = abs(first) * (0.1 if unit == 1.0 else 1.0) or 1.0
            return cls(first - around, last + around, base, unit)
        more = (last - first) * margin
        return cls(first - more, last + more, base, unit)

    def share(self, value: float) -> float:
        """0 at the low end, 1 at the high one."""
        return (float(value - self.base) * self.unit - self.low) / (self.high - self.low)

    def ticks(self, whole: bool = False) -> list[tuple[float, str]]:
        """Share and label of round values; none between whole numbers if the axis has only those."""
        marks = [mark for mark in ticks(self.low, self.high) if not whole or mark == round(mark)]
        labels = [mark / self.unit for mark in marks]
        digits = _digits(labels, (4, 5, 6) if self.unit == 1.0 else (2, 3, 4))
        places = {
            format_tick(label, digits): (mark - self.low) / (self.high - self.low)
            for mark, label in zip(marks, labels, strict=True)
            if math.isfinite(label)
        }
        return [(place, label) for label, place in places.items()]

    @property
    def edges(self) -> tuple[float, float]:
        """The values at both ends."""
        low, high = (min(max(value / self.unit + self.base, -LARGEST), LARGEST) for value in (self.low, self.high))
        return low, high

    @property
    def origin(self) -> str:
        """The number to be added to every label, "" for none."""
        if not self.base:
            return ""
        return f"{self.base:+.12g}" if isinstance(self.base, float) else f"{self.base:+d}"


@dataclass(frozen=True)
class LogScale:
    """A logarithmic scale; `low` and `high` are exponents of ten."""

    low: float
    high: float

    @classmethod
    def over(cls, values: Iterable[float]) -> "LogScale":
        """A scale from the lowest to the highest of finite values above 0, with a little room."""
        exponents = [math.log10(value) for value in values]
        low, high = min(exponents), max(exponents)
        room = 0.04 * (high - low) if high - low > FINEST else 0.5
        return cls(low - room, high + room)

    @property
    def edges(self) -> tuple[float, float]:
        """Exponents of both ends."""
        return self.low, self.high

    def share(self, value: float) -> float:
        """0 at the low end, 1 at the high one."""
        return (math.log10(value) - self.low) / (self.high - self.low)

    def ticks(self) -> list[tuple[float, str]]:
        """Share and label of the marks."""
        marks, base = self._marks(), self._base()
        digits = _digits([mark - base for mark in marks], (4, 5, 6))
        return [(self.share(mark), format_tick(mark - base, digits)) for mark in marks]

    @property
    def origin(self) -> str:
        """The number to be added to every label, "" for none."""
        base = self._base()
        return f"{base:+.12g}" if base else ""

    def _base(self) -> float:
        """The lowest mark, if values lie so close that labels are differences from it; else 0."""
        return next(iter(self._marks()), 0.0) if self.high - self.low < CLOSE / math.log(10) else 0.0

    def _marks(self) -> list[float]:
        """Powers of ten; if there are few, 1, 2 and 5 times these, or round numbers."""
        first, last = math.ceil(self.low), math.floor(self.high)
        every = max(1, (last - first) // 5 + 1)
        marks = [10.0**n for n in range(first, last + 1) if abs(n) < 300 and n % every == 0]
        if len(marks) < 3:
            marks = [factor * 10.0**n for n in range(first - 1, last + 1) for factor in (1, 2, 5) if abs(n) < 300]
        inside = [mark for mark in marks if 0 <= self.share(mark) <= 1]
        if len(inside) > 1 or self.high >= 300 or self.low <= -300:
            return inside
        return [mark for mark in ticks(10.0**self.low, 10.0**self.high) if mark > 0]


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers within [low, high], at most `most` + 1 of them, steps of 1, 2 or 5 times a power of ten."""
    raw = (high - low) / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [i * step for i in range(first, math.floor(high / step + 1e-9) + 1)]


def _digits(labels: Sequence[float], tried: Sequence[int]) -> int:
    """The fewest digits with which each label is off by less than a hundredth of the way to the next one."""
    step = min((after - before for before, after in pairwise(labels)), default=0.0)
    return next(
        (n for n in tried if all(abs(float(format_tick(label, n)) - label) <= step / 100 for label in labels)),
        tried[-1],
    )


def format_tick(value: float, digits: int = 4) -> str:
    return f"{value:.{digits}g}".replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")


@dataclass(frozen=True)
class Category:
    """One place for each of `values`, in their order; `share` takes the number of a value."""

    values: tuple[str, ...]
    origin: str = ""

    @property
    def edges(self) -> tuple[float, float]:
        return -0.5, len(self.values) - 0.5

    def share(self, value: float) -> float:
        return (value + 0.5) / len(self.values)

    def ticks(self, whole: bool = False) -> list[tuple[float, str]]:
        every = -(-len(self.values) // MAX_CATEGORIES)
        return [(self.share(i), value) for i, value in enumerate(self.values) if i % every == 0]
