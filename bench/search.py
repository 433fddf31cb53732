"""Bayesian search against random search and W&B's own open engine: `python -m bench.search`.

Each function is known with its minimum, so that the simple regret (best value so far minus the minimum) can be
stated; one is a table of real runs of this project (bench/record.py). W&B's engine is the package `sweeps`; without it
the comparison is made without it, and says so.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import itertools
import json
import math
import random
import statistics
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import record
from server.search import PastRun, suggest

ENGINES = ("random", "bayes", "sweeps")
Params = Mapping[str, Any]


@dataclass(frozen=True)
class Problem:
    name: str
    parameters: dict[str, dict[str, object]]
    value: Callable[[Params], float]
    minimum: float


def branin(p: Params) -> float:
    x, y = p["x"], p["y"]
    bowl = (y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6) ** 2
    return float(bowl + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10)


HARTMANN_3 = (
    ((3, 10, 30), (0.3689, 0.1170, 0.2673)),
    ((0.1, 10, 35), (0.4699, 0.4387, 0.7470)),
    ((3, 10, 30), (0.1091, 0.8732, 0.5547)),
    ((0.1, 10, 35), (0.0381, 0.5743, 0.8828)),
)
HARTMANN_6 = (
    ((10, 3, 17, 3.5, 1.7, 8), (0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886)),
    ((0.05, 10, 17, 0.1, 8, 14), (0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991)),
    ((3, 3.5, 1.7, 10, 17, 8), (0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650)),
    ((17, 8, 0.05, 10, 0.1, 14), (0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381)),
)


def hartmann(p: Params, terms: tuple[tuple[tuple[float, ...], tuple[float, ...]], ...]) -> float:
    x = [p[key] for key in sorted(p)]
    return -sum(
        alpha * math.exp(-sum(a * (xi - c) ** 2 for xi, a, c in zip(x, slope, centre, strict=True)))
        for alpha, (slope, centre) in zip((1.0, 1.2, 3.0, 3.2), terms, strict=True)
    )


def ackley(p: Params) -> float:
    x = list(p.values())
    far = math.sqrt(sum(xi**2 for xi in x) / len(x))
    wave = sum(math.cos(2 * math.pi * xi) for xi in x) / len(x)
    return -20 * math.exp(-0.2 * far) - math.exp(wave) + 20 + math.e


def rosenbrock_of_logs(p: Params) -> float:
    x = [math.log10(value) for value in p.values()]
    return sum(100 * (b - a**2) ** 2 + (1 - a) ** 2 for a, b in itertools.pairwise(x))


def training(p: Params) -> float:
    """A validation loss as a segmentation study sees it, over three lists of values and two logarithmic scales.

    The best learning rate depends on the backbone; a learning rate that is too large diverges.
    """
    backbone = {
        "lite0": (0.10, -3.0),
        "resnet18": (0.16, -3.3),
        "mobilenet": (0.12, -2.6),
        "vgg11": (0.2, -4.0),
    }
    floor, best = backbone[p["backbone"]]
    augmentation = {"none": 0.03, "light": 0.0, "medium": 0.01, "strong": 0.06}[p["augmentation"]]
    off = math.log10(p["lr"]) - best
    decay = 0.01 * abs(math.log10(p["decay"]) + 4)
    batch = 0.02 * abs(math.log2(p["batch"]) - 2)
    return floor + augmentation + 0.08 * off**2 + (2.0 if off > 1.2 else 0.0) + decay + batch


def unit(*names: str) -> dict[str, dict[str, object]]:
    return {name: {"min": 0.0, "max": 1.0} for name in names}


BRANIN_SPACE: dict[str, dict[str, object]] = {"x": {"min": -5.0, "max": 10.0}, "y": {"min": 0.0, "max": 15.0}}
LOG_SPACE: dict[str, object] = {"distribution": "log_uniform_values", "min": 0.01, "max": 100.0}
TRAINING_SPACE: dict[str, dict[str, object]] = {
    "backbone": {"values": ["lite0", "resnet18", "mobilenet", "vgg11"]},
    "augmentation": {"values": ["none", "light", "medium", "strong"]},
    "lr": {"distribution": "log_uniform_values", "min": 1e-5, "max": 1e-1},
    "decay": {"distribution": "log_uniform_values", "min": 1e-6, "max": 1e-2},
    "batch": {"values": [1, 2, 4, 8]},
}
PROBLEMS = [
    Problem("Branin", BRANIN_SPACE, branin, 0.39788735772973816),
    Problem("Hartmann 3", unit(*"abc"), lambda p: hartmann(p, HARTMANN_3), -3.8627797869493365),
    Problem("Hartmann 6", unit(*"abcdef"), lambda p: hartmann(p, HARTMANN_6), -3.322368011391339),
    Problem("Ackley 4", {name: {"min": -20.0, "max": 32.0} for name in "abcd"}, ackley, 0.0),
    Problem("Rosenbrock 3 of logs", dict.fromkeys("abc", LOG_SPACE), rosenbrock_of_logs, 0.0),
    Problem("training, mixed", TRAINING_SPACE, training, 0.10),
]
CHECKPOINTS = (20, 50, 100)


def recorded_runs() -> Problem | None:
    """1 - validation IoU of real runs over four lists of values; None if none are recorded."""
    table = record.recorded()
    if not table:
        return None
    space: dict[str, dict[str, object]] = {name: {"values": list(v)} for name, v in record.AXES.items()}
    return Problem(
        "recorded runs",
        space,
        lambda p: 1 - table[tuple(str(p[name]) for name in record.AXES)],
        1 - max(table.values()),
    )


def problems() -> list[Problem]:
    recorded = recorded_runs()
    return PROBLEMS if recorded is None else [*PROBLEMS, recorded]


def regrets(problem: Problem, method: str, seed: int, n_trials: int, n_agents: int) -> list[float]:
    """Simple regret after each trial of one search with this project's `random` or `bayes`.

    With several agents, the search knows of the newest `n_agents` - 1 configurations only that they run.
    """
    config = {"method": method, "metric": {"name": "loss"}, "parameters": problem.parameters}
    past: list[PastRun] = []
    values: list[float] = []
    for trial in range(n_trials):
        n_ended = max(0, trial - n_agents + 1)
        known = past[:n_ended] + [PastRun(run.name, run.params, "running", {}) for run in past[n_ended:]]
        params = suggest(config, known, seed)
        assert params is not None
        values.append(problem.value(params))
        past.append(PastRun(str(trial), params, "finished", {"loss": values[-1]}))
    return _simple(values, problem)


def _simple(values: Sequence[float], problem: Problem) -> list[float]:
    return [best - problem.minimum for best in itertools.accumulate(values, min)]


def regrets_of_sweeps(problem: Problem, seed: int, n_trials: int, n_agents: int) -> list[float]:
    """The same with W&B's open engine, which draws from numpy's global state."""
    import numpy as np

    sweeps = importlib.import_module("sweeps")
    np.random.seed(seed)
    random.seed(seed)
    config = {
        "method": "bayes",
        "metric": {"name": "loss", "goal": "minimize"},
        "parameters": problem.parameters,
    }
    runs: list[Any] = []
    values: list[float] = []
    for trial in range(n_trials):
        for ended in range(max(0, trial - n_agents + 1)):
            runs[ended].state = sweeps.RunState.finished
            runs[ended].summary_metrics = {"loss": values[ended]}
        run = sweeps.next_run(config, runs)
        params = {name: _plain(entry["value"]) for name, entry in run.config.items()}
        values.append(problem.value(params))
        run.state = sweeps.RunState.running
        runs.append(run)
    return _simple(values, problem)


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def has_sweeps() -> bool:
    """Whether the package is installed; this project's folder of the same name has no origin."""
    spec = importlib.util.find_spec("sweeps")
    return spec is not None and spec.origin is not None


