"""How many seeds, images or training sets would decide a comparison that cannot be told now?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri, stdtrit

from analysis.evidence.claims import CLAIMS, LEVEL, SOURCES
from analysis.evidence.components import Components
from analysis.evidence.study import Array

POWER = 0.8
MOST = 1000
"""Seeds, images or training sets; more than that is told as never."""


@dataclass(frozen=True)
class Needed:
    """The number of each that decides with a chance of `POWER`, the others staying as they are; None: no number does.

    `seeds` are runs of a model on each split, `images` all test images, `splits` training sets of photographs of their
    own. `seeds_and_images` is for both growing by one factor.
    """

    seeds: int | None = None
    images: int | None = None
    splits: int | None = None
    seeds_and_images: tuple[int, int] | None = None


@dataclass(frozen=True)
class Size:
    """Factors by which seeds, images and splits grow, (n,) each or 1."""

    seeds: Array | float = 1.0
    images: Array | float = 1.0
    splits: Array | float = 1.0


def plan(
    components: Components,
    claim: str,
    pair: tuple[int, int],
    gap: float,
    factors: tuple[float, float],
    margin: float,
) -> Needed:
    """What decides between two models whose means differ by `gap` if that is the truth: worse, or equivalent.

    `factors`: how many standard errors make a difference and an equivalence when errors are known exactly.
    """
    design = components.design
    seeds, images, splits = design.seeds[design.seeds > 0].min(), design.distinct, design.shape[1]
    parts = variances(components, claim, pair)
    counts = np.arange(1, MOST + 1)

    def first(size: Callable[[Array], Size], now: float) -> int | None:
        enough = decides(components, parts, size(counts / now), gap, factors, margin)
        enough &= counts >= now
        return int(counts[enough.argmax()]) if enough.any() else None

    own = design.common_training[0, -1] == 0 if splits > 1 else True
    both = first(lambda n: Size(n, n), float(seeds))
    return Needed(
        first(lambda n: Size(seeds=n), float(seeds)),
        None if claim == CLAIMS[0] else first(lambda n: Size(images=n), float(images)),
        first(lambda n: Size(splits=n), float(splits)) if claim == CLAIMS[2] and own else None,
        (both, int(np.ceil(images * both / seeds))) if both and claim != CLAIMS[0] else None,
    )


def variances(components: Components, claim: str, pair: tuple[int, int]) -> Mapping[str, float]:
    """By source, the variance of the difference between two means; `rest` is the part of runs that images wear off."""
    values = {name: components.values[name][0] for name in SOURCES[claim]}
    structures = {name: components.design.covariances[name] for name in values}
    values["rest"], structures["rest"] = components.residual[0], structures["run"]
    values["run"] = values["run"] - values["rest"]
    a, b = pair
    return {
        name: float(
            own[a] * structures[name][a, a]
            + own[b] * structures[name][b, b]
            - 2 * np.sqrt(own[a] * own[b]) * structures[name][a, b]
        )
        for name, own in values.items()
    }


def decides(
    components: Components,
    parts: Mapping[str, float],
    size: Size,
    gap: float,
    factors: tuple[float, float],
    margin: float,
) -> np.ndarray:
    """Whether a study of each size finds the gap, or that it is below the margin, with a chance of `POWER`."""
    grown = {
        "run": np.asarray(size.seeds) * size.splits,
        "rest": np.asarray(size.seeds) * size.splits * size.images,
        "image": np.asarray(size.images) * size.splits,
        "training": np.asarray(size.splits, dtype=float),
    }
    freedom = {name: max(float(components.squares[name].freedom[0].max()), 0.5) for name in parts}
    left = {name: parts[name] / grown[name] for name in parts}
    total = sum(left.values(), np.zeros(1))
    spread = sum((left[name] ** 2 / (freedom[name] * grown[name]) for name in parts), np.zeros(1))
    degrees = total**2 / np.maximum(spread, 1e-300)
    wider = stdtrit(degrees, 1 - LEVEL / 2) / ndtri(1 - LEVEL / 2)
    chance = ndtri(POWER)
    error = np.sqrt(total)
    differs = gap >= (factors[0] * wider + chance) * error
    return np.asarray(differs | (margin - gap >= (factors[1] * wider + chance) * error))


def normal_factors(n_models: int, rng: np.random.Generator, level: float = LEVEL) -> tuple[float, float]:
    """Standard errors that make a difference, and an equivalence, among so many models if errors were known."""
    normal = rng.standard_normal((20_000, n_models))
    spread = np.ptp(normal, axis=1) / np.sqrt(2)
    above = (normal[:, 1:].max(axis=1) - normal[:, 0]) / np.sqrt(2)
    return float(np.quantile(spread, 1 - level)), float(np.quantile(above, 1 - level))
