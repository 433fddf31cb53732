"""Which files hold the same picture: thumbnails make candidates, full size and masks decide."""

import io
import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from data import synthetic
from data.duplicates import find_duplicates, thumbnail
from data.layout import Item

Picture = tuple[np.ndarray, np.ndarray | None]


def sentences(*pictures: Picture, seeded: bool = True) -> list[str]:
    """What is said of images that come with masks, numbered from 0."""
    items = [Item("train" if n == 0 else "test", str(n), Path(f"{n}.png"), None) for n in range(len(pictures))]
    thumbnails = [(item, thumbnail(image)) for item, (image, _) in zip(items, pictures, strict=True)]
    return list(find_duplicates(thumbnails, seeded, lambda item: pictures[int(item.name)]))


def drawn(seed: int) -> Picture:
    return synthetic.draw(seed, 384, 512)


def jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file).convert("RGB"))


COPIES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "equal": lambda image: image,
    "quality 30": lambda image: jpeg(image, 30),
    "quality 90": lambda image: jpeg(image, 90),
    "squeezed": lambda image: cv2.resize(image, (256, 256), interpolation=cv2.INTER_AREA),
    "small": lambda image: np.asarray(Image.fromarray(image).resize((300, 200))),
    "large": lambda image: cv2.resize(image, (1024, 768), interpolation=cv2.INTER_CUBIC),
    "brighter": lambda image: np.clip(image.astype(int) + 2, 0, 255).astype(np.uint8),
    "darker, quality 60": lambda image: jpeg(np.clip(image.astype(int) - 2, 0, 255).astype(np.uint8), 60),
}


@pytest.mark.parametrize("how", COPIES)
def test_copies_are_found_whatever_their_masks(how: str) -> None:
    image, mask = drawn(1)
    copy = COPIES[how](image)
    assert mask is not None
    height, width = copy.shape[:2]
    resized = cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST)
    for other_mask in (resized, np.zeros((height, width), np.uint8), None):
        (sentence,) = sentences((image, mask), (copy, other_mask))
        assert sentence.startswith("0.png and 1.png are the same picture ")


def scene(side: int, things: list[tuple[int, int, int]], ground: np.ndarray | int, level: int) -> Picture:
    """Squares (row, column, side) of `level` above the ground."""
    mask = np.zeros((side, side), dtype=np.uint8)
    for row, column, length in things:
        mask[row : row + length, column : column + length] = 1
    grey = np.clip(np.full((side, side), ground) + level * mask, 0, 255).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2), mask


def test_small_beads_on_black_are_different_pictures() -> None:
    rng = np.random.default_rng(0)
    beads = [scene(512, [(*rng.integers(0, 500, 2).tolist(), 5) for _ in range(12)], 0, 200) for _ in range(6)]
    assert sentences(*beads) == []


@pytest.mark.parametrize("level", [3, 10, 100])
@pytest.mark.parametrize("length", [4, 15])
@pytest.mark.parametrize("grain", [0, 8])
def test_one_thing_at_another_place_is_another_picture(level: int, length: int, grain: int) -> None:
    """The ground is flat, or of one grain in all pictures, as a camera on a stand sees it."""
    ground = np.random.default_rng(0).normal(120, grain, (512, 512))
    pictures = [scene(512, [(60 * n, 400 - 70 * n, length)], ground, level) for n in range(3)]
    assert sentences(*pictures) == []


def test_noise_of_one_level_is_not_one_picture() -> None:
    rng = np.random.default_rng(0)
    noise = [rng.normal(100, 20, (512, 512, 3)).clip(0, 255).astype(np.uint8) for _ in range(3)]
    assert sentences(*((image, None) for image in noise)) == []
    assert len(sentences((noise[0], None), (jpeg(noise[0], 90), None))) == 1


def test_many_copies_of_one_picture_share_a_sentence() -> None:
    image, _ = drawn(1)
    (sentence,) = sentences(*[(image, None)] * 7, drawn(2), seeded=False)
    assert sentence.startswith("0.png and 6 others (1.png, 2.png, 3.png, 4.png and 2 more) ")
    assert "in train and in test" in sentence


@pytest.mark.skipif("PUZZLE_DATA" not in os.environ, reason="PUZZLE_DATA does not name the lab's photographs")
def test_no_two_of_the_lab_are_the_same_and_every_copy_is_found() -> None:
    files = sorted(Path(os.environ["PUZZLE_DATA"]).glob("*/images/*"))
    images = [np.asarray(Image.open(file).convert("RGB")) for file in files]
    assert sentences(*((image, None) for image in images)) == []
    for image in images[::4]:
        for copy in COPIES.values():
            assert len(sentences((image, None), (copy(image), None))) == 1
