"""The evidence in the scores of a study, as one value that tables, reports and the command print."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import stdtr, stdtrit

from analysis.evidence import planner, simulate
from analysis.evidence.claims import (
    BEST,
    CANNOT_TELL,
    CLAIMS,
    LEVEL,
    MARGIN,
    VERDICTS,
    Judgement,
    comparable,
    decisive,
    judge,
    selection_bias,
)
from analysis.evidence.design import Array, Scores
from analysis.evidence.planner import SampleSizes
from common.text import some


@dataclass(frozen=True)
class Contrast:
    """One model on one rung. `estimate` is the difference from the best mean (for that model: from the next one).

    `low` to `high`: 95 %, all models at once. None without a verdict. `power`: share of studies like this one that
    would find a difference as large as this `estimate`.
    """

    verdict: str
    estimate: float | None
    low: float | None
    high: float | None
    p: float | None
    n_seeds: int
    n_images: int
    n_splits: int
    false_claim_rate: float | None
    power: float | None
    power_at_margin: float | None
    needed: SampleSizes | None


@dataclass(frozen=True)
class TheseRuns:
    """These very runs alone, not others: difference from the highest mean, and over images a t interval."""

    estimate: float
    low: float | None
    high: float | None
    p: float | None
    higher_on: int
    n_images: int


@dataclass(frozen=True)
class Model:
    """A model: `verdict` is that of the widest claim the study can test, `mean` over splits, seeds and images."""

    verdict: str
    mean: float
    these_runs: TheseRuns
    claims: Mapping[str, Contrast]


@dataclass(frozen=True)
class Evidence:
    """`best` is proven, None if no model is; `highest` has merely the highest mean; `claim` is the one that decides.

    `highest` is one of the models that this claim has a verdict on, with which the others are compared; of all models
    if it has none.

    `luck`: bias of the highest of so many means, None if unknown.
    `deviations`: between runs, images (a model's own difficulty), training sets; of the rest, in units of the score.
    """

    best: str | None
    highest: str
    claim: str
    margin: float
    level: float
    models: Mapping[str, Model]
    false_claim_rate: float | None
    power: float | None
    needed: SampleSizes | None
    luck: float | None
    deviations: Mapping[str, float | None]
    notes: tuple[str, ...]

    @property
    def n_splits(self) -> int:
        """Most splits that a model was trained on."""
        return max(model.claims[self.claim].n_splits for model in self.models.values())

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return dataclasses.asdict(self)


def evidence(scores: Scores, *, margin: float = MARGIN, seed: int = 0, studies: int | None = None) -> Evidence:
    """All claims about a study, sample sizes that would decide, and error rates from `studies` simulated ones.

    None: `simulate.STUDIES`; 0: no error rates.
    """
    studies = simulate.STUDIES if studies is None else studies
    rng = np.random.default_rng(seed)
    design = scores.design
    judgement = judge(design, scores.values[None], rng, margin=margin)
    means, claim = judgement.means[0], decisive(design)
    true = simulate.truth(judgement.components)
    first, second = leaders(judgement, claim)
    flat, at_margin = np.zeros_like(means), np.where(np.arange(len(means)) == first, margin, 0.0)
    found = {
        name: simulate.rates(design, true, of, rng, margin=margin, studies=studies) if studies else None
        for name, of in (("equal", flat), ("margin", at_margin), ("observed", means))
    }
    factors = planner.normal_factors(len(means), rng)
    models = {
        name: Model(
            VERDICTS[judgement.claims[claim].verdict[0, m]],
            float(means[m]),
            these_runs(scores, means, m),
            {each: contrast(scores, judgement, each, m, found, factors, margin) for each in CLAIMS},
        )
        for m, name in enumerate(scores.models)
    }
    deciding = judgement.claims[claim]
    best = np.flatnonzero(deciding.verdict[0] == BEST)
    runner_up = models[scores.models[second]].claims[claim]
    undecided = [m.claims[claim].needed for m in models.values() if m.claims[claim].needed]
    return Evidence(
        best=scores.models[best[0]] if len(best) else None,
        highest=scores.models[first],
        claim=claim,
        margin=margin,
        level=LEVEL,
        models=models,
        false_claim_rate=runner_up.false_claim_rate,
        power=runner_up.power_at_margin,
        needed=runner_up.needed or (undecided[0] if undecided else None),
        luck=number(selection_bias(judgement, claim, rng)[0]),
        deviations=deviations(scores, judgement),
        notes=(*scores.notes, *cautions(scores)),
    )


def contrast(
    scores: Scores,
    judgement: Judgement,
    name: str,
    m: int,
    found: Mapping[str, simulate.Rates | None],
    factors: tuple[float, float],
    margin: float,
) -> Contrast:
    """Model `m` on the rung `name`."""
    claim, design = judgement.claims[name], scores.design
    verdict, (top, second) = int(claim.verdict[0, m]), leaders(judgement, name)
    present = design.seeds[m] > 0
    needed = None
    if verdict == CANNOT_TELL and not math.isnan(claim.estimate[0, m]):
        other = top if m != top else second
        gap = abs(float(claim.estimate[0, m]))
        needed = planner.plan(judgement.components, name, (m, other), gap, factors, margin)
    equal, at_margin, observed = (found[key] for key in ("equal", "margin", "observed"))
    known = equal is not None and name in equal.any and comparable(design, name)[m]
    rival = second if m == top else m
    return Contrast(
        VERDICTS[verdict],
        number(claim.estimate[0, m]),
        number(claim.low[0, m]),
        number(claim.high[0, m]),
        number(claim.p[0, m]),
        n_seeds=int(design.seeds[m][present].min()),
        n_images=len(np.unique(design.images[present][design.images[present] >= 0])),
        n_splits=int(present.sum()),
        false_claim_rate=equal.any[name] if known and equal else None,
        power=float(observed.worse[name][rival]) if known and observed else None,
        power_at_margin=float(at_margin.worse[name][rival]) if known and at_margin else None,
        needed=needed,
    )


def leaders(judgement: Judgement, claim: str) -> tuple[int, int]:
    """The models with the highest and the second mean of those that the claim compares, of all if it compares none."""
    able = ~np.isnan(judgement.claims[claim].estimate[0])
    means = np.where(able | ~able.any(), judgement.means[0], -np.inf)
    first, second = (-means).argsort(kind="stable")[:2]
    return int(first), int(second)


def number(value: float) -> float | None:
    """A plain float, None for NaN."""
    return None if math.isnan(value) else float(value)


def these_runs(scores: Scores, means: Array, m: int) -> TheseRuns:
    """Model `m` against the highest mean, image by image; for the highest, against the next."""
    first, second = (-means).argsort(kind="stable")[:2]
    other = int(first if m != first else second)
    with warnings.catch_warnings(action="ignore"):
        cells = np.nanmean(scores.values[[m, other]], axis=2)
    gaps = cells[0] - cells[1]
    per_image = [
        float(np.nanmean(gaps[scores.images == image]))
        for image in np.unique(scores.images[scores.images >= 0])
        if not np.isnan(gaps[scores.images == image]).all()
    ]
    values, estimate = np.array(per_image), float(means[m] - means[other])
    n = len(values)
    error = values.std(ddof=1) / math.sqrt(n) if n > 1 else math.nan
    higher = int((values > 0).sum())
    if not error > 0:
        return TheseRuns(estimate, None, None, None, higher, n)
    reach = float(stdtrit(n - 1, 1 - LEVEL / 2) * error)
    p = float(2 * stdtr(n - 1, -abs(estimate) / error))
    return TheseRuns(estimate, estimate - reach, estimate + reach, p, higher, n)


def deviations(scores: Scores, judgement: Judgement) -> dict[str, float | None]:
    """Standard deviations, means over models; None if the design cannot show one."""
    values = {name: float(np.sqrt(value[0].mean())) for name, value in judgement.components.values.items()}
    freedom = scores.design.freedom
    shown = {"run": freedom["run"].any(), "image": True, "training": scores.design.shape[1] > 1}
    return {name: value if shown[name] else None for name, value in values.items()}


def cautions(scores: Scores) -> list[str]:
    """Sentences that a reader of these scores needs besides the verdicts."""
    found = []
    if float(np.nanmax(scores.values)) > 2:
        found.append("Some scores are above 2: the margin is in the same units as the scores.")
    single = [name for name, runs in zip(scores.models, scores.design.runs, strict=True) if runs.sum() == 1]
    if single and len(single) < len(scores.models):
        found.append(f"One run only, so no verdict: {some(single)}.")
    return found
