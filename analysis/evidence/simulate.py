"""Studies drawn from a known truth: rates of false claims and of differences found by a design."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.evidence.claims import CLAIMS, LEVEL, MARGIN, comparable, judge
from analysis.evidence.components import Components
from analysis.evidence.design import Array, Design

STUDIES = 400
DRAWS = 500
AT_ONCE = 2_000_000
"""Approximate number of random numbers held at once."""


@dataclass(frozen=True)
class Truth:
    """Deviations of a model's own effects: of `seed`, `image`, `training` set and `rest`, numbers or (M,).

    `common` is that of an image on all models alike. With `skewed` images a few are much worse than the others, for
    all models and for each: turned log-normal numbers with log-deviation 1.
    """

    seed: Array | float
    image: Array | float
    training: Array | float
    rest: Array | float
    common: float = 0.0
    skewed: bool = False


def truth(components: Components) -> Truth:
    """The estimates of one study, taken for the truth."""
    values = {name: value[0] for name, value in components.values.items()}
    rest = components.squares["rest"].value[0] if components.squares["rest"].freedom.any() else 0.0
    seed = np.maximum(values["run"] - rest / components.design.n_images.mean(), 0)
    return Truth(np.sqrt(seed), np.sqrt(values["image"]), np.sqrt(values["training"]), np.sqrt(rest))


def draw(
    design: Design, true: Truth, means: Array, studies: int, rng: np.random.Generator
) -> tuple[Array, dict[str, Array]]:
    """Scores (N, M, K, S, I) of studies, and by claim the true values (N, M) that it speaks of."""
    (n_models, n_splits), runs, width = design.shape, design.runs.shape[2], design.images.shape[1]

    def per_model(deviation: Array | float) -> Array:
        return np.broadcast_to(deviation, n_models)[:, None, None, None]

    pictures = int(design.images.max()) + 1
    own = effects(true.skewed, (studies, n_models, pictures), rng)[:, :, design.images]
    shared = true.common * effects(true.skewed, (studies, 1, pictures), rng)[:, :, design.images]
    root = np.linalg.cholesky(design.common_training + 1e-9 * np.eye(n_splits))
    training = (rng.standard_normal((studies, n_models, n_splits)) @ root.T)[..., None, None]
    training = per_model(true.training) * training
    own = per_model(true.image) * own[:, :, :, None]
    scores = means[:, None, None, None] + training + own + shared[:, :, :, None]
    scores = scores + per_model(true.seed) * rng.standard_normal((studies, n_models, n_splits, runs, 1))
    if np.any(true.rest):
        scores = scores + per_model(true.rest) * rng.standard_normal((studies, n_models, n_splits, runs, width))
    scores = np.where(design.runs[..., None] & (design.images >= 0)[:, None], scores, np.nan)
    fixed = np.broadcast_to(means, (studies, n_models))
    cells = np.stack([training[..., 0, 0], np.nanmean((training + own)[..., 0, :], axis=3, where=design.images >= 0)])
    of_sets, of_images = cells[:, :, *design.cells] @ design.weights.T
    return scores, {CLAIMS[0]: fixed + of_images, CLAIMS[1]: fixed + of_sets, CLAIMS[2]: fixed}


def effects(skewed: bool, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Effects with mean 0 and deviation 1."""
    normal = rng.standard_normal(shape)
    return (np.exp(0.5) - np.exp(normal)) / np.sqrt((np.e - 1) * np.e) if skewed else normal


@dataclass(frozen=True)
class Rates:
    """Rates over simulated studies, by claim: `worse` (M,): each model is called worse; `any`: at least one is."""

    worse: Mapping[str, Array]
    any: Mapping[str, float]
    studies: int


def rates(
    design: Design,
    true: Truth,
    means: Array,
    rng: np.random.Generator,
    *,
    margin: float = MARGIN,
    level: float = LEVEL,
    studies: int = STUDIES,
) -> Rates:
    """Rates of verdicts by `judge` in studies of this design whose models have these true means (M,).

    They have them on the images, and with the training sets, that the claim speaks of: a chance gain from those of a
    study is the model's own there, not an error.
    """
    names = [name for name in CLAIMS if comparable(design, name).sum() > 1]
    at_once = max(1, AT_ONCE // (DRAWS * len(means) + design.runs.size * design.images.shape[1]))
    found: dict[str, list[NDArray[np.bool_]]] = {name: [] for name in names}
    for start in range(0, studies, at_once):
        scores, targets = draw(design, true, means, min(at_once, studies - start), rng)
        handicaps = {name: target - means for name, target in targets.items()}
        judgement = judge(
            design, scores, rng, margin=margin, level=level, draws=DRAWS, claims=names, handicaps=handicaps
        )
        claims = judgement.claims
        for name in names:
            found[name].append(np.asarray(claims[name].p < level))
    worse = {name: np.concatenate(parts) for name, parts in found.items()}
    return Rates(
        {name: each.mean(axis=0) for name, each in worse.items()},
        {name: float(each.any(axis=1).mean()) for name, each in worse.items()},
        studies,
    )
