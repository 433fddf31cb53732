"""Variance components of scores: between runs, images, training sets; with their uncertainty.

Mean squares (method of moments) of unpaired runs and paired images. Variance common to all models, such as a hard
image, cancels in a comparison and is not estimated. Four sources:

    run       a run's mean over its images, around the other runs of its model on the same split
    rest      a run's score on an image, beyond its mean and the image's
    image     a model's own difficulty with an image, beyond the image's effect on all models
    training  a model's own gain from a training set, beyond the set's effect on all models
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, gammaincc, polygamma

from analysis.evidence.design import Array, Design

SOURCES = ("run", "image", "training")
TINY = 1e-12
ROUNDS = 5
OUTLIER_LEVEL = 0.05
LEAST = 0.5
"""Degrees of freedom below which a model tells nothing about the differences of models."""
HEAVIEST = 0.5
"""Largest weight of one model in the effect of an image on all."""


@dataclass(frozen=True)
class MeanSquare:
    """A variance per study and model, `value` (N, M), with its degrees of `freedom` (N, M).

    `common` (N,): all models of the study have the same one, estimated from all of them together.
    """

    value: Array
    freedom: Array
    common: NDArray[np.bool_]

    def draw(self, rng: np.random.Generator, draws: int) -> Array:
        """Variances that could have given these, (N, draws, M or 1): freedom · value / chi-square(freedom).

        The fiducial distribution of a normal variance: with it, a difference over its error is Student's t.
        """
        if not self.freedom.any():
            return np.zeros((1, 1, 1))
        first = self.value[:, :1] * self.freedom[:, :1]
        drawn = first[:, None] / rng.chisquare(self.freedom[:, None, :1], (len(first), draws, 1))
        if self.common.all():
            return np.asarray(drawn)
        own = ~self.common
        drawn = np.repeat(drawn, self.value.shape[1], axis=2)
        freedom = np.broadcast_to(self.freedom[own, None], (int(own.sum()), draws, self.value.shape[1]))
        drawn[own] = (self.value * self.freedom)[own, None] / rng.chisquare(freedom)
        return np.asarray(drawn)


def mean_square(squares: Array, freedom: Array) -> MeanSquare:
    """Variances from sums of squares and degrees of freedom, (N, M) each, drawn together as far as models agree.

    Empirical Bayes of Smyth (2004, Statistical Applications in Genetics 3:3): a model counts with the others' variance
    as well as its own. A model whose variance is beyond the chi-square quantile `OUTLIER_LEVEL` / M keeps its own,
    as in Phipson et al. (2016, Annals of Applied Statistics 10:946), so that a restless one among quiet ones is not
    taken for quiet.
    """
    total = freedom.sum(axis=1, keepdims=True)
    pooled = squares.sum(axis=1, keepdims=True) / np.maximum(total, TINY)
    prior, centre = prior_freedom(squares, freedom, pooled)
    chance = gammaincc(np.maximum(freedom, TINY) / 2, squares / np.maximum(2 * pooled, 1e-300))
    restless = (freedom > 0) & (chance < OUTLIER_LEVEL / squares.shape[1])
    common = ~(np.isfinite(prior) | restless.any(axis=1, keepdims=True))
    worth = np.where(restless | common, 0.0, np.minimum(prior, total))
    value = (worth * centre + squares) / np.maximum(worth + freedom, TINY)
    return MeanSquare(
        np.where(common, pooled, value), np.where(common, total, np.minimum(worth + freedom, total)), common[:, 0]
    )


def prior_freedom(squares: Array, freedom: Array, pooled: Array) -> tuple[Array, Array]:
    """Degrees of freedom that the other models lend to one, inf if all are alike; and their variance.

    (N, 1) each. The spread of logarithms beyond chance and its standard error measures the differences of models. One
    standard error more is counted: that spread is itself an estimate.
    """
    own = (freedom >= LEAST).all(axis=0)
    infinite = np.full_like(pooled, np.inf)
    if own.sum() < 2:
        return infinite, pooled
    half = freedom[:, own] / 2
    variances = np.maximum(squares[:, own] / freedom[:, own], 1e-6 * pooled + 1e-300)
    logs = np.log(variances) - digamma(half) + np.log(half)
    chance = polygamma(1, half).mean(axis=1, keepdims=True)
    error = chance * np.sqrt(2 / (own.sum() - 1))
    excess = logs.var(axis=1, ddof=1, keepdims=True) - chance
    prior = 2 * trigamma_inverse(np.maximum(excess, 0) + error)
    centre = logs.mean(axis=1, keepdims=True) + digamma(prior / 2) - np.log(prior / 2)
    centre = np.exp(np.minimum(centre, np.log(pooled + 1e-300)))
    alike = excess <= error
    return np.where(alike, infinite, prior), np.where(alike, pooled, centre)


def trigamma_inverse(value: Array) -> Array:
    """x > 0 with trigamma(x) = value > 0, by Newton's method on 1 / trigamma (Smyth 2004, appendix)."""
    x = 0.5 + 1 / value
    for _ in range(8):
        trigamma = polygamma(1, x)
        x = x + trigamma * (1 - trigamma / value) / polygamma(2, x)
    return np.asarray(x)


