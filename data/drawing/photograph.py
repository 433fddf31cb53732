"""The photograph around the piece: table, gloss of the cardboard, shadow, light, lens and sensor."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from data.drawing.noise import Field, Rng, fractal, ramp, smooth
from data.drawing.outline import Points

Shape = tuple[int, int]
_SUPERSAMPLING = 4
_FULL = 240  # a multiple of the 16 samples: their mean stays a whole number


def coverage(points: Points, shape: Shape, spread: float = 0.0) -> Field:
    """Share of each pixel (H, W) inside the polygon `points` (N, 2), in 0 to 1, from 4 by 4 samples.

    Pixel (row 0, column 0) spans 0 to 1 in x and y. `spread` sweeps the polygon towards the
    picture's centre by that share of the distance, as the foot of a thick piece lies under its face.
    """
    fine = (shape[0] * _SUPERSAMPLING, shape[1] * _SUPERSAMPLING)
    samples = np.zeros(fine, np.uint8)
    centre = np.array([shape[1] / 2, shape[0] / 2])
    for share in (0.0, 1 / 3, 2 / 3, 1.0) if spread else (0.0,):
        swept = centre + (points - centre) * (1 - spread * share)
        fixed = np.round((_inset(swept * _SUPERSAMPLING) - 0.5) * 256).astype(np.int32)
        cv2.fillPoly(samples, [fixed], _FULL, shift=8)
    area = cv2.resize(samples, shape[::-1], interpolation=cv2.INTER_AREA)
    return area.astype(np.float32) / np.float32(_FULL)


def _inset(points: Points) -> Points:
    """A clockwise polygon moved inwards by half a sample: fillPoly also fills those that its border touches."""
    edges = np.roll(points, -1, axis=0) - points
    edges = edges / np.maximum(np.hypot(*edges.T), 1e-9)[:, None]
    normals = np.stack([-edges[:, 1], edges[:, 0]], axis=1)
    before = np.roll(normals, 1, axis=0)
    mitre = np.maximum(1 + (normals * before).sum(axis=1), 0.3)
    return np.asarray(points + 0.5 * (normals + before) / mitre[:, None])


def table(rng: Rng, shape: Shape, unit: float) -> Field:
    """Grey-beige fibrous cardboard (H, W, 3), float32 RGB."""
    colour = rng.uniform(128, 195) + rng.uniform(3, 19) * np.array([1, 0, -1]) + rng.normal(0, 2, 3)
    relief = _relief(rng, shape, unit)
    tone = 1 + relief + rng.uniform(0.01, 0.035) * fractal(rng, shape, 60 * unit, octaves=2)
    _seam(rng, tone, unit)
    surface = np.multiply.outer(tone, colour.astype(np.float32)).astype(np.float32)
    _specks(rng, surface, unit)
    return surface


def nudge(rng: Rng, surface: Field, unit: float) -> Field:
    """The same table (H, W, 3), photographed from a slightly moved phone."""
    height, width = surface.shape[:2]
    matrix = np.asarray(cv2.getRotationMatrix2D((width / 2, height / 2), rng.normal(0, 2), 1), np.float64)
    matrix[:, 2] += rng.normal(0, 25, 2) * unit
    moved = cv2.warpAffine(surface, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(moved, np.float32)


def _relief(rng: Rng, shape: Shape, unit: float) -> Field:
    """Ribs one way, fibres the other, lit from the side: relative brightness around 0."""
    rib, fibre = rng.uniform(3, 6) * unit, rng.uniform(9, 22) * unit
    ribs = smooth(rng, shape, fibre, rib) if rng.random() < 0.7 else smooth(rng, shape, rib, fibre)
    felt = smooth(rng, shape, 7 * unit, 11 * unit) + 0.7 * smooth(rng, shape, 2.5 * unit)
    relief = rng.uniform(0.015, 0.05) * ribs + rng.uniform(0.01, 0.035) * felt
    return np.asarray(relief, np.float32)


def _seam(rng: Rng, tone: Field, unit: float) -> None:
    """A fold of the table near one border, in half the pictures."""
    if rng.random() < 0.5:
        return
    height, width = tone.shape
    angle = rng.choice([0, 1, 2, 3]) * math.pi / 2 + rng.normal(0, 0.02)
    reach = (height if abs(math.sin(angle)) > 0.5 else width) * rng.uniform(0.38, 0.48)
    beyond = ramp(tone.shape, angle) - reach + unit * smooth(rng, tone.shape, 40 * unit)
    softness = max(rng.uniform(0.7, 4) * unit, 0.4)
    tone *= 1 + rng.uniform(-0.06, 0.1) / (1 + np.exp(np.clip(-beyond / softness, -30, 30)))
    tone *= 1 - rng.uniform(0, 0.1) * np.exp(-((beyond / softness) ** 2))


def _specks(rng: Rng, surface: Field, unit: float) -> None:
    """Draw dark crumbs, pale flecks and a few stains."""
    for n, smallest, largest, darkest, palest in (
        (70, 0.6, 2.2, 0.45, 0.8),
        (60, 0.8, 2.5, 1.06, 1.18),
        (4, 3.0, 8.0, 0.6, 0.85),
    ):
        for _ in range(rng.poisson(n * rng.uniform(0.1, 1.4))):
            radii = rng.uniform(smallest, largest, 2) * unit
            _speck(rng, surface, radii, rng.uniform(darkest, palest))


def _speck(rng: Rng, surface: Field, radii: Points, shade: float) -> None:
    height, width = surface.shape[:2]
    centre = (rng.uniform(size=2) * (width, height) * 16).astype(int).tolist()
    axes = np.maximum(radii * 16, 5).astype(int).tolist()
    colour = surface[height // 2, width // 2] * shade * [1.03, 1, 0.97]
    turn = rng.uniform(0, 180)
    cv2.ellipse(surface, centre, axes, turn, 0, 360, colour.tolist(), -1, cv2.LINE_8, shift=4)


def light(rng: Rng, shape: Shape) -> Field:
    """Relative brightness (H, W) of the scene: vignette, a fall-off to one side, and unevenness."""
    height, width = shape
    y, x = np.ogrid[:height, :width]
    middle = rng.normal(0.5, 0.08, 2)
    squared = ((x / width - middle[0]) ** 2 + (y / height - middle[1]) ** 2 * 0.6).astype(np.float32)
    falloff = ramp(shape, rng.uniform(0, 2 * math.pi)) / np.float32(max(shape)) * rng.uniform(0, 0.3)
    level = 1.06 - rng.uniform(0.4, 1.1) * squared + falloff + 0.02 * smooth(rng, shape, max(shape) / 4)
    return np.asarray(level, np.float32)


def gloss(rng: Rng, cover: Field, unit: float, angle: float) -> tuple[Field, Field]:
    """The rounded rim of a pressed piece: (factor on the print, white light added), each (H, W)."""
    sigma = max(rng.uniform(2, 6) * unit, 0.5)
    hill = cv2.GaussianBlur(cover, (0, 0), sigma)
    slope_x, slope_y = cv2.Sobel(hill, cv2.CV_32F, 1, 0), cv2.Sobel(hill, cv2.CV_32F, 0, 1)
    lit = np.float32(sigma * 0.313) * (math.cos(angle) * slope_x + math.sin(angle) * slope_y)  # 1 if facing
    uneven = np.clip(0.5 + 1.2 * smooth(rng, cover.shape, 60 * unit), 0, 2)
    sheen = np.maximum(fractal(rng, cover.shape, 240 * unit, octaves=2) - 0.3, 0)
    rim = np.exp(-((hill - 0.5) ** 2) / 0.01)
    factor = 1 + rng.uniform(0.05, 0.45) * lit - rng.uniform(0, 0.25) * rim
    glint = rng.uniform(10, 100) * uneven * np.maximum(lit, 0) ** 2
    added = glint + rng.uniform(0, 22) * sheen + rng.uniform(0, 8)
    return factor, np.asarray(added, np.float32)


def shadow(rng: Rng, cover: Field, unit: float, angle: float) -> Field:
    """Share of the light (H, W) that reaches the table beside the piece; the shadow falls towards `angle`.

    The sum of ever wider and paler shadows, as under a wide lamp, and a narrow dark seam all around.
    """
    angle += rng.normal(0, 0.25)
    reach, softness = rng.uniform(6, 36) * unit, rng.uniform(0.35, 0.8)
    small = cv2.resize(cover, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    dark: Field = np.zeros(small.shape, np.float32)
    for share in (0.25, 0.6, 1.0):
        step_x, step_y = share * reach / 2 * math.cos(angle), share * reach / 2 * math.sin(angle)
        move = np.array([[1, 0, step_x], [0, 1, step_y]], np.float32)
        shifted = cv2.warpAffine(small, move, small.shape[::-1])
        dark += np.float32(1 / 3) * cv2.GaussianBlur(shifted, (0, 0), max(share * reach / 2 * softness, 0.5))
    wide = cv2.resize(dark, cover.shape[::-1], interpolation=cv2.INTER_LINEAR)
    seam = cv2.GaussianBlur(cover, (0, 0), max(rng.uniform(1.5, 5) * unit, 0.5))
    reached = (1 - rng.uniform(0.35, 0.9) * wide) * (1 - rng.uniform(0.05, 0.5) * seam)
    return np.asarray(reached, np.float32)


@dataclass(frozen=True)
class Camera:
    """Blur, noise and compression by lens, sensor and file format.

    `blur` and `corner_blur` are Gaussian deviations in pixels, `noise` one in grey levels.
    """

    blur: float
    corner_blur: float
    noise: float
    gamma: float
    balance: tuple[float, float, float]
    quality: int

    @classmethod
    def pick(cls, rng: Rng, unit: float) -> "Camera":
        """A random camera: any phone on any evening."""
        blur = rng.uniform(0.6, 1.7) * unit
        red, green, blue = (1 + rng.normal(0, 0.025, 3)).tolist()
        gamma, quality = math.exp(rng.normal(0, 0.12)), int(rng.integers(82, 97))
        return cls(
            blur, blur + rng.uniform(0, 1.5) * unit, rng.uniform(0.5, 3.5) * unit, gamma, (red, green, blue), quality
        )

    def take(self, rng: Rng, scene: Field) -> NDArray[np.uint8]:
        """A scene (H, W, 3), float32 RGB, as the photograph (H, W, 3) uint8."""
        curve = (255 * (np.arange(256) / 255) ** self.gamma).astype(np.float32)
        focused = self._lens(scene) * np.array(self.balance, np.float32)
        seen = curve[np.clip(np.round(focused), 0, 255).astype(np.uint8)]
        grain = smooth(rng, seen.shape[:2], 1.3)[..., None]
        blotches = np.stack([smooth(rng, seen.shape[:2], 3.0) for _ in "rgb"], axis=-1)
        seen += np.float32(self.noise) * (grain + np.float32(0.4) * blotches)
        pixels = np.clip(np.round(seen), 0, 255).astype(np.uint8)
        packed = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, self.quality])[1]
        return np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR_RGB), np.uint8)

    def _lens(self, scene: Field) -> Field:
        """Sharp in the middle, softer in the corners; symmetric, so that no edge moves."""
        height, width = scene.shape[:2]
        middle = cv2.GaussianBlur(scene, (0, 0), max(self.blur, 0.3))
        corners = cv2.GaussianBlur(scene, (0, 0), max(self.corner_blur, 0.3))
        y, x = np.ogrid[:height, :width]
        radius = ((x / width - 0.5) ** 2 + (y / height - 0.5) ** 2).astype(np.float32) * 2
        return np.asarray(middle + radius[..., None] * (corners - middle), np.float32)
