"""The distributions of a sweep parameter: their names, their keys, and their ranges."""

import math
from collections.abc import Mapping
from typing import Any, TypeGuard

BOUNDS = ("min", "max")
KEYS_OF_LAW = {
    "uniform": BOUNDS,
    "log_uniform": BOUNDS,
    "log_uniform_values": BOUNDS,
    "inv_log_uniform": BOUNDS,
    "inv_log_uniform_values": BOUNDS,
    "normal": ("mu", "sigma"),
    "log_normal": ("mu", "sigma"),
    "beta": ("a", "b"),
}
"""The laws that numbers follow; `log_uniform` and `inv_log_uniform` have exponents of e as bounds."""

QUANTIZED = ("uniform", "log_uniform", "log_uniform_values", "normal", "log_normal", "beta")
"""Laws that exist with the prefix `q_` as well: rounded to multiples of `q`."""

LISTS = {"constant": "value", "categorical": "values", "categorical_w_probabilities": "values"}
"""Distributions that list their values, and the key of the list."""

LAW_OF = {name: name for name in KEYS_OF_LAW} | {f"q_{name}": name for name in QUANTIZED}
NAMES = (*LISTS, "int_uniform", *LAW_OF)
DEFAULTS = {"mu": 0.0, "sigma": 1.0, "a": 1.0, "b": 1.0, "q": 1}
"""Keys that may be left out; numbers, of which `POSITIVE` are above 0."""

POSITIVE = ("q", "sigma", "a", "b")
KEYS = ("value", "values", *BOUNDS, "distribution", "probabilities", "q", "mu", "sigma", "a", "b")
LARGEST_EXPONENT = 600.0
"""e to the power of 710 is no longer a float; leave room to divide by q."""


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether a value is a number that fits a float and is neither infinite nor a truth value."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def kind_of(spec: Mapping[str, Any]) -> object:
    """The distribution that a parameter names; if it names none, the one that its keys mean, or None."""
    if "distribution" in spec:
        return spec["distribution"]
    if "value" in spec:
        return "constant"
    if "values" in spec:
        return "categorical"
    if "min" in spec and "max" in spec:
        whole = all(isinstance(spec[key], int) and not isinstance(spec[key], bool) for key in BOUNDS)
        return "int_uniform" if whole else "uniform"
    return None


def keys(kind: str) -> tuple[str, ...]:
    """The keys that a distribution knows beside `distribution`."""
    if kind in LISTS:
        return (LISTS[kind], "probabilities") if "categorical" in kind else (LISTS[kind],)
    own = KEYS_OF_LAW[LAW_OF[kind]] if kind in LAW_OF else BOUNDS
    return (*own, "q") if kind.startswith("q_") else own


def required_keys(kind: str) -> tuple[str, ...]:
    """Names among `keys` that may not be left out."""
    return tuple(key for key in keys(kind) if key not in (*DEFAULTS, "probabilities"))


def is_interval(kind: str) -> bool:
    """Whether a distribution draws between `min` and `max`."""
    return required_keys(kind) == BOUNDS


def is_logarithmic(kind: str) -> bool:
    """Whether a distribution draws on a logarithmic scale."""
    return "log" in kind


def has_exponents(kind: str) -> bool:
    """Whether `min` and `max` of a distribution are exponents of e."""
    return kind.removeprefix("q_") in ("log_uniform", "inv_log_uniform")


def limits(kind: str, low: float, high: float) -> tuple[float, float]:
    """The least and the greatest value that is drawn between `min` and `max`."""
    if not has_exponents(kind):
        return low, high
    sign = -1 if kind.removeprefix("q_").startswith("inv_") else 1  # log(1/X) is uniform, so log(X) is on [-max, -min]
    ends = sorted(sign * max(-LARGEST_EXPONENT, min(LARGEST_EXPONENT, end)) for end in (low, high))
    return math.exp(ends[0]), math.exp(ends[1])


def multiples(low: float, high: float, q: float) -> tuple[int | None, int | None]:
    """The first and last multiplier of q within bounds, with room for the last digit of a float; None: unbounded."""
    first = math.ceil(low / q - 1e-9) if math.isfinite(low) else None
    last = math.floor(high / q + 1e-9) if math.isfinite(high) else None
    return first, last


def listed_values(spec: object) -> list[Any] | None:
    """The values of a parameter that lists them; None of any other."""
    if not isinstance(spec, Mapping) or (kind := kind_of(spec)) not in LISTS:
        return None
    values = spec.get(LISTS[str(kind)])
    if kind == "constant":
        return [values]
    return values if isinstance(values, list) else None
