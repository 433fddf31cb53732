"""Bayesian search by Optuna: the configuration expected to improve most on the best run so far."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Hashable, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from server.search import optuna_study, sampling
from server.search.distributions import Choice, Continuous, Quantized
from server.search.past_runs import IN_PROGRESS, Metric, PastRun
from server.search.space import Parameter, Point, Space

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

Code = int | float
"""A value as the model sees it: a position in a list of values, or a quantile between 0 and 1."""

FEWEST_STARTUP = 5
MOST_FOR_GAUSSIAN_PROCESS = 250
MOST_POSITIONS = 200  # Optuna's Gaussian process keeps every position of an integer in memory
CANDIDATES = 2_000
SMALLEST = 2.0**-33  # half of a step of the sequence; 0 has no value under a bell curve
FARTHEST = 5.0  # in distances between the best and the median value


def suggest(
    space: Space, seen: frozenset[Hashable], past: Sequence[PastRun], metric: Metric, seed: int
) -> Point | None:
    """The most promising configuration that was not handed out; None if there is none left.

    Points of a Sobol sequence until two more runs than there are parameters, and at least five, have ended. Runs in
    progress count as points without a value yet, so agents that ask at the same time get different points.
    """
    free = [parameter for parameter in space.parameters if parameter.distribution.size != 1]
    trials = _trials(space, free, past, metric)
    if sum(trial.state.is_finished() for trial in trials) < max(FEWEST_STARTUP, len(free) + 2) or not free:
        return _start(space, seen, seed, len(past))
    rng = random.Random(f"bayes {seed} {len(past)}")
    point = _ask(space, free, trials, rng.getrandbits(32))
    return point if space.key(point) not in seen else _nearest_unseen(space, seen, point, rng)


def _start(space: Space, seen: frozenset[Hashable], seed: int, n_past: int) -> Point | None:
    """Point number `n_past` of a scrambled Sobol sequence; a random one if that was handed out.

    The sequence leaves fewer holes than random draws.
    """
    from scipy.stats import qmc

    sequence = qmc.Sobol(len(space.parameters), rng=random.Random(f"bayes {seed}").getrandbits(32))
    if n_past:
        sequence.fast_forward(n_past)
    quantiles = sequence.random(1)[0].tolist()
    point = tuple(p.distribution.ppf(max(q, SMALLEST)) for p, q in zip(space.parameters, quantiles, strict=True))
    return point if space.key(point) not in seen else sampling.suggest(space, seen, seed, n_past)


def _ask(space: Space, free: Sequence[Parameter], trials: Sequence[FrozenTrial], seed: int) -> Point:
    """The sampler's own answer, which may repeat a configuration."""
    study = optuna_study.new_study(maximize=False, sampler=_sampler(len(trials), seed))
    study.add_trials(trials)
    with optuna_study.log_errors_only():
        answer = study.ask({p.name: _model_distribution(p) for p in free}).params
    return tuple(_decode(p, answer.get(p.name, 0)) for p in space.parameters)


def _sampler(n_trials: int, seed: int) -> BaseSampler:
    """A Gaussian process; its cost grows with the cube of the runs, so a long sweep goes on with a TPE."""
    from optuna.samplers import GPSampler, TPESampler

    if n_trials <= MOST_FOR_GAUSSIAN_PROCESS:
        return GPSampler(seed=seed, n_startup_trials=1)
    return TPESampler(seed=seed, n_startup_trials=1)


def _trials(space: Space, free: Sequence[Parameter], past: Sequence[PastRun], metric: Metric) -> list[FrozenTrial]:
    """Past runs in Optuna's words, less is better. Runs that lie outside of the space are left out."""
    from optuna.trial import TrialState, create_trial

    distributions = {parameter.name: _model_distribution(parameter) for parameter in free}
    values = _values(past, metric)
    trials = []
    for run in past:
        codes = _codes(space, free, run)
        if codes is None:
            continue
        if run.state in IN_PROGRESS:
            trials.append(create_trial(state=TrialState.RUNNING, params=codes, distributions=distributions))
        elif run.name in values:
            trials.append(create_trial(value=values[run.name], params=codes, distributions=distributions))
    return trials


