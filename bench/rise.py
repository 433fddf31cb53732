"""Share of flat, and of rising, validation curves that are said to rise: `python -m bench.rise`

Curves have AR(1) noise of deviation 1 around a level of 10: flat, or rising linearly from the middle on. The rise is in
deviations of the noise. 4,000 studies a row; standard error at 0.05: 0.003. Half a minute of one core.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Sequence

import numpy as np
from scipy import stats

from analysis.curves.rise import LEVEL, Array, rises, standard_error

RUNS, EPOCHS, NOISE = (3, 5, 10), (25, 50, 100), (0.0, 0.5, 0.7, 0.9)
RISES = (1.0, 2.0)


def curves(studies: int, runs: int, epochs: int, noise: float, rise: float, rng: np.random.Generator) -> Array:
    """Validation losses (N, R, E), stationary AR(1) around a level that rises from the middle on."""
    steps = rng.standard_normal((studies, runs, epochs))
    values = steps.copy()
    for epoch in range(1, epochs):
        values[..., epoch] = noise * values[..., epoch - 1] + np.sqrt(1 - noise**2) * steps[..., epoch]
    return np.asarray(10 + values + rise * np.clip(np.linspace(-1, 1, epochs), 0, 1))


def share_that_rises(losses: Array) -> float:
    """Share of studies that are said to rise."""
    values, _ = rises(losses)
    t = values.mean(axis=1) / np.maximum(standard_error(values), 1e-12)
    return float((stats.t.sf(t, values.shape[1] - 1) < LEVEL).mean())


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.rise", description=__doc__)
    parser.add_argument("--studies", type=int, default=4000, help="per row (default: %(default)s)")
    studies = parser.parse_args(arguments).studies
    rng = np.random.default_rng(0)
    print("| runs | epochs | AR(1) | flat | rise of 1 | rise of 2 |\n|---|---|---|---|---|---|")
    for runs, epochs, noise in itertools.product(RUNS, EPOCHS, NOISE):
        shares = [share_that_rises(curves(studies, runs, epochs, noise, rise, rng)) for rise in (0.0, *RISES)]
        print(f"| {runs} | {epochs} | {noise} | {' | '.join(f'{share:.3f}' for share in shares)} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
