"""Sweeps whose configurations a Python function suggests (`scheduler: {search_space: …}`): ask it, and look."""

import inspect
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from runpy import run_path
from traceback import extract_tb
from typing import Any

from agent.config import ConfigError, from_settings
from agent.lint.combinations import Combination
from agent.lint.document import Document
from agent.lint.finding import Finding, Rule
from agent.lint.parameters.types import FIELDS, check_type, did_you_mean

N_SUGGESTIONS = 200
"""Number of suggestions that are checked."""

NO_FUNCTION = Rule(
    "F001",
    "error",
    "{source} has no function {name} with one argument, the trial",
    "`wandb sweep-scheduler` refuses it",
    "mend its name, here or there",
)
RAISES = Rule(
    "F002", "error", "{source} raises {problem}", "`wandb sweep-scheduler` refuses it", "mend the file{place}"
)
BAD_SUGGESTION = Rule(
    "F003", "error", "it suggests {settings}: {problem}", "such a run would end at once", "mend the function"
)
REPEATED = Rule(
    "F004",
    "error",
    "it repeats {settings}",
    "{times} of {n} suggestions are this one",
    "let the seed differ if all else is equal",
)


def sample(document: Document) -> tuple[list[dict[str, Any]], list[Finding]]:
    """Suggestions of the search space to a random search with a fixed seed.

    The file named by `source` is run, as `wandb sweep-scheduler` does; its errors are findings.
    """
    section, line = document.mapping("scheduler"), document.line("scheduler", "search_space")
    name, source = section.get("search_space"), str(section.get("source"))
    if not name or not Path(source).is_file():
        return [], []
    try:
        space = run_path(source).get(str(name))
        if not callable(space) or len(inspect.signature(space).parameters) != 1:
            return [], [NO_FUNCTION.at(line, source=source, name=name)]
        return _suggest(space), []
    except Exception as problem:
        text = f"{type(problem).__name__}: {' '.join(str(problem).split())}"
        return [], [RAISES.at(line, source=source, problem=text, place=_line_of(problem, source))]


def _line_of(problem: Exception, source: str) -> str:
    """The line of the file that raised the error, as text; empty if none did."""
    if isinstance(problem, SyntaxError):
        return f", line {problem.lineno}"
    at_work = [frame.lineno for frame in extract_tb(problem.__traceback__) if frame.filename == source]
    return f", line {at_work[-1]}" if at_work else ""


def _suggest(space: Callable[[Any], Any]) -> list[dict[str, Any]]:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    settings = [space(study.ask()) for _ in range(N_SUGGESTIONS)]
    if strange := [each for each in settings if not isinstance(each, Mapping)]:
        raise TypeError(f"it returns {strange[0]!r}, not a mapping of settings")
    return [dict(each) for each in settings]


def check(document: Document, suggested: list[dict[str, Any]]) -> Iterator[Finding]:
    """Suggestions that are no valid configuration, or that come twice."""
    line = document.line("scheduler", "search_space")
    for settings in suggested:
        if problem := _problem(settings):
            yield BAD_SUGGESTION.at(line, settings=settings, problem=problem)
            return
    times = Counter(repr(sorted(settings.items())) for settings in suggested).most_common(1)
    if times and times[0][1] > 1:
        yield REPEATED.at(line, settings=times[0][0], times=times[0][1], n=N_SUGGESTIONS)


def _problem(settings: Mapping[str, Any]) -> str:
    """The refusal of `agent.train`; empty if it would take them."""
    for name, value in settings.items():
        if name not in FIELDS:
            return f"{name} is no setting of agent.train{did_you_mean(name, list(FIELDS))}"
        if wrong := list(check_type(1, name, value)):
            return wrong[0].message
    try:
        from_settings(settings)
    except ConfigError as problem:
        return str(problem)
    return ""


def combinations_of(document: Document, suggested: list[dict[str, Any]]) -> list[Combination]:
    """The models among the suggestions, once each."""
    line = document.line("scheduler", "search_space")
    seen = {str(settings.get("model")): settings for settings in suggested}
    return [Combination(settings, {"model": line}) for settings in seen.values()]
