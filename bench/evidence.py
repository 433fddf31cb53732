"""Rates of false verdicts of `analysis.evidence`, coverage of its intervals, and its power.

`python -m bench.evidence` prints bench/evidence.csv; `python -m bench.evidence run` simulates the cells that it lacks,
through the functions of the command. A cell is a design and a mix of variances; all models of a study are equal.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from analysis.evidence.claims import CLAIMS, LEVEL, SOURCES, Claim, comparable, judge
from analysis.evidence.design import Array, Design
from analysis.evidence.planner import normal_factors
from analysis.evidence.simulate import Truth, draw
from bench.reachable import ORACLE, reachable, variances

TABLE = Path(__file__).with_suffix(".csv")
MIXES = {
    "usual": Truth(seed=0.005, image=0.005, training=0.005, rest=0.005, common=0.01),
    "even": Truth(seed=0.01, image=0.01, training=0.01, rest=0.01, common=0.01),
    "seeds dominate": Truth(seed=0.01, image=0.002, training=0.002, rest=0.002, common=0.002),
    "images dominate": Truth(seed=0.002, image=0.01, training=0.002, rest=0.002, common=0.02),
    "skewed images": Truth(seed=0.005, image=0.005, training=0.005, rest=0.005, common=0.01, skewed=True),
}
MODELS, SEEDS, IMAGES, SPLITS = (2, 8, 40), (1, 3, 5, 10), (4, 8, 18, 30), ("1", "6 random", "6-fold")
STUDIES = {2: 1000, 8: 500, 40: 100}
DRAWS = 400
NUMBERS_AT_ONCE = 1_500_000
"""Approximate number of random numbers held at once."""
MAX_SHOWN = 12
FALSE_CLAIMS = "more false claims than 0.05"
NARROW, WIDE = "coverage below 0.93", "coverage above 0.97"
WEAK = "power below 0.64"
SHORT = "and below 0.9 of reachable"
"""Promises that a cell may miss, all but the first from 3 seeds on; 0.64 is 0.8 of an oracle's power."""
RATES = ("false_claims", "coverage", "power", "reachable")


class Cell(NamedTuple):
    models: int
    splits: str
    seeds: int
    images: int
    mix: str


class Row(NamedTuple):
    """One claim in one cell; `coverage` is that of all intervals of a study at once; `reachable` bounds `power`."""

    cell: Cell
    claim: str
    false_claims: float
    coverage: float
    power: float
    reachable: float
    studies: int


def cells() -> Iterator[Cell]:
    for models, splits, seeds, images, mix in itertools.product(MODELS, SPLITS, SEEDS, IMAGES, MIXES):
        yield Cell(models, splits, seeds, images, mix)


def design(cell: Cell) -> Design:
    """Random splits test 4 of 18 images, folds all in turn, in the same proportions for other numbers of images."""
    rng = np.random.default_rng(0)
    n = cell.images
    if cell.splits == "6 random":
        numbers = np.stack([rng.permutation(round(18 * n / 4))[:n] for _ in range(6)])
    else:
        numbers = np.arange(n if cell.splits == "1" else 6 * n).reshape(-1, n)
    return Design(np.ones((cell.models, len(numbers), cell.seeds), bool), numbers)