def measure(engine: str, problem: Problem, seed: int, n_trials: int, n_agents: int = 1) -> dict[str, object]:
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if engine == "sweeps":
            curve = regrets_of_sweeps(problem, seed, n_trials, n_agents)
        else:
            curve = regrets(problem, engine, seed, n_trials, n_agents)
    seconds = (time.perf_counter() - start) / n_trials
    points = {str(n): curve[n - 1] for n in CHECKPOINTS if n <= n_trials}
    return {"engine": engine, "problem": problem.name, "seed": seed, "seconds": seconds, "regret": points}


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Markdown: median simple regret, its quartiles and the number of searches; and the ratio of two medians."""
    head = ["function", "engine", *(f"after {n}" for n in CHECKPOINTS)]
    lines = [head, ["---"] * len(head)]
    for problem in problems():
        found = {engine: _regrets_at_checkpoints(rows, problem.name, engine) for engine in ENGINES}
        lines += [
            [problem.name, engine, *map(_quartiles, groups)]
            for engine, groups in found.items()
            if any(groups)
        ]
        pairs = zip(found["bayes"], found["sweeps"], strict=True)
        if any(found["bayes"]) and any(found["sweeps"]):
            lines.append([problem.name, "bayes / sweeps", *(_ratio(ours, theirs) for ours, theirs in pairs)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _regrets_at_checkpoints(
    rows: Sequence[Mapping[str, Any]], problem: str, engine: str
) -> list[list[float]]:
    group = [row["regret"] for row in rows if (row["problem"], row["engine"]) == (problem, engine)]
    return [[regret[str(n)] for regret in group if str(n) in regret] for n in CHECKPOINTS]


def _quartiles(values: list[float]) -> str:
    if len(values) < 2:
        return f"{values[0]:.2g} (n 1)" if values else ""
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{middle:.2g} ({low:.2g} to {high:.2g}, n {len(values)})"


def _ratio(ours: list[float], theirs: list[float]) -> str:
    return f"{statistics.median(ours) / statistics.median(theirs):.2g}" if ours and theirs else ""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--seeds", type=int, default=3, help="searches per function and engine (default 3)")
    parser.add_argument("--trials", type=int, default=100, help="trials per search (default 100)")
    parser.add_argument("--agents", type=int, default=1, help="trials side by side (default 1)")
    parser.add_argument(
        "--out", type=Path, help="JSON lines to add to; what is there already is not measured again"
    )
    args = parser.parse_args()
    engines = list(args.engines)
    if "sweeps" in engines and not has_sweeps():
        print("The package `sweeps` is not installed here: compared without W&B's engine.")
        engines.remove("sweeps")
    known = args.out.read_text().splitlines() if args.out and args.out.exists() else []
    rows = [json.loads(line) for line in known]
    done = {(row["engine"], row["problem"], row["seed"]) for row in rows}
    for seed in range(args.seeds):
        for problem in problems():
            for engine in engines:
                if (engine, problem.name, seed) not in done:
                    rows.append(measure(engine, problem, seed, args.trials, args.agents))
                    if args.out:
                        with args.out.open("a") as file:
                            file.write(json.dumps(rows[-1]) + "\n")
    print(table(rows))


if __name__ == "__main__":
    main()
