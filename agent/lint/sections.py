"""The keys of a sweep other than its parameters: method, scheduler, run_cap, and the words W&B does not know."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agent.lint.document import Document
from agent.lint.finding import Finding, error
from agent.lint.types import nearest

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


def check(document: Document) -> Iterator[Finding]:
    yield from unknown_keys(document)
    yield from method(document)
    yield from scheduler(document)
    yield from run_cap(document)


def unknown_keys(document: Document) -> Iterator[Finding]:
    for key in document.value:
        if key not in (*KEYS, *EMBEDDED_KEYS):
            yield error(
                document.line(key),
                f"{key} is no key of a sweep{nearest(key, KEYS, OTHER_NAMES)}",
                "W&B passes over keys that it does not know, so this has no effect",
                f"use one of {', '.join(KEYS)}",
            )


def method(document: Document) -> Iterator[Finding]:
    if document.value.get("scheduler"):
        return
    given = document.value.get("method")
    if given not in METHODS:
        yield error(
            document.line("method"),
            "method is missing"
            if given is None
            else f"there is no method {given!r}{nearest(given, METHODS)}",
            "W&B refuses the sweep",
            f"write one of {', '.join(METHODS)}",
        )


def scheduler(document: Document) -> Iterator[Finding]:
    """`scheduler: {engine: optuna, source: FILE, search_space: FUNCTION}`, for `wandb sweep-scheduler`."""
    if "scheduler" not in document.value:
        return
    section = document.mapping("scheduler")
    if not section:
        yield error(
            document.line("scheduler"),
            f"scheduler is {document.value['scheduler']!r}, not a mapping",
            "`wandb sweep-scheduler` refuses it",
            "write `scheduler: {engine: optuna}`",
        )
        return
    if section.get("engine") not in ENGINES:
        yield error(
            document.line("scheduler", "engine"),
            f"there is no engine {section.get('engine')!r}",
            "`wandb sweep-scheduler` refuses it",
            f"write one of {', '.join(ENGINES)}",
        )
    source = section.get("source")
    if (section.get("search_space") or section.get("optimizer")) and not Path(str(source)).is_file():
        yield error(
            document.line("scheduler", "source"),
            f"source {source!r} is no file seen from here",
            "`wandb sweep-scheduler` loads it from the folder in which it is started",
            "start from the root of the project, or mend the path",
        )


def run_cap(document: Document) -> Iterator[Finding]:
    cap: Any = document.value.get("run_cap")
    if cap is not None and (isinstance(cap, bool) or not isinstance(cap, int) or cap < 1):
        yield error(
            document.line("run_cap"),
            f"run_cap is {cap!r}",
            "it is the number of runs after which the sweep ends",
            "write a whole number from 1 up",
        )
