"""Permutation test of settings: the share of variance that each explains against the largest one by chance."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Settings = Mapping[str, Sequence[Hashable]]
PERMUTATIONS = 200


def merge_aliases(settings: Settings) -> dict[tuple[str, ...], Sequence[Hashable]]:
    """Settings (N trials each) by the names that these trials cannot tell apart; constant ones are left out.

    Two belong together if the value of one decides that of the other in all trials, as a backbone decides its weights
    if each came with one kind only; the finer one's values stand for both. A setting with more than N / 2 values
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


def permutation_test(
    settings: Settings, scores: Array, rng: np.random.Generator, permutations: int = PERMUTATIONS
) -> dict[str, tuple[float, float]]:
    """By setting the share of the variance of `scores` (N,) that it explains alone, and the chance of as large a share.

    `scores` are dealt to the trials anew `permutations` times. The largest share of all settings counts each time, so
    the chance that any of them falls below 0.05 without effect is 0.05 (Westfall and Young 1993).
    """
    dealt = np.vstack([scores, rng.permuted(np.tile(scores, (permutations, 1)), axis=1)])
    shares = {name: explained_variance(values, dealt) for name, values in settings.items()}
    largest = np.max([share[1:] for share in shares.values()], axis=0)
    return {
        name: (float(share[0]), (1 + int((largest >= share[0] - 1e-12).sum())) / (1 + permutations))
        for name, share in shares.items()
    }


def explained_variance(values: Sequence[Hashable], scores: Array) -> Array:
    """Share of the variance of `scores` (P, N) that a setting (N,) explains alone, (P,).

    It is adjusted for the number of its values. Numbers with many values are cut at their quantiles, into 2 to 8 bins
    of about 8 trials.
    """
    n = scores.shape[1]
    codes = groups_of(values, min(max(n // 8, 2), 8))
    member = np.eye(int(codes.max()) + 1)[codes]
    counts = member.sum(axis=0)
    centred = scores - scores.mean(axis=1, keepdims=True)
    total = (centred**2).sum(axis=1)
    left = n - int((counts > 0).sum())
    if left == 0:
        return np.zeros(len(scores))
    inside = total - ((centred @ member) ** 2 / np.maximum(counts, 1)).sum(axis=1)
    return np.asarray(1 - np.divide(inside / left, total / (n - 1), out=np.ones_like(total), where=total > 0))


def groups_of(values: Sequence[Hashable], bins: int) -> NDArray[np.int64]:
    """A number from 0 for the value, or the quantile, of each trial."""
    numeric = all(isinstance(value, int | float) for value in values)
    if numeric and len(set(values)) > bins:
        numbers = np.array(values, dtype=float)
        return np.searchsorted(np.quantile(numbers, np.linspace(0, 1, bins + 1)[1:-1]), numbers, side="right")
    return np.unique(np.array([repr(value) for value in values]), return_inverse=True)[1]
