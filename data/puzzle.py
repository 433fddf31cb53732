"""Photographs and their masks: find, check, split and load them, each file decoded once and resized once.

`python -m data.puzzle FOLDER` checks a folder: a summary and exit 0, or every problem and exit 1. Layouts,
pairing rules and the meaning of each problem are in data/README.md.
"""

import argparse
import hashlib
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from data import synthetic
from data.layout import SPLITS, Item, Listing, find

# A thumbnail is 16x16 RGB. Copies of one photograph (rescaled, or a JPEG of quality 30) differ by at most 3
# grey levels anywhere in it; the two most similar of the lab's 18 photographs differ by 63 somewhere.
THUMBNAIL_SIDE = 16
SAME_PICTURE_LEVELS = 6


@dataclass(frozen=True)
class Pair:
    """One photograph, `image` (H, W, 3) uint8 RGB, and its `mask` (H, W) uint8: 1 is the piece, 0 is not."""

    name: str
    image: np.ndarray
    mask: np.ndarray


@dataclass(frozen=True)
class Dataset:
    """Pairs by split, in natural order of their names.

    `digest` is the SHA-256 (64 hex digits) of splits, names and decoded pixels at their original size. It
    depends neither on where the files lie nor on their format, nor on the size they are resized to.
    `test_digest` is that of the test pairs alone, whatever their names and order: runs with one test digest were
    tested on the same pictures.
    """

    train: tuple[Pair, ...]
    val: tuple[Pair, ...]
    test: tuple[Pair, ...]
    digest: str
    test_digest: str


class DataError(ValueError):
    """Everything that is wrong with a folder: `problems`, one sentence each, and as text one per line."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


def load(folder: str | Path, split_seed: int = 0, image_size: int | None = None, fold: int = 0) -> Dataset:
    """Load the images and masks below `folder`.

    `image_size` is the side in pixels of the square they are resized to, None keeps their own sizes.
    `fold` 0 is the folder's own split; k ≥ 1 the k-th random re-split of all its pairs, 10/4/4 of every 18.
    `split_seed` is the seed of whatever is split at random: every fold, and a folder without a split of its own.
    Raises DataError with all problems, in folders, names and pixels, at once.
    """
    return _load(_find(Path(folder), split_seed, fold), image_size)


def _find(folder: Path, split_seed: int, fold: int) -> Listing:
    try:
        return find(folder, split_seed, fold)
    except OSError as error:
        raise DataError([f"{error.filename} cannot be read: {error.strerror}."]) from error


def _load(listing: Listing, image_size: int | None) -> Dataset:
    problems = list(listing.problems)
    pairs: dict[str, list[Pair]] = {split: [] for split in SPLITS}
    thumbnails: list[tuple[Item, np.ndarray]] = []
    digest = hashlib.sha256()
    tested: list[bytes] = []
    for item in sorted(listing.items, key=lambda item: list(SPLITS).index(item.split)):
        image = _read(item.image, to_image, problems)
        mask = _read(item.mask, to_mask, problems)
        if image is not None:
            thumbnail = cv2.resize(image, (THUMBNAIL_SIDE, THUMBNAIL_SIDE), interpolation=cv2.INTER_AREA)
            thumbnails.append((item, thumbnail.astype(np.int16)))
        if image is None or mask is None:
            continue
        if image.shape[:2] != mask.shape:
            problems.append(
                f"{item.image} is {_size(image)} pixels but its mask {item.mask} is {_size(mask)}: "
                "export the mask at the size of its image."
            )
        digest.update(f"{item.split}/{item.name} {image.shape} {mask.shape}\n".encode())
        digest.update(image.tobytes() + mask.tobytes())
        if item.split == "test":
            tested.append(hashlib.sha256(image.tobytes() + mask.tobytes()).digest())
        if not problems:
            pairs[item.split].append(Pair(item.name, *_resize(image, mask, image_size)))
    problems += _same_pictures(thumbnails, listing.seeded)
    if problems:
        raise DataError(problems)
    test_digest = hashlib.sha256(b"".join(sorted(tested)))
    splits = {split: tuple(found) for split, found in pairs.items()}
    return Dataset(**splits, digest=digest.hexdigest(), test_digest=test_digest.hexdigest())


def read_image(path: Path) -> np.ndarray:
    """RGB (H, W, 3) uint8 of a photograph at its own size, upright as its EXIF orientation says.

    Raises DataError, one sentence, when it cannot be read.
    """
    problems: list[str] = []
    image = _read(path, to_image, problems)
    if image is None:
        raise DataError(problems)
    return image


def to_image(picture: Image.Image) -> np.ndarray:
    """RGB (H, W, 3) uint8 of a picture in any mode.

    16-bit grey keeps its upper 8 bits, what is transparent becomes white.
    Raises ValueError for 32-bit pixels, whose range is not known.
    """
    if picture.mode in ("I", "F"):
        raise ValueError("has 32-bit pixels: export it with 8 or 16 bits per channel")
    if picture.mode.startswith("I;16"):
        grey = (np.asarray(picture) >> 8).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if picture.has_transparency_data:
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture.convert("RGBA"))
    return np.array(picture.convert("RGB"))


def to_mask(picture: Image.Image) -> np.ndarray:
    """Mask (H, W) uint8 from a picture in any mode: black or transparent is 0, the other value is 1.

    Raises ValueError unless the picture has exactly two values of which one is black.
    """
    levels, is_grey = _levels(picture)
    values = np.unique(levels)
    if len(values) == 1:
        state = "is all foreground" if values[0] else "is empty, without one foreground pixel"
        raise ValueError(f"{state}: mark the piece, or remove it together with its image")
    if len(values) > 2 or values[0] != 0:
        shown = ", ".join(str(value) if is_grey else f"#{value:06x}" for value in values[:4])
        found = (
            f"{len(values)} {'grey levels' if is_grey else 'colours'} ({shown}{', …' * (len(values) > 4)})"
        )
        raise ValueError(
            f"has {found}: a mask has two, black for background and another one for the piece; "
            "threshold it and save it as PNG"
        )
    return np.asarray(levels != 0, dtype=np.uint8)


def _levels(picture: Image.Image) -> tuple[np.ndarray, bool]:
    """One value per pixel (H, W) and whether it is grey (else 0xRRGGBB); 0 is black or transparent."""
    if picture.mode in ("1", "L", "I", "F") or picture.mode.startswith("I;16"):
        return np.asarray(picture), True
    rgba = np.asarray(picture.convert("RGBA")).astype(np.int32)
    red, green, blue = (rgba[:, :, channel] * rgba[:, :, 3] // 255 for channel in range(3))
    if np.array_equal(red, green) and np.array_equal(red, blue):
        return red, True
    return red << 16 | green << 8 | blue, False


def _read(
    path: Path | None, convert: Callable[[Image.Image], np.ndarray], problems: list[str]
) -> np.ndarray | None:
    """The converted pixels of a file, upright as its EXIF orientation says; or None and one more problem."""
    if path is None:
        return None
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(path) as opened:
            picture = ImageOps.exif_transpose(opened)
            picture.load()
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        problems.append(
            f"{path} cannot be read as an image ({_reason(error)}): export it again as PNG or JPEG."
        )
        return None
    try:
        return convert(picture)
    except ValueError as error:
        problems.append(f"{path} {error}.")
        return None


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "its content is no known image format"
    return getattr(error, "strerror", None) or str(error).rstrip(".") or type(error).__name__


def _same_pictures(thumbnails: Sequence[tuple[Item, np.ndarray]], seeded: bool) -> Iterator[str]:
    """A sentence for every two equal images in different splits, or anywhere if a seed does the splitting."""
    stack = np.array([thumbnail for _, thumbnail in thumbnails])
    for position, (one, thumbnail) in enumerate(thumbnails):
        difference = np.abs(stack[position + 1 :] - thumbnail).max(axis=(1, 2, 3), initial=0)
        for offset in np.flatnonzero(difference <= SAME_PICTURE_LEVELS).tolist():
            other = thumbnails[position + 1 + offset][0]
            if seeded or one.split != other.split:
                where = "a random split may part them" if seeded else f"in {one.split} and in {other.split}"
                yield f"{one.image} and {other.image} are the same picture ({where}): keep one."


def _resize(image: np.ndarray, mask: np.ndarray, side: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Image and mask as squares of `side` pixels; masks nearest.

    INTER_NEAREST_EXACT samples at pixel centres. INTER_NEAREST would shift the mask by up to half a pixel.
    """
    if side is None or image.shape[:2] == (side, side):
        return image, mask
    return to_square(image, side), cv2.resize(mask, (side, side), interpolation=cv2.INTER_NEAREST_EXACT)


