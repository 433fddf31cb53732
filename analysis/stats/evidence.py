"""Everything the scores of several models carry, at once: intervals, paired tests, letters, what choosing
flattered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from analysis.stats.arrays import check_scores, paired_differences, score_tables
from analysis.stats.coverage import Resplit, simulated_coverage, simulated_split_coverage
from analysis.stats.intervals import LEVEL, Array, interval
from analysis.stats.pairs import (
    Outcome,
    corrected_bounds,
    corrected_t_test,
    crossed_t_test,
    holm,
    letters,
    sign_flip_test,
    smallest_p,
)
from analysis.stats.ranking import (
    RankStability,
    interquartile_mean,
    probability_best,
    probability_of_improvement,
    rank_stability,
)
from analysis.stats.selection import Optimism, selection_optimism

N_TRAIN = 10
TESTS = ("auto", "exact", "t")
CROSSED, RESAMPLED = "t over seeds × images", "corrected resampled t over splits"


@dataclass(frozen=True)
class Evidence:
    """What the scores of several models can prove.

    `models`: one row per model, best mean first: model, mean, low, high (interval at `level`), iqm, worst and
    worst_image (the lowest single score, and where), n_seeds and n_images (fewest of any split), n_splits,
    p_best (bootstrap; NaN where nothing varies), letters (models that share one cannot be told apart),
    stands_out (better than each of the others at `level`).

    `pairs`: one row per pair, a before b in `models`: a, b, difference (a − b), low, high, p, p_holm,
    improvement (probability that a run of a beats one of b on an image), n_seeds, n_images, n_splits, all
    over what both have; NaN where they share nothing.

    `test`: that of `pairs`. `smallest_p`: the least two-sided p of an exact test over the images of one
    split, before Holm's correction. `interval_method`, with its simulated `coverage` at this n if
    scores spread as `coverage.USUAL` and `coverage.Resplit` say; None where nothing varies.

    `optimism`: how far being the best of these flattered the first. `stability`: how far splits agree on the
    order. Both rest on what all models share, and are None where there are no two models, images, or splits,
    to compare.
    """

    models: pd.DataFrame
    pairs: pd.DataFrame
    level: float
    test: str
    smallest_p: float
    interval_method: str
    coverage: float | None
    optimism: Optimism | None
    stability: RankStability | None
    n_images: int
    n_splits: int


@dataclass(frozen=True)
class Sample:
    """Scores, seeds × images by (model, fold), and how they shall be judged; `models` by mean, best first."""

    tables: Mapping[tuple[str, object], pd.DataFrame]
    models: list[str]
    folds: list[Any]
    n_images: int
    n_train: int
    level: float
    limits: tuple[float, float]

    def of(self, model: str) -> list[pd.DataFrame]:
        """The model's scores, one table of seeds × images per split that it was trained on."""
        return [self.tables[model, fold] for fold in self.folds if (model, fold) in self.tables]

    def both(self, a: str, b: str) -> list[tuple[pd.DataFrame, pd.DataFrame]]:
        """The scores of two models on the splits and images that both have."""
        found = []
        for fold in self.folds:
            if (a, fold) in self.tables and (b, fold) in self.tables:
                first, second = self.tables[a, fold], self.tables[b, fold]
                images = first.columns.intersection(second.columns)
                found += [(first[images], second[images])] if len(images) else []
        return found

    def bounds(self, tables: list[Array], rng: np.random.Generator) -> tuple[float, float]:
        """Interval of the mean over splits; of a single one, over its seeds × images."""
        if len(tables) > 1:
            means = [table.mean() for table in tables]
            return corrected_bounds(means, n_train=self.n_train, n_test=self.n_images, level=self.level)
        found = interval(tables[0], rng, level=self.level)
        return found.low, found.high


