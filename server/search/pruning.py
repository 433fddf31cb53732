"""Early stopping by one of Optuna's pruners, under the key `pruner:`, which W&B's own servers ignore."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from server.search import optuna_study
from server.search.errors import SearchError
from server.search.past_runs import IN_PROGRESS, Metric, PastRun

if TYPE_CHECKING:
    from optuna.pruners import BasePruner
    from optuna.trial import FrozenTrial

CLASSES = {"median": "MedianPruner", "percentile": "PercentilePruner", "threshold": "ThresholdPruner"}
"""Pruners that judge a run by its history alone; others keep notes between two looks."""


def read_pruner(section: object) -> BasePruner:
    """The pruner of a `pruner:` section, whose other keys are the arguments of Optuna's class; raises SearchError.

    Steps count the loggings of the metric, from 1. `interval_steps` is refused: rows arrive in lumps, so each look
    judges a run by its last row.
    """
    from optuna import pruners

    if not isinstance(section, Mapping) or section.get("type") not in CLASSES:
        raise SearchError(f"pruner: write `type:` with one of {', '.join(CLASSES)}, and the arguments of Optuna's.")
    arguments = {str(key): value for key, value in section.items() if key != "type"}
    if "interval_steps" in arguments:
        raise SearchError("pruner: interval_steps is not supported, because every look judges the last row; remove it.")
    try:
        pruner: BasePruner = getattr(pruners, CLASSES[str(section["type"])])(**arguments)
    except (TypeError, ValueError) as problem:
        raise SearchError(f"pruner: Optuna refuses these arguments of {section['type']}: {problem}") from problem
    return pruner


def runs_to_stop(section: object, past: Sequence[PastRun], metric: Metric) -> dict[str, str]:
    """Reasons by run name."""
    assert isinstance(section, Mapping)
    pruner = read_pruner(section)
    study = optuna_study.new_study(maximize=metric.maximize)
    study.add_trials([_trial(run, metric) for run in past if run.state == "finished" and run.history])
    running = [run for run in past if run.state == "running" and run.history]
    return {
        run.name: f"{str(section['type']).capitalize()} pruner: {metric.name} {run.history[-1][1]:.4g} at iteration "
        f"{run.history[-1][0]} is not good enough beside {len(study.trials)} finished runs"
        for run in running
        if pruner.prune(study, _trial(run, metric))
    }


def _trial(run: PastRun, metric: Metric) -> FrozenTrial:
    from optuna.trial import TrialState, create_trial

    in_progress = run.state in IN_PROGRESS
    return create_trial(
        state=TrialState.RUNNING if in_progress else TrialState.COMPLETE,
        value=None if in_progress else metric.of(run) or 0.0,
        intermediate_values=dict(run.history),
    )
