"""The upper bound of power: that of a test which knows every variance but one.

`python -m bench.reachable` prints the rates of such a test for training sets that overlap as those of six folds do.

The test estimates that variance from the mean square and the degrees of freedom that the design has for it, all models
known to be alike. A test that has to estimate more cannot be expected to find more. If training sets overlap, the share
`Design.certainty` of the degrees of freedom counts: with all of them even this test makes too many false claims.
All effects count as normal; skewed ones can be found more often.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from scipy.stats import chi2

from analysis.evidence.claims import LEVEL, SOURCES
from analysis.evidence.design import Array, Design
from analysis.evidence.simulate import Truth
from common.cli import Parser

ORACLE = 0.8
"""The power of the oracle, which knows all variances, at the difference for which power is simulated."""
NODES, DRAWS, NORMALS = 30, 4000, 200_000
GOLDEN = (5**0.5 - 1) / 2
"""Golden ratio, whose multiples modulo 1 are spread evenly and in no order."""


class Source(NamedTuple):
    """A variance that is unknown: `share` of the variance of a mean comes from it.

    Its mean square has `freedom`, of which a share `counted` is taken for granted. Only `pure` of it is its own, the
    rest is of other sources, and known.
    """

    share: float
    pure: float
    freedom: float
    counted: float = 1.0


def reachable(plan: Design, true: Truth, claim: str) -> float:
    """The least power over the sources of variance, each in turn the unknown one."""
    rounded = (Source(*(float(f"{value:.2g}") for value in source)) for source in sources(plan, true, claim))
    return min(power(plan.shape[0], source) for source in rounded)


@cache
def power(models: int, source: Source) -> float:
    """Power to find the first of so many models, as far below the others as the oracle needs."""
    return rates(models, source)[1]


def rates(models: int, source: Source) -> tuple[float, float]:
    """False claims and power of a test that knows all but this source.

    With `share` and `pure` 1 that is Tukey's studentized range, for two models Student's t; else the generalized test
    of Weerahandi (1993).
    """
    spread, lead = normal_ranges(models)
    gap = float(np.quantile(spread, 1 - LEVEL) - np.quantile(lead, 1 - ORACLE))
    estimates, drawn = chance(source.freedom)[0], chance(source.freedom * source.counted)[1]
    outcomes = []
    for estimate in estimates:
        own = np.maximum(estimate / drawn - (1 - source.pure), 0) / source.pure
        critical = np.quantile(spread * np.sqrt(1 - source.share + source.share * own), 1 - LEVEL)
        outcomes.append(((spread > critical).mean(), (lead + gap > critical).mean()))
    false, power = np.mean(outcomes, axis=0)
    return float(false), float(power)


@cache
def chance(freedom: float) -> tuple[Array, Array]:
    """Quantiles of a mean square of expectation 1: `NODES` in order, `DRAWS` shuffled."""
    shuffled = np.maximum(np.arange(DRAWS) * GOLDEN % 1, 1 / (2 * DRAWS))
    return chi2.ppf(middles(NODES), freedom) / freedom, chi2.ppf(shuffled, freedom) / freedom


def middles(count: int) -> Array:
    return (np.arange(count) + 0.5) / count


@cache
def normal_ranges(models: int) -> tuple[Array, Array]:
    """Quantiles, in standard errors of a difference, of the range of equal models and of their lead over the first."""
    normal = np.random.default_rng(0).standard_normal((NORMALS, models))
    at = middles(DRAWS)
    lead = normal[:, 1:].max(axis=1) - normal[:, 0]
    return np.quantile(np.ptp(normal, axis=1), at) / np.sqrt(2), np.quantile(lead, at) / np.sqrt(2)


def variances(plan: Design, true: Truth) -> dict[str, float]:
    """The true variances of the sources; `run` is that of a run's mean over its images."""
    run = np.square(true.seed) + np.square(true.rest) / plan.n_images.mean()
    return {"run": float(run), "image": float(np.square(true.image)), "training": float(np.square(true.training))}


def sources(plan: Design, true: Truth, claim: str) -> list[Source]:
    """Sources of variance that count in the claim."""
    values, names = variances(plan, true), SOURCES[claim]
    parts = {name: float(plan.covariances[name][0, 0]) * values[name] for name in names}
    between = {name: float(trace.sum()) * values[name] for name, trace in plan.traces.items()}
    rest = float(np.square(true.rest)) / plan.seeds.mean()
    pure = {
        "run": 1.0,
        "image": values["image"] / (values["image"] + rest),
        "training": between["training"] / max(sum(between.values()), 1e-300),
    }
    freedom = {
        "run": float(plan.freedom["run"].sum()),
        "image": float((plan.n_images - 1).sum()) * plan.unlike * (plan.shape[0] - 1),
        "training": float(plan.freedom["training"].sum()),
    }
    counted = {"run": 1.0, "image": 1.0, "training": plan.certainty}
    total = sum(parts.values())
    return [Source(parts[name] / total, pure[name], freedom[name], counted[name]) for name in names if freedom[name]]


def main(arguments: Sequence[str] | None = None) -> int:
    Parser(prog="python -m bench.reachable", description=__doc__).parse_args(arguments)
    print("| models | training set, deviation | false claims, all freedom | false claims | coverage | power |")
    print(f"|{'---|' * 6}")
    for models in (2, 8):
        plan = Design(np.ones((models, 6, 3), bool), np.arange(6 * 8).reshape(6, 8))
        for deviation in (0.001, 0.002, 0.005, 0.01, 0.02):
            true = Truth(seed=0.005, image=0.005, training=deviation, rest=0.005)
            source = sources(plan, true, "other_training_sets")[-1]
            false, share = rates(models, source)
            liberal = rates(models, source._replace(counted=1.0))[0]
            print(f"| {models} | {deviation:.3f} | {liberal:.3f} | {false:.3f} | {1 - false:.3f} | {share:.2f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
