"""Which settings of a search mattered more than chance makes any setting seem to matter?"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Settings = Mapping[str, Sequence[Hashable]]
Measure = Callable[[Settings, Array], Mapping[str, float]]
PERMUTATIONS = 200


def merge_aliases(settings: Settings) -> dict[tuple[str, ...], Sequence[Hashable]]:
    """Settings (N trials each) by the names that these trials cannot tell apart; constant ones are left out.

    Two belong together if the value of one decides that of the other in all trials, as a backbone decides its weights
    where each came with one kind only; the finer one's values stand for both. A setting with more than N / 2 values
    decides nothing: almost every trial has its own.
    """
    kinds = {name: len(set(values)) for name, values in settings.items()}
    ordered = sorted((name for name in settings if kinds[name] > 1), key=lambda name: -kinds[name])
    groups: dict[str, list[str]] = {}
    for name in ordered:
        finer = (leader for leader in groups if decides(settings[leader], settings[name], kinds[leader]))
        groups.setdefault(next(finer, name), []).append(name)
    return {tuple(sorted(names)): settings[leader] for leader, names in groups.items()}


def decides(fine: Sequence[Hashable], coarse: Sequence[Hashable], kinds: int) -> bool:
    """Whether every value of `fine`, of which there are `kinds`, comes with one value of `coarse` only."""
    return 2 * kinds <= len(fine) and len(set(zip(fine, coarse, strict=True))) == kinds


def chance_of(
    measure: Measure,
    settings: Settings,
    scores: Array,
    rng: np.random.Generator,
    permutations: int = PERMUTATIONS,
) -> dict[str, float]:
    """By setting, how often the most important of all settings would be as important if scores fell by chance.

    `scores` (N,) are dealt to the trials anew `permutations` times. The largest importance counts each time, so the
    chance that any setting falls below 0.05 without effect is 0.05 (Westfall and Young 1993).
    """
    found = measure(settings, scores)
    largest = np.array(
        [max(measure(settings, rng.permutation(scores)).values()) for _ in range(permutations)]
    )
    return {name: (1 + int((largest >= value).sum())) / (1 + permutations) for name, value in found.items()}


def explained(settings: Settings, scores: Array, bins: int = 4) -> dict[str, float]:
    """Share of the variance of `scores` (N,) that each setting alone explains, adjusted for its number of values.

    Numbers with more than `bins` values are cut at their quantiles. Milliseconds, so it can be permuted.
    """
    total = float(((scores - scores.mean()) ** 2).sum())
    found = {}
    for name, values in settings.items():
        codes = groups_of(values, bins)
        counts = np.bincount(codes)
        means = np.bincount(codes, weights=scores) / np.maximum(counts, 1)
        left = len(scores) - int((counts > 0).sum())
        inside = float(((scores - means[codes]) ** 2).sum())
        known = total > 0 and left > 0
        found[name] = 1 - inside / left / (total / (len(scores) - 1)) if known else 0.0
    return found


def groups_of(values: Sequence[Hashable], bins: int) -> NDArray[np.int64]:
    """A number from 0 for the value, or the quantile, of each trial."""
    numeric = all(isinstance(value, int | float) for value in values)
    if numeric and len(set(values)) > bins:
        numbers = np.array(values, dtype=float)
        return np.searchsorted(np.quantile(numbers, np.linspace(0, 1, bins + 1)[1:-1]), numbers, side="right")
    return np.unique(np.array([repr(value) for value in values]), return_inverse=True)[1]
