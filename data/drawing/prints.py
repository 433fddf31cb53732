"""The picture printed on a piece: regions of different textures, with small motifs on top."""

import math
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from data.drawing import motifs
from data.drawing.inks import ink
from data.drawing.noise import Field, Rng, fractal, ramp, smooth

Shape = tuple[int, int]

KINDS = {"mixed": 0.6, "dark": 0.14, "pale": 0.16, "flat": 0.1}


def kind(rng: Rng) -> str:
    """The sort of print on a piece: mixed, dark, pale (near the table's colour) or flat."""
    return str(rng.choice(list(KINDS), p=list(KINDS.values())))


def draw(rng: Rng, shape: Shape, unit: float, kind: str) -> Field:
    """A print (H, W, 3), float32 RGB in 0 to 255. `unit`: see `data.synthetic.draw`."""
    n_regions = int(rng.integers(1, 3) if kind in ("dark", "pale") else rng.integers(2, 6))
    labels = _regions(rng, shape, unit, n_regions)
    canvas = np.empty((*shape, 3), np.float32)
    for region in range(n_regions):
        here = labels == region
        if here.any():
            np.copyto(canvas, _region(rng, shape, unit, kind), where=here[..., None])
    if n_regions > 1:
        _seams(rng, canvas, labels, unit)
    motifs.scatter(rng, canvas, unit, kind)
    weave = np.sin(ramp(shape, 0.1) * (2 / max(unit, 0.5))) * np.sin(ramp(shape, 1.67) * (2 / max(unit, 0.5)))
    canvas *= (1 + rng.uniform(0, 0.03) * min(unit, 1) * weave)[..., None]
    return np.clip(canvas, 0, 255, out=canvas)


def _regions(rng: Rng, shape: Shape, unit: float, n: int) -> NDArray[np.intp]:
    """Region of each pixel, 0 to `n` - 1: bands of a bent ramp, or the highest of `n` hills."""
    if rng.random() < 0.5:
        bent = ramp(shape, rng.uniform(0, 2 * math.pi)) + rng.uniform(0, 90) * unit * smooth(rng, shape, 190 * unit)
        cuts = np.sort(rng.uniform(-230, 230, n - 1)) * unit
        return np.asarray(np.digitize(bent, cuts), np.intp)
    hills = [smooth(rng, shape, 170 * unit) for _ in range(n)]
    return np.asarray(np.argmax(np.stack(hills), axis=0), np.intp)


def _region(rng: Rng, shape: Shape, unit: float, kind: str) -> Field:
    names = list(TEXTURES)
    texture = "flat" if kind == "flat" and rng.random() < 0.7 else str(rng.choice(names))
    first, second = ink(rng, kind), ink(rng, kind)
    contrast = rng.uniform(0.15, 0.5) if kind != "pale" else rng.uniform(0.1, 0.3)
    if rng.random() < 0.6:  # most textures stay within one hue
        second = np.clip(first * rng.uniform(0.45, 1.6), 18, 232).astype(np.float32)
    mix = np.clip(0.3 + contrast * TEXTURES[texture](rng, shape, unit), 0, 1)
    region: Field = first + mix[..., None] * (second - first)
    shading = 1 + rng.uniform(0, 0.25) * smooth(rng, shape, 220 * unit)
    return np.asarray(region * shading[..., None], np.float32)


def _flat(rng: Rng, shape: Shape, unit: float) -> Field:
    return ramp(shape, rng.uniform(0, 2 * math.pi)) / np.float32(300 * unit)


def _clouds(rng: Rng, shape: Shape, unit: float) -> Field:
    return fractal(rng, shape, rng.uniform(50, 140) * unit)


def _grain(rng: Rng, shape: Shape, unit: float) -> Field:
    return fractal(rng, shape, rng.uniform(5, 16) * unit, octaves=2)


def _strands(rng: Rng, shape: Shape, unit: float) -> Field:
    """Hair, bark and brush strokes: noise stretched along bent lines."""
    angle = rng.uniform(0, 2 * math.pi)
    bend = rng.uniform(5, 60) * unit * smooth(rng, shape, 160 * unit)
    across = (ramp(shape, angle + math.pi / 2) + bend) / np.float32(rng.uniform(3, 12) * unit)
    along = ramp(shape, angle) / np.float32(rng.uniform(60, 200) * unit)
    return 1.6 * _sample(rng, along, np.asarray(across, np.float32))


def _mosaic(rng: Rng, shape: Shape, unit: float) -> Field:
    """Rows of small rectangles, each of its own brightness."""
    angle, side = rng.uniform(0, 2 * math.pi), rng.uniform(7, 22) * unit
    bend = rng.uniform(0, 40) * unit * smooth(rng, shape, 200 * unit)
    row = np.floor((ramp(shape, angle + math.pi / 2) + bend) / side)
    column = np.floor(ramp(shape, angle) / (side * rng.uniform(1, 3)) + 0.37 * row)
    table = rng.standard_normal((61, 61), dtype=np.float32)
    return np.asarray(table[row.astype(np.int32) % 61, column.astype(np.int32) % 61])


def _leather(rng: Rng, shape: Shape, unit: float) -> Field:
    return 1 - 3 * np.abs(smooth(rng, shape, rng.uniform(6, 14) * unit))


def _sparkle(rng: Rng, shape: Shape, unit: float) -> Field:
    dots = smooth(rng, shape, rng.uniform(3, 6) * unit) > rng.uniform(0.6, 1.4)
    return dots.astype(np.float32) * 2 * (smooth(rng, shape, 120 * unit) > -0.3) - 0.3


TEXTURES: dict[str, Callable[[Rng, Shape, float], Field]] = {
    "flat": _flat,
    "clouds": _clouds,
    "grain": _grain,
    "strands": _strands,
    "mosaic": _mosaic,
    "leather": _leather,
    "sparkle": _sparkle,
}


def _sample(rng: Rng, x: Field, y: Field) -> Field:
    """Noise at any coordinates, in cells."""
    lattice = rng.standard_normal((128, 64), dtype=np.float32)
    return np.asarray(cv2.remap(lattice, x + 32, y + 64, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP))


def _seams(rng: Rng, canvas: Field, labels: NDArray[np.intp], unit: float) -> None:
    """Draw the borders of regions: some prints have a dark contour, others pass softly from one to the next."""
    edges = cv2.morphologyEx(labels.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    sigma = max(rng.uniform(1, 5) * unit, 0.4)
    line = np.minimum(cv2.GaussianBlur(edges.astype(np.float32), (0, 0), sigma) * (2 * sigma), 1)[..., None]
    style = rng.choice(["sharp", "contour", "soft"], p=[0.3, 0.35, 0.35])
    if style == "contour":
        canvas *= 1 - rng.uniform(0.1, 0.8) * line
    elif style == "soft":
        canvas += line * (cv2.GaussianBlur(canvas, (0, 0), 1.5 * sigma) - canvas)
