"""Share of a sweep's result that each setting explains alone, beside that of chance. Pure.

The share is the correlation ratio (Pearson's η²) of the ranks of the results: the variance between the groups of a
setting over all variance. A numeric setting is cut into groups of equal size, so that an optimum in the middle counts.
Chance: the same share of shuffled results, so many times; with few runs it is large. Interactions are left out.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SHUFFLES = 200
MAX_RUNS = 500
FEWEST = 6
GROUPS = 5


@dataclass(frozen=True)
class Importance:
    """`share` of the variance, 0 to 1; `chance`: the 95th percentile of shuffles' shares; `n` runs in `groups`."""

    name: str
    share: float
    chance: float
    n: int
    groups: int

    @property
    def is_clear(self) -> bool:
        return self.share > self.chance


def importances(settings: Mapping[str, Sequence[Any]], results: Sequence[float | None], seed: int) -> list[Importance]:
    """Largest first. `settings`: name → the value in each run; runs without a finite result are left out."""
    found = [
        _importance(
            name, [(value, result) for value, result in pairs if result is not None and math.isfinite(result)], seed
        )
        for name, values in settings.items()
        if (pairs := list(zip(values, results, strict=True))[:MAX_RUNS])
    ]
    return sorted((each for each in found if each), key=lambda each: -each.share)


def _importance(name: str, pairs: list[tuple[Any, float]], seed: int) -> Importance | None:
    """Importance of one setting; None with too few runs or a single group."""
    import numpy as np

    groups = _groups([value for value, _ in pairs])
    n_groups = len(set(groups))
    if len(pairs) < FEWEST or not 1 < n_groups < len(pairs):
        return None
    ranks = _ranks([result for _, result in pairs])
    centred = np.asarray(ranks) - np.mean(ranks)
    total = float(centred @ centred)
    if total == 0:
        return None
    member = np.zeros((n_groups, len(pairs)))
    order = {group: at for at, group in enumerate(sorted(set(groups)))}
    member[[order[group] for group in groups], range(len(pairs))] = 1
    random = np.random.default_rng(seed)
    orders = np.stack([centred, *(random.permutation(centred) for _ in range(SHUFFLES))])
    between = ((orders @ member.T) ** 2 / member.sum(axis=1)).sum(axis=1) / total
    return Importance(name, float(between[0]), float(np.quantile(between[1:], 0.95)), len(pairs), n_groups)


def _groups(values: Sequence[Any]) -> list[int | str]:
    """The group of each value: itself, or its rank class if there are many numbers."""
    if not all(type(value) in (int, float) for value in values) or len(set(values)) <= GROUPS:
        return [repr(value) for value in values]
    order = _ranks(values)
    n = max(2, min(GROUPS, len(values) // 4))
    return [int((rank - 0.5) * n / len(values)) for rank in order]


def _ranks(values: Sequence[float]) -> list[float]:
    """Ranks from 1; equal values share the mean of theirs."""
    order = sorted(range(len(values)), key=lambda at: values[at])
    ranks = [0.0] * len(values)
    start = 0
    while start < len(order):
        end = start
        while end + 1 < len(order) and values[order[end + 1]] == values[order[start]]:
            end += 1
        for at in order[start : end + 1]:
            ranks[at] = (start + end) / 2 + 1
        start = end + 1
    return ranks
