"""Faults of sweeps and their price, before one burns an hour: `python -m agent.lint sweeps/*.yaml`.

Each finding has file, line, fault, reason and remedy. Errors make the exit code 1;
warnings do not.
"""

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from agent.config import Config, from_settings
from agent.lifecycle import wandb_mode
from agent.lint import combinations, command, document, hyperband, metric, price, sections, suggestions
from agent.lint.document import Document
from agent.lint.finding import Finding
from agent.lint.parameters import values
from agent.lint.parameters.values import Parameter
from agent.lint.price import Price
from agent.training.step_times import StepTimesError
from common.cli import Parser

__all__ = ["Finding", "Report", "check", "main"]


@dataclass(frozen=True)
class Report:
    """Findings and price of one file; `buildable`: names of models that can be built, if some of the sweep's cannot."""

    path: str
    document: Document
    findings: tuple[Finding, ...]
    buildable: tuple[str, ...] = ()
    cost: Price | None = None

    @property
    def passes(self) -> bool:
        return not any(each.severity == "error" for each in self.findings)

    def text(self) -> str:
        blocks = [each.text(self.path) for each in self.findings]
        if self.buildable:
            blocks.append(combinations.suggest_models(self.buildable))
        if self.cost:
            blocks.append(f"{self.path}: {self.cost.text()}")
        elif self.passes:
            blocks.append(f"{self.path}: no errors")
        return "\n".join(blocks)

    def as_json(self) -> dict[str, Any]:
        """The report for machines; `price` is None if a finding is an error, or the program is unknown."""
        price = self.cost and {**asdict(self.cost), "text": self.cost.text()}
        findings = [{**asdict(each), "key": self.document.key(each.line)} for each in self.findings]
        own = {"file": self.path, "passes": self.passes, "findings": findings}
        return {**own, "models": self.buildable, "price": price}


def check(path: Path) -> Report:
    """Everything about the sweep in `path`; names of files in it are relative to the current folder."""
    read, findings = document.read(path)
    if not read.value:
        return Report(str(path), read, tuple(findings))
    findings += [*sections.check(read), *command.check(read)]
    if not command.read_command(read).starts_agent:
        return Report(str(path), read, tuple(sorted(findings)))
    parameters, wrong = values.read(read)
    fixed, amiss = command.read_flags(read)
    parameters, twice = command.merge(parameters, fixed)
    settings, more = suggestions.sample(read)
    suggested = [command.overlay(each, fixed) for each in settings]
    findings += [*wrong, *amiss, *twice, *more, *suggestions.check(read, suggested)]
    clean = not any(each.severity == "error" for each in findings)
    cells = suggestions.combinations_of(read, suggested) if suggested and clean else combinations.combine(parameters)
    more, good = combinations.check(cells)
    n_runs = price.count_runs(read, parameters)
    epochs = _epochs(parameters, suggested)
    findings += [*more, *metric.check(read), *hyperband.check(read, epochs, n_runs), *sections.check_end(read, n_runs)]
    findings += values.check_patience(parameters, epochs)
    if not any(each.severity == "error" for each in findings):
        runs = [from_settings(each) for each in suggested] or price.sample_configs(
            parameters, str(read.value.get("method"))
        )
        return Report(str(path), read, tuple(sorted(findings)), (), price.estimate(runs, n_runs))
    return Report(str(path), read, tuple(sorted(findings)), tuple(good))


def _epochs(parameters: Sequence[Parameter], suggested: Sequence[dict[str, object]]) -> list[int]:
    """Every number of epochs that a run may have."""
    if suggested:
        return [n for each in suggested if isinstance(n := each.get("epochs", Config.epochs), int)]
    for each in parameters:
        if each.name == "epochs":
            return [int(value) for value in each.values]
    return [Config.epochs]


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0; 1: a file has errors; 2: no file, no sweep can work here, or step times that cannot be read."""
    parser = Parser(prog="python -m agent.lint", description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a sweep's YAML")
    parser.add_argument("--json", action="store_true", help="a list of one object per file, for machines")
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    options = parser.parse_args(arguments)
    if why := wandb_mode.why_offline():
        print(f"agent.lint: {why}", file=sys.stderr)
        return 2
    try:
        reports = [check(path) for path in options.files]
    except StepTimesError as problem:
        print(f"agent.lint: {problem}", file=sys.stderr)
        return 2
    _print(reports, options.json)
    wrong = sum(not report.passes for report in reports)
    if wrong:
        print(f"agent.lint: {wrong} of {len(reports)} files have errors", file=sys.stderr)
    return 1 if wrong else 0


def _print(reports: Sequence[Report], as_json: bool) -> None:
    if as_json:
        print(json.dumps([report.as_json() for report in reports], indent=1))
        return
    for report in reports:
        print(report.text(), flush=True)
    if any(report.cost and report.cost.wants_gpu for report in reports):
        print(price.NO_GPU)
