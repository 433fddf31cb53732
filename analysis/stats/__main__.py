"""Prints what the intervals cover at few images, few seeds and few splits: simulated, in well under a
minute."""

from __future__ import annotations

import argparse

import numpy as np

from analysis.stats.coverage import SIMULATIONS, coverage_table, split_table


def main() -> int:
    """Two tables in Markdown, and the command's own n."""
    parser = argparse.ArgumentParser(prog="python -m analysis.stats", description=__doc__)
    parser.add_argument(
        "--simulations", type=int, default=SIMULATIONS, help="per cell (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="(default: %(default)s)")
    options = parser.parse_args()
    if options.simulations < 1:
        parser.error(f"--simulations is {options.simulations}; give at least 1")
    rng = np.random.default_rng(options.seed)
    print(f"Coverage of 95 % intervals of a mean, {options.simulations} simulations per cell.\n")
    print(coverage_table(rng, simulations=options.simulations).to_markdown(index=False, floatfmt=".3f"))
    print("\nThe same over random 10/4/4 splits of 18 images.\n")
    print(split_table(rng, simulations=options.simulations).to_markdown(index=False, floatfmt=".3f"))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
