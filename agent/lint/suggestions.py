"""Sweeps whose configurations a Python function suggests (`scheduler: {search_space: …}`): ask it, and look."""

import inspect
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from runpy import run_path
from typing import Any

from agent.config import ConfigError, from_settings
from agent.lint.combinations import Cell
from agent.lint.document import Document
from agent.lint.finding import Finding, error

N = 200
"""Suggestions that are looked at."""


def ask(document: Document) -> tuple[list[dict[str, Any]], list[Finding]]:
    """What the search space suggests to a random search with a fixed seed.

    The file named by `source` is run, as `wandb sweep-scheduler` does.
    """
    section, line = document.mapping("scheduler"), document.line("scheduler", "search_space")
    name, source = section.get("search_space"), str(section.get("source"))
    if not name or not Path(source).is_file():
        return [], []
    space = run_path(source).get(str(name))
    if not callable(space) or len(inspect.signature(space).parameters) != 1:
        what = f"{source} has no function {name} with one argument, the trial"
        return [], [error(line, what, "`wandb sweep-scheduler` refuses it", "mend its name, here or there")]
    return _asked(space), []


def _asked(space: Callable[[Any], Mapping[str, Any]]) -> list[dict[str, Any]]:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    return [dict(space(study.ask())) for _ in range(N)]


def check(document: Document, suggested: list[dict[str, Any]]) -> Iterator[Finding]:
    """Suggestions that are no valid configuration, or that come twice."""
    line = document.line("scheduler", "search_space")
    for settings in suggested:
        try:
            from_settings(settings)
        except (ConfigError, TypeError) as problem:
            yield error(
                line,
                f"it suggests {settings}: {problem}",
                "such a run would end at once",
                "mend the function",
            )
            return
    times = Counter(repr(sorted(settings.items())) for settings in suggested).most_common(1)
    if times and times[0][1] > 1:
        why = f"{times[0][1]} of {N} suggestions are this one"
        yield error(line, f"it repeats {times[0][0]}", why, "let the seed differ where all else is equal")


def cells(document: Document, suggested: list[dict[str, Any]]) -> list[Cell]:
    """The models among the suggestions, once each."""
    line = document.line("scheduler", "search_space")
    seen = {str(settings.get("model")): settings for settings in suggested}
    return [Cell(settings, {"model": line}) for settings in seen.values()]
