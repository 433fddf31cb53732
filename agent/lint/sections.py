"""The keys of a sweep other than its parameters: program, command, method, and the words W&B does not know."""

import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from agent.lint.document import Document
from agent.lint.finding import Finding, error, warning

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
ARGUMENTS = ("${args}", "${args_no_boolean_flags}")
MODULE = "agent.train"
FIX_COMMAND = f'command: ["${{env}}", "${{interpreter}}", "-m", "{MODULE}", "${{args}}"]'


def nearest(word: object, known: Sequence[str], others: dict[str, str] | None = None) -> str:
    """`; did you mean X?` for a word that resembles a known one; else nothing."""
    if others and str(word) in others:
        return f"; did you mean {others[str(word)]}?"
    near = difflib.get_close_matches(str(word), known, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def check(document: Document) -> Iterator[Finding]:
    yield from unknown_keys(document)
    yield from start(document)
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


def starts_agent(document: Document) -> bool:
    """Whether the sweep starts `agent.train`, so that its parameters are fields of Config."""
    command = document.value.get("command")
    words = command if isinstance(command, list) else [document.value.get("program", "")]
    return any(str(word) in (MODULE, "agent/train.py", "${program}") for word in words)


def start(document: Document) -> Iterator[Finding]:
    """`program` and `command`."""
    if "program" not in document.value:
        yield error(
            1,
            "program is missing",
            "`wandb agent` refuses a sweep without it, even where command does not use it",
            "add `program: agent/train.py`",
        )
    command = document.value.get("command")
    line = document.line("command" if "command" in document.value else "program")
    if not isinstance(command, list):
        yield error(
            line,
            "command is missing" if command is None else "command is no list of words",
            "`python agent/train.py`, which W&B starts without it, does not find the packages beside agent/",
            FIX_COMMAND,
        )
        return
    if not starts_agent(document):
        yield warning(
            line,
            f"command does not start {MODULE}",
            "the parameters belong to another program and are not checked",
            FIX_COMMAND,
        )
    elif MODULE not in command:
        yield error(
            line,
            "command starts agent/train.py as a file",
            "Python then does not find the packages beside agent/",
            FIX_COMMAND,
        )
    elif not any(word in ARGUMENTS for word in command):
        yield error(
            line,
            "command has no ${args}",
            f"{MODULE} then gets no setting, and every run trains the defaults",
            FIX_COMMAND,
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
