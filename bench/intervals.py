"""Coverage of the 95 % interval of one model's mean: `python -m bench.intervals`

Scores vary as seeds, images and a rest do: usual, deviations 0.005, 0.010 and 0.005; even, 0.010 each; skewed images,
as usual, but a few images are much worse than the others. 4,000 studies a cell; standard error 0.003. Two seconds.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import numpy as np

from analysis.comparison.confidence_interval import interval
from analysis.evidence.simulate import effects

MIXES = {
    "usual": (0.005, 0.010, 0.005, False),
    "even": (0.010, 0.010, 0.010, False),
    "skewed images": (0.005, 0.010, 0.005, True),
}
"""Deviations of seeds, images and rest; whether images are skewed."""
IMAGES, SEEDS = (4, 8, 18), (1, 3, 5, 10)


def coverage(images: int, seeds: int, mix: str, studies: int, rng: np.random.Generator) -> float:
    """Share of intervals that hold the true mean, 0."""
    seed, image, rest, skewed = MIXES[mix]
    scores = image * effects(skewed, (studies, 1, images), rng) + seed * rng.standard_normal((studies, seeds, 1))
    low, high = interval(scores + rest * rng.standard_normal((studies, seeds, images)))
    return float(((low <= 0) & (high >= 0)).mean())


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.intervals", description=__doc__)
    parser.add_argument("--studies", type=int, default=4000, help="per cell (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="(default: %(default)s)")
    options = parser.parse_args(arguments)
    rng = np.random.default_rng(options.seed)
    print(f"| images | seeds | {' | '.join(MIXES)} |\n|---|---|---|---|---|")
    for images in IMAGES:
        for seeds in SEEDS:
            shares = (coverage(images, seeds, mix, options.studies, rng) for mix in MIXES)
            print(f"| {images} | {seeds} | {' | '.join(f'{share:.3f}' for share in shares)} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
