"""Photographs and their masks: find, check, split and load them, each file decoded once and resized once.

Layouts, pairing rules and the meaning of each problem are in data/README.md.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

import cv2
import numpy as np

from data import duplicates, masks, pixels
from data.layout import SPLITS, Item, Listing, find
from data.pixels import Range
from data.problems import DataError, FileError, Problem, sentences

T = TypeVar("T")

EMPTY = np.empty(0)


@dataclass(frozen=True)
class Pair:
    """One photograph, `image` (H, W, 3) uint8 RGB, and its `mask` (H, W) uint8: 1 is foreground, 0 background.

    `truth` is the mask at the size at which predictions are scored, of validation and test images; `photograph` the
    image at that size, of test images. Their defaults are `mask` and `image`.
    """

    name: str
    image: np.ndarray
    mask: np.ndarray
    truth: np.ndarray = field(default_factory=lambda: EMPTY)
    photograph: np.ndarray = field(default_factory=lambda: EMPTY)

    def __post_init__(self) -> None:
        for name, value in (("truth", self.mask), ("photograph", self.image)):
            if getattr(self, name) is EMPTY:
                object.__setattr__(self, name, value)


@dataclass(frozen=True)
class Dataset:
    """Pairs by split, in natural order of their names.

    `digest` is the SHA-256 (64 hex digits) of splits, names and decoded pixels at their original size. It
    depends neither on where the files lie nor on their format, nor on the size they are resized to.
    `test_digest` is that of the test pairs alone, whatever their names and order: runs with one test digest were
    tested on the same pictures.
    `pixel_range` holds the values that became 0 and 255 in images of more than 8 bits, None if there are none.
    `warnings` are possible faults, one sentence each.
    """

    train: tuple[Pair, ...]
    val: tuple[Pair, ...]
    test: tuple[Pair, ...]
    digest: str
    test_digest: str
    pixel_range: Range | None = None
    warnings: tuple[str, ...] = ()


def load_dataset(
    folder: str | Path,
    split_seed: int = 0,
    image_size: int | None = None,
    fold: int = 0,
    folds: int = 0,
    score_size: int | None = None,
) -> Dataset:
    """Load the images and masks below `folder`.

    `image_size` is the side in pixels of the square they are resized to, None keeps their own sizes. `score_size` is
    the longest side of `truth` and `photograph`, None takes the square for both.
    `fold` 0 is the folder's own split; k ≥ 1 the k-th random re-split of all its pairs, in the same sizes, or with
    `folds` the k-th of so many in which each pair is tested once.
    `split_seed` is the seed of random splits: every fold, and a folder without a split of its own.
    Raises DataError with all problems, in folders, names and pixels, at once.
    """

    def to_pair(item: Item, image: np.ndarray, mask: np.ndarray) -> Pair:
        if image_size is None:
            return Pair(item.name, image, mask)
        small = masks.resize(mask, image_size)
        if score_size is None or item.split == "train":
            return Pair(item.name, pixels.to_square(image, image_size), small)
        height, width = masks.limit_size(mask, score_size)
        truth = masks.resize(mask, height, width)
        square = pixels.to_square(image, image_size)
        photograph = pixels.to_size(image, height, width) if item.split == "test" else square
        return Pair(item.name, square, small, truth, photograph)

    contents = read_pairs(find(Path(folder), split_seed, fold, folds), image_size, to_pair, score_size)
    splits = {split: tuple(contents.pairs[split]) for split in SPLITS}
    return Dataset(
        **splits,
        digest=contents.digest,
        test_digest=contents.test_digest,
        pixel_range=contents.pixel_range,
        warnings=contents.warnings,
    )


@dataclass(frozen=True)
class Contents(Generic[T]):
    """The items that were made of the pairs, by split, and the other fields of a Dataset."""

    pairs: dict[str, list[T]]
    digest: str
    test_digest: str
    pixel_range: Range | None
    warnings: tuple[str, ...]


def read_pairs(
    listing: Listing,
    image_size: int | None,
    keep: Callable[[Item, np.ndarray, np.ndarray], T],
    score_size: int | None = None,
) -> Contents[T]:
    """Look at every pair at its own size, one after another, and keep only the value of `keep` for each.

    Raises DataError with all problems, or when memory is used up.
    """
    try:
        return _read_pairs(listing, image_size, keep, score_size)
    except (MemoryError, cv2.error) as error:
        if not pixels.is_out_of_memory(error):
            raise
        size = f" at {image_size}x{image_size} pixels" if image_size else ""
        raise DataError(
            [f"the images need more memory{size} than there is: free some, or take fewer or smaller images."]
        ) from None


def _read_pairs(
    listing: Listing, image_size: int | None, keep: Callable[[Item, np.ndarray, np.ndarray], T], score_size: int | None
) -> Contents[T]:
    problems = list(listing.problems)
    warnings: list[Problem | str] = []
    pixel_range = pixels.find_range(item.image for item in listing.items if item.image)
    pairs: dict[str, list[T]] = defaultdict(list)
    thumbnails: list[tuple[Item, np.ndarray]] = []
    values: dict[str, list[Path]] = defaultdict(list)
    resizing = masks.ResizingLosses()
    digest = hashlib.sha256()
    tested: list[bytes] = []
    for item in sorted(listing.items, key=lambda item: list(SPLITS).index(item.split)):
        image = pixels.read(item.image, pixel_range, problems, warnings)
        mask = masks.read(item.mask, values, problems, warnings)
        if image is not None:
            thumbnails.append((item, duplicates.thumbnail(image)))
        if mask is not None and item.mask and image_size:
            resizing.compare(item.mask, mask, image_size)
            if score_size and item.split != "train":
                resizing.check_score_size(item.mask, mask, masks.limit_size(mask, score_size))
        if image is None or mask is None or item.image is None:
            continue
        if image.shape[:2] != mask.shape:
            sizes = f"{size_text(image)} pixels, and {size_text(mask)} of {item.mask}"
            problems.append(
                Problem(item.image, "has another size than its mask", "export the mask at the image's size", sizes)
            )
        digest.update(f"{item.split}/{item.name} {image.shape} {mask.shape}\n".encode(errors="surrogateescape"))
        digest.update(image.data)
        digest.update(mask.data)
        if item.split == "test":
            tested.append(hashlib.sha256(image.tobytes() + mask.tobytes()).digest())
        if not problems:
            pairs[item.split].append(keep(item, image, mask))
    problems += masks.several_values(values)
    problems += resizing.problems()
    problems += duplicates.find_duplicates(thumbnails, listing.seeded, lambda item: _read_again(item, pixel_range))
    if problems:
        raise DataError(sentences(problems))
    return Contents(
        pairs,
        digest.hexdigest(),
        hashlib.sha256(b"".join(sorted(tested))).hexdigest(),
        pixel_range,
        tuple(sentences([*warnings, *resizing.warnings])),
    )


def _read_again(item: Item, pixel_range: Range | None) -> tuple[np.ndarray, np.ndarray | None]:
    """Image and mask of an item that could be read before."""
    image = pixels.read(item.image, pixel_range, [], [])
    assert image is not None
    return image, masks.read(item.mask, defaultdict(list), [], [])


def read_image(path: Path, pixel_range: Range | None = None) -> np.ndarray:
    """RGB (H, W, 3) uint8 of a photograph at its own size, upright as its EXIF orientation says.

    `pixel_range` is that of the data set that was trained on. Raises DataError, one sentence, when it cannot be read.
    """
    try:
        return pixels.to_rgb(pixels.decode(path), pixel_range)
    except FileError as error:
        raise DataError([str(error.of(path))]) from error


def describe_range(pixel_range: Range) -> str:
    """The range of images with more than 8 bits, in a line."""
    low, high = pixel_range
    return f"images of more than 8 bits: {low:g} to {high:g}, the range of all of them, becomes 0 to 255"


def size_text(array: np.ndarray) -> str:
    return f"{array.shape[1]}x{array.shape[0]}"
