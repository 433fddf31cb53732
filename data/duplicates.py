"""Two files with the same picture: small thumbnails make candidates, full-size pixels and masks decide.

data/README.md has the measured differences of copies of real photographs, and of different photographs.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from common.text import some
from data.layout import Item

COARSE, FINE = 16, 64
"""Sides of the thumbnails."""

COARSE_LEVELS, FINE_LEVELS = 6, 36
"""Largest difference of candidates' thumbnails in any pixel and channel."""

MAX_SIDE = 2048
"""Longest side, in pixels, at which photographs are compared: memory stays small for any camera."""

LOCAL_SIDE, LOCAL_LEVELS = 5, 16
"""Side of a window in pixels, and the largest difference of its mean for the same picture."""

DETAIL_SIDE, LEAST_CORRELATION, FAINT = 15, 0.5, 4.0
"""Details are differences from the mean of DETAIL_SIDE pixels a side; they must correlate. A variance of FAINT squared
levels is noise."""

MARKED_LEVELS = 6
"""Largest difference, for the same picture, of the mean over pixels that only one mask marks; less if the two files
differ less elsewhere."""

Read = Callable[[Item], tuple[np.ndarray, np.ndarray | None]]
"""Image (H, W, 3) uint8 and mask (H, W) of an item, decoded again."""


def thumbnail(image: np.ndarray) -> np.ndarray:
    """Thumbnail (64, 64, 3) uint8 of an image."""
    return cv2.resize(image, (FINE, FINE), interpolation=cv2.INTER_AREA)


def find_duplicates(thumbnails: Sequence[tuple[Item, np.ndarray]], seeded: bool, read: Read) -> Iterator[str]:
    """A sentence for all equal images in different splits, or anywhere if a seed does the splitting."""
    grey = lru_cache(maxsize=4)(lambda index: _grey(*read(thumbnails[index][0])))
    groups: dict[int, list[int]] = defaultdict(list)
    first = list(range(len(thumbnails)))
    for one, other in _candidates(np.array([small for _, small in thumbnails])):
        parted = seeded or thumbnails[one][0].split != thumbnails[other][0].split
        if parted and first[one] != first[other] and _is_same(*grey(one), *grey(other)):
            first = [first[one] if each == first[other] else each for each in first]
    for index, leader in enumerate(first):
        groups[leader].append(index)
    for group in groups.values():
        if len(group) > 1:
            yield _sentence([thumbnails[index][0] for index in group], seeded)


def _sentence(items: Sequence[Item], seeded: bool) -> str:
    splits = list(dict.fromkeys(f"in {item.split}" for item in items))
    where = "a random split may part them" if seeded else " and ".join(splits)
    files = [item.image for item in items if item.image]
    if len(files) == 2:
        return f"{files[0]} and {files[1]} are the same picture ({where}): keep one."
    return (
        f"{files[0]} and {len(files) - 1} others ({some(map(_short, files[1:]))}) are the same picture ({where}): "
        "keep one."
    )


def _short(path: Path) -> str:
    return str(Path(*path.parts[-3:]))


def _candidates(fine: np.ndarray) -> Iterator[tuple[int, int]]:
    """Pairs of indices of (N, 64, 64, 3) thumbnails that are alike."""
    ratio = FINE // COARSE
    coarse = fine.reshape(len(fine), COARSE, ratio, COARSE, ratio, 3).mean(axis=(2, 4), dtype=np.float32)
    for one in range(len(fine) - 1):
        rest = one + 1 + np.flatnonzero(_differ(coarse[one + 1 :], coarse[one]) <= COARSE_LEVELS)
        alike = _differ(fine[rest].astype(np.int16), fine[one].astype(np.int16)) <= FINE_LEVELS
        yield from ((one, int(other)) for other in rest[alike])


def _differ(many: np.ndarray, one: np.ndarray) -> np.ndarray:
    return np.asarray(np.abs(many - one).max(axis=(1, 2, 3), initial=0))


def _grey(image: np.ndarray, mask: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), mask


def _is_same(one: np.ndarray, one_mask: np.ndarray | None, other: np.ndarray, other_mask: np.ndarray | None) -> bool:
    """Whether two greys (H, W) of any sizes are one picture, saved or resized differently."""
    height, width = (min(MAX_SIDE, *lengths) for lengths in zip(one.shape, other.shape, strict=True))
    a, b = (cv2.resize(each, (width, height), interpolation=cv2.INTER_AREA) for each in (one, other))
    difference = np.subtract(a, b, dtype=np.float32)
    difference -= np.median(difference)
    if np.abs(cv2.blur(difference, (LOCAL_SIDE, LOCAL_SIDE))).max() > LOCAL_LEVELS:
        return False
    if _correlation(_details(a), _details(b)) < LEAST_CORRELATION:
        return False
    if one_mask is None or other_mask is None:
        return True
    marked, marked_too = (
        cv2.resize(each, (width, height), interpolation=cv2.INTER_NEAREST_EXACT) > 0 for each in (one_mask, other_mask)
    )
    alone = (marked & ~marked_too, marked_too & ~marked)
    most = min(MARKED_LEVELS, 1 + 3 * float(difference.std()))
    return all(abs(difference[region].mean()) <= most for region in alone if region.any())


def _details(grey: np.ndarray) -> np.ndarray:
    values = grey.astype(np.float32)
    return values - cv2.blur(values, (DETAIL_SIDE, DETAIL_SIDE))


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    """1 for equal details, 0 for unrelated ones; 1 also without any."""
    common, all_ = float(np.mean(a * b)), float(np.mean(a * a) + np.mean(b * b))
    return (2 * common + FAINT) / (all_ + FAINT)
