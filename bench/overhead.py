"""What of a run is not training: validation, start, logging, saving, test, upload. `python -m bench.overhead`.

Trains every model of a sweep (default: sweeps/backbones.yaml) once, as the sweep says but for `--epochs`, by
`agent.fleet` on an embedded server of its own, one trial at a time with one thread. Seconds are those of a clock, as
the runs write them: `seconds/steps`, `seconds/train`, `seconds/total`. The last column is for a run with all the epochs
of the sweep: what comes once stays, what comes in every epoch is multiplied.
"""

import argparse
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bench.fleet import environment
from bench.wire import ROOT, serving

RUNS = "SELECT config, summary, state FROM runs ORDER BY id"
HEAD = (
    "| model | per epoch: steps | validation | once: start, saving, test, upload | not training, {} epochs |"
)


@dataclass(frozen=True)
class Spent:
    """Seconds of one run: training steps and the rest of an epoch, mean over its epochs, and what comes once."""

    model: str
    steps: float
    looking: float
    once: float

    def share(self, epochs: int) -> float:
        """Of a run of so many epochs, what is not training steps."""
        other = self.once + epochs * self.looking
        return other / (other + epochs * self.steps)


def shortened(sweep: dict[str, Any], epochs: int) -> dict[str, Any]:
    """The sweep with as many epochs, and only the first value of what is no part of a model."""
    parameters = {
        name: each if name in ("model", "architecture", "backbone", "weights") else first(each)
        for name, each in sweep["parameters"].items()
    }
    return sweep | {"parameters": parameters | {"epochs": {"value": epochs}}}


def first(parameter: dict[str, Any]) -> dict[str, Any]:
    return {"value": parameter["values"][0]} if "values" in parameter else parameter


def measured(sweep: dict[str, Any], folder: Path) -> Iterator[Spent]:
    """Train it all, then read what the runs wrote."""
    file = folder / "sweep.yaml"
    file.write_text(yaml.safe_dump(sweep))
    with serving(folder / "store"):
        command = [sys.executable, "-m", "agent.fleet", str(file), "--agents=1"]
        subprocess.run(command, env=environment(folder), cwd=ROOT, check=True)
    yield from read(folder / "store" / "wandb.sqlite")


def read(database: Path) -> Iterator[Spent]:
    with sqlite3.connect(database) as db:
        for config, summary, state in db.execute(RUNS).fetchall():
            if state != "finished":
                raise SystemExit(f"a run is {state}, not finished: look at its log in .cache/fleet")
            yield spent(json.loads(config), json.loads(summary))


def spent(config: dict[str, Any], summary: dict[str, Any]) -> Spent:
    settings = {name: config[name]["value"] for name in ("architecture", "backbone", "weights", "epochs")}
    epochs = settings.pop("epochs")
    steps, trained, total = (float(summary[f"seconds/{key}"]) for key in ("steps", "train", "total"))
    return Spent("/".join(settings.values()), steps / epochs, (trained - steps) / epochs, total - trained)


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints one table."""
    parser = argparse.ArgumentParser(prog="python -m bench.overhead", description="What is not training.")
    parser.add_argument("sweep", type=Path, nargs="?", default=ROOT / "sweeps" / "backbones.yaml")
    parser.add_argument("--epochs", type=int, default=2, help="that are trained (default: 2)")
    options = parser.parse_args(arguments)
    sweep = yaml.safe_load(options.sweep.read_text())
    epochs = sweep["parameters"]["epochs"]["value"]
    with tempfile.TemporaryDirectory(prefix="bench-overhead-") as folder:
        rows = list(measured(shortened(sweep, options.epochs), Path(folder)))
    print(f"\n{options.epochs} epochs trained; load average {os.getloadavg()[2]:.1f}\n")
    print(f"{HEAD.format(epochs)}\n|---|---|---|---|---|")
    for row in rows:
        print(
            f"| {row.model} | {row.steps:.1f} s | {row.looking:.1f} s | {row.once:.1f} s | {row.share(epochs):.1%} |"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
