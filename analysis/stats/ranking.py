"""Which of several models is the best, how surely, and would another split of the images agree?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from analysis.stats.intervals import RESAMPLES, Array, checked


def probability_best(
    scores: Mapping[str, Array], rng: np.random.Generator, *, resamples: int = RESAMPLES
) -> dict[str, float]:
    """In what fraction of hierarchical bootstrap samples each model has the highest mean; ties are shared.

    `scores` maps a model to (S, I), the same I images in the same order for all, S may differ. Images are
    resampled for all models at once (paired), seeds for each model on its own. It is a description of these
    scores, more certain than it should be where images are few. Raises `ValueError` if the numbers of images
    differ.
    """
    arrays = {model: checked(values) for model, values in scores.items()}
    images = {values.shape[1] for values in arrays.values()}
    if len(images) != 1:
        raise ValueError(f"models must share their test images; these have {sorted(images)} of them.")
    n = images.pop()
    weights = rng.multinomial(n, np.full(n, 1 / n), size=resamples) / n
    means = np.stack(
        [(resampled_seeds(values, rng, resamples) * weights).sum(axis=1) for values in arrays.values()]
    )
    best = np.isclose(means, means.max(axis=0), rtol=0, atol=1e-12)
    return dict(zip(arrays, (best / best.sum(axis=0)).mean(axis=1).tolist(), strict=True))


def resampled_seeds(scores: Array, rng: np.random.Generator, resamples: int) -> Array:
    """Means over seeds drawn with replacement, (resamples, I), of `scores` (S, I)."""
    seeds = len(scores)
    return np.asarray(rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=resamples) / seeds @ scores)


def probability_of_improvement(a: ArrayLike, b: ArrayLike) -> float:
    """Probability that a run of `a` scores higher than one of `b` on an image, ties half; mean over images.

    `a` (S, I), `b` (T, I), the same images; Mann-Whitney's U / ST per image (Agarwal et al. 2021, NeurIPS:
    rliable, with images in the place of tasks). Raises `ValueError` if the numbers of images differ.
    """
    first, second = checked(np.asarray(a, dtype=float)), checked(np.asarray(b, dtype=float))
    if first.shape[1] != second.shape[1]:
        raise ValueError(
            f"models must share their test images; these have {first.shape[1]} and {second.shape[1]}."
        )
    u = stats.mannwhitneyu(first, second, axis=0, method="asymptotic").statistic
    return float(np.mean(u) / (len(first) * len(second)))


def interquartile_mean(scores: ArrayLike) -> float:
    """Mean of the middle half of all scores (S, I) (Agarwal et al. 2021): 25 % are cut off at each end."""
    return float(stats.trim_mean(checked(np.asarray(scores, dtype=float)), 0.25, axis=None))


@dataclass(frozen=True)
class RankStability:
    """How far K splits agree on the order of N models.

    `kendall_w`: Kendall's coefficient of concordance, 1 if all agree, about 1/K by chance. `mean_tau`:
    Kendall's tau-b, mean over pairs of splits. `p`: Friedman's test of "all models are equal" (NaN for fewer
    than 3 models). `first`: in what fraction of splits each model comes first, ties shared, in the order of
    the columns.
    """

    kendall_w: float
    mean_tau: float
    p: float
    first: tuple[float, ...]


def rank_stability(scores: ArrayLike) -> RankStability:
    """Agreement of the rows of `scores` (K, N): one score per split and model, the higher the better.

    Raises `ValueError` for fewer than 2 splits or 2 models, or NaN.
    """
    values = checked(np.asarray(scores, dtype=float))
    splits, models = values.shape
    if splits < 2 or models < 2:
        raise ValueError(f"ranks need at least 2 splits and 2 models; here are {splits} and {models}.")
    ranks = stats.rankdata(values, axis=1)
    taus = [stats.kendalltau(a, b).statistic for a, b in combinations(values, 2)]
    top = values == values.max(axis=1, keepdims=True)
    return RankStability(
        kendall_w=concordance(ranks),
        mean_tau=float(np.mean(taus)),
        p=float(stats.friedmanchisquare(*values.T).pvalue) if models > 2 else float("nan"),
        first=tuple((top / top.sum(axis=1, keepdims=True)).mean(axis=0).tolist()),
    )


def concordance(ranks: Array) -> float:
    """Kendall's W of `ranks` (K, N), corrected for ties (Kendall & Babington Smith 1939); else NaN."""
    splits, models = ranks.shape
    spread = float(((ranks.sum(axis=0) - splits * (models + 1) / 2) ** 2).sum())
    ties = sum(float((counts**3 - counts).sum()) for counts in map(tie_counts, ranks))
    possible = splits**2 * (models**3 - models) - splits * ties
    return 12 * spread / possible if possible > 0 else float("nan")


def tie_counts(ranks: Array) -> Array:
    """How many models share each rank."""
    return np.unique(ranks, return_counts=True)[1].astype(float)
