"""The metric of a sweep: whether runs log it, and whether its goal fits."""

import re
from collections.abc import Iterator

from agent.lint.document import Document
from agent.lint.finding import Finding, Rule
from agent.lint.parameters.types import did_you_mean
from common.keys import HISTORY, SUMMARY

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


def check(document: Document) -> Iterator[Finding]:
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
