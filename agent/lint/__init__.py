"""Before it burns an hour: `python -m agent.lint sweeps/*.yaml` says what is wrong with sweeps, and what they cost.

Each finding names file and line, what is wrong, why that matters, and how to mend it. Errors make the exit code 1;
warnings do not.
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.config import Config, from_settings
from agent.lifecycle import modes
from agent.lint import combinations, command, cost, document, metric, parameters, sections, suggestions
from agent.lint.cost import Cost
from agent.lint.document import Document
from agent.lint.finding import Finding, warning
from agent.lint.parameters import Parameter
from agent.training.step_times import StepTimesError
from common.cli import Parser

__all__ = ["Finding", "Report", "check", "main"]


@dataclass(frozen=True)
class Report:
    """What is to say about one file; `good` are the models that can be built, where some of the sweep's cannot."""

    path: str
    findings: tuple[Finding, ...]
    good: tuple[str, ...] = ()
    cost: Cost | None = None

    @property
    def passes(self) -> bool:
        return not any(each.level == "error" for each in self.findings)

    def text(self) -> str:
        blocks = [each.text(self.path) for each in self.findings]
        if self.good:
            blocks.append(combinations.equivalent(self.good))
        if self.cost:
            blocks.append(self.cost.text(self.path))
        elif self.passes:
            blocks.append(f"{self.path}: no errors")
        return "\n".join(blocks)


def check(path: Path) -> Report:
    """Everything about the sweep in `path`; files that it names are looked for from the current folder."""
    read, findings = document.read(path)
    if not read.value:
        return Report(str(path), tuple(findings))
    findings += [*sections.check(read), *command.check(read)]
    if not command.of(read).starts_agent:
        return Report(str(path), tuple(sorted(findings)))
    listed, wrong = parameters.read(read)
    fixed, amiss = command.flags(read)
    given, twice = command.merge(listed, fixed)
    found, more = suggestions.ask(read)
    suggested = [command.overlay(each, fixed) for each in found]
    findings += [*wrong, *amiss, *twice, *more, *suggestions.check(read, suggested)]
    clean = not any(each.level == "error" for each in findings)
    cells = suggestions.cells(read, suggested) if suggested and clean else combinations.cells(given)
    more, good = combinations.check(cells)
    n_runs = cost.count(read, given)
    epochs = _epochs(given, suggested)
    findings += [*more, *metric.check(read, epochs, n_runs), *_endless(read, n_runs), *_idle(given, epochs)]
    if not any(each.level == "error" for each in findings):
        runs = [from_settings(each) for each in suggested] or cost.configs(
            given, str(read.value.get("method"))
        )
        return Report(str(path), tuple(sorted(findings)), (), cost.of(runs, n_runs))
    return Report(str(path), tuple(sorted(findings)), tuple(good))


def _epochs(given: Sequence[Parameter], suggested: Sequence[dict[str, object]]) -> list[int]:
    """Every number of epochs that a run may have."""
    if suggested:
        return [n for each in suggested if isinstance(n := each.get("epochs", Config.epochs), int)]
    for each in given:
        if each.name == "epochs":
            return [int(value) for value in each.values]
    return [Config.epochs]


def _endless(read: Document, n_runs: int | None) -> list[Finding]:
    if n_runs is not None:
        return []
    return [
        warning(
            read.line("method"),
            "the sweep has no end",
            "W&B hands out configurations for ever, repeated ones too",
            "add `run_cap:` and a number of runs",
        )
    ]


def _idle(given: Sequence[Parameter], epochs: Sequence[int]) -> list[Finding]:
    """Early stopping that no run lives long enough for."""
    waits = [
        (value, line)
        for each in given
        if each.name == "patience"
        for value, line in zip(each.values, each.lines, strict=True)
        if epochs and 0 < max(epochs) <= value
    ]
    return [
        warning(
            line,
            f"patience {value} ends no run",
            f"runs have {max(epochs)} epochs at most",
            "write a smaller patience, or 0",
        )
        for value, line in waits[:1]
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0; 1 if a file has errors; 2 if none is named, no sweep can work here, or recorded step times cannot be
    read."""
    parser = Parser(prog="python -m agent.lint", description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a sweep's YAML")
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    files = parser.parse_args(arguments).files
    if why := modes.refusal():
        print(f"agent.lint: {why}", file=sys.stderr)
        return 2
    try:
        reports = [check(path) for path in files]
    except StepTimesError as problem:
        print(f"agent.lint: {problem}", file=sys.stderr)
        return 2
    for report in reports:
        print(report.text(), flush=True)
    if any(report.cost and report.cost.wants_gpu for report in reports):
        print(cost.NO_GPU)
    wrong = sum(not report.passes for report in reports)
    if wrong:
        print(f"agent.lint: {wrong} of {len(reports)} files have errors", file=sys.stderr)
    return 1 if wrong else 0
