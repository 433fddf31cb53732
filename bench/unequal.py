"""False claims and coverage of `analysis.evidence` where models differ in how much their runs vary.

`python -m bench.unequal`: eight equal models on one split; the deviations of their runs rise from model to model,
geometrically, all other variances are those of the usual mix of `bench.evidence`. 2,000 studies a row; standard error
at 0.05: 0.005. Half a minute of one core.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import sys
from collections.abc import Sequence

import numpy as np

from analysis.evidence.claims import CLAIMS, judge
from analysis.evidence.simulate import draw
from bench.evidence import DRAWS, MIXES, Cell, design, measure

MODELS, SEEDS, IMAGES, RATIOS = 8, (3, 5, 10), (4, 18), (1, 4, 16)
AT_ONCE = 100


def rates(seeds: int, images: int, ratio: float, studies: int) -> list[float]:
    """False claims and coverage on these images, then on others; `ratio`: largest deviation of runs over smallest."""
    plan = design(Cell(MODELS, "1", seeds, images, "usual"))
    usual, rng = MIXES["usual"], np.random.default_rng([seeds, images, int(ratio)])
    true = dataclasses.replace(usual, seed=usual.seed * np.geomspace(ratio**-0.5, ratio**0.5, MODELS))
    names, found = CLAIMS[:2], []
    for _ in range(0, studies, AT_ONCE):
        scores, targets = draw(plan, true, np.zeros(MODELS), AT_ONCE, rng)
        claims = judge(plan, scores, rng, draws=DRAWS, claims=names, handicaps=targets).claims
        found.append(np.stack([measure(claims[name], 0.0)[:, :2].mean(axis=0) for name in names]))
    return [float(rate) for rate in np.mean(found, axis=0).ravel()]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.unequal", description=__doc__)
    parser.add_argument("--studies", type=int, default=2000, help="per row, in hundreds (default: %(default)s)")
    studies = parser.parse_args(arguments).studies
    print("| seeds | images | deviations | these images: false | coverage | other images: false | coverage |")
    print(f"|{'---|' * 7}")
    for seeds, images, ratio in itertools.product(SEEDS, IMAGES, RATIOS):
        told = " | ".join(f"{rate:.3f}" for rate in rates(seeds, images, ratio, studies))
        print(f"| {seeds} | {images} | 1:{ratio} | {told} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
