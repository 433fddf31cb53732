"""Random fields: the grain of cardboard, the clouds of a print, the unevenness of light."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]
Rng = np.random.Generator


def smooth(rng: Rng, shape: tuple[int, int], cell: float, cell_x: float | None = None) -> Field:
    """Value noise (H, W): normal values every `cell` rows and `cell_x` columns, in pixels, cubic between.

    Standard deviation is about 0.7. A cell below one pixel is drawn at one pixel and damped as averaging
    would damp it, so that a small picture resembles a large one scaled down.
    """
    cells = (cell, cell if cell_x is None else cell_x)
    steps = tuple(max(c, 1.0) for c in cells)
    knots = tuple(math.ceil(side / step) + 3 for side, step in zip(shape, steps, strict=True))
    lattice = rng.standard_normal(knots, dtype=np.float32)
    rows, columns = (math.ceil(n * step) for n, step in zip(knots, steps, strict=True))
    if min(steps) > 32:  # the same to the eye, in a third of the time
        coarse = cv2.resize(lattice, (columns // 8, rows // 8), interpolation=cv2.INTER_CUBIC)
        field = cv2.resize(coarse, (columns, rows), interpolation=cv2.INTER_LINEAR)
    else:
        field = cv2.resize(lattice, (columns, rows), interpolation=cv2.INTER_CUBIC)
    top, left = (int(share * step) for share, step in zip(rng.uniform(1, 2, 2), steps, strict=True))
    damping = math.sqrt(min(cells[0], 1.0) * min(cells[1], 1.0))
    return np.asarray(field[top : top + shape[0], left : left + shape[1]] * np.float32(damping), np.float32)


def fractal(rng: Rng, shape: tuple[int, int], cell: float, octaves: int = 4) -> Field:
    """Sum (H, W) of `smooth` at cell, cell/2, cell/4 …, each 0.55 times the one before."""
    total = np.zeros(shape, np.float32)
    for octave in range(octaves):
        total += np.float32(0.55**octave) * smooth(rng, shape, cell / 2**octave)
    return total


def ramp(shape: tuple[int, int], angle: float) -> Field:
    """Coordinate along `angle` (radians), in pixels from the centre, (H, W)."""
    y, x = np.ogrid[: shape[0], : shape[1]]
    along = (x - shape[1] / 2) * math.cos(angle) + (y - shape[0] / 2) * math.sin(angle)
    return np.asarray(along, np.float32)
