"""Hyperband, W&B's `early_terminate`: faults of its keys, and bands, the iterations after which it compares."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from common.sweep_spec.distributions import is_number

KEYS = ("type", "min_iter", "max_iter", "s", "eta", "strict")
ETA = 3
"""Default of `eta`: at a band, the best 1/eta of the runs go on."""

MAX_BANDS = 100
LARGEST_BAND = 1e9


Fault = Literal["missing", "no count", "not above 1", "no switch", "no band"]


def faults(section: Mapping[str, object]) -> Iterator[tuple[str, Fault]]:
    """Keys of `early_terminate` that cannot be used; `max_iter` and `s` go before `min_iter`."""
    is_sound = True
    for key in ("max_iter", "s") if "max_iter" in section else ("min_iter",):
        if key not in section or not _is_count(section[key]):
            is_sound = False
            yield key, "no count" if key in section else "missing"
    eta = section.get("eta", ETA)
    if not is_number(eta) or eta <= 1:
        is_sound = False
        yield "eta", "not above 1"
    if not isinstance(section.get("strict", False), bool):
        yield "strict", "no switch"
    if is_sound and not _bands(section):
        yield "max_iter", "no band"


def bands(section: Mapping[str, object]) -> tuple[int, ...]:
    """Iterations after which runs are compared, ascending; empty if `early_terminate` has a fault."""
    return () if any(faults(section)) else _bands(section)


def _is_count(value: object) -> bool:
    return is_number(value) and value >= 1 and value == int(value)


def _bands(section: Mapping[str, Any]) -> tuple[int, ...]:
    eta = section.get("eta", ETA)
    return (
        _bands_to(section["max_iter"], section["s"], eta)
        if "max_iter" in section
        else _bands_from(section["min_iter"], eta)
    )


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
