"""What an interval that says 95 % covers at so few images and seeds: simulated, on the code that makes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from analysis.stats.intervals import LEVEL, METHODS, Array, bounds_by

SIMULATIONS = 2000
CHUNK = 250_000
"""Numbers drawn at once, at most."""


@dataclass(frozen=True)
class Spread:
    """How scores vary around their mean, in IoU: standard deviations of seed, image and rest (the crossed
    model).

    `shape` is that of the images' part: `normal`, or `skewed`, a few images much worse than the others (a
    log-normal with log-deviation 1, turned round), or `difference`, that of two models each skewed so:
    symmetric with heavy tails, as paired differences of equal models are. Seeds and rest are normal.
    """

    seed: float = 0.005
    image: float = 0.010
    rest: float = 0.005
    shape: str = "normal"


USUAL = Spread()
"""Deviations as measured on 10/4/4 splits of jigsaw photographs: seeds 0.005 to 0.010, images 0.01."""
SPREADS = {
    "normal": USUAL,
    "even": Spread(0.010, 0.010, 0.010),
    "skewed images": Spread(shape="skewed"),
    "difference of two": Spread(shape="difference"),
}
SHAPES = ("normal", "skewed", "difference")


def simulate(spread: Spread, shape: tuple[int, int, int], rng: np.random.Generator) -> Array:
    """Scores (N, S, I) around a true mean of 0; raises `ValueError` for another shape of the images' part."""
    n, seeds, images = shape
    of_images = image_effects(spread.shape, (n, 1, images), rng)
    of_seeds, rest = rng.normal(size=(n, seeds, 1)), rng.normal(size=(n, seeds, images))
    return np.asarray(spread.seed * of_seeds + spread.image * of_images + spread.rest * rest)


def image_effects(name: str, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Effects of images with mean 0 and deviation 1."""
    if name not in SHAPES:
        raise ValueError(f"there is no shape called {name!r}: take one of {', '.join(SHAPES)}.")
    if name == "normal":
        return rng.normal(size=shape)
    skewed = (np.exp(0.5) - np.exp(rng.normal(size=(2, *shape)))) / np.sqrt((np.e - 1) * np.e)
    return np.asarray(skewed[0] if name == "skewed" else (skewed[0] - skewed[1]) / np.sqrt(2))


@dataclass(frozen=True)
class Coverage:
    """`coverage`: the fraction of `simulations` whose interval held the truth, its `standard_error`; `width`:
    median."""

    coverage: float
    standard_error: float
    width: float
    simulations: int


def simulated_coverage(
    n_images: int,
    n_seeds: int,
    method: str,
    rng: np.random.Generator,
    *,
    level: float = LEVEL,
    spread: Spread = USUAL,
    simulations: int = SIMULATIONS,
) -> Coverage:
    """How often the interval by `method` holds the true mean if scores vary as `spread` says.

    Raises `ValueError` for an unknown method, and where a single score leaves nothing to vary.
    """
    bounds = bounds_by(method)
    if n_images * n_seeds < 2:
        raise ValueError(
            f"{n_images} image and {n_seeds} seed: an interval needs at least two images or two seeds."
        )
    held, widths, left = [], [], simulations
    while left:
        n = min(left, max(1, CHUNK // (n_images * n_seeds)))
        low, high = bounds(simulate(spread, (n, n_seeds, n_images), rng), rng, level)
        held.append((low <= 0) & (high >= 0))
        widths.append(high - low)
        left -= n
    return summed(np.concatenate(held), np.concatenate(widths))


def summed(held: Array, widths: Array) -> Coverage:
    """The coverage of intervals of which `held` (N,) says whether the truth was in them."""
    share = float(held.mean())
    return Coverage(
        share, float(np.sqrt(share * (1 - share) / len(held))), float(np.median(widths)), len(held)
    )


@dataclass(frozen=True)
class Resplit:
    """K random splits of the same few labelled images.

    The deviations, in IoU, are those of a test image, a training image and the rest (seed, step order).
    """

    n_train: int = 10
    n_val: int = 4
    n_test: int = 4
    image: float = 0.010
    training: float = 0.020
    rest: float = 0.003


def simulated_split_coverage(
    n_splits: int,
    rng: np.random.Generator,
    *,
    corrected: bool = True,
    level: float = LEVEL,
    resplit: Resplit | None = None,
    simulations: int = SIMULATIONS,
) -> Coverage:
    """Coverage of the t interval over `n_splits` overlapping splits, corrected (Nadeau & Bengio) or not.

    A split scores the mean difficulty of its test images plus the mean worth of its training images plus
    noise.
    """
    plan = resplit or Resplit()
    images = plan.n_train + plan.n_val + plan.n_test
    order = rng.permuted(np.tile(np.arange(images), (simulations, n_splits, 1)), axis=-1)
    difficulty, worth = rng.normal(size=(2, simulations, 1, images)) * [[[[plan.image]]], [[[plan.training]]]]
    tested = np.take_along_axis(difficulty, order[..., : plan.n_test], axis=-1).mean(axis=-1)
    trained = np.take_along_axis(worth, order[..., -plan.n_train :], axis=-1).mean(axis=-1)
    scores = tested + trained + plan.rest * rng.normal(size=tested.shape)
    overlap = plan.n_test / plan.n_train if corrected else 0.0
    error = np.sqrt(scores.var(axis=1, ddof=1) * (1 / n_splits + overlap))
    reach = stats.t.ppf((1 + level) / 2, n_splits - 1) * error
    return summed(np.abs(scores.mean(axis=1)) <= reach, 2 * reach)


def coverage_table(
    rng: np.random.Generator,
    *,
    images: Sequence[int] = (4, 8, 18),
    seeds: Sequence[int] = (1, 3, 5, 10),
    simulations: int = SIMULATIONS,
) -> pd.DataFrame:
    """`simulated_coverage` of every method: a row per spread, number of images and of seeds, a column per
    method."""
    rows = [
        {"spread": name, "images": n_images, "seeds": n_seeds}
        | {
            method: simulated_coverage(
                n_images, n_seeds, method, rng, spread=spread, simulations=simulations
            ).coverage
            for method in METHODS
        }
        for name, spread in SPREADS.items()
        for n_images in images
        for n_seeds in seeds
    ]
    return pd.DataFrame(rows)


def split_table(
    rng: np.random.Generator, *, splits: Sequence[int] = (2, 3, 5, 10, 20), simulations: int = SIMULATIONS
) -> pd.DataFrame:
    """`simulated_split_coverage` with and without the correction, a row per number of splits."""
    rows = [
        {"splits": k}
        | {
            name: simulated_split_coverage(k, rng, corrected=corrected, simulations=simulations).coverage
            for name, corrected in (("corrected t", True), ("t", False))
        }
        for k in splits
    ]
    return pd.DataFrame(rows)