def simulate(cell: Cell, studies: int) -> list[Row]:
    """A row per claim that the design can test."""
    plan, true = design(cell), MIXES[cell.mix]
    rng = np.random.default_rng([studies, *map(ord, repr(cell))])
    names = [name for name in CLAIMS if comparable(plan, name).sum() > 1]
    if not names:
        return []
    means = np.zeros(cell.models)
    errors_apart = oracle(cell.models, rng)
    measures: dict[str, list[Array]] = {name: [] for name in names}
    size = plan.runs.size * plan.images.shape[1] + DRAWS * cell.models * 2
    at_once = max(1, NUMBERS_AT_ONCE // size)
    for start in range(0, studies, at_once):
        scores, targets = draw(plan, true, means, min(at_once, studies - start), rng)
        claims = judge(plan, scores, rng, draws=DRAWS, claims=names, handicaps=targets).claims
        for name in names:
            measures[name].append(measure(claims[name], errors_apart * true_error(plan, true, name)))
    rates = {name: np.concatenate(parts).mean(axis=0).tolist() for name, parts in measures.items()}
    return [
        Row(cell, name, false, cover, power, reachable(plan, true, name), studies)
        for name, (false, cover, power) in rates.items()
    ]


def measure(claim: Claim, gap: float) -> Array:
    """By study (N, 3): a false claim, all intervals hold 0, and the first model would be found if it were worse."""
    false = (claim.p < LEVEL).any(axis=1)
    covered = ((claim.low <= 0) & (claim.high >= 0)).all(axis=1)
    rows = np.arange(len(claim.top))
    below = -claim.estimate.copy()
    below[rows, claim.top] *= -1
    distance = np.where(claim.top == 0, -claim.estimate[:, 0], below[:, 0])
    power = distance + gap > claim.critical * claim.error[:, 0]
    return np.stack([false, covered, power], axis=1).astype(float)


def oracle(models: int, rng: np.random.Generator) -> float:
    """Standard errors that a model must be below equal ones to be found, if the error is known, with a power of 0.8."""
    normal = rng.standard_normal((20_000, models))
    lead = (normal[:, 1:].max(axis=1) - normal[:, 0]) / np.sqrt(2)
    return normal_factors(models, rng)[0] - float(np.quantile(lead, 1 - ORACLE))


def true_error(plan: Design, true: Truth, claim: str) -> float:
    """Standard error of the difference between two models, known only to an oracle."""
    each = variances(plan, true)
    return float(np.sqrt(sum(2 * plan.covariances[name][0, 0] * each[name] for name in SOURCES[claim])))


COLUMNS = (*Cell._fields, *Row._fields[1:])


def read(path: Path) -> list[Row]:
    """The stored rows, of a cell that was simulated again the last; a line that a kill cut short is left out."""
    if not path.exists():
        return []
    lines = [line for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]
    rows = {}
    for r in csv.DictReader(lines):
        cell = Cell(int(r["models"]), r["splits"], int(r["seeds"]), int(r["images"]), r["mix"])
        false, cover, power, most = (float(r[name]) for name in RATES)
        rows[cell, r["claim"]] = Row(cell, r["claim"], false, cover, power, most, int(r["studies"]))
    return list(rows.values())


def run(path: Path, models: Sequence[int]) -> None:
    """Add the cells that `path` lacks; simulate those with too many false claims again, with more and more studies.

    Among hundreds of cells some are beyond two standard errors by chance; larger simulations single these out.
    """
    if not path.exists():
        path.write_text(",".join(COLUMNS) + "\n")
    for again in (1, 4, 16):
        rows = read(path)
        done = {row.cell for row in rows}
        odd = {row.cell for row in beyond(rows)[FALSE_CLAIMS] if row.studies < STUDIES[row.cell.models] * again}
        for cell in cells():
            if cell.models in models and (cell in odd if again > 1 else cell not in done):
                new_rows = simulate(cell, STUDIES[cell.models] * again)
                with path.open("a") as file:
                    file.write("".join(map(line, new_rows)))
                print(*cell, *(f"{row.false_claims:.3f}" for row in new_rows), file=sys.stderr, flush=True)


def line(row: Row) -> str:
    rates = (f"{getattr(row, name):.4f}" for name in RATES)
    return ",".join([*map(str, row.cell), row.claim, *rates, str(row.studies)]) + "\n"


def show(rows: Sequence[Row]) -> None:
    """By splits, seeds and claim, in Markdown: rates over models, images and mixes, and counts of missed promises.

    `beyond`, `outside`, `below` and `short` are such cells.
    """
    titles = "splits | seeds | claim | cells | false claims: mean | most | beyond | coverage | outside"
    print(f"| {titles} | power: mean | least | below | reachable | short |\n|{'---|' * 14}")

    def key(row: Row) -> tuple[int, int, int]:
        return SPLITS.index(row.cell.splits), row.cell.seeds, CLAIMS.index(row.claim)

    for _, group in itertools.groupby(sorted(rows, key=key), key):
        some = list(group)
        missed = {what: len(bad) for what, bad in beyond(some).items()}
        false, covered, power, most = ([getattr(row, name) for row in some] for name in RATES)
        where = f"{some[0].cell.splits} | {some[0].cell.seeds} | {some[0].claim.replace('_', ' ')} | {len(some)}"
        print(
            f"| {where} | {np.mean(false):.3f} | {max(false):.3f} | {missed[FALSE_CLAIMS]}"
            f" | {min(covered):.3f} to {max(covered):.3f} | {missed[NARROW] + missed[WIDE]}"
            f" | {np.mean(power):.2f} | {min(power):.2f} | {missed[WEAK]} | {np.mean(most):.2f} | {missed[SHORT]} |"
        )
    total = {what: len(bad) for what, bad in beyond(rows).items()}
    print(f"\nOf {len(rows)}: " + ";\n".join(f"{what}: {n}" for what, n in total.items()))
    show_worst(beyond(rows)[FALSE_CLAIMS])
    show_short(rows)
    show_wide(rows)


def show_worst(rows: Sequence[Row]) -> None:
    """The cells with the most false claims."""
    if rows:
        print(f"\n| models | splits | seeds | images | mix | claim | false claims | studies |\n|{'---|' * 8}")
    for row in sorted(rows, key=lambda row: -row.false_claims)[:MAX_SHOWN]:
        where = " | ".join([*map(str, row.cell), row.claim.replace("_", " ")])
        print(f"| {where} | {row.false_claims:.3f} | {row.studies} |")


def show_short(rows: Sequence[Row]) -> None:
    """By models, splits and claim: coverage, and power as a share of the reachable one."""
    print("\n| models | splits | claim | cells | short | least share of reachable | coverage above 0.97 |")
    print("|---|---|---|---|---|---|---|")

    def key(row: Row) -> tuple[int, int, int]:
        return row.cell.models, SPLITS.index(row.cell.splits), CLAIMS.index(row.claim)

    for _, group in itertools.groupby(sorted((row for row in rows if row.cell.seeds > 1), key=key), key):
        some = list(group)
        missed, claim = beyond(some), some[0].claim.replace("_", " ")
        share = min(row.power / row.reachable for row in some)
        print(
            f"| {some[0].cell.models} | {some[0].cell.splits} | {claim} | {len(some)} | {len(missed[SHORT])}"
            f" | {share:.2f} | {len(missed[WIDE])} |"
        )


def show_wide(rows: Sequence[Row]) -> None:
    """Every mix of variances of designs on one training set whose intervals cover too much in some mix."""
    wide = {(row.cell._replace(mix=""), row.claim) for row in beyond(rows)[WIDE] if row.cell.splits == "1"}
    print("\n| models | seeds | images | claim | mix | coverage | power | share of reachable |")
    print(f"|{'---|' * 8}")
    for row in rows:
        cell = row.cell
        if (cell._replace(mix=""), row.claim) in wide:
            where = f"{cell.models} | {cell.seeds} | {cell.images} | {row.claim.replace('_', ' ')} | {cell.mix}"
            print(f"| {where} | {row.coverage:.3f} | {row.power:.3f} | {row.power / row.reachable:.2f} |")


def beyond(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Rows that break a promise, by promise; a rate may be off by two standard errors of its simulation."""

    def error(rate: float, row: Row) -> float:
        return 2 * float(np.sqrt(rate * (1 - rate) / row.studies))

    several = [row for row in rows if row.cell.seeds > 1]
    weak = [r for r in several if r.power < ORACLE**2 - error(ORACLE**2, r)]
    return {
        FALSE_CLAIMS: [r for r in rows if r.false_claims > LEVEL + error(LEVEL, r)],
        NARROW: [r for r in several if r.coverage < 0.93 - error(0.93, r)],
        WIDE: [r for r in several if r.coverage > 0.97 + error(0.97, r)],
        WEAK: weak,
        SHORT: [r for r in weak if r.power < 0.9 * r.reachable - error(0.9 * r.reachable, r)],
    }


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.evidence", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("show", "run"), default="show")
    parser.add_argument("--models", type=int, nargs="+", default=MODELS, choices=MODELS)
    parser.add_argument("--table", type=Path, default=TABLE, help="(default: bench/evidence.csv)")
    options = parser.parse_args(arguments)
    if options.what == "run":
        run(options.table, options.models)
    else:
        show(read(options.table))
    return 0


if __name__ == "__main__":
    sys.exit(main())
