"""Tiny folders of images and masks for the tests of data/."""

import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data.dataset import load_dataset
from data.problems import DataError

SIZE = (12, 16)
"""Height and width in pixels of what is written unless a test says otherwise."""


def noise(name: str, size: tuple[int, int] = SIZE) -> np.ndarray:
    """An image (H, W, 3) uint8 that is different for every name."""
    return np.random.default_rng(zlib.crc32(name.encode())).integers(0, 256, (*size, 3), dtype=np.uint8)


def square(size: tuple[int, int] = SIZE, foreground: int = 255) -> np.ndarray:
    """A mask (H, W) uint8 whose middle, a quarter of its area, is foreground."""
    mask = np.zeros(size, dtype=np.uint8)
    height, width = size
    mask[height // 4 : height // 4 + height // 2, width // 4 : width // 4 + width // 2] = foreground
    return mask


def save(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def couple(folder: Path, numbers: Sequence[int]) -> Path:
    """images/image-N.png and masks/mask-N_0.png in `folder`, a different image for every N."""
    for number in numbers:
        save(folder / "images" / f"image-{number}.png", noise(f"image-{number}"))
        save(folder / "masks" / f"mask-{number}_0.png", square())
    return folder


def handout(folder: Path) -> Path:
    """A folder without a fault: train 1, 2, 10; val 3; test 4."""
    couple(folder / "train", (1, 2, 10))
    couple(folder / "val", (3,))
    couple(folder / "test", (4,))
    return folder


def problems(folder: Path, image_size: int | None = None) -> list[str]:
    """What is wrong with `folder`, a sentence each, in alphabetical order."""
    with pytest.raises(DataError) as caught:
        load_dataset(folder, image_size=image_size)
    assert str(caught.value).splitlines() == list(caught.value.problems)
    return sorted(caught.value.problems)
