"""Tidy scores (a row per model × fold × seed × image) → arrays of seeds × images, paired for two models."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from analysis.stats.intervals import Array

COLUMNS = ("model", "fold", "seed", "image")


def check_scores(scores: pd.DataFrame, metric: str) -> pd.DataFrame:
    """`scores` reduced to `COLUMNS` and `metric`.

    Raises `ValueError` if one is missing, a value is NaN, or a row repeats.

    Two runs of the same model, fold and seed are one too many: keep one, or give them different seeds.
    """
    missing = [name for name in (*COLUMNS, metric) if name not in scores]
    if missing:
        raise ValueError(f"scores lack the columns {', '.join(missing)}.")
    tidy = scores[[*COLUMNS, metric]]
    if tidy[metric].isna().any():
        raise ValueError(
            f"{int(tidy[metric].isna().sum())} scores have no {metric}: leave those runs out first."
        )
    repeated = tidy[tidy.duplicated(list(COLUMNS))]
    if len(repeated):
        model, fold, seed, image = repeated.iloc[0][list(COLUMNS)]
        raise ValueError(
            f"{model} has image {image} of fold {fold} twice with seed {seed}: keep one run of a seed."
        )
    return tidy


def score_tables(scores: pd.DataFrame, metric: str) -> dict[tuple[str, object], pd.DataFrame]:
    """By (model, fold): seeds (rows) × images (columns), both sorted; seeds that lack an image are left out.

    Raises `ValueError` if that leaves none: then the runs of a model were not tested on the same images.
    """
    tables = {
        (str(model), fold): chosen.pivot(index="seed", columns="image", values=metric).dropna()
        for (model, fold), chosen in scores.groupby(["model", "fold"])
    }
    for (model, fold), table in tables.items():
        if table.empty:
            raise ValueError(
                f"no seed of {model} has all test images of fold {fold}: were they tested on the same?"
            )
    return tables


def paired_differences(a: pd.DataFrame, b: pd.DataFrame) -> Array:
    """Scores of `a` minus scores of `b`, (S, I), over the images both have; the two are seeds × images.

    S are the seeds that both have; if they share none, each one's mean over its own seeds counts, and S is 1.
    Empty if they share no image.
    """
    images = a.columns.intersection(b.columns)
    seeds = a.index.intersection(b.index)
    if not len(seeds):
        return np.asarray((a[images].mean() - b[images].mean()).to_numpy(dtype=float)[None])
    return np.asarray((a.loc[seeds, images] - b.loc[seeds, images]).to_numpy(dtype=float))


def ratio_scores(numerator: ArrayLike, denominator: ArrayLike) -> Array:
    """Scores (S, I) whose mean over images is each seed's pooled ratio: for intervals of pooled metrics.

    `numerator`, `denominator` (S, I): counts, for IoU tp and tp + fp + fn. Linearised: R + (num − R·den) /
    mean den, with R = Σ num / Σ den (Cochran 1977, Sampling Techniques, ch. 6). Raises `ValueError` if a
    seed's denominators are all 0.
    """
    top, bottom = np.asarray(numerator, dtype=float), np.asarray(denominator, dtype=float)
    if not (bottom.sum(axis=-1) > 0).all():
        raise ValueError("a pooled ratio needs a denominator above 0 in at least one image of every seed.")
    ratio = top.sum(axis=-1, keepdims=True) / bottom.sum(axis=-1, keepdims=True)
    return np.asarray(ratio + (top - ratio * bottom) / bottom.mean(axis=-1, keepdims=True))
