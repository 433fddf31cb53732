"""Pixels of one file: decoded, upright, and brought to 8 bits by the range of the data set they belong to."""

import warnings
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from data.problems import FileError, Problem

Range = tuple[float, float]
"""The lowest and the highest value of all pixels with more than 8 bits in a data set."""

DARK_LEVELS = 16
"""Span, of 256 levels, up to which a photograph of more than 8 bits counts as nearly of one colour."""

DEEP_MODES = ("I", "F")
"""Pillow's modes with more than 8 bits: I, I;16, I;16B, F."""

UNREADABLE = "cannot be read as an image"
REMEDY = "export it again as PNG or JPEG"
TOO_LARGE = ("needs more memory than there is", "free some, or make it smaller")


def decode(path: Path) -> np.ndarray:
    """Grey (H, W), RGB (H, W, 3) or RGBA (H, W, 4) of the first page, upright as the EXIF orientation says.

    Of 8 bits or less uint8, 0 to 255; else the values of the file, in its own type.
    Raises FileError when it cannot be read, for any reason but MemoryError.
    """
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(path) as picture:
            deep_colour = _is_deep_colour(picture)
            array = channels(picture)
            orientation = _orientation(picture)
        return _upright(_deep_colour(path) if deep_colour else array, orientation)
    except MemoryError:
        raise
    except Exception as error:  # decoders of foreign bytes raise countless errors
        raise FileError(UNREADABLE, REMEDY, _reason(path, error)) from error


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory could not be had, by NumPy, Pillow or OpenCV."""
    return isinstance(error, MemoryError) or (isinstance(error, cv2.error) and error.code == cv2.Error.StsNoMem)


def channels(picture: Image.Image) -> np.ndarray:
    """The array of `decode` of an open picture, without its orientation."""
    picture.load()
    if picture.mode.startswith(DEEP_MODES):
        array = np.asarray(picture)
        return array.astype(array.dtype.newbyteorder("="), copy=False)
    if picture.has_transparency_data:
        return np.asarray(picture.convert("RGBA"))
    return np.asarray(picture.convert("L" if picture.mode in ("1", "L") else "RGB"))


def count_pages(path: Path) -> int:
    """Number of pages or frames of a file, of which the first is used: 1, unless it is a TIFF, GIF, PNG or WebP."""
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(path) as picture:
            return 1 if picture.format == "MPO" else int(getattr(picture, "n_frames", 1))
    except Exception:  # decoding of the same file reports its fault
        return 1


def read(
    path: Path | None, pixel_range: Range | None, problems: list[Problem | str], warnings: list[Problem | str]
) -> np.ndarray | None:
    """The photograph as `to_rgb` gives it, or None; the file's fault is added to `problems`."""
    if path is None:
        return None
    try:
        array = decode(path)
        image = to_rgb(array, pixel_range)
    except FileError as error:
        problems.append(error.of(path))
        return None
    except MemoryError:
        problems.append(Problem(path, *TOO_LARGE))
        return None
    if array.dtype != np.uint8 and np.ptp(image) <= DARK_LEVELS:
        remedy = "if it should not be, export all photographs with one range of values"
        what = "is nearly of one colour in the range of values that all photographs share"
        warnings.append(Problem(path, what, remedy))
    warn_of_pages(path, warnings)
    return image


def warn_of_pages(path: Path, warnings: list[Problem | str]) -> None:
    if (n := count_pages(path)) > 1:
        what = "has several pages, of which the first is used"
        warnings.append(Problem(path, what, "save each as a file if another one is meant", f"{n} pages"))


def find_range(paths: Iterable[Path]) -> Range | None:
    """The range of the files with more than 8 bits, None if there are none; others are not decoded."""
    ranges = [_range_of(path) for path in paths]
    deep = [each for each in ranges if each]
    return (min(low for low, _ in deep), max(high for _, high in deep)) if deep else None


def _range_of(path: Path) -> Range | None:
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(path) as picture:
            if not picture.mode.startswith(DEEP_MODES) and not _is_deep_colour(picture):
                return None
        array = decode(path)
    except Exception:  # the second decoding of the same file reports its fault
        return None
    values = array[..., :3] if array.ndim == 3 else array
    finite = values if values.dtype.kind in "iu" else values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else None


