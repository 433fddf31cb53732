"""The `command:` of a sweep, read as `wandb agent` fills it in: the program that it starts, and its own flags."""

import argparse
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any

from agent.config import value_parser
from agent.lifecycle import wandb_mode
from agent.lint.document import Document
from agent.lint.finding import Finding, Rule
from agent.lint.parameters.types import FIELDS, did_you_mean
from agent.lint.parameters.values import Parameter, check_values
from common.sweep_spec import DEFAULT_COMMAND
from common.sweep_spec.distributions import listed_values

MODULE = "agent.train"
FLAG_MACROS = ("${args}", "${args_no_equals}", "${args_no_boolean_flags}")
OTHER_MACROS = (
    *("${args_no_hyphens}", "${args_json}", "${args_json_file}", "${args_dict}"),
    *("${args_append_hydra}", "${args_override_hydra}"),
)
"""Macros of settings in forms that agent.train does not read."""

MACROS = {"${env}": "/usr/bin/env", "${interpreter}": "python"}
ENVIRONMENT_MACRO = re.compile(r"\$\{envvar:([A-Z0-9_]*)\}")
MENTION = re.compile(r"(?<![\w.])agent\.train(?![\w.])|(?<![\w.-])agent/train\.py$")
SHELLS = ("sh", "bash", "dash", "zsh", "ksh", "fish")

RUN_ENDS = "every run would end at once"
EXAMPLE = 'command: ["${{env}}", "${{interpreter}}", "-m", "agent.train", "${{args}}"]'
NO_PROGRAM = Rule(
    "C001",
    "error",
    "program is missing",
    "`wandb agent` refuses a sweep without it, even where command does not use it",
    "add `program: agent/train.py`",
)
NO_LIST = Rule("C002", "error", "command is no list of words", "W&B passes over it and starts {default}", EXAMPLE)
OFFLINE = Rule("C003", "error", "command sets {words}", wandb_mode.WHY_ONLINE, "take it out; a sweep needs its server")
UNSET_VARIABLE = Rule(
    "C004",
    "warning",
    "{name} is not set here",
    "W&B writes its name if it is not set",
    "set {name} wherever agents are started",
)
UNKNOWN_MACRO = Rule(
    "C005",
    "error",
    "W&B knows no {word}{near}",
    "it leaves the word out",
    "use {known}, or ${{envvar:NAME}} in capitals",
)
MACRO_IN_A_WORD = Rule(
    "C006", "error", "{word!r} has a macro within a word", "W&B fills in whole words only", "make it a word of its own"
)
STARTS_NOTHING = Rule("C007", "error", "command starts no program", RUN_ENDS, EXAMPLE)
ASSIGNMENT_FIRST = Rule(
    "C008", "error", "command begins with {word}", "it is started as if it were a program", 'put "${{env}}" before it'
)
ANOTHER_PROGRAM = Rule(
    "C009",
    "note",
    "command does not start agent.train",
    "the parameters belong to another program: they are neither checked nor priced",
    f"nothing to do, unless agent.train is meant: {EXAMPLE}",
)
NO_INTERPRETER = Rule("C010", "error", "command has no interpreter", "`-m` is started as if it were a program", EXAMPLE)
NO_COMMAND = Rule(
    "C011",
    "error",
    "command is missing",
    "`python agent/train.py`, which W&B starts without it, does not find the packages beside agent/",
    EXAMPLE,
)
NO_M = Rule(
    "C012", "error", "command has no -m before agent.train", "Python then looks for a file of that name", EXAMPLE
)
ONE_WORD = Rule(
    "C013", "error", "command has {word!r} as one word", "W&B uses no shell, so words are not taken apart", EXAMPLE
)
AS_A_FILE = Rule(
    "C014",
    "error",
    "command starts agent/train.py as a file",
    "Python then does not find the packages beside agent/",
    EXAMPLE,
)
UNREAD_SETTINGS = Rule(
    "C015", "error", "agent.train does not read {word}", "it takes flags of the form --name=value", 'write "${{args}}"'
)
NO_SETTINGS = Rule(
    "C016",
    "error",
    "command has no ${{args}}",
    "agent.train then gets no setting, and every run trains the defaults",
    EXAMPLE,
)
SETTINGS_TOO_EARLY = Rule(
    "C017", "error", "{word} stands before agent.train", "the settings go to something else", EXAMPLE
)
SETTINGS_TWICE = Rule(
    "C018", "warning", "the settings stand there twice", "the last ones count", 'keep one "${{args}}"'
)
BOOLEAN_WITHOUT_VALUE = Rule(
    "C019",
    "error",
    "{name} is a boolean, and ${{args_no_boolean_flags}} writes it without its value",
    RUN_ENDS,
    'write "${{args}}" in command',
)
REPEATED_FLAG = Rule(
    "C020", "warning", "--{name} stands there twice", "only the last one counts", "keep one of the two"
)
CONTRADICTING_FLAGS = replace(REPEATED_FLAG, code="C021", severity="error")
UNKNOWN_FLAG = Rule(
    "C022", "error", "agent.train has no flag {name}{near}", RUN_ENDS, "the flags are {known}, as in --epochs=3"
)
NO_VALUE = Rule("C023", "error", "--{name} has no value", RUN_ENDS, "write --{name}=VALUE")
TWO_WORDS = Rule(
    "C024",
    "error",
    "'--{name}={text}' is one word",
    "W&B uses no shell, so words are not taken apart",
    "make it two words",
)
BAD_VALUE = Rule("C025", "error", "--{name} {problem}", RUN_ENDS, "write such a value")
FLAG_WINS = Rule(
    "C026",
    "warning",
    "--{name}={value} stands behind ${{args}} and wins over the parameter {name}",
    "every run trains with it, whatever {name} the sweep says it has",
    "keep one of the two",
)
PARAMETER_WINS = Rule(
    "C027",
    "warning",
    "--{name}={value} stands before ${{args}}, so the parameter {name} wins",
    "it has no effect",
    "take it out",
)


