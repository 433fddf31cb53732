"""Rate of false verdicts from 4 or 18 pictures, by the truth of 200 further pictures and other seeds.

Every number here comes from stored scores through `analysis.evidence`, in seconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from analysis.evidence.claims import CLAIMS, EQUIVALENT, LEVEL, Claim, judge
from analysis.evidence.design import Array, Design
from analysis.evidence.planner import normal_factors, plan
from bench.truth.scores import FURTHER, MODELS, Run

IOU_MARGIN = 0.02
"""Margin in IoU; at 48 pixels a side one pixel of outline costs far more."""
DRAWS = 400
COLLAPSE = 0.3
"""IoU below which a training came to nothing."""
ENOUGH = 20
SAMPLES = 400
"""Most studies per row."""
HERE, KIND, SETS = CLAIMS
ITSELF = "a network against itself"


def cube(runs: Sequence[Run], seeds: int) -> Array:
    """IoU (G, M, S, 4 own test pictures and the further ones) of the sets that have so many seeds of every model."""
    scores = {(run.group, run.model, run.seed): run.iou[4:] for run in runs}
    groups = sorted({run.group for run in runs})
    keys = [(model, seed) for model in MODELS for seed in range(1, seeds + 1)]
    whole = [group for group in groups if all((group, *key) in scores for key in keys)]
    rows = [[[scores[group, m, s] for s in range(1, seeds + 1)] for m in MODELS] for group in whole]
    return np.array(rows).reshape(len(whole), len(MODELS), seeds, 4 + FURTHER)


@dataclass(frozen=True)
class Row:
    """A comparison and its amount; shares of `studies` drawn from `of` sets, NaN without a meaning."""

    question: str
    claim: str
    pictures: int
    seeds: int
    sets: int
    of: int
    studies: int
    false: float
    coverage: float
    found: float


def layout(models: int, sets: int, seeds: int, pictures: int) -> Design:
    """Every set has pictures of its own, so no image is tested twice."""
    numbers = np.arange(sets * pictures).reshape(sets, pictures)
    return Design(np.ones((models, sets, seeds), bool), numbers, 0)


def pick(rng: np.random.Generator, pictures: int) -> np.ndarray:
    """Columns of a cube: the set's own test pictures if 4 are wanted, else further ones."""
    return np.arange(4) if pictures == 4 else 4 + rng.choice(FURTHER, pictures, replace=False)


def equal_models(scores: Array, sets: int, seeds: int, pictures: int, rng: np.random.Generator) -> Iterator[Row]:
    """A network against itself under two names, other seeds each: every difference that is claimed is false."""
    groups, models, most = scores.shape[:3]
    if groups < sets or most < 2 * seeds:
        return
    studies = []
    for _ in range(SAMPLES):
        model, columns = rng.integers(models), pick(rng, pictures)
        blocks = [
            scores[group, model][rng.permutation(most)[: 2 * seeds]][:, columns].reshape(2, seeds, -1)
            for group in rng.choice(groups, sets, replace=False)
        ]
        studies.append(np.stack(blocks, axis=1))
    judged = judge(layout(2, sets, seeds, pictures), np.stack(studies), rng, draws=DRAWS).claims
    for name in CLAIMS:
        claim = judged[name]
        if claim.top[0] >= 0:
            covered = float(((claim.low <= 0) & (claim.high >= 0)).all(axis=1).mean())
            false = worse(claim)
            yield Row(ITSELF, name, pictures, seeds, sets, groups, SAMPLES, false, covered, np.nan)


def worse(claim: Claim) -> float:
    """Share of studies in which some model is called worse."""
    return float((claim.p < LEVEL).any(axis=1).mean())


def four_models(scores: Array, sets: int, seeds: int, pictures: int, rng: np.random.Generator) -> Iterator[Row]:
    """All four networks; the truth is the score elsewhere of their other seeds, or with several sets of the others.

    If the truth is a mean of few seeds or sets, its own error makes some true claims look false: `false` is an upper
    bound, and coverage is given only if at least `ENOUGH` other sets make the truth.
    """
    groups, models, most = scores.shape[:3]
    spare = most - seeds if sets == 1 else groups - sets
    if groups < max(sets, 1) or spare < 1:
        return
    studies, truths = [], []
    for _ in range(SAMPLES):
        columns = pick(rng, pictures)
        chosen = rng.permutation(groups)[:sets]
        runs = np.stack([rng.permutation(most) for _ in range(models)])
        blocks = [np.stack([scores[group, m][runs[m, :seeds]][:, columns] for m in range(models)]) for group in chosen]
        studies.append(np.stack(blocks, axis=1))
        rest = np.setdiff1d(np.arange(4, 4 + FURTHER), columns)
        if sets == 1:
            others = [scores[chosen[0], m][runs[m, seeds:]][:, rest].mean() for m in range(models)]
        else:
            left = np.setdiff1d(np.arange(groups), chosen)
            others = [scores[left, m][:, :, rest].mean() for m in range(models)]
        truths.append(others)
    name = KIND if sets == 1 else SETS
    claim = judge(layout(models, sets, seeds, pictures), np.stack(studies), rng, draws=DRAWS, margin=IOU_MARGIN).claims[
        name
    ]
    yield summary(claim, np.array(truths), pictures, seeds, sets, groups)