def to_square(image: np.ndarray, side: int) -> np.ndarray:
    """Image (H, W, 3) as a square of `side` pixels, as a model sees it: area when shrinking, bilinear when growing."""
    if image.shape[:2] == (side, side):
        return image
    smooth = cv2.INTER_AREA if side < max(image.shape[:2]) else cv2.INTER_LINEAR
    return cv2.resize(image, (side, side), interpolation=smooth)


def _size(array: np.ndarray) -> str:
    return f"{array.shape[1]}x{array.shape[0]}"


def summary(dataset: Dataset) -> str:
    """The splits (number of pairs, smallest to largest share of foreground, sizes) and the digests."""
    lines = [f"{'split':<6} {'pairs':>5}  {'foreground':<15} size"]
    for split in SPLITS:
        pairs: tuple[Pair, ...] = getattr(dataset, split)
        shares = [100 * float(pair.mask.mean()) for pair in pairs]
        sizes = ", ".join(sorted({_size(pair.image) for pair in pairs}))
        lines.append(f"{split:<6} {len(pairs):>5}  {f'{min(shares):.1f} to {max(shares):.1f} %':<15} {sizes}")
    return "\n".join([*lines, f"digest {dataset.digest}", f"test digest {dataset.test_digest}"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Check one folder; the exit status is 0 if it is fit for training, else 1."""
    parser = argparse.ArgumentParser(
        prog="python -m data.puzzle", description="Check a folder of images and masks."
    )
    parser.add_argument("folder", help="the folder, or drawn or drawn:SEED for drawn photographs")
    parser.add_argument("--split_seed", type=_from_zero, default=0, help="seed of what is split at random")
    parser.add_argument(
        "--fold", type=_from_zero, default=0, help="0: the folder's own split; K: the K-th random re-split"
    )
    options = parser.parse_args(arguments)
    try:
        listing = _find(_resolve(options.folder), options.split_seed, options.fold)
        dataset = _load(listing, image_size=None)
    except DataError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{options.folder}: {listing.rule}\n{summary(dataset)}")
    if listing.ignored:
        print(f"ignored, being no pictures: {', '.join(str(path) for path in listing.ignored)}")
    return 0


def _from_zero(text: str) -> int:
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 on")
    return int(text)


def _resolve(name: str) -> Path:
    try:
        return synthetic.resolve(name)
    except ValueError as error:
        raise DataError([f"{error}."]) from error


if __name__ == "__main__":
    sys.exit(main())
