"""Verdicts against the truth: real networks on drawn photographs, which never run out.

`python -m bench.truth` prints the tables of the stored scores; `python -m bench.truth train` trains the missing runs:
four small networks on 30 drawn training sets with 5 seeds each, every one scored on 200 further drawings.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from bench.truth.report import COLLAPSE, IOU_MARGIN, cube, rows, try_plans
from bench.truth.scores import MODELS, SEEDS, SETS, Run, read_runs
from common.text import plural

RUNS = Path(__file__).with_name("runs.txt")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.truth", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("show", "train"), default="show")
    parser.add_argument("--out", type=Path, default=RUNS, help="scores, one run a line (default: bench/truth/runs.txt)")
    parser.add_argument("--sets", type=int, default=SETS, help="training sets (default: %(default)s)")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="of each network (default: %(default)s)")
    options = parser.parse_args(arguments)
    if options.what == "train":
        from bench.truth.training import record

        record(options.out, sets=options.sets, seeds=options.seeds)
    elif not options.out.exists():
        print(f"{options.out} is not there: python -m bench.truth train makes it.", file=sys.stderr)
        return 1
    else:
        show(options.out)
    return 0


def networks(runs: Sequence[Run]) -> Iterator[str]:
    """The trained runs, in Markdown."""
    counts = [len(cube(runs, seeds)) for seeds in range(1, SEEDS + 1)]
    yield f"{len(runs)} runs; sets with all networks and 1 to {SEEDS} seeds: {counts};"
    lost = sum(run.iou[8:].mean() < COLLAPSE for run in runs)
    yield f"{plural(lost, 'training')} came to nothing (IoU below {COLLAPSE})."
    yield "\n| network | runs | IoU | between runs | between pictures |\n|---|---|---|---|---|"
    for name in MODELS:
        own = np.array([run.iou[8:] for run in runs if run.model == name])
        figures = f"{own.mean():.3f} | {own.mean(axis=1).std():.3f} | {own.mean(axis=0).std():.3f}"
        yield f"| {name} | {len(own)} | {figures} |"


def show(path: Path) -> None:
    """The tables in Markdown."""
    runs, rng = read_runs(path), np.random.default_rng(0)
    print("\n".join(networks(runs)))
    print("\n| compared | claim | pictures | seeds | sets | of | studies | false | covered | anything said |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for row in rows(runs, rng):
        shares = " | ".join("" if np.isnan(x) else f"{x:.3f}" for x in (row.false, row.coverage, row.found))
        where = f"{row.pictures} | {row.seeds} | {row.sets} | {row.of} | {row.studies}"
        print(f"| {row.question} | {row.claim.replace('_', ' ')} | {where} | {shares} |", flush=True)
    print(f"\nFalse: a model is called worse but is not, or equivalent within {IOU_MARGIN} but is not.")
    print("\n| seeds | pairs | pictures asked for, median | decided | false |\n|---|---|---|---|---|")
    for n in (2, 3):
        most = max((seeds for seeds in range(n + 1, SEEDS + 1) if len(cube(runs, seeds))), default=0)
        trials = try_plans(cube(runs, most), n, rng) if most else None
        if trials:
            shares = f"{trials.decided:.3f} | {trials.false:.3f}"
            print(f"| {n} | {trials.pairs} | {trials.median_pictures:.0f} | {shares} |")


if __name__ == "__main__":
    sys.exit(main())
