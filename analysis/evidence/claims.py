"""Three claims about models: differences with intervals and p-values, on these, on other, after other training images.

Every model is compared with the one whose mean is highest. Errors, intervals and p values come from draws: variances
that could have given the scores, then means of equal models under these variances. With one source of variance that is
exactly Tukey's studentized range; with several it is the generalized confidence interval of Weerahandi (1993).
All functions take N studies of one design at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from analysis.evidence.components import Components, estimate, model_means
from analysis.evidence.design import Array, Design

SOURCES: Mapping[str, tuple[str, ...]] = {
    "these_images": ("run",),
    "other_images": ("run", "image"),
    "other_training_sets": ("run", "image", "training"),
}
"""Claim → the sources of variance that count in it."""
CLAIMS = tuple(SOURCES)
VERDICTS = ("cannot_tell", "worse", "equivalent", "best")
CANNOT_TELL, WORSE, EQUIVALENT, BEST = range(4)
LEVEL = 0.05
"""Significance level of all claims."""
MARGIN = 0.01
DRAWS = 4000


@dataclass(frozen=True)
class Claim:
    """One rung of the ladder for N studies of M models: `verdict` (N, M), indices of `VERDICTS`.

    `estimate` is the difference from the highest mean, for the highest itself that from the next; `low` to `high` hold
    all of them at once in 95 % of studies, and never reach beyond 0 where `p` says that there is a difference
    (Strassburger and Bretz 2008, Statistics in Medicine 27:4914); `p` is adjusted for all comparisons; each (N, M), NaN
    without a verdict. `top` (N,) is the model with the highest mean among those that can be compared, -1 if fewer than
    two can. `error` (N, M): standard errors of the differences. `critical`, `bound` (N,): number of these that make a
    difference, and number away from the margin that make an equivalence.
    """

    verdict: NDArray[np.int64]
    estimate: Array
    low: Array
    high: Array
    p: Array
    error: Array
    top: NDArray[np.int64]
    critical: Array
    bound: Array


@dataclass(frozen=True)
class Judgement:
    """Means (N, M) of all models, the components behind them, and the claims by name."""

    means: Array
    components: Components
    claims: Mapping[str, Claim]


def decisive(design: Design) -> str:
    """The claim that decides: the wider of the last two under which more models can be compared."""
    other, sets = (int(comparable(design, name).sum()) for name in CLAIMS[1:])
    return CLAIMS[2] if sets and sets >= other else CLAIMS[1]


def judge(
    design: Design,
    scores: Array,
    rng: np.random.Generator,
    *,
    margin: float = MARGIN,
    level: float = LEVEL,
    draws: int = DRAWS,
    claims: Sequence[str] = CLAIMS,
    handicaps: Mapping[str, Array] | None = None,
) -> Judgement:
    """Claims about scores (N, M, K, S, I); at most a share `level` of studies calls a model worse but it is not.

    `handicaps` by claim, (N, M), are taken off the means before they are compared; simulations need them.
    """
    components = estimate(design, scores)
    means = model_means(design, scores)
    noise = draw_noise(design, components.draw(rng, draws), (len(scores), draws), claims, rng)
    found = {}
    for name in claims:
        able = np.flatnonzero(comparable(design, name))
        if len(able) < 2:
            found[name] = no_verdicts(means.shape)
            continue
        error = standard_errors(components, SOURCES[name])[:, able[:, None], able]
        compared = means - handicaps[name] if handicaps else means
        claim = compare(compared[:, able], noise[name][..., able], error, margin, level)
        found[name] = expand(claim, able, means.shape)
    return Judgement(means, components, found)


def draw_noise(
    design: Design,
    variances: Mapping[str, Array],
    shape: tuple[int, int],
    claims: Sequence[str],
    rng: np.random.Generator,
) -> dict[str, Array]:
    """By claim, means (N, draws, M) that equal models could have under these variances (N, draws, M or 1)."""
    covariances = design.covariances
    own = {name: np.diag(covariance) for name, covariance in covariances.items()}
    if all(np.allclose(covariances[name], np.diag(own[name]), atol=1e-12) for name in variances):
        normal = rng.standard_normal((*shape, design.shape[0]))
        totals = {claim: sum((own[name] * variances[name] for name in SOURCES[claim]), np.zeros(1)) for claim in claims}
        return {claim: normal * np.sqrt(total) for claim, total in totals.items()}
    parts = {name: draw_normals(covariances[name], shape, rng) * np.sqrt(variances[name]) for name in variances}
    return {claim: sum((parts[name] for name in SOURCES[claim]), np.zeros(1)) for claim in claims}


def selection_bias(judgement: Judgement, claim: str, rng: np.random.Generator, draws: int = DRAWS) -> Array:
    """Expected excess of the highest of several means over its truth, (N,); NaN with fewer than two to compare.

    Means are shrunk by the spread that noise adds to them, taken for the truth, and get new noise.
    """
    components = judgement.components
    able = comparable(components.design, claim)
    if able.sum() < 2:
        return np.full(len(judgement.means), np.nan)
    variances = components.draw(rng, draws)
    noise = draw_noise(components.design, variances, (len(judgement.means), draws), [claim], rng)[claim][..., able]
    means = judgement.means[:, able]
    error = standard_errors(components, SOURCES[claim])[:, able][:, :, able]
    between = (error**2).sum(axis=(1, 2)) / (2 * error[0].size - 2 * len(error[0]))
    spread = means.var(axis=1, ddof=1)
    kept = np.sqrt(np.maximum(1 - between / np.maximum(spread, 1e-300), 0))
    drawn = (kept[:, None] * (means - means.mean(axis=1, keepdims=True)))[:, None] + noise
    highest = drawn.argmax(axis=2)[..., None]
    return np.asarray(np.take_along_axis(noise, highest, axis=2).mean(axis=(1, 2)))


def draw_normals(covariance: Array, shape: tuple[int, int], rng: np.random.Generator) -> Array:
    """Normal numbers (N, draws, M) with this covariance (M, M)."""
    values, vectors = np.linalg.eigh(covariance)
    root = (vectors * np.sqrt(np.maximum(values, 0))).T
    return np.asarray(rng.standard_normal((*shape, len(covariance))) @ root)


def standard_errors(components: Components, sources: Sequence[str]) -> Array:
    """Standard errors (N, M, M) of the differences between means."""
    total = np.zeros(())
    for name in sources:
        deviation = np.sqrt(components.values[name])
        total = total + components.design.covariances[name] * deviation[:, :, None] * deviation[:, None]
    own = np.diagonal(total, axis1=1, axis2=2)
    return np.asarray(np.sqrt(np.maximum(own[:, :, None] + own[:, None] - 2 * total, 1e-300)))


def comparable(design: Design, claim: str) -> NDArray[np.bool_]:
    """Mask (M,) of the models repeated as the claim needs: other runs on a split, or other splits."""
    if claim == "other_training_sets":
        return np.asarray(design.freedom["training"] > 0)
    return np.asarray(design.freedom["run"] > 0)


def compare(means: Array, noise: Array, error: Array, margin: float, level: float) -> Claim:
    """Compare means (N, M) with the highest; `noise` (N, draws, M): means of equal models, `error` (N, M, M)."""
    rows, columns = np.arange(len(means)), np.arange(means.shape[1])
    top = means.argmax(axis=1)
    others = columns != top[:, None]
    scale = error[rows, top]
    gap = means[rows, top][:, None] - means
    p, critical = adjust_p_values(gap / scale, noise, error, top, level)
    above = (noise - np.take_along_axis(noise, top[:, None, None], axis=2)) / scale[:, None]
    bound = np.quantile(np.where(others[:, None], above, -np.inf).max(axis=2), 1 - level, axis=1)
    ahead = means[:, :, None] - means[:, None] + bound[:, None, None] * error
    most = np.where(np.eye(len(columns), dtype=bool), -np.inf, ahead).max(axis=1)
    verdict = np.where(most < margin, EQUIVALENT, np.where(p < level, WORSE, CANNOT_TELL))
    worst_p = np.where(others, p, 0).max(axis=1)
    verdict[rows, top] = np.where(worst_p < level, BEST, np.where(most[rows, top] < margin, EQUIVALENT, 0))
    second = np.where(others, means, -np.inf).argmax(axis=1)
    estimate, scale = -gap, scale.copy()
    estimate[rows, top], scale[rows, top] = gap[rows, second], scale[rows, second]
    p[rows, top] = worst_p
    reach = critical[:, None] * scale
    low, high = estimate - reach, estimate + reach
    high = np.where(others & (p < level), np.minimum(high, 0), high)
    low[rows, top] = np.where(worst_p < level, np.maximum(low[rows, top], 0), low[rows, top])
    return Claim(verdict, estimate, low, high, p, scale, top, critical, bound)


def adjust_p_values(t: Array, noise: Array, error: Array, top: NDArray[np.int64], level: float) -> tuple[Array, Array]:
    """p values of `t`, both (N, M), the distances from the highest mean, and the critical distance (N,)."""
    largest = np.sort(largest_distances(noise, error), axis=1)
    critical = np.quantile(largest, 1 - level, axis=1)
    p = np.stack([tail(a, b) for a, b in zip(largest, t, strict=True)])
    for n in np.flatnonzero((p < level).any(axis=1) & (t.shape[1] > 2)):
        p[n] = step_down(p[n], t[n], noise[n], error[n], int(top[n]), level)
    return p, critical


def step_down(p: Array, t: Array, noise: Array, error: Array, top: int, level: float) -> Array:
    """p values (M,) of one study, less strict: models worse beyond doubt no longer count as rivals of the rest.

    Romano and Wolf (2005, Econometrica 73:1237).
    """
    rivals = p >= level
    while rivals.sum() > 1:
        largest = np.sort(largest_distances(noise[None, :, rivals], error[None][:, rivals][:, :, rivals])[0])
        smaller = np.maximum(p[~rivals].max(initial=0), tail(largest, t[rivals]))
        p[rivals] = np.minimum(p[rivals], smaller)
        out = rivals & (p < level)
        if not out.any():
            break
        rivals &= ~out
    p[top] = 1.0
    return p


def tail(ascending: Array, values: Array) -> Array:
    """Share of draws at or above each value, the value itself counted as one: never 0."""
    above = len(ascending) - np.searchsorted(ascending, values, side="left")
    return np.asarray((above + 1) / (len(ascending) + 1))


def largest_distances(noise: Array, error: Array) -> Array:
    """Largest distance of a model below the highest one, in standard errors, (N, draws)."""
    top = noise.argmax(axis=2)
    if np.ptp(error + np.eye(error.shape[1]) * error[:, :1, 1:2], axis=(1, 2)).max() < 1e-9 * error.max():
        return np.asarray(np.ptp(noise, axis=2) / error[:, 0, 1, None])
    gap = np.take_along_axis(noise, top[:, :, None], axis=2) - noise
    return np.asarray((gap / error[np.arange(len(error))[:, None], top]).max(axis=2))


def no_verdicts(shape: tuple[int, int]) -> Claim:
    """No verdict on any of (N, M) models."""
    estimate, low, high, p, error = (np.full(shape, np.nan) for _ in range(5))
    nobody, unknown = np.full(shape[0], -1), np.full(shape[0], np.nan)
    return Claim(np.full(shape, CANNOT_TELL), estimate, low, high, p, error, nobody, unknown, unknown)


def expand(claim: Claim, able: NDArray[np.int64], shape: tuple[int, int]) -> Claim:
    """A claim about the models `able` as one about all of (N, M); none is best while some are unknown."""
    if len(able) == shape[1]:
        return claim
    full = no_verdicts(shape)
    for name in ("verdict", "estimate", "low", "high", "p", "error"):
        getattr(full, name)[:, able] = getattr(claim, name)
    full.verdict[full.verdict == BEST] = CANNOT_TELL
    return replace(full, top=able[claim.top], critical=claim.critical, bound=claim.bound)