def evidence(
    scores: pd.DataFrame,
    rng: np.random.Generator,
    *,
    metric: str = "iou",
    level: float = LEVEL,
    n_train: int = N_TRAIN,
    test: str = "auto",
    limits: tuple[float, float] = (0.0, 1.0),
) -> Evidence:
    """The evidence in `scores`: columns model, fold, seed, image and `metric`, one row per image scored by a
    run.

    One split: intervals by t over seeds × images; pairs by exact sign flips where so many images can reach 1
    − `level` in spite of Holm's correction, else by t over seeds × images, which has to assume normal
    differences (`test`: `exact` or `t` forces one). Several splits: both by the corrected resampled t over
    the splits' means; a split has `n_train` training images. Intervals of models are cut off at `limits`,
    what the metric can be. Higher is better. Raises `ValueError` for what `arrays.check_scores` refuses, no
    scores, or another `test`.
    """
    if test not in TESTS:
        raise ValueError(f"there is no test called {test!r}: take one of {', '.join(TESTS)}.")
    sample = sampled(check_scores(scores, metric), metric, level, n_train, limits)
    n_pairs = max(1, len(sample.models) * (len(sample.models) - 1) // 2)
    reachable = smallest_p(sample.n_images) * n_pairs <= 1 - level
    exact = test == "exact" or (test == "auto" and reachable)
    pairs = pair_table(sample, exact, rng)
    single = f"sign flips over {sample.n_images} images" if exact else CROSSED
    shared = shared_scores(sample)
    models = model_table(sample, pairs, shared, rng)
    splits, several = len(sample.folds), len(shared) > 1
    noisy = several and next(iter(shared.values())).shape[1] > 1
    overlap = 1 + splits * sample.n_images / n_train if splits > 1 else 1.0
    return Evidence(
        models=models,
        pairs=pairs,
        level=level,
        test=RESAMPLED if splits > 1 else single,
        smallest_p=smallest_p(sample.n_images),
        interval_method=RESAMPLED if splits > 1 else CROSSED,
        coverage=coverage_here(sample, int(models["n_seeds"].min()), rng),
        optimism=selection_optimism(shared, rng, inflation=overlap) if several and noisy else None,
        stability=rank_stability(np.vstack(list(shared.values())).T) if noisy and splits > 1 else None,
        n_images=sample.n_images,
        n_splits=splits,
    )


def sampled(
    scores: pd.DataFrame, metric: str, level: float, n_train: int, limits: tuple[float, float]
) -> Sample:
    """The scores as arrays; the models by mean over their splits, best first, equal ones by name."""
    if scores.empty:
        raise ValueError("there are no scores to compare.")
    tables = score_tables(scores, metric)
    means: dict[str, list[float]] = {}
    for (model, _), table in tables.items():
        means.setdefault(model, []).append(float(table.to_numpy(dtype=float).mean()))
    order = sorted(means, key=lambda model: (-float(np.mean(means[model])), model))
    n_images = min(table.shape[1] for table in tables.values())
    return Sample(tables, order, sorted(scores["fold"].unique()), n_images, n_train, level, limits)


def shared_scores(sample: Sample) -> dict[str, Array]:
    """Arrays that can be compared across all models, in their order: of one split seeds × images, over the
    images all have; of several 1 × splits, the means of those all have. Empty if they share none."""
    if len(sample.folds) > 1:
        folds = [f for f in sample.folds if all((model, f) in sample.tables for model in sample.models)]
        means = {m: [sample.tables[m, f].to_numpy(dtype=float).mean() for f in folds] for m in sample.models}
        return {model: np.array([values]) for model, values in means.items()} if folds else {}
    tables = {model: sample.of(model)[0] for model in sample.models}
    images = set.intersection(*(set(table.columns) for table in tables.values()))
    return {m: table[sorted(images)].to_numpy(dtype=float) for m, table in tables.items()} if images else {}


def pair_table(sample: Sample, exact: bool, rng: np.random.Generator) -> pd.DataFrame:
    """The `pairs` of `Evidence`."""
    rows = [pair_row(sample, a, b, exact, rng) for a, b in combinations(sample.models, 2)]
    columns = ["a", "b", "difference", "low", "high", "p", "p_holm", "improvement"]
    table = pd.DataFrame(rows, columns=[*columns, "n_seeds", "n_images", "n_splits"])
    known = table["p"].notna()
    table.loc[known, "p_holm"] = holm(table.loc[known, "p"].to_numpy(dtype=float))
    return table


def pair_row(sample: Sample, a: str, b: str, exact: bool, rng: np.random.Generator) -> dict[str, Any]:
    """One row of `pairs`, p_holm still missing."""
    both = sample.both(a, b)
    row = {"a": a, "b": b, "p_holm": np.nan, "n_splits": len(both)}
    if not both:
        return row
    differences = [paired_differences(first, second) for first, second in both]
    outcome = tested(sample, differences, exact, rng)
    low, high = sample.bounds(differences, rng)
    return row | {
        "difference": outcome.difference,
        "low": low,
        "high": high,
        "p": outcome.p,
        "improvement": float(np.mean([probability_of_improvement(first, second) for first, second in both])),
        "n_seeds": min(len(table) for table in differences),
        "n_images": min(table.shape[1] for table in differences),
    }


def tested(sample: Sample, differences: list[Array], exact: bool, rng: np.random.Generator) -> Outcome:
    """The test of one pair, from its differences (S, I) on each split."""
    if len(differences) > 1:
        means = [table.mean() for table in differences]
        return corrected_t_test(means, n_train=sample.n_train, n_test=sample.n_images)
    return sign_flip_test(differences[0], rng) if exact else crossed_t_test(differences[0])


def model_table(
    sample: Sample, pairs: pd.DataFrame, shared: Mapping[str, Array], rng: np.random.Generator
) -> pd.DataFrame:
    """The `models` of `Evidence`."""
    same = same_matrix(sample.models, pairs, 1 - sample.level)
    varies = any(values.size > 1 for values in shared.values())
    p_best = probability_best(shared, rng) if varies else dict.fromkeys(sample.models, np.nan)
    shown = letters(sample.models, same)
    rows = [
        model_row(sample, model, rng)
        | {"p_best": p_best[model], "letters": shown[model]}
        | {"stands_out": i == 0 and len(sample.models) > 1 and not same[i].any()}
        for i, model in enumerate(sample.models)
    ]
    return pd.DataFrame(rows)


def model_row(sample: Sample, model: str, rng: np.random.Generator) -> dict[str, Any]:
    """The columns of `models` that one model has on its own."""
    tables = sample.of(model)
    arrays = [table.to_numpy(dtype=float) for table in tables]
    low, high = sample.bounds(arrays, rng)
    lowest = min(tables, key=lambda table: float(table.min().min())).min()
    return {
        "model": model,
        "mean": float(np.mean([values.mean() for values in arrays])),
        "low": max(low, sample.limits[0]),
        "high": min(high, sample.limits[1]),
        "iqm": interquartile_mean(np.concatenate([values.ravel() for values in arrays])[None]),
        "worst": float(lowest.min()),
        "worst_image": lowest.idxmin(),
        "n_seeds": min(len(values) for values in arrays),
        "n_splits": len(arrays),
        "n_images": min(values.shape[1] for values in arrays),
    }


def same_matrix(models: list[str], pairs: pd.DataFrame, alpha: float) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """(N, N): the pair cannot be told apart at `alpha`, p_holm above it or unknown; False on the diagonal."""
    same = np.zeros((len(models), len(models)), dtype=bool)
    for pair in pairs.to_dict("records"):
        i, j = models.index(pair["a"]), models.index(pair["b"])
        same[i, j] = same[j, i] = not pair["p_holm"] <= alpha
    return same


def coverage_here(sample: Sample, n_seeds: int, rng: np.random.Generator) -> float | None:
    """Simulated coverage of the intervals at the n of this sample."""
    if len(sample.folds) > 1:
        plan = Resplit(n_train=sample.n_train, n_test=sample.n_images)
        return simulated_split_coverage(len(sample.folds), rng, level=sample.level, resplit=plan).coverage
    if n_seeds * sample.n_images < 2:
        return None
    return simulated_coverage(sample.n_images, n_seeds, "t", rng, level=sample.level).coverage
