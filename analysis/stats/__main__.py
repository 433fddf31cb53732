"""Prints what the intervals cover at few images, few seeds and few splits: simulated, 15 s of one core."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.stats.coverage import SIMULATIONS, SPREADS, coverage_table, split_table
from analysis.stats.intervals import METHODS
from common.cli import Parser, whole_number


def markdown(table: pd.DataFrame) -> str:
    """A Markdown table: counts as they are, coverages with three decimals."""
    cells = table.map(lambda cell: f"{cell:.3f}" if isinstance(cell, float) else str(cell))
    return cells.to_markdown(index=False, disable_numparse=True)


def main(arguments: list[str] | None = None) -> int:
    """A table per method, rows by images and seeds, columns by how scores are spread, and one for splits."""
    parser = Parser(prog="python -m analysis.stats", description=__doc__)
    parser.add_argument(
        "--simulations", type=whole_number(), default=SIMULATIONS, help="per cell (default: %(default)s)"
    )
    parser.add_argument("--seed", type=whole_number(0), default=0, help="(default: %(default)s)")
    options = parser.parse_args(arguments)
    rng = np.random.default_rng(options.seed)
    print(f"Coverage of nominal 95 % intervals, {options.simulations} simulations per cell.")
    long = coverage_table(rng, simulations=options.simulations)
    for method in METHODS:
        wide = long.pivot(index=["images", "seeds"], columns="spread", values=method)
        print(f"\n{method}\n\n{markdown(wide[list(SPREADS)].reset_index())}")
    print(
        f"\nrandom 10/4/4 splits of 18 images\n\n{markdown(split_table(rng, simulations=options.simulations))}"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