def to_rgb(array: np.ndarray, pixel_range: Range | None = None) -> NDArray[np.uint8]:
    """RGB (H, W, 3) uint8 of a decoded array; transparent pixels become white.

    Values of more than 8 bits become 0 at the low end of `pixel_range`, 255 at its high end, and are cut off beyond.
    Raises FileError for these if there is no range, and for values that are no numbers.
    """
    if array.dtype != np.uint8:
        array = _to_bytes(array, pixel_range)
    if array.ndim == 3 and array.shape[2] == 4:
        white = Image.new("RGBA", array.shape[1::-1], "white")
        return np.array(Image.alpha_composite(white, Image.fromarray(array)).convert("RGB"))
    return np.array(array if array.ndim == 3 else np.repeat(array[:, :, None], 3, axis=2))


def _to_bytes(array: np.ndarray, pixel_range: Range | None) -> NDArray[np.uint8]:
    if pixel_range is None:
        raise FileError(
            "has more than 8 bits per channel, and the photographs that were trained on have not",
            "export it with 8 bits as they were",
        )
    if not np.isfinite(array).all():
        raise FileError("has pixels that are not a number", "export it with a number in every pixel")
    low, high = pixel_range
    scale = 255 / (high - low) if high > low else 0.0
    scaled = np.subtract(array, low, dtype=np.float32 if array.itemsize <= 2 else np.float64)
    np.multiply(scaled, scale, out=scaled)
    if array.ndim == 3 and array.shape[2] == 4:
        scaled[:, :, 3] = array[:, :, 3] * (255 / np.iinfo(array.dtype).max)
    return np.asarray(np.clip(np.rint(scaled, out=scaled), 0, 255, out=scaled), np.uint8)


def _is_deep_colour(picture: Image.Image) -> bool:
    """Whether Pillow would keep only the upper 8 of 16 bits: it has no mode for colour of more than 8."""
    if picture.mode.startswith(DEEP_MODES) or picture.format not in ("PNG", "TIFF", "PPM"):
        return False
    raw_modes = str([tile.args for tile in getattr(picture, "tile", [])])
    return ";16" in raw_modes or (picture.format == "PPM" and "65535" in raw_modes)


def _deep_colour(path: Path) -> np.ndarray:
    """RGB or RGBA uint16 of a file that Pillow has checked to be whole: OpenCV accepts half of one."""
    array = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if array is None:
        raise ValueError("16 bits per colour and an orientation, which OpenCV refuses")
    return cv2.cvtColor(array, cv2.COLOR_BGRA2RGBA if array.shape[2] == 4 else cv2.COLOR_BGR2RGB)


def _orientation(picture: Image.Image) -> object:
    """EXIF orientation, 1 to 8; anything else, from broken metadata, counts for nothing."""
    try:
        return picture.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # Pillow raises countless errors
        return None


def _upright(array: np.ndarray, orientation: object) -> np.ndarray:
    if orientation in (5, 6, 7, 8):
        array = array.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    return np.ascontiguousarray(array)


def _reason(path: Path, error: Exception) -> str:
    if path.is_symlink() and not path.exists():
        return f"a link to {path.readlink()}, which is not there"
    if isinstance(error, UnidentifiedImageError):
        return "its content is no known image format" if path.stat().st_size else "it has no content"
    text = getattr(error, "strerror", None) or str(error).rstrip(".") or type(error).__name__
    return " ".join(str(text).split())


def to_square(image: np.ndarray, side: int) -> np.ndarray:
    """Image (H, W, 3) as a square of `side` pixels, as a model sees it."""
    return to_size(image, side, side)


def to_size(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Image (H, W, 3) at another size: area means when shrinking, bilinear when growing."""
    if image.shape[:2] == (height, width):
        return image
    smooth = cv2.INTER_AREA if max(height, width) < max(image.shape[:2]) else cv2.INTER_LINEAR
    return cv2.resize(image, (width, height), interpolation=smooth)
