"""The distributions of a sweep parameter, each written once as its quantile function.

A value is drawn as `ppf(u)` with u uniform on [0, 1); its inverse `cdf` makes every parameter a number between 0 and 1
for Bayesian search. Names and keys are those of `common.sweep_spec`.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from statistics import NormalDist

from common.sweep_spec.distributions import LARGEST_EXPONENT, is_number, multiples
from server.search.identity import identity

TINY = 1e-12  # a normal law has no value at exactly 0 or 1


@dataclass(frozen=True)
class Law:
    """A probability law on the interval [low, high] of the real numbers."""

    ppf: Callable[[float], float]
    cdf: Callable[[float], float]
    low: float
    high: float
    is_linear: bool = False


def uniform(low: float, high: float) -> Law:
    return Law(
        lambda u: min(max(low + u * (high - low), low), high),
        lambda x: (x - low) / (high - low),
        low,
        high,
        is_linear=True,
    )


def normal(mu: float, sigma: float) -> Law:
    law = NormalDist(mu, sigma)
    return Law(lambda u: law.inv_cdf(min(max(u, TINY), 1 - TINY)), law.cdf, -math.inf, math.inf)


LEAST = 2.0**-53
"""Least probability: no draw of 53 bits but 0 lies below it, and there the root of the beta law is not always found."""


def beta(a: float, b: float) -> Law:
    def ppf(u: float) -> float:
        from scipy.special import betaincinv

        return float(betaincinv(a, b, max(u, LEAST)))

    def cdf(x: float) -> float:
        from scipy.special import betainc

        return float(betainc(a, b, x))

    return Law(ppf, cdf, 0.0, 1.0)


def exponential_of(law: Law) -> Law:
    """The law of e to the power of X, where X follows `law`."""
    low, high = _exp(law.low), _exp(law.high)
    return Law(
        lambda u: min(max(_exp(law.ppf(u)), low), high), lambda x: law.cdf(math.log(x)) if x > 0 else 0.0, low, high
    )


def _exp(x: float) -> float:
    return math.exp(min(x, LARGEST_EXPONENT)) if x < math.inf else math.inf


@dataclass(frozen=True)
class Choice:
    """One of finitely many values.

    `values` may be a `range`, so that a wide integer interval costs no memory. `weights` are the probabilities of the
    values. `ordered` says that neighbours in `values` are neighbours in size.
    """

    values: Sequence[object]
    weights: tuple[float, ...] | None = None
    ordered: bool = False

    @property
    def size(self) -> int:
        if isinstance(self.values, range):  # its len() has 63 bits
            return self.values.stop - self.values.start
        return len(self.values)

    def at(self, index: int) -> object:
        return self.values[index]

    def index(self, value: object) -> int | None:
        """Position of a value that compares equal to `value` as JSON does, or None."""
        if isinstance(self.values, range):
            if not is_number(value) or int(value) != value or int(value) not in self.values:
                return None
            return self.values.index(int(value))
        wanted = identity(value)
        return next((i for i, own in enumerate(self.values) if identity(own) == wanted), None)

    def cdf(self, value: object) -> float | None:
        """The middle of the value's share if all values were equally probable; None for a foreign value."""
        index = self.index(value)
        return None if index is None else (index + 0.5) / self.size

    def ppf(self, u: float) -> object:
        if self.weights is None:
            return self.values[min(int(u * self.size), self.size - 1)]
        total, cumulative = 0.0, []
        for weight in self.weights:
            total += weight
            cumulative.append(total)
        return self.values[min(bisect_right(cumulative, u * total), self.size - 1)]


@dataclass(frozen=True)
class Continuous:
    """Any real number of an interval; no two draws are expected to be equal."""

    law: Law
    size: None = None

    def ppf(self, u: float) -> object:
        return self.law.ppf(u)

    def cdf(self, value: object) -> float | None:
        """Probability of a value at most `value`; None if it is no number of the interval."""
        return _cdf(self.law, value, slack=0.0)


@dataclass(frozen=True)
class Quantized:
    """Multiples of q: round(X / q) * q, where X follows `law`, kept inside the bounds of `law`.

    The values are integers if q is one. `first` and `last` are the multipliers at the bounds, None if unbounded.
    """

    law: Law
    q: float
    first: int | None
    last: int | None

    @property
    def size(self) -> int | None:
        return None if self.first is None or self.last is None else self.last - self.first + 1

    def at(self, index: int) -> object:
        return self._times((self.first or 0) + index)

    def index(self, value: object) -> int | None:
        """Position of the multiple that equals `value`, or None."""
        if not is_number(value):
            return None
        index = round(value / self.q) - (self.first or 0)
        return index if 0 <= index < (self.size or 0) and self.at(index) == value else None

    def ppf(self, u: float) -> object:
        multiplier = round(self.law.ppf(u) / self.q)
        if self.first is not None:
            multiplier = max(multiplier, self.first)
        if self.last is not None:
            multiplier = min(multiplier, self.last)
        return self._times(multiplier)

    def cdf(self, value: object) -> float | None:
        """Probability of a value at most `value`; None if it is no number near the interval."""
        return _cdf(self.law, value, slack=self.q)

    def _times(self, multiplier: int) -> object:
        exact = Decimal(str(self.q)) * multiplier  # 3 * 0.1 is 0.3 here, not 0.30000000000000004
        return int(exact) if isinstance(self.q, int) else float(exact)


Distribution = Choice | Continuous | Quantized


def quantize(law: Law, q: float) -> Quantized:
    """`law` on the multiples of q that lie inside its bounds."""
    return Quantized(law, q, *multiples(law.low, law.high, q))


def _cdf(law: Law, value: object, slack: float) -> float | None:
    if not is_number(value):
        return None
    room = slack + 1e-9 * (abs(value) + 1)
    if not law.low - room <= value <= law.high + room:
        return None
    return min(max(law.cdf(min(max(float(value), law.low), law.high)), 0.0), 1.0)
