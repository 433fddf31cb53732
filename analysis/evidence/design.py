"""A study as numbers: the scores of several models over splits, seeds and images, and their layout."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class ScoresError(ValueError):
    """These scores cannot be compared; the text is one sentence with the reason and the remedy."""


@dataclass(frozen=True)
class Scores:
    """Scores (M, K, S, I): models, splits, runs of a model on a split, images; NaN pads runs and images.

    A run has a score for every image of its split. Runs of two models are not paired, whatever their seeds are called.
    `images` (K, I) numbers the images, −1 pads. A split is a training set with its test images. `train` is the number
    of training images that splits draw from the same photographs as the test images; 0 if each split has photographs
    of its own; None if unknown. `notes` are sentences on omissions.
    """

    models: tuple[str, ...]
    splits: tuple[str, ...]
    values: Array
    images: NDArray[np.int64]
    train: int | None = None
    notes: tuple[str, ...] = field(default=())

    @cached_property
    def design(self) -> Design:
        return Design(np.asarray(~np.isnan(self.values).all(axis=3)), self.images, self.train)


@dataclass(frozen=True)
class Design:
    """Layout of a study: `runs` (M, K, S) bool, `images` (K, I), `train` as in `Scores`.

    A cell is a model on a split. Means of models are least squares over cells with one effect per split, so a hard
    split counts for no model alone. Raises `ScoresError` if models share no split, even through others.
    """

    runs: NDArray[np.bool_]
    images: NDArray[np.int64]
    train: int | None = None

    def __post_init__(self) -> None:
        if self.shape[0] < 2:
            raise ScoresError("there is one model: a comparison needs at least two.")
        if round(np.trace(self.residual)) > len(self.residual) - sum(self.shape) + 1:
            raise ScoresError("some models share no split, not even through others: run them on the same split.")

    @property
    def shape(self) -> tuple[int, int]:
        """Models and splits."""
        return self.runs.shape[0], self.runs.shape[1]

    @cached_property
    def seeds(self) -> Array:
        """Runs of each model on each split, (M, K)."""
        return np.asarray(self.runs.sum(axis=2), dtype=float)

    @cached_property
    def n_images(self) -> Array:
        """Test images of each split, (K,)."""
        return np.asarray((self.images >= 0).sum(axis=1), dtype=float)

    @cached_property
    def distinct(self) -> int:
        """Different test images over all splits."""
        return len(np.unique(self.images[self.images >= 0]))

    @cached_property
    def cells(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Model and split of every cell, (C,) each."""
        model, split = np.nonzero(self.seeds)
        return model, split

    @cached_property
    def _solution(self) -> tuple[Array, Array]:
        """Least squares: means of models from cells (M, C), and residuals of the cells (C, C)."""
        (n_models, n_splits), (model, split) = self.shape, self.cells
        columns = np.zeros((len(model), n_models + n_splits - 1))
        columns[np.arange(len(model)), model] = 1
        effects = np.vstack([np.eye(n_splits - 1), -np.ones((1, n_splits - 1))])
        columns[:, n_models:] = effects[split]
        inverse = np.asarray(np.linalg.pinv(columns), dtype=float)
        return inverse[:n_models], np.asarray(np.eye(len(model)) - columns @ inverse)

    @property
    def weights(self) -> Array:
        """Means of models from cells, (M, C)."""
        return self._solution[0]

    @property
    def residual(self) -> Array:
        """Residual of cells after effects of models and splits, (C, C)."""
        return self._solution[1]

    @cached_property
    def common_images(self) -> Array:
        """(K, K): covariance of two splits' means over images, for an image effect of variance 1."""
        member = np.zeros((len(self.images), int(self.images.max()) + 1))
        for row, images in zip(member, self.images, strict=True):
            row[images[images >= 0]] = 1
        return np.asarray(member @ member.T / np.outer(self.n_images, self.n_images))

    @cached_property
    def common_training(self) -> Array:
        """(K, K): correlation of the effects of two training sets, at most the share of images that they share.

        The bound is Hoeffding's (1948) for any function of a set that does not depend on its order. Images that were
        not tested count as trained on or validated on at random.
        """
        n_splits = self.shape[1]
        if n_splits == 1 or self.train == 0:
            return np.eye(n_splits)
        shared = self.common_images * np.outer(self.n_images, self.n_images)
        rest = self.distinct - self.n_images
        train = np.maximum(1.0, self.distinct - 2 * self.n_images if self.train is None else self.train)
        untested = self.distinct - self.n_images[:, None] - self.n_images + shared
        share = untested / np.maximum(rest[:, None], 1) * np.minimum(train / np.maximum(rest, 1), 1)
        share = np.clip((share + share.T) / 2, 0, 0.95)
        np.fill_diagonal(share, 1)
        return share

    @cached_property
    def structures(self) -> dict[str, Array]:
        """By source of variance, the covariance (C, C) of cells for a variance of 1."""
        model, split = self.cells
        same = model[:, None] == model
        return {
            "run": np.diag(1 / self.seeds[model, split]),
            "image": np.where(same, self.common_images[np.ix_(split, split)], 0.0),
            "training": np.where(same, self.common_training[np.ix_(split, split)], 0.0),
        }

    @cached_property
    def covariances(self) -> dict[str, Array]:
        """By source of variance, the covariance (M, M) of the means of models for a variance of 1."""
        return {name: self.weights @ cells @ self.weights.T for name, cells in self.structures.items()}

    @cached_property
    def traces(self) -> dict[str, Array]:
        """Share of each source of variance in a model's sum of squares between splits, (M,)."""
        return {
            name: self.per_model(np.diag(self.residual @ cells @ self.residual))
            for name, cells in self.structures.items()
        }

    @cached_property
    def freedom(self) -> dict[str, Array]:
        """Degrees of freedom of each model's sums of squares, (M,)."""
        several = np.maximum(self.seeds - 1, 0)
        training = self.per_model(np.diag(self.residual))
        return {
            "run": several.sum(axis=1),
            "rest": (several * (self.n_images - 1)).sum(axis=1),
            "training": np.where(training > 1e-9, training, 0.0),
        }

    @cached_property
    def unlike(self) -> float:
        """Share of the images that are new if splits test some of them again."""
        within = float((self.n_images - 1).sum())
        return min(1.0, (self.distinct - 1) / within) if within else 1.0

    @cached_property
    def certainty(self) -> float:
        """Share of the degrees of freedom between splits that counts if training sets overlap.

        The common part of sets is inferred from their differences, and so less sure; by `python -m bench.evidence` that
        costs about a third of the overlap.
        """
        n_splits = self.shape[1]
        overlap = self.common_training[~np.eye(n_splits, dtype=bool)]
        return 1 - float(overlap.mean()) / 3 if n_splits > 1 else 1.0

    def per_model(self, cells: Array) -> Array:
        """Sums (M,) over the cells (C,) of each model."""
        return np.bincount(self.cells[0], weights=cells, minlength=self.shape[0]).astype(float)
