"""The metric of a sweep, and Hyperband: whether they can do their work."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from agent.lint.document import Document
from agent.lint.finding import Finding, Rule
from agent.lint.parameters.types import did_you_mean
from common.keys import HISTORY, SUMMARY
from common.sweep_spec.hyperband import KEYS, bands, is_count

GOALS = ("minimize", "maximize")

NO_METRIC = Rule(
    "M001",
    "error",
    "metric is missing",
    "Bayesian search, Hyperband and schedulers compare runs by it",
    "add `metric: {{name: val/iou, goal: maximize}}`",
)
NO_MAPPING = Rule(
    "M002",
    "error",
    "metric is {given!r}, not a name and a goal",
    "W&B refuses the sweep",
    "write `metric: {{name: val/iou, goal: maximize}}`",
)
NEVER_LOGGED = Rule(
    "M003",
    "error",
    "metric {name!r} is never logged{near}",
    "search and Hyperband would wait for it for ever, and every run would look alike",
    "name one of {known}, or a summary key of docs/runs.md",
)
CHOSEN_BY_THE_TEST = Rule(
    "M004",
    "warning",
    "metric {name} is measured on the test images",
    "a run chosen by the test images cannot be judged by them any more",
    "choose by val/iou and look at the test images once",
)
ONLY_AT_THE_END = Rule(
    "M005",
    "error",
    "metric {name} is known only when a run has ended",
    "Hyperband compares runs while they go on, so it would never stop one",
    "name one of {known}",
)
NO_GOAL = Rule("M006", "error", "goal is missing", "W&B then minimizes {name}", "add `goal: maximize`")
UNKNOWN_GOAL = Rule("M007", "error", "there is no goal {given!r}{near}", "W&B refuses it", "write {fitting}")
WRONG_GOAL = Rule(
    "M008",
    "error",
    "goal {given} seeks the worst {name}",
    "the search runs away from good values",
    "write `goal: {fitting}`",
)
NO_HYPERBAND = Rule(
    "H001",
    "error",
    "early_terminate is {given!r}, not a mapping",
    "W&B refuses the sweep",
    "write `early_terminate: {{type: hyperband, min_iter: 5, strict: true}}`",
)
UNKNOWN_KEY = Rule("H002", "error", "early_terminate has no key {key}{near}", "W&B passes over it", "use {known}")
UNKNOWN_TYPE = Rule(
    "H003",
    "error",
    "early_terminate has no type {given!r}",
    "Hyperband is the only one that W&B knows",
    "write `type: hyperband`",
)
NOT_STRICT = Rule(
    "H004",
    "warning",
    "Hyperband without `strict: true`",
    "it then ends a run only if it was never among the best third, far fewer than one expects",
    "add `strict: true`",
)
SINGLE_RUN = Rule(
    "H005",
    "error",
    "Hyperband with a single run",
    "it compares runs; there is none to compare with",
    "remove early_terminate",
)
NO_BANDS = Rule(
    "H006",
    "error",
    "early_terminate has neither min_iter nor max_iter and s",
    "the epoch of the first comparison is missing",
    "add `min_iter:` and a number of epochs",
)
BAD_NUMBER = Rule("H007", "error", "{key} is {value!r}", "Hyperband counts with it", "write a number from 1 up")
BAD_ETA = replace(BAD_NUMBER, code="H008", fix="write a number above 1")
NEVER_STOPS = Rule(
    "H009",
    "error",
    "Hyperband first looks after epoch {band}, and no run has more than {epochs}",
    "it can never stop a run",
    "begin at about a ninth of the epochs: `min_iter: {better}`",
)
STOPS_SOME = Rule(
    "H010",
    "warning",
    "Hyperband first looks after epoch {band}, and some runs have only {epochs}",
    "those it can never stop",
    "begin at about a ninth of the epochs: `min_iter: {better}`",
)


def check(document: Document, epochs: Sequence[int], n_runs: int | None) -> Iterator[Finding]:
    """`epochs`: every number of epochs that a run of the sweep may have; empty if it cannot be told."""
    yield from check_metric(document)
    if "early_terminate" in document.value:
        yield from check_hyperband(document, epochs, n_runs)


def check_metric(document: Document) -> Iterator[Finding]:
    """`metric: {name: …, goal: …}`."""
    needed = document.value.get("method") == "bayes" or "early_terminate" in document.value
    if "metric" not in document.value:
        if needed or document.value.get("scheduler"):
            yield NO_METRIC.at(1)
        return
    metric = document.mapping("metric")
    if not metric:
        yield NO_MAPPING.at(document.line("metric"), given=document.value["metric"])
        return
    name, line, known = metric.get("name"), document.line("metric", "name"), ", ".join(HISTORY)
    if name not in (*HISTORY, *SUMMARY):
        yield NEVER_LOGGED.at(line, name=name, near=suggest_key(str(name)), known=known)
    elif "test" in str(name):
        yield CHOSEN_BY_THE_TEST.at(line, name=name)
    if name in SUMMARY and "early_terminate" in document.value:
        yield ONLY_AT_THE_END.at(line, name=name, known=known)
    yield from check_goal(document, str(name))


def suggest_key(name: str) -> str:
    """The key that is likely meant; one of the test images only if the name has `test`."""
    known = [key for key in (*HISTORY, *SUMMARY) if "test" in name.lower() or "test" not in key]
    return did_you_mean(re.sub(r"\W|_", "/", name.lower()), known) or did_you_mean(name, known)


def check_goal(document: Document, name: str) -> Iterator[Finding]:
    goal = document.mapping("metric").get("goal")
    line = document.line("metric", "goal")
    lower = any(word in name for word in ("loss", "seconds", "gap", "epoch"))
    fitting = "minimize" if lower else "maximize"
    if goal is None and fitting == "maximize":
        yield NO_GOAL.at(line, name=name)
    elif goal is not None and goal not in GOALS:
        yield UNKNOWN_GOAL.at(line, given=goal, near=did_you_mean(goal, GOALS), fitting=fitting)
    elif goal is not None and goal != fitting:
        yield WRONG_GOAL.at(line, given=goal, name=name, fitting=fitting)


def check_hyperband(document: Document, epochs: Sequence[int], n_runs: int | None) -> Iterator[Finding]:
    section, line = document.mapping("early_terminate"), document.line("early_terminate")
    if not section:
        yield NO_HYPERBAND.at(line, given=document.value["early_terminate"])
        return
    for key in section:
        if key not in KEYS:
            near, known = did_you_mean(key, KEYS), ", ".join(KEYS)
            yield UNKNOWN_KEY.at(document.line("early_terminate", key), key=key, near=near, known=known)
    if section.get("type") != "hyperband":
        yield UNKNOWN_TYPE.at(document.line("early_terminate", "type"), given=section.get("type"))
    yield from _check_numbers(document)
    if section.get("strict") is not True:
        yield NOT_STRICT.at(document.line("early_terminate", "strict"))
    if n_runs == 1:
        yield SINGLE_RUN.at(line)
    looks = bands(section)
    if looks and epochs:
        yield from _check_first_band(document, looks[0], epochs)


def _check_numbers(document: Document) -> Iterator[Finding]:
    section = document.mapping("early_terminate")
    if "min_iter" not in section and not {"max_iter", "s"} <= set(section):
        yield NO_BANDS.at(document.line("early_terminate"))
    for key in ("min_iter", "max_iter", "s", "eta"):
        value = section.get(key)
        if key in section and (not is_count(value) or (key, value) == ("eta", 1)):
            rule = BAD_ETA if key == "eta" else BAD_NUMBER
            yield rule.at(document.line("early_terminate", key), key=key, value=value)


def _check_first_band(document: Document, first: int, epochs: Sequence[int]) -> Iterator[Finding]:
    """A run is stopped between its first band and its end, or not at all."""
    key = "min_iter" if "min_iter" in document.mapping("early_terminate") else "max_iter"
    line, fewest, most = document.line("early_terminate", key), min(epochs), max(epochs)
    if first >= most:
        yield NEVER_STOPS.at(line, band=first, epochs=most, better=max(1, most // 9))
    elif first >= fewest:
        yield STOPS_SOME.at(line, band=first, epochs=fewest, better=max(1, fewest // 9))