@dataclass(frozen=True)
class Components:
    """Variances of the sources: `values`, each (N, M), at least 0; and the mean `squares` they come from."""

    values: Mapping[str, Array]
    squares: Mapping[str, MeanSquare]
    design: Design

    def draw(self, rng: np.random.Generator, draws: int) -> dict[str, Array]:
        """Variances of the sources that could have given these scores, (N, draws, M or 1) each."""
        drawn = {name: square.draw(rng, draws) for name, square in self.squares.items()}
        return solve(self.design, drawn, {name: square.common[:, None, None] for name, square in self.squares.items()})

    @property
    def residual(self) -> Array:
        """The part of `run` (N, M) from the scores of single images, which falls as images are added."""
        rest = self.squares["rest"].value / self.design.n_images.mean()
        return np.asarray(np.minimum(rest, self.values["run"]))

    def on(self, design: Design) -> Components:
        """The same variances in another design of as many models, to plan it, with that design's degrees of freedom."""
        more = self.design.n_images.mean() / design.n_images.mean() - 1
        run = self.values["run"] + self.residual * more
        now, then = freedoms(self.design), freedoms(design)
        squares = {
            name: replace(square, freedom=square.freedom * (then[name] / now[name] if now[name] else 0.0))
            for name, square in self.squares.items()
        }
        return replace(self, design=design, squares=squares, values={**self.values, "run": run})


def freedoms(design: Design) -> dict[str, float]:
    """Degrees of freedom of every mean square, per model."""
    own = {name: float(freedom.mean()) for name, freedom in design.freedom.items()}
    own["training"] *= design.certainty
    return {**own, "image": float((design.n_images - 1).sum()) * design.unlike}


def estimate(design: Design, scores: Array) -> Components:
    """Components of N studies with scores (N, M, K, S, I), laid out as `design` says."""
    shape = len(scores), design.shape[0]
    cells, sums = within(design, scores)
    means = np.stack([cell.mean(axis=2) for cell in cells], axis=2)
    left = means[:, *design.cells] @ design.residual
    sums["training"] = np.stack([design.per_model(row) for row in left**2])
    squares = {name: mean_square(each, np.broadcast_to(design.freedom[name], shape)) for name, each in sums.items()}
    squares["image"] = image_square(design, cells)
    training = squares["training"]
    squares["training"] = replace(training, freedom=training.freedom * design.certainty)
    common = {name: square.common[:, None] for name, square in squares.items()}
    values = solve(design, {name: square.value for name, square in squares.items()}, common)
    return Components({name: np.broadcast_to(value, shape) for name, value in values.items()}, squares, design)


