"""The bands of Hyperband: iterations after which `early_terminate: {type: hyperband}` compares runs."""

from collections.abc import Mapping
from typing import TypeGuard

from common.sweep_spec.distributions import is_number

KEYS = ("type", "min_iter", "max_iter", "s", "eta", "strict")
ETA = 3
"""Default of `eta`: at a band, the best 1/eta of the runs go on."""

MAX_BANDS = 100
LARGEST_BAND = 1e9


def is_count(value: object) -> TypeGuard[int | float]:
    """Whether a value of `early_terminate` is a usable count."""
    return is_number(value) and value >= 1


def bands(section: Mapping[str, object]) -> tuple[int, ...]:
    """Iterations after which runs are compared, ascending; empty if `early_terminate` names none.

    `max_iter` and `s` go before `min_iter`.
    """
    eta, first, last, s = section.get("eta", ETA), *(section.get(key) for key in ("min_iter", "max_iter", "s"))
    if not is_count(eta) or eta <= 1:
        return ()
    if is_count(last) and is_count(s):
        return _bands_to(last, s, eta)
    return _bands_from(first, eta) if is_count(first) else ()


def _bands_from(min_iter: float, eta: float) -> tuple[int, ...]:
    """min_iter, min_iter·eta, min_iter·eta², …, without their fractions."""
    values: list[int] = []
    band = float(min_iter)
    while band < LARGEST_BAND and len(values) < MAX_BANDS:
        values.append(int(band))
        band *= eta
    return tuple(dict.fromkeys(values))


def _bands_to(max_iter: float, s: float, eta: float) -> tuple[int, ...]:
    """max_iter/eta, …, max_iter/eta^s, ascending, without their fractions."""
    values: list[int] = []
    band = max_iter / eta
    while band >= 1 and len(values) < min(s, MAX_BANDS):
        values.append(int(band + 1e-9))
        band /= eta
    return tuple(dict.fromkeys(reversed(values)))
