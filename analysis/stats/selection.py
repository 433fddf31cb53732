"""What choosing costs: the best of n trials, and how much the best of many looks better than it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln

from analysis import AnalysisError
from analysis.stats.intervals import Array, checked

EXCHANGEABLE = ("random", "grid")
"""Sweep methods whose trials could as well have come in any other order."""
CONTENDERS = 4
"""Models further below the best than this are no rivals of it; how far they are must not count as a spread of
rivals."""


def expected_best(values: ArrayLike, *, method: str, reported: ArrayLike | None = None) -> Array:
    """Expected best of n trials for n = 1 … N, (N,), from the N trials of a sweep, higher is better.

    The question of Dodge et al. (2019, arXiv:1909.03004), with the unbiased estimator of Tang et al. (2020,
    arXiv:2004.13705): the mean over all subsets of n of the N trials, not over draws with replacement.
    `reported` (N,) is averaged in place of `values` (N,), which then only choose: the test score of the trial
    with the best validation.

    Raises `AnalysisError` unless `method` (of the sweep) is `random` or `grid`: a Bayesian search proposes a
    trial because of the ones before it, so a subset of its trials is not what a shorter search would have
    given. Raises `ValueError` for NaN, no trials, or lengths that differ.
    """
    if method not in EXCHANGEABLE:
        raise AnalysisError(
            f"The expected best of n trials is not defined for a sweep of method {method}: its trials depend on those"
            " before them, so fewer of them are not a shorter search; use a random or grid sweep."
        )
    found = checked(np.atleast_2d(np.asarray(values, dtype=float)))[0]
    told = found if reported is None else checked(np.atleast_2d(np.asarray(reported, dtype=float)))[0]
    if told.shape != found.shape:
        raise ValueError(f"{len(found)} trials, but {len(told)} reported values: they must be as many.")
    ordered = told[np.argsort(found, kind="stable")]
    return np.asarray(winning_chances(len(found)) @ ordered)


def winning_chances(trials: int) -> Array:
    """Row n−1, column i: chance that the i-th lowest of N `trials` is the best of n drawn without
    replacement.

    That is C(i, n−1) / C(N, n), i from 0; (N, N).
    """
    n, i = np.arange(1, trials + 1)[:, None], np.arange(trials)[None, :]
    possible = i >= n - 1
    chosen = np.where(possible, i, n - 1)
    logs = gammaln(chosen + 1) - gammaln(n) - gammaln(chosen - n + 2)
    logs -= gammaln(trials + 1) - gammaln(n + 1) - gammaln(trials - n + 1)
    return np.where(possible, np.exp(logs), 0.0)


@dataclass(frozen=True)
class Optimism:
    """The best of `n_models` on `n_images`: its `observed` mean, how much of it is luck, and what is left.

    `corrected` = `observed` − `optimism`, an estimate of its mean on other images (and seeds, where there
    were several).
    """

    winner: str
    observed: float
    optimism: float
    corrected: float
    n_models: int
    n_images: int


def selection_optimism(
    scores: Mapping[str, Array],
    rng: np.random.Generator,
    *,
    resamples: int = 2000,
    inflation: float = 1.0,
) -> Optimism:
    """The winner's advantage from being the best of N; `scores` maps a model to (S, I), equal images.

    Parametric bootstrap. The models within `CONTENDERS` standard deviations of a difference from the best are
    drawn together until they spread no more than noise leaves room for (their variance minus that of the
    noise, at least 0); taken for the truth, they get new noise, the best is chosen, and its noise is
    averaged. Noise is what images and, where there are several, seeds add to a mean; what an image does to
    all models alike cannot flatter one of them. `inflation` multiplies its variance (overlapping splits in
    the place of images).

    In simulations with 4 to 50 models on 4 or 18 images it finds 0.8 to 1.4 of the true optimism, where resampling
    the images finds half to two thirds if all models are equal. One model cannot be flattered: 0. NaN where a
    single image leaves noise unknown. Raises `ValueError` if the numbers of images differ.
    """
    arrays = {model: checked(values) for model, values in scores.items()}
    images = {values.shape[1] for values in arrays.values()}
    if len(images) != 1:
        raise ValueError(f"models must share their images; these have {sorted(images)} of them.")
    means = np.array([values.mean() for values in arrays.values()])
    at, n_images = int(means.argmax()), images.pop()
    luck = 0.0
    if len(means) > 1:
        noise = (
            noise_of_means(list(arrays.values())) * inflation if n_images > 1 else np.full(len(means), np.nan)
        )
        luck = luck_of_the_best(means, noise, rng, resamples)
    return Optimism(list(arrays)[at], float(means[at]), luck, float(means[at]) - luck, len(means), n_images)


def luck_of_the_best(means: Array, noise: Array, rng: np.random.Generator, resamples: int) -> float:
    """Expected noise of the highest of `means` (N,) whose noise has the variances `noise` (N,)."""
    near = ~(means < means.max() - CONTENDERS * np.sqrt(noise + noise[means.argmax()]))
    means, noise = means[near], noise[near]
    spread = means.var(ddof=1) if len(means) > 1 else 0.0
    shrink = np.sqrt(max(0.0, 1 - noise.mean() / spread)) if spread > 0 else 0.0
    drawn = rng.normal(size=(resamples, len(means))) * np.sqrt(noise)
    best = (shrink * means + drawn).argmax(axis=1)
    return float(drawn[np.arange(resamples), best].mean())


def noise_of_means(arrays: list[Array]) -> Array:
    """Variance (N,) of each model's mean around its true one, but for what images do to all models alike.

    From the interaction of models and images, and the variance between seeds beyond what images explain; for
    at least 2 models and 2 images.
    """
    by_image = np.stack([values.mean(axis=0) for values in arrays])
    models, images = by_image.shape
    rest = by_image - by_image.mean(axis=1, keepdims=True) - by_image.mean(axis=0) + by_image.mean()
    interaction = (rest**2).sum() / ((models - 1) * (images - 1)) / images
    of_seeds = seed_variance(arrays) / np.array([len(values) for values in arrays])
    return np.asarray(interaction + of_seeds)


def seed_variance(arrays: list[Array]) -> float:
    """Variance between seeds of a model's mean over images, pooled, less the rest's part; at least 0."""
    several = [values for values in arrays if len(values) > 1]
    if not several:
        return 0.0
    between = float(np.mean([values.mean(axis=1).var(ddof=1) for values in several]))
    centred = [v - v.mean(axis=1, keepdims=True) - v.mean(axis=0) + v.mean() for v in several]
    freedom = sum((len(v) - 1) * (v.shape[1] - 1) for v in several)
    rest = sum((float((v**2).sum()) for v in centred), 0.0) / freedom if freedom else 0.0
    return float(max(0.0, between - rest / several[0].shape[1]))