def solve(design: Design, squares: Mapping[str, Array], common: Mapping[str, NDArray[np.bool_]]) -> dict[str, Array]:
    """Variances of the sources from mean squares (…, M or 1): expectations solved for them, not below 0.

    If all models have one mean square in `common`, the mean over models of its other parts is subtracted: with its
    own part subtracted, a model that seems restless would seem to gain nothing from a training set.
    """
    model, split = design.cells
    inverse_seeds = float((1 / design.seeds[model, split]).mean())
    rest = squares["rest"]

    def beyond(name: str, known: Array) -> Array:
        return np.maximum(squares[name] - np.where(common[name], known.mean(axis=-1, keepdims=True), known), 0)

    run = np.maximum(squares["run"], rest / design.n_images.mean())
    image = beyond("image", rest * inverse_seeds)
    training = np.zeros(np.ones(rest.ndim, int))
    if design.freedom["training"].any():
        traces = {name: float(trace.sum() / design.freedom["training"].sum()) for name, trace in design.traces.items()}
        training = beyond("training", run * traces["run"] + image * traces["image"]) / traces["training"]
    return {"run": run, "image": image, "training": training}


def within(design: Design, scores: Array) -> tuple[list[Array], dict[str, Array]]:
    """Means over runs, per split (N, M, I), and sums of squares (N, M) between and inside the runs of a cell."""
    sums = {name: np.zeros((len(scores), design.shape[0])) for name in ("run", "rest")}
    cells = []
    for k in range(design.shape[1]):
        present = design.runs[:, k, :, None]
        table = np.where(present, scores[:, :, k][..., design.images[k] >= 0], 0.0)
        cell = table.sum(axis=2) / np.maximum(present.sum(axis=1), 1)
        from_cell = np.where(present, table - cell[:, :, None], 0.0)
        of_run = from_cell.mean(axis=3)
        sums["run"] += (of_run**2).sum(axis=2)
        sums["rest"] += ((from_cell - of_run[..., None]) ** 2).sum(axis=(2, 3))
        cells.append(cell)
    return cells, sums


def image_square(design: Design, cells: Sequence[Array]) -> MeanSquare:
    """Mean square of an image's effect on one model beyond its effect on all; with unlike models, from the quiet ones.

    Weights are iterated a few times, as in maximum likelihood for a two-way layout with unequal variances.
    """
    shape = len(cells[0]), design.shape[0]
    square = mean_square(*image_sums(design, cells, np.ones(shape)))
    for _ in range(ROUNDS):
        odd = np.flatnonzero(~square.common)
        if not len(odd):
            break
        again = mean_square(*image_sums(design, [cell[odd] for cell in cells], 1 / square.value[odd]))
        for name in ("value", "freedom", "common"):
            getattr(square, name)[odd] = getattr(again, name)
    return square


def image_sums(design: Design, cells: Sequence[Array], weights: Array) -> tuple[Array, Array]:
    """Sums of squares and degrees of freedom (N, M) around the weighted mean (N, M) of models on each image.

    Both are smaller if splits test an image again, for that tells nothing new.
    """
    squares, freedom = np.zeros_like(weights), np.zeros_like(weights)
    for k, cell in enumerate(cells):
        own = design.seeds[:, k] > 0
        share = weights[:, own] / weights[:, own].sum(axis=1, keepdims=True)
        share = np.minimum(share, HEAVIEST)
        share /= share.sum(axis=1, keepdims=True)
        alone = cell[:, own] - cell[:, own].mean(axis=2, keepdims=True)
        squares[:, own] += ((alone - (share[..., None] * alone).sum(axis=1, keepdims=True)) ** 2).sum(axis=2)
        freedom[:, own] += (design.n_images[k] - 1) * (1 - share)
    return squares * design.unlike, freedom * design.unlike


def model_means(design: Design, scores: Array) -> Array:
    """Means of models (N, M), every split and every image of a split with equal weight."""
    with warnings.catch_warnings(action="ignore"):
        cells = np.nanmean(scores, axis=(3, 4))[:, *design.cells]
    return np.asarray(cells @ design.weights.T)