@dataclass(frozen=True)
class Command:
    """`spec` and `program` as they stand in the sweep."""

    spec: Any
    program: Any = ""

    @property
    def words(self) -> list[str]:
        """The words as the agent starts them, but for the settings of the run."""
        own = self.spec if isinstance(self.spec, list) and self.spec else DEFAULT_COMMAND
        filled = {**MACROS, "${program}": str(self.program or "")}
        return [filled.get(word, word) for word in (_with_variables(str(each)) for each in own)]

    @property
    def mentions_agent(self) -> bool:
        return any(MENTION.search(word) for word in self.words)

    @property
    def starts_agent(self) -> bool:
        """Whether the settings of its runs are those of Config; a shell may do anything."""
        return self.mentions_agent and not any(PurePath(word).name in SHELLS for word in self.words)

    @property
    def flags_index(self) -> int:
        """Index of the first word for agent.train; 0 if it is not started as a module."""
        for index, (first, second) in enumerate(zip(self.words, self.words[1:], strict=False), 2):
            if (first, second) == ("-m", MODULE):
                return index
        return 0


@dataclass(frozen=True)
class Flag:
    """A setting that the command writes itself; `last` if it stands behind those of the sweep, and so wins."""

    parameter: Parameter
    last: bool


def read_command(document: Document) -> Command:
    return Command(document.value.get("command"), document.value.get("program"))


def _with_variables(word: str) -> str:
    """A word with its variables filled in as by the client: one that is not set becomes its name."""
    return ENVIRONMENT_MACRO.sub(lambda match: os.environ.get(match[1], match[1]), word)


def check(document: Document) -> Iterator[Finding]:
    """Everything but the fixed flags."""
    command = read_command(document)
    if "program" not in document.value:
        yield NO_PROGRAM.at(1)
    if command.spec is not None and not isinstance(command.spec, list):
        yield NO_LIST.at(document.line("command"), default=" ".join(DEFAULT_COMMAND))
        return
    if assignment := wandb_mode.offline_assignment(command.words):
        yield OFFLINE.at(document.line("command"), words=assignment)
    yield from _check_macros(document)
    yield from _check_start(document, command)


def _check_macros(document: Document) -> Iterator[Finding]:
    known = (*MACROS, "${program}", *FLAG_MACROS, *OTHER_MACROS)
    for index, each in enumerate(document.value.get("command") or ()):
        line, word = document.line("command", index), str(each)
        for name in ENVIRONMENT_MACRO.findall(word):
            if name not in os.environ:
                yield UNSET_VARIABLE.at(line, name=name)
        rest = ENVIRONMENT_MACRO.sub("", word)
        if "${" not in rest or rest in known:
            continue
        if re.fullmatch(r"\$\{.*\}", rest):
            yield UNKNOWN_MACRO.at(line, word=rest, near=did_you_mean(rest, known), known=", ".join(known))
        else:
            yield MACRO_IN_A_WORD.at(line, word=word)


def _check_start(document: Document, command: Command) -> Iterator[Finding]:
    """Check the program that is started, and that it gets its settings."""
    words = command.words
    line = document.line("command" if command.spec else "program")
    own = [word for word in words if word and word not in (*MACROS.values(), *FLAG_MACROS, *OTHER_MACROS)]
    if not own:
        yield STARTS_NOTHING.at(line)
    elif "=" in words[0]:
        yield ASSIGNMENT_FIRST.at(line, word=words[0])
    elif not command.starts_agent:
        yield ANOTHER_PROGRAM.at(line)
    elif not command.flags_index:
        yield _no_module(line, command)
    elif all("=" in word for word in words[: command.flags_index - 2] if word != MACROS["${env}"]):
        yield NO_INTERPRETER.at(line)
    else:
        yield from _check_settings(document, command)


