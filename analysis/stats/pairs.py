"""Is one model better than another? Paired differences, the tests that hold for them, and letters for many
pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from string import ascii_letters

import networkx
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from statsmodels.stats.multitest import multipletests

from analysis.stats.intervals import LEVEL, Array, checked, standard_error

MOST_EXACT = 16
"""Images up to which all 2^n sign flips are counted; beyond, that many are drawn (`DRAWN`)."""
DRAWN = 19_999


@dataclass(frozen=True)
class Outcome:
    """A two-sided test of "no difference": `difference` = mean, its `p`, the `smallest_p` that n allowed, and
    `name`."""

    difference: float
    p: float
    smallest_p: float
    name: str


def smallest_p(n: int) -> float:
    """Smallest two-sided p that `sign_flip_test` over `n` images can give: 2 / 2^n, at most 1.

    Where flips are drawn it is 2 / (`DRAWN` + 1).
    """
    return min(1.0, 2.0 ** (1 - n)) if n <= MOST_EXACT else 2 / (DRAWN + 1)


def sign_flip_test(differences: ArrayLike, rng: np.random.Generator) -> Outcome:
    """Exact permutation test of paired differences, (I,) or (S, I): of (S, I) the mean over seeds counts per
    image.

    If the two models were equal, each image's difference could as well have the other sign (Fisher 1935; Good
    2005, Permutation, Parametric and Bootstrap Tests). All 2^I flips up to `MOST_EXACT` images, else `DRAWN`
    random ones. It speaks of other images for these seeds. Raises `ValueError` for NaN or an empty array.
    """
    values = checked(np.atleast_2d(np.asarray(differences, dtype=float))).mean(axis=0)
    exact = len(values) <= MOST_EXACT
    if len(values) == 1:
        return Outcome(float(values[0]), 1.0, 1.0, "sign flips, exact")
    found = stats.permutation_test(
        (values,),
        lambda x, axis: np.mean(x, axis=axis),
        vectorized=True,
        permutation_type="samples",
        n_resamples=np.inf if exact else DRAWN,
        rng=rng,
    )
    name = "sign flips, exact" if exact else f"sign flips, {DRAWN} drawn"
    return Outcome(float(values.mean()), min(1.0, float(found.pvalue)), smallest_p(len(values)), name)


def crossed_t_test(differences: ArrayLike) -> Outcome:
    """t test of paired differences (S, I) over seeds and images at once, by `intervals.standard_error`.

    It assumes that seeds, images and rest vary normally. p is 1 if all differences are 0 or there is only
    one.
    """
    values = checked(np.asarray(differences, dtype=float))
    error, freedom = (float(value) for value in standard_error(values))
    return t_test(float(values.mean()), error, freedom, "t, seeds × images")


def corrected_t_test(differences: ArrayLike, *, n_train: int, n_test: int) -> Outcome:
    """Corrected resampled t test over overlapping splits; `differences` (K,) are means of each.

    Training and test sets of random splits share images, so the variance over K splits is too small by a
    factor that Nadeau & Bengio (2003, Machine Learning 52:239) put at 1/K + n_test/n_train instead of 1/K; t
    with K − 1 degrees of freedom. Raises `ValueError` for fewer than 2 splits, NaN, or a set without images.
    """
    values = checked(np.atleast_2d(np.asarray(differences, dtype=float)))[0]
    error, freedom = corrected_error(values, n_train=n_train, n_test=n_test)
    return t_test(float(values.mean()), error, freedom, "corrected resampled t")


def corrected_error(values: Array, *, n_train: int, n_test: int) -> tuple[float, int]:
    """Standard error of the mean of `values` (K,) of overlapping splits (Nadeau & Bengio 2003), and K − 1."""
    if len(values) < 2:
        raise ValueError(
            "one split cannot tell how splits differ: train on at least 2 (config field `fold`)."
        )
    if n_train < 1 or n_test < 1:
        raise ValueError(f"a split needs training and test images; this one has {n_train} and {n_test}.")
    factor = 1 / len(values) + n_test / n_train
    return float(np.sqrt(factor * values.var(ddof=1))), len(values) - 1


def corrected_bounds(
    values: ArrayLike, *, n_train: int, n_test: int, level: float = LEVEL
) -> tuple[float, float]:
    """Interval of the mean of `values` (K,), one per overlapping split: the test above, turned round."""
    found = checked(np.atleast_2d(np.asarray(values, dtype=float)))[0]
    error, freedom = corrected_error(found, n_train=n_train, n_test=n_test)
    reach = float(stats.t.ppf((1 + level) / 2, freedom)) * error
    return float(found.mean()) - reach, float(found.mean()) + reach


def t_test(difference: float, error: float, freedom: float, name: str) -> Outcome:
    """Two-sided t test; a t test can reach any p above 0."""
    if not error > 0:
        return Outcome(difference, 1.0 if difference == 0 or np.isnan(error) else 0.0, 0.0, name)
    return Outcome(difference, float(2 * stats.t.sf(abs(difference) / error, freedom)), 0.0, name)


def holm(p_values: ArrayLike) -> Array:
    """p values (N,) adjusted for the N tests made (Holm 1979): reject where they are ≤ the level."""
    values = np.asarray(p_values, dtype=float)
    return np.asarray(multipletests(values, method="holm")[1]) if values.size else values


def letters(models: Sequence[str], same: NDArray[np.bool_]) -> dict[str, str]:
    """Compact letter display: two models share a letter exactly where `same` (N, N) says they cannot be told
    apart.

    One letter per maximal clique of the graph of such pairs, which is what insert-and-absorb yields (Piepho
    2004, Journal of Computational and Graphical Statistics 13:456); `a` goes to the group of the first model.
    After `z` comes `A`.
    """
    graph = networkx.Graph()
    graph.add_nodes_from(range(len(models)))
    graph.add_edges_from((i, j) for i, j in combinations(range(len(models)), 2) if same[i, j])
    groups = sorted(sorted(clique) for clique in networkx.find_cliques(graph))
    return {
        model: "".join(letter(k) for k, group in enumerate(groups) if i in group)
        for i, model in enumerate(models)
    }


def letter(k: int) -> str:
    """a … z, A … Z, then Ā and on: the k-th, from 0, always a single character."""
    return ascii_letters[k] if k < len(ascii_letters) else chr(ord("Ā") + k - len(ascii_letters))
