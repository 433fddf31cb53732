"""Masks as 0 and 1: black is background, one other value foreground; losses of objects by resizing."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

import cv2
import numpy as np

from common.text import some
from data import pixels
from data.problems import FileError, Problem

SHARE_CHANGE = 1 / 3
"""Relative change of the share of foreground by resizing from which on a warning is given."""

SIDE_STEP = 16
"""Step of `image_size`, which is a multiple of it, at least twice it."""


def to_mask(array: np.ndarray) -> tuple[np.ndarray, str]:
    """Mask (H, W) uint8 from the array of `pixels.decode`, and the value that became 1: black or transparent is 0.

    Raises FileError unless there are exactly two values of which one is black.
    """
    levels, is_grey = _levels(array)
    values = _unique(levels)
    if len(values) == 1:
        state = "is all foreground" if values[0] else "is empty, without one foreground pixel"
        raise FileError(state, "mark the foreground, or remove it together with its image")
    shown = some(_name(value, is_grey) for value in values)
    kinds = f"{len(values)} {'grey levels' if is_grey else 'colours'}: {shown}"
    if len(values) > 2:
        raise FileError(
            "has more than two values",
            "keep black for background and one other value for the foreground, and save it as PNG",
            kinds,
        )
    if values[0] != 0:
        raise FileError("has no black pixel", "make the background black", kinds)
    return np.asarray(levels != 0, dtype=np.uint8), _name(values[1], is_grey)


def _name(value: float, is_grey: bool) -> str:
    return f"{value:g}" if is_grey else f"#{int(value):06x}"


def _levels(array: np.ndarray) -> tuple[np.ndarray, bool]:
    """One value per pixel (H, W) and whether it is grey (else 0xRRGGBB); 0 is black or transparent."""
    if array.ndim == 2:
        return array, True
    if array.shape[2] == 4:
        opaque = np.iinfo(array.dtype).max
        array = (array[:, :, :3] * (array[:, :, 3:] / np.float32(opaque))).astype(array.dtype)
    red, green, blue = (array[:, :, channel] for channel in range(3))
    if np.array_equal(red, green) and np.array_equal(red, blue):
        return red, True
    bits = 8 * array.itemsize
    return (red.astype(np.int64) << 2 * bits) | (green.astype(np.int64) << bits) | blue, False


def _unique(levels: np.ndarray) -> np.ndarray:
    """Different values, ascending, without sorting all pixels of a photograph."""
    if levels.dtype == np.uint8:
        return np.flatnonzero(np.bincount(levels.ravel(), minlength=256))
    return np.unique(levels)


def several_values(files: Mapping[str, list[Path]]) -> list[str]:
    """A sentence if the masks of one data set mark their foreground with different values; `files` by value."""
    if len(files) < 2:
        return []
    groups = "; ".join(
        f"{value} in {len(paths)} ({some(path.name for path in paths)})" for value, paths in files.items()
    )
    return [
        f"the masks mark their foreground with {len(files)} different values, which may be different classes: "
        f"{groups}: save all of one class with 0 and 255."
    ]


def read(
    path: Path | None, values: dict[str, list[Path]], problems: list[Problem | str], warnings: list[Problem | str]
) -> np.ndarray | None:
    """The mask as `to_mask` gives it, or None; the file is added to `values`, its fault to `problems`."""
    if path is None:
        return None
    try:
        mask, value = to_mask(pixels.decode(path))
    except FileError as error:
        problems.append(error.of(path))
        return None
    except MemoryError:
        problems.append(Problem(path, *pixels.TOO_LARGE))
        return None
    values[value].append(path)
    pixels.warn_of_pages(path, warnings)
    return mask


def limit_size(mask: np.ndarray, longest: int) -> tuple[int, int]:
    """Height and width (pixels) of a mask (H, W), or as much smaller that the longest side is `longest`."""
    height, width = mask.shape
    factor = min(1.0, longest / max(height, width))
    return max(1, round(height * factor)), max(1, round(width * factor))


def resize(mask: np.ndarray, height: int, width: int = 0) -> np.ndarray:
    """Mask (H, W) at another size, without `width` a square of `height` pixels, sampled nearest.

    INTER_NEAREST_EXACT samples at pixel centres. INTER_NEAREST would shift the mask by up to half a pixel.
    """
    width = width or height
    if mask.shape == (height, width):
        return mask
    return cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)


class ResizingLosses:
    """Losses of the masks of a data set by resizing: `compare` at each, then ask for `problems` and `warnings`."""

    def __init__(self) -> None:
        self._lost: dict[int, list[tuple[Path, str, int]]] = defaultdict(list)
        self._unscored: list[Problem] = []
        self.warnings: list[Problem] = []

    def compare(self, path: Path, mask: np.ndarray, side: int) -> None:
        """Compare a mask (H, W) with its copy in a square of `side` pixels."""
        before, after = float(mask.mean()), float(resize(mask, side).mean())
        if not after:
            width, height, enough = smallest_thing(mask)
            size = f"smallest thing {width}x{height} of {mask.shape[1]}x{mask.shape[0]} pixels"
            self._lost[side].append((path, size, enough))
        elif abs(after - before) >= SHARE_CHANGE * before:
            what = f"changes its share of foreground by a third or more at image_size {side}"
            detail = f"{100 * before:.2g} % becomes {100 * after:.2g} %"
            self.warnings.append(Problem(path, what, "a larger image_size changes it less", detail))

    def check_score_size(self, path: Path, mask: np.ndarray, size: tuple[int, int]) -> None:
        """Refuse a mask without foreground at the height and width of the scores."""
        if not resize(mask, *size).any():
            what = f"loses all its foreground at score_size {max(size)}"
            self._unscored.append(Problem(path, what, "raise score_size, or crop the photographs around it"))

    def problems(self) -> Iterable[Problem]:
        """The masks without foreground at some size, and the `image_size` that keeps it in all of them."""
        yield from self._unscored
        for side, lost in self._lost.items():
            enough = max(each for _, _, each in lost)
            remedy = f"image_size {enough} keeps it; or crop the photographs around the foreground"
            for path, size, _ in lost:
                yield Problem(path, f"loses all its foreground at image_size {side}", remedy, size)


def smallest_thing(mask: np.ndarray) -> tuple[int, int, int]:
    """Width and height (pixels) of the smallest connected thing, and an image_size that keeps every thing."""
    n, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    smallest = stats[1 + int(np.argmin(stats[1:, cv2.CC_STAT_AREA]))]
    width, height = int(smallest[cv2.CC_STAT_WIDTH]), int(smallest[cv2.CC_STAT_HEIGHT])
    steps = max(2, math.ceil(max(mask.shape[1] / width, mask.shape[0] / height) / SIDE_STEP))
    numbered = labels.astype(np.float32)
    while steps * SIDE_STEP < max(mask.shape) and len(np.unique(resize(numbered, steps * SIDE_STEP))) < n:
        steps += 1
    return width, height, steps * SIDE_STEP
