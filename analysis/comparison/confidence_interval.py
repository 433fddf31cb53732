"""The interval of one model's mean over seeds × images, for statements about other seeds and other images.

`python -m bench.intervals` simulates its coverage.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

Array = NDArray[np.float64]
CONFIDENCE = 0.95


def interval(scores: Array, level: float = CONFIDENCE) -> tuple[Array, Array]:
    """Ends of the interval of the mean of `scores` (…, S, I) by Student's t, each (…); NaN for a single score."""
    error, freedom = standard_error(scores)
    reach = stdtrit(freedom, (1 + level) / 2) * error
    mean = scores.mean(axis=(-2, -1))
    return np.asarray(mean - reach), np.asarray(mean + reach)


def standard_error(scores: Array) -> tuple[Array, Array]:
    """Standard error of the mean of `scores` (…, S, I) in the crossed model, and its degrees of freedom, both (…).

    Two-way analysis of variance without replication: Var(mean) = (MS_seed + MS_image − MS_rest) / SI, a component that
    would be negative counting as zero; degrees of freedom after Satterthwaite (1946, Biometrics Bulletin 2:110). With
    one seed only images vary, with one image only seeds do; a single score gives NaN.
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
    """Signs with which the mean squares of seed, image and rest (…, 3) enter the variance of the mean."""
    if freedom[2] == 0:
        return np.broadcast_to((freedom > 0).astype(float), mean_squares.shape)
    seed, image, rest = np.moveaxis(mean_squares, -1, 0)
    with_seed, with_image = seed > rest, image > rest
    return np.stack([with_seed, with_image, 1 - with_seed.astype(float) - with_image], axis=-1)