def _values(past: Sequence[PastRun], metric: Metric) -> dict[str, float]:
    """Run → its value for the search, for each ended run, less is better.

    A run without the metric counts as the worst one, so that the search stays away from failures. `metric.impute` is
    the value of runs that failed, crashed or were killed, as in W&B: `worst`, or the `best` or `latest` of their
    history. Without it they count with their own value, as stopping early is a result too.
    """
    ended = [run for run in past if run.state not in IN_PROGRESS]
    own = {run.name: value for run in ended if (value := _value(run, metric)) is not None}
    if not own:
        return {}
    worst = metric.worst(list(own.values()))
    sign = -1.0 if metric.maximize else 1.0
    return _compress({run.name: sign * own.get(run.name, worst) for run in ended})


def _compress(values: dict[str, float]) -> dict[str, float]:
    """The worse half on a logarithmic scale with an end; one diverged run would else hide all other differences."""
    middle = statistics.median(values.values())
    width = middle - min(values.values())
    if width <= 0:
        return values
    return {
        name: value if value <= middle else middle + width * min(math.log1p((value - middle) / width), FARTHEST)
        for name, value in values.items()
    }


def _value(run: PastRun, metric: Metric) -> float | None:
    if run.state == "finished" or metric.impute is None:
        return metric.of(run)
    logged = [value for _, value in run.history if math.isfinite(value)]
    if metric.impute == "worst" or not logged:
        return None
    return metric.best(logged) if metric.impute == "best" else logged[-1]


def _model_distribution(parameter: Parameter) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if _is_categorical(parameter):
        return CategoricalDistribution(tuple(range(parameter.distribution.size or 0)))
    positions = _positions(parameter)
    return FloatDistribution(0.0, 1.0) if positions is None else IntDistribution(0, (positions.size or 1) - 1)


def _is_categorical(parameter: Parameter) -> bool:
    return isinstance(parameter.distribution, Choice) and not parameter.distribution.ordered


def _positions(parameter: Parameter) -> Choice | Quantized | None:
    """The distribution if the model sees the position of a value among all, None if it sees its quantile.

    Positions suit evenly spaced values and lists; the multiples of q under a logarithm are far from even.
    """
    distribution = parameter.distribution
    if _is_categorical(parameter):
        assert isinstance(distribution, Choice)
        return distribution
    if isinstance(distribution, Quantized) and not distribution.law.is_linear:
        return None
    if isinstance(distribution, Continuous) or (distribution.size or 0) > MOST_POSITIONS:
        return None
    return distribution


def _codes(space: Space, free: Sequence[Parameter], run: PastRun) -> dict[str, Code] | None:
    """The run's configuration as the model sees it, None if it lies outside of the space."""
    point = space.point(run.params)
    if point is None:
        return None
    codes: dict[str, Code] = {}
    for parameter, value in zip(space.parameters, point, strict=True):
        code = _encode(parameter, value)
        if code is None:
            return None
        codes[parameter.name] = code
    return {parameter.name: codes[parameter.name] for parameter in free}


def _encode(parameter: Parameter, value: object) -> Code | None:
    positions = _positions(parameter)
    return parameter.distribution.cdf(value) if positions is None else positions.index(value)


def _decode(parameter: Parameter, code: Code) -> object:
    positions = _positions(parameter)
    return parameter.distribution.ppf(code) if positions is None else positions.at(int(code))


def _nearest_unseen(space: Space, seen: frozenset[Hashable], point: Point, rng: random.Random) -> Point | None:
    """The configuration nearest to a used one that was not handed out itself."""
    if space.size is not None and space.size <= CANDIDATES + len(seen):
        others = list(islice(sampling.unused_points(space, seen), CANDIDATES))
    else:
        drawn = [sampling.draw(space, rng) for _ in range(CANDIDATES)]
        others = [other for other in drawn if space.key(other) not in seen]
    return min(others, key=lambda other: _distance(space, point, other), default=None)


def _distance(space: Space, one: Point, other: Point) -> float:
    """Sum over parameters: 1 for two different categories, else the distance on a scale from 0 to 1."""
    total = 0.0
    for parameter, a, b in zip(space.parameters, one, other, strict=True):
        positions = _positions(parameter)
        apart = abs((_encode(parameter, a) or 0) - (_encode(parameter, b) or 0))
        if _is_categorical(parameter):
            total += min(apart, 1)
        else:
            total += apart if positions is None else apart / max((positions.size or 1) - 1, 1)
    return total
