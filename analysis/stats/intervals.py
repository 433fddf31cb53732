"""Intervals of a mean over seeds × images, for statements about other seeds and other images.

Scores are arrays (…, S, I): S seeds (one run each), I test images, every run tested on every image. Both are
samples, so both count; the model is the crossed one, score = mean + seed + image + rest. What each method
covers at so few images is simulated on this very code by `analysis.stats.coverage`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Array = NDArray[np.float64]
LEVEL = 0.95
RESAMPLES = 2000


@dataclass(frozen=True)
class Interval:
    """`mean`, and bounds `low` ≤ `high` at `level` by `method`, from `n_seeds` × `n_images` scores.

    The bounds are NaN where a single score cannot tell.
    """

    mean: float
    low: float
    high: float
    level: float
    method: str
    n_seeds: int
    n_images: int


def interval(scores: Array, rng: np.random.Generator, *, method: str = "t", level: float = LEVEL) -> Interval:
    """The interval of the mean of `scores` (S, I), or of a difference if `scores` are paired differences.

    `method` is `t` (crossed analysis of variance, no randomness; the default because its simulated coverage
    is nearest to `level`), `percentile` or `bca` (hierarchical bootstrap). Raises `ValueError` for another
    one, and for scores that are not (S, I), empty or not finite.
    """
    scores = checked(scores)
    low, high = bounds_by(method)(scores, rng, level)
    return Interval(float(scores.mean()), float(low), float(high), level, method, *scores.shape)


def checked(scores: Array) -> Array:
    """`scores` as floats; raises `ValueError` unless they are a non-empty, finite array (S, I)."""
    scores = np.asarray(scores, dtype=float)
    if scores.ndim != 2 or scores.size == 0:
        raise ValueError(f"scores must be an array of seeds × images; this one has the shape {scores.shape}.")
    if not np.isfinite(scores).all():
        raise ValueError("scores hold NaN or infinite values: leave those runs out first.")
    return scores


def standard_error(scores: Array) -> tuple[Array, Array]:
    """Standard error of the mean of `scores` (…, S, I) in the crossed model, and its degrees of freedom (…).

    Two-way analysis of variance without replication: Var(mean) = (MS_seed + MS_image − MS_rest) / SI, a
    component that would be negative counting as zero; degrees of freedom after Satterthwaite (1946,
    Biometrics Bulletin 2:110). With one seed only images vary, with one image only seeds do; a single score
    gives NaN.
    """
    seeds, images = scores.shape[-2:]
    mean = scores.mean(axis=(-2, -1), keepdims=True)
    by_seed, by_image = scores.mean(axis=-1, keepdims=True), scores.mean(axis=-2, keepdims=True)
    freedom = np.array([seeds - 1, images - 1, (seeds - 1) * (images - 1)], dtype=float)
    squares = np.stack(
        [
            images * ((by_seed - mean) ** 2).sum(axis=(-2, -1)),
            seeds * ((by_image - mean) ** 2).sum(axis=(-2, -1)),
            ((scores - by_seed - by_image + mean) ** 2).sum(axis=(-2, -1)),
        ],
        axis=-1,
    )
    of = np.divide(squares, freedom, out=np.zeros_like(squares), where=freedom > 0)
    signs = combination(of, freedom)
    variance = (signs * of).sum(axis=-1)
    spread = np.divide((signs * of) ** 2, freedom, out=np.zeros_like(of), where=freedom > 0).sum(axis=-1)
    known = freedom.sum() > 0
    degrees = np.divide(variance**2, spread, out=np.full_like(variance, freedom[:2].max()), where=spread > 0)
    return np.sqrt(np.where(known, variance, np.nan) / (seeds * images)), np.where(known, degrees, np.nan)


def combination(mean_squares: Array, freedom: Array) -> Array:
    """With which sign the mean squares of seed, image and rest (…, 3) enter the variance of the mean."""
    if freedom[2] == 0:
        return np.broadcast_to((freedom > 0).astype(float), mean_squares.shape)
    seed, image, rest = np.moveaxis(mean_squares, -1, 0)
    with_seed, with_image = seed > rest, image > rest
    return np.stack([with_seed, with_image, 1 - with_seed.astype(float) - with_image], axis=-1)


def bootstrap_means(scores: Array, rng: np.random.Generator, resamples: int = RESAMPLES) -> Array:
    """Means (resamples, …) of `scores` (…, S, I), seeds and images drawn anew independently.

    The hierarchical bootstrap for crossed factors (Owen 2007, Annals of Applied Statistics 1:386). The same
    draws serve every leading index: paired models stay paired.
    """
    seeds, images = scores.shape[-2:]
    of_seeds = rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=resamples) / seeds
    of_images = rng.multinomial(images, np.full(images, 1 / images), size=resamples) / images
    weights = (of_seeds[:, :, None] * of_images[:, None, :]).reshape(resamples, -1)
    flat = scores.reshape(-1, seeds * images)
    return np.asarray((weights @ flat.T).reshape(resamples, *scores.shape[:-2]))


def t_bounds(scores: Array, rng: np.random.Generator, level: float) -> tuple[Array, Array]:
    """Mean ± t × `standard_error`, each (…); `rng` is not used."""
    error, freedom = standard_error(scores)
    reach = stats.t.ppf((1 + level) / 2, freedom) * error
    mean = scores.mean(axis=(-2, -1))
    return mean - reach, mean + reach


def percentile_bounds(scores: Array, rng: np.random.Generator, level: float) -> tuple[Array, Array]:
    """Quantiles of `bootstrap_means`, each (…)."""
    means = bootstrap_means(scores, rng)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high


def bca_bounds(scores: Array, rng: np.random.Generator, level: float) -> tuple[Array, Array]:
    """Bias-corrected and accelerated quantiles of `bootstrap_means` (Efron 1987, JASA 82:171), each (…).

    The acceleration takes the deviations of the seeds' and of the images' means as the influence of each.
    """
    means = bootstrap_means(scores, rng)
    resamples, mean = len(means), scores.mean(axis=(-2, -1))
    below = ((means < mean).mean(axis=0) + (means <= mean).mean(axis=0)) / 2
    bias = stats.norm.ppf(below.clip(0.5 / resamples, 1 - 0.5 / resamples))
    influence = [
        (scores.mean(axis=-1 - axis) - mean[..., None]) / scores.shape[-2 + axis] for axis in range(2)
    ]
    third, second = (sum((values**power).sum(axis=-1) for values in influence) for power in (3, 2))
    acceleration = np.divide(third, 6 * second**1.5, out=np.zeros_like(mean), where=second > 0)
    ordered = np.sort(means, axis=0)

    def quantile(normal: float) -> Array:
        shifted = bias + (bias + normal) / (1 - acceleration * (bias + normal))
        rank = np.clip(np.round(stats.norm.cdf(shifted) * (resamples - 1)), 0, resamples - 1).astype(int)
        return np.asarray(np.take_along_axis(ordered, rank[None], axis=0)[0])

    reach = float(stats.norm.ppf((1 + level) / 2))
    return quantile(-reach), quantile(reach)


Bounds = Callable[[Array, np.random.Generator, float], tuple[Array, Array]]
METHODS: dict[str, Bounds] = {"t": t_bounds, "percentile": percentile_bounds, "bca": bca_bounds}


def bounds_by(method: str) -> Bounds:
    """(scores (…, S, I), Generator, level) → (low, high), each (…). Raises `ValueError` without such a method."""
    if method not in METHODS:
        raise ValueError(f"there is no interval called {method!r}: take one of {', '.join(METHODS)}.")
    return METHODS[method]
