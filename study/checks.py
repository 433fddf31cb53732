"""Checks before a study starts: the sweep, by `agent.lint`, and the photographs, by `data`."""

import json
import os
import re
import shlex
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from common.environment import private_wandb
from study import processes
from study.plan import StudyError, StudyPlan

FLAGS = {"data": "DATA", "image_size": "SIZE", "epochs": "EPOCHS", "seed": "SEEDS"}
"""Variables of `make study` for the settings of a sweep that it fills in."""


def settings(plan: StudyPlan, sweep_file: Path, overrides: Mapping[str, object]) -> str:
    """Have the sweep checked; returns its price in words.

    `overrides` are the values that the person asked for beside those of `sweep_file`, by the names in the sweep.

    Raises:
        StudyError: with all faults.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "sweep.yaml"
        file.write_text(plan.yaml)
        env = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
        code, printed, errors = _ask("agent.lint", str(file), env=env | private_wandb(Path(folder)))
    if code > 1 or not printed:
        raise StudyError(errors)
    (report,) = json.loads(printed)
    lines = [_text(each, sweep_file, overrides) for each in report["findings"]]
    if report["models"]:
        lines.append(f"models that can be built: {', '.join(report['models'])}")
    if code:
        raise StudyError("\n".join(["this sweep cannot be trained:", *lines]))
    cost = report["price"]["text"] if report["price"] else "no errors"
    return "\n".join([*lines, f"{short_path(sweep_file)}: {cost}", ""])


def _text(finding: Mapping[str, str], sweep_file: Path, overrides: Mapping[str, object]) -> str:
    """A finding in words, at the place that the person wrote: a setting or the sweep's file."""
    first = f"{_place(finding['key'], sweep_file, overrides)}: {finding['severity']}: {finding['message']}"
    return f"{first} [{finding['code']}]\n    why: {finding['why']}\n    fix: {finding['fix']}"


def _place(name: str, sweep_file: Path, overrides: Mapping[str, object]) -> str:
    if name in overrides:
        return f"{FLAGS[name]}={overrides[name]}"
    for number, line in enumerate(sweep_file.read_text().splitlines(), start=1):
        if name and re.match(rf"\s*{name}\s*:", line):
            return f"{short_path(sweep_file)}:{number}"
    return short_path(sweep_file)


def photographs(data: str, image_size: int) -> tuple[str, str]:
    """Check the photographs, and their masks at `image_size`; returns their digest, and the lines to print.

    Raises:
        StudyError: with every problem that the check has found.
    """
    code, printed, errors = _ask("data", data, "--image-size", str(image_size), env=os.environ)
    if code:
        raise StudyError(f"these photographs cannot be used:\n{errors}")
    report = json.loads(printed)
    return report["digest"], f"{report['text']}\n"


def _ask(module: str, *words: str, env: Mapping[str, str]) -> tuple[int, str, str]:
    """Exit code of `python -m module --json`, its output, and its errors."""
    with tempfile.TemporaryFile("w+") as errors:
        code, printed = processes.run([sys.executable, "-m", module, "--json", *words], env, stderr=errors)
        errors.seek(0)
        return code, printed, errors.read().strip()


def short_path(path: Path) -> str:
    """The path relative to the current folder, if that is shorter."""
    relative = os.path.relpath(path)
    return shlex.quote(relative if len(relative) < len(str(path)) else str(path))
