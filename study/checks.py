"""What is looked at before a study starts: the sweep, by `agent.lint`, and the photographs, by `data`."""

import os
import re
import shlex
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from common.environment import private_wandb
from study import processes
from study.plan import Plan, StudyError

ROOT = Path(__file__).resolve().parent.parent
FINDING = re.compile(r"^(?P<file>.+):(?P<line>\d+): (?P<level>error|warning): (?P<what>.+)$")
FIX = re.compile(r"^ +fix: write (?P<value>\S+)$")
KEY = re.compile(r"^ {0,2}(\w+):", flags=re.MULTILINE)

FLAGS = {"data": "DATA", "image_size": "SIZE", "epochs": "EPOCHS", "seed": "SEEDS"}
"""What `make study` calls the settings of a sweep that it fills in."""


def settings(wanted: Plan, sweep_file: Path, given: Mapping[str, object]) -> str:
    """Have the sweep looked at; what it will cost, to be shown.

    `given` are the values that the person asked for beside those of `sweep_file`, by the names in the sweep.

    Raises:
        StudyError: with all that is wrong.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "sweep.yaml"
        file.write_text(wanted.yaml)
        env = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
        command = [sys.executable, "-m", "agent.lint", str(file)]
        code, printed = processes.run(command, env | private_wandb(Path(folder)), ROOT)
    told = in_words(printed, wanted.yaml, sweep_file, given).replace(str(file), shown(sweep_file))
    if code:
        raise StudyError(f"this sweep cannot be trained:\n{told.strip()}")
    return told


def in_words(printed: str, sent: str, sweep_file: Path, given: Mapping[str, object]) -> str:
    """The linter's findings about the YAML `sent`, told about what the person wrote: a setting or the sweep's file."""
    lines, name = [], ""
    for line in printed.splitlines():
        if finding := FINDING.match(line):
            keys = KEY.findall("".join(sent.splitlines(keepends=True)[: int(finding["line"])]))
            name = keys[-1] if keys else ""
            line = f"{_place(name, sweep_file, given)}: {finding['level']}: {finding['what']}"
        elif (fix := FIX.match(line)) and name in given:
            line = f"    fix: write {FLAGS[name]}={fix['value']}"
        lines.append(line)
    return "\n".join(lines) + "\n"


def _place(name: str, sweep_file: Path, given: Mapping[str, object]) -> str:
    if name in given:
        return f"{FLAGS[name]}={given[name]}"
    for number, line in enumerate(sweep_file.read_text().splitlines(), start=1):
        if name and re.match(rf"\s*{name}\s*:", line):
            return f"{shown(sweep_file)}:{number}"
    return shown(sweep_file)


def photographs(data: str, image_size: int) -> tuple[str, str]:
    """Look at the photographs, and at their masks at `image_size`; their digest, and what is to be shown of them.

    Raises:
        StudyError: with every problem that the check has found.
    """
    command = [sys.executable, "-m", "data", data, "--image-size", str(image_size)]
    code, printed = processes.run(command, os.environ, ROOT)
    found = re.search(r"^digest ([0-9a-f]{64})$", printed, flags=re.MULTILINE)
    if code or not found:
        raise StudyError(f"these photographs cannot be used:\n{printed.strip()}")
    return found[1], printed


def shown(path: Path) -> str:
    """Relative to where the person stands, if that is shorter."""
    relative = os.path.relpath(path)
    return shlex.quote(relative if len(relative) < len(str(path)) else str(path))