def _no_module(line: int, command: Command) -> Finding:
    if not command.spec:
        return NO_COMMAND.at(line)
    (word, *_) = (each for each in command.words if MENTION.search(each))
    if word == MODULE:
        return NO_M.at(line)
    return (ONE_WORD if " " in word or MODULE in word else AS_A_FILE).at(line, word=word)


def _check_settings(document: Document, command: Command) -> Iterator[Finding]:
    words, line = command.words, document.line("command")
    for word in OTHER_MACROS:
        if word in words:
            yield UNREAD_SETTINGS.at(document.line("command", words.index(word)), word=word)
            return
    places = [index for index, word in enumerate(words) if word in FLAG_MACROS]
    if not places:
        yield NO_SETTINGS.at(line)
    elif places[0] < command.flags_index:
        yield SETTINGS_TOO_EARLY.at(line, word=words[places[0]])
    if len(places) > 1:
        yield SETTINGS_TWICE.at(line)
    if "${args_no_boolean_flags}" in words:
        yield from _check_booleans(document)


def _check_booleans(document: Document) -> Iterator[Finding]:
    for name, spec in document.mapping("parameters").items():
        if FIELDS.get(name) is bool and True in (listed_values(spec) or []):
            yield BOOLEAN_WITHOUT_VALUE.at(document.line("parameters", name), name=name)


def read_flags(document: Document) -> tuple[list[Flag], list[Finding]]:
    """The settings that the command itself writes, the last of each, and their faults."""
    command = read_command(document)
    if not command.starts_agent or not command.flags_index:
        return [], []
    last = max((index for index, word in enumerate(command.words) if word in FLAG_MACROS), default=-1)
    read: dict[str, Flag] = {}
    findings: list[Finding] = []
    for index, name, text in _pairs(command):
        line = document.line("command", index)
        parameter, wrong = _read_flag(line, name, text)
        findings += wrong
        if parameter and name in read:
            same = parameter.values == read[name].parameter.values
            findings.append((REPEATED_FLAG if same else CONTRADICTING_FLAGS).at(line, name=name))
        if parameter:
            read[name] = Flag(parameter, index > last)
    return list(read.values()), findings


def _pairs(command: Command) -> Iterator[tuple[int, str, str | None]]:
    """Index, name and value of each flag; another word is its own name, its value None."""
    words = [*enumerate(command.words)][command.flags_index :]
    while words:
        index, word = words.pop(0)
        if word in FLAG_MACROS or word in OTHER_MACROS:
            continue
        name, equals, text = word.removeprefix("--").partition("=")
        if not word.startswith("--"):
            yield index, word, None
        elif equals:
            yield index, name, text
        elif words and not words[0][1].startswith(("--", "${")):
            yield index, name, words.pop(0)[1]
        else:
            yield index, name, None


def _read_flag(line: int, name: str, text: str | None) -> tuple[Parameter | None, list[Finding]]:
    if name not in FIELDS:
        near = did_you_mean(name, list(FIELDS))
        return None, [UNKNOWN_FLAG.at(line, name=name, near=near, known=", ".join(FIELDS))]
    if text is None:
        return None, [NO_VALUE.at(line, name=name)]
    if re.search(r"\s--\w", text):
        return None, [TWO_WORDS.at(line, name=name, text=text)]
    try:
        value = value_parser(name, FIELDS[name])(text)
    except argparse.ArgumentTypeError as problem:
        return None, [BAD_VALUE.at(line, name=name, problem=problem)]
    parameter = Parameter(name, "constant", (value,), (line,), finite=True)
    return parameter, check_values(parameter)


def merge(parameters: list[Parameter], fixed: list[Flag]) -> tuple[list[Parameter], list[Finding]]:
    """The parameters as runs get them, and findings on contradictions between command and sweep."""
    merged, findings = {each.name: each for each in parameters}, []
    for flag in fixed:
        name, value = flag.parameter.name, flag.parameter.values[0]
        sweeps = merged.get(name)
        if sweeps and set(map(repr, sweeps.values)) != {repr(value)}:
            rule = FLAG_WINS if flag.last else PARAMETER_WINS
            findings.append(rule.at(flag.parameter.lines[0], name=name, value=value))
        if flag.last or not sweeps:
            merged[name] = replace(flag.parameter, n=sweeps.n if sweeps else 1)
    return list(merged.values()), findings


def overlay(settings: Mapping[str, Any], fixed: list[Flag]) -> dict[str, Any]:
    """The settings of a run, those of the command among them."""
    first, last = ({f.parameter.name: f.parameter.values[0] for f in fixed if f.last is end} for end in (False, True))
    return {**first, **settings, **last}