def summary(claim: Claim, truth: Array, pictures: int, seeds: int, sets: int, of: int) -> Row:
    """Claims against true means (N, M): shares of studies with a false one, covered by all intervals, with any."""
    rows = np.arange(len(truth))
    behind = truth - truth[rows, claim.top][:, None]
    others = np.arange(truth.shape[1]) != claim.top[:, None]
    lost = truth < truth.max(axis=1, keepdims=True)
    false = others & (claim.p < LEVEL) & ~lost
    too_far = (claim.verdict == EQUIVALENT) & (truth < truth.max(axis=1, keepdims=True) - IOU_MARGIN)
    covered = ((claim.low <= behind) & (behind <= claim.high)) | ~others
    claimed = others & (claim.p < LEVEL) | (claim.verdict == EQUIVALENT)
    return Row(
        "four networks",
        KIND if sets == 1 else SETS,
        pictures,
        seeds,
        sets,
        of,
        len(truth),
        float((false | too_far).any(axis=1).mean()),
        float(covered.all(axis=1).mean()) if sets > 1 and of >= sets + ENOUGH else np.nan,
        float(claimed.any(axis=1).mean()),
    )


@dataclass(frozen=True)
class PlanTrials:
    """Pairs of networks told apart by as many pictures as the planner asked for, after a first study of 4."""

    seeds: int
    pairs: int
    median_pictures: float
    decided: float
    false: float


def try_plans(scores: Array, seeds: int, rng: np.random.Generator) -> PlanTrials | None:
    """Plan from the difference and the components of all runs of a set; try it on seeds picked anew."""
    groups, models, most = scores.shape[:3]
    factors = normal_factors(2, rng)
    needs, decided, false = [], [], []
    pairs = [(a, b) for a in range(models) for b in range(a)]
    for group in range(groups):
        for pair in pairs:
            both = scores[group, list(pair)]
            whole = judge(layout(2, 1, most, FURTHER), both[None, :, None, :, 4:], rng, draws=DRAWS, margin=IOU_MARGIN)
            gap = abs(float(whole.means[0, 0] - whole.means[0, 1]))
            first = layout(2, 1, seeds, 4)
            needed = plan(whole.components.on(first), KIND, (0, 1), gap, factors, IOU_MARGIN).images
            if needed is None or needed > FURTHER:
                continue
            needs.append(needed)
            for _ in range(8):
                runs = np.stack([rng.permutation(most)[:seeds] for _ in range(2)])
                columns = 4 + rng.choice(FURTHER, needed, replace=False)
                again = np.stack([both[m][runs[m]][:, columns] for m in range(2)])[None, :, None]
                claim = judge(layout(2, 1, seeds, needed), again, rng, draws=DRAWS, margin=IOU_MARGIN).claims[KIND]
                decided.append(bool(((claim.p < LEVEL) | (claim.verdict == EQUIVALENT)).any()))
                false.append(bool((claim.p < LEVEL).any()) and claim.top[0] != int(whole.means[0].argmax()))
    if not needs:
        return None
    return PlanTrials(seeds, len(needs), float(np.median(needs)), float(np.mean(decided)), float(np.mean(false)))


def collapsed_sets(runs: Sequence[Run]) -> set[int]:
    """Sets on which a training came to nothing."""
    return {run.group for run in runs if run.iou[8:].mean() < COLLAPSE}


def rows(runs: Sequence[Run], rng: np.random.Generator) -> Iterator[Row]:
    """The table of verdicts, each row from all sets that have the seeds it needs; then without collapsed trainings."""
    for sets, seeds, pictures in ((1, 2, 4), (1, 2, 18), (6, 1, 4), (6, 2, 4)):
        yield from equal_models(cube(runs, 2 * seeds), sets, seeds, pictures, rng)
    lost = collapsed_sets(runs)
    for name, some in {"four networks": runs, "none collapsed": [r for r in runs if r.group not in lost]}.items():
        for sets, seeds, pictures in ((1, 3, 4), (1, 3, 18), (3, 3, 4), (6, 1, 4), (6, 3, 4)):
            spare = 2 if sets == 1 and len(cube(some, seeds + 2)) else 1 if sets == 1 else 0
            for row in four_models(cube(some, seeds + spare), sets, seeds, pictures, rng):
                yield replace(row, question=name)
