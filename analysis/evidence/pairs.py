"""All pairs of models instead of each against the best; on request only, since many pairs find less."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from analysis.evidence.claims import DRAWS, LEVEL, SOURCES, comparable, decisive, draw_noise, standard_errors, tail
from analysis.evidence.components import estimate, model_means
from analysis.evidence.design import Scores


@dataclass(frozen=True)
class Pair:
    """Two models; `a` has the higher mean.

    `estimate` is the difference; `low` to `high` hold all pairs at once in 95 % of studies; `p` is adjusted for all of
    them.
    """

    a: str
    b: str
    estimate: float
    low: float
    high: float
    p: float


def all_pairs(scores: Scores, *, seed: int = 0) -> list[Pair]:
    """Every pair of models that can be compared, under the claim that decides, largest difference first.

    The reference is the largest standardized difference of equal models, Tukey's range if errors are equal.
    """
    rng, design = np.random.default_rng(seed), scores.design
    claim, values = decisive(design), scores.values[None]
    able = np.flatnonzero(comparable(design, claim))
    if len(able) < 2:
        return []
    components = estimate(design, values)
    noise = draw_noise(design, components.draw(rng, DRAWS), (1, DRAWS), [claim], rng)[claim][0][:, able]
    error = standard_errors(components, SOURCES[claim])[0][able[:, None], able]
    means = model_means(design, values)[0][able]
    largest = np.zeros(len(noise))
    for i, j in combinations(range(len(able)), 2):
        largest = np.maximum(largest, np.abs(noise[:, i] - noise[:, j]) / error[i, j])
    largest.sort()
    critical = float(np.quantile(largest, 1 - LEVEL))
    order = means.argsort()[::-1]
    found = []
    for i, j in combinations(order, 2):
        gap, reach = float(means[i] - means[j]), critical * float(error[i, j])
        p = float(tail(largest, np.array([gap / error[i, j]]))[0])
        found.append(Pair(scores.models[able[i]], scores.models[able[j]], gap, gap - reach, gap + reach, p))
    return sorted(found, key=lambda pair: -pair.estimate)
