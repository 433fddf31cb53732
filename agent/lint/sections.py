"""The keys of a sweep other than its parameters: method, scheduler, run_cap, and the words W&B does not know."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agent.lint.document import Document
from agent.lint.finding import Finding, Rule
from agent.lint.parameters.types import did_you_mean

KEYS = (
    "program",
    "command",
    "method",
    "metric",
    "parameters",
    "name",
    "description",
    "project",
    "entity",
    "early_terminate",
    "run_cap",
    "scheduler",
    "controller",
    "job",
)
"""Top-level keys of a sweep that W&B reads."""

EMBEDDED_KEYS = ("seed", "shuffle", "pruner", "requeue")
"""Keys that only the embedded server reads; W&B passes over them."""

OTHER_NAMES = {
    "early_stopping": "early_terminate",
    "early_stop": "early_terminate",
    "hyperband": "early_terminate",
    "params": "parameters",
    "hyperparameters": "parameters",
    "strategy": "method",
    "search": "method",
    "objective": "metric",
    "max_runs": "run_cap",
    "count": "run_cap",
}

METHODS = ("grid", "random", "bayes")
ENGINES = ("wandb", "optuna", "ax")


UNKNOWN_KEY = Rule(
    "S001",
    "error",
    "{key} is no key of a sweep{near}",
    "W&B passes over keys that it does not know, so this has no effect",
    "use one of {known}",
)
NO_METHOD = Rule("S002", "error", "method is missing", "W&B refuses the sweep", "write one of {known}")
UNKNOWN_METHOD = Rule(
    "S003", "error", "there is no method {method!r}{near}", "W&B refuses the sweep", "write one of {known}"
)
NO_SCHEDULER = Rule(
    "S004",
    "error",
    "scheduler is {given!r}, not a mapping",
    "`wandb sweep-scheduler` refuses it",
    "write `scheduler: {{engine: optuna}}`",
)
UNKNOWN_ENGINE = Rule(
    "S005", "error", "there is no engine {engine!r}", "`wandb sweep-scheduler` refuses it", "write one of {known}"
)
NO_SOURCE = Rule(
    "S006",
    "error",
    "source {source!r} is no file seen from here",
    "`wandb sweep-scheduler` loads it from the folder in which it is started",
    "start from the root of the project, or mend the path",
)
BAD_CAP = Rule(
    "S007",
    "error",
    "run_cap is {cap!r}",
    "it is the number of runs after which the sweep ends",
    "write a whole number from 1 up",
)
ENDLESS = Rule(
    "S008",
    "warning",
    "the sweep has no end",
    "W&B hands out configurations for ever, repeated ones too",
    "add `run_cap:` and a number of runs",
)


def check(document: Document) -> Iterator[Finding]:
    yield from check_keys(document)
    yield from check_method(document)
    yield from check_scheduler(document)
    yield from check_run_cap(document)


def check_keys(document: Document) -> Iterator[Finding]:
    for key in document.value:
        if key not in (*KEYS, *EMBEDDED_KEYS):
            near = did_you_mean(key, KEYS, OTHER_NAMES)
            yield UNKNOWN_KEY.at(document.line(key), key=key, near=near, known=", ".join(KEYS))


def check_method(document: Document) -> Iterator[Finding]:
    if document.value.get("scheduler"):
        return
    method, line, known = document.value.get("method"), document.line("method"), ", ".join(METHODS)
    if method is None:
        yield NO_METHOD.at(line, known=known)
    elif method not in METHODS:
        yield UNKNOWN_METHOD.at(line, method=method, near=did_you_mean(method, METHODS), known=known)


def check_scheduler(document: Document) -> Iterator[Finding]:
    """`scheduler: {engine: optuna, source: FILE, search_space: FUNCTION}`, for `wandb sweep-scheduler`."""
    if "scheduler" not in document.value:
        return
    section = document.mapping("scheduler")
    if not section:
        yield NO_SCHEDULER.at(document.line("scheduler"), given=document.value["scheduler"])
        return
    if (engine := section.get("engine")) not in ENGINES:
        line = document.line("scheduler", "engine")
        yield UNKNOWN_ENGINE.at(line, engine=engine, known=", ".join(ENGINES))
    source = section.get("source")
    if (section.get("search_space") or section.get("optimizer")) and not Path(str(source)).is_file():
        yield NO_SOURCE.at(document.line("scheduler", "source"), source=source)


def check_run_cap(document: Document) -> Iterator[Finding]:
    cap: Any = document.value.get("run_cap")
    if cap is not None and (isinstance(cap, bool) or not isinstance(cap, int) or cap < 1):
        yield BAD_CAP.at(document.line("run_cap"), cap=cap)


def check_end(document: Document, n_runs: int | None) -> list[Finding]:
    """`n_runs` None: the sweep has no end."""
    return [ENDLESS.at(document.line("method"))] if n_runs is None else []
