"""From values to places along an axis, for any finite numbers, and labels that tell ticks apart."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

HUGE, TINY = 1e290, 1e-290
CLOSE = 1e-4
"""Values whose spread is a smaller part of them than this are labelled by what they have above the lowest."""


@dataclass(frozen=True)
class Scale:
    """`low` and `high` are (value - base) × unit: near the ends of the floats, and far from zero, nothing is lost."""

    low: float
    high: float
    base: float = 0
    unit: float = 1.0

    @classmethod
    def over(cls, values: Iterable[float], margin: float = 0.0) -> "Scale":
        """From the lowest to the highest of finite values, and a share of that more on both sides."""
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
        """Share and label of round values; none between whole numbers where the axis has only those."""
        marks = [mark for mark in ticks(self.low, self.high) if not whole or mark == round(mark)]
        labels = [mark / self.unit for mark in marks]
        tried = (4, 5, 6) if self.unit == 1.0 else (2, 3, 4)
        digits = next(
            (n for n in tried if len({short(label, n) for label in labels}) == len(labels)), tried[-1]
        )
        places = {
            short(label, digits): (mark - self.low) / (self.high - self.low)
            for mark, label in zip(marks, labels, strict=True)
            if math.isfinite(label)
        }
        return [(place, label) for label, place in places.items()]

    @property
    def origin(self) -> str:
        """What has to be added to every label, "" for nothing."""
        if not self.base:
            return ""
        return f"{self.base:+.12g}" if isinstance(self.base, float) else f"{self.base:+d}"


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers within [low, high], at most `most` + 1 of them, steps of 1, 2 or 5 times a power of ten."""
    raw = (high - low) / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [i * step for i in range(first, math.floor(high / step + 1e-9) + 1)]


def short(value: float, digits: int = 4) -> str:
    return f"{value:.{digits}g}".replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")
