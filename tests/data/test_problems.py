"""Every fault of a folder has its one sentence, and all of them come at once."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data.__main__ import main
from data.dataset import load_dataset
from data.problems import DataError
from tests.data.folders import couple, handout, noise, save, square

OF_ITS_NAME = "of its name (its number is enough only if the rest of all names is the same)"
TWO_VALUES = "keep black for background and one other value for the foreground, and save it as PNG"


def problems(folder: Path) -> list[str]:
    with pytest.raises(DataError) as caught:
        load_dataset(folder)
    assert str(caught.value).splitlines() == list(caught.value.problems)
    return sorted(caught.value.problems)


def grey(folder: Path, *levels: int) -> None:
    pixels = square(foreground=levels[-1])
    pixels[pixels == 0] = levels[0]
    pixels[0, : len(levels)] = levels
    save(folder / "test/masks/mask-4_0.png", pixels)


def coloured(folder: Path) -> None:
    pixels = np.stack([square(), np.zeros_like(square()), np.zeros_like(square())], axis=2)
    pixels[0, 0] = (0, 0, 255)
    save(folder / "test/masks/mask-4_0.png", pixels)


def heic(folder: Path) -> None:
    path = folder / "val/images/image-3.png"
    path.rename(path.with_suffix(".heic")).write_bytes(b"\0\0\0\x18ftypheic")


FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "no mask": (lambda f: save(f / "train/images/image-7.png", noise("7")), "train/images/image-7.png has no mask: "),
    "no image": (lambda f: save(f / "train/masks/mask-7_1.png", square()), "train/masks/mask-7_1.png has no image: "),
    "another size": (
        lambda f: save(f / "train/masks/mask-2_0.png", square((6, 8))),
        "train/images/image-2.png has another size than its mask (16x12 pixels, and 8x6 of {f}/train/masks/",
    ),
    "3 levels": (
        lambda f: grey(f, 0, 40, 255),
        "test/masks/mask-4_0.png has more than two values (3 grey levels: 0, 40, 255): ",
    ),
    "6 levels": (
        lambda f: grey(f, 0, 10, 20, 30, 40, 50),
        "test/masks/mask-4_0.png has more than two values (6 grey levels: 0, 10, 20, 30 and 2 more): ",
    ),
    "no black": (lambda f: grey(f, 1, 2), "test/masks/mask-4_0.png has no black pixel (2 grey levels: 1, 2): "),
    "colours": (coloured, "test/masks/mask-4_0.png has more than two values (3 colours: #000000, #0000ff, #ff0000): "),
    "empty": (lambda f: save(f / "val/masks/mask-3_0.png", square(foreground=0)), "val/masks/mask-3_0.png is empty"),
    "full": (
        lambda f: save(f / "val/masks/mask-3_0.png", np.full((12, 16), 255, dtype=np.uint8)),
        "val/masks/mask-3_0.png is all foreground: ",
    ),
    "text": (
        lambda f: (f / "val/images/image-3.png").write_text("not a picture"),
        "val/images/image-3.png cannot be read as an image (its content is no known image format): ",
    ),
    "text as mask": (
        lambda f: (f / "val/masks/mask-3_0.png").write_text("not a picture"),
        "val/masks/mask-3_0.png cannot be read as an image (its content is no known image format): ",
    ),
    "a format that needs a plugin": (
        heic,
        "val/images/image-3.heic cannot be read as an image (its content is no known image format): ",
    ),
    "copy in another split": (
        lambda f: save(f / "test/images/image-4.png", noise("image-1")),
        "train/images/image-1.png and {f}/test/images/image-4.png are the same picture (in train and in test): ",
    ),
    "no masks folder": (lambda f: (f / "val/masks").rename(f / "val/outlines"), "val has no masks/ folder: "),
    "two masks": (
        lambda f: save(f / "train/masks/mask-1_1.png", square()),
        "train/images/image-1.png has 2 masks (mask-1_0.png and mask-1_1.png): ",
    ),
    "two images": (
        lambda f: save(f / "train/images/image-1.bmp", noise("other")),
        "train/masks/mask-1_0.png fits 2 images (image-1.bmp and image-1.png): ",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_one_sentence_that_begins_with_its_file(tmp_path: Path, fault: str) -> None:
    spoil, beginning = FAULTS[fault]
    spoil(handout(tmp_path))
    (sentence,) = problems(tmp_path)
    assert sentence.startswith(f"{tmp_path}/{beginning}".replace("{f}", str(tmp_path)))


FOLDERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "nothing": (lambda f: f.mkdir(), "{f} holds no images: "),
    "not there": (lambda f: None, "{f} does not exist: "),
    "a file": (lambda f: f.write_text(""), "{f} is a file: "),
    "two names of val": (lambda f: couple(handout(f) / "validation", (5,)), "{f} has val/ and validation/, which mean"),
    "flat and split": (lambda f: couple(handout(f), (5,)), "{f} has split folders and also images/ beside them: "),
    "two images": (lambda f: couple(f, (1, 2)), "{f}: there are 2 images: a split into train, val and test needs"),
}


@pytest.mark.parametrize("kind", FOLDERS)
def test_a_folder_that_holds_no_data_set_is_one_sentence(tmp_path: Path, kind: str) -> None:
    make, beginning = FOLDERS[kind]
    make(tmp_path / "folder")
    (sentence,) = problems(tmp_path / "folder")
    assert sentence.startswith(beginning.format(f=tmp_path / "folder"))


def test_the_same_picture_is_found_when_it_was_saved_as_jpeg_at_another_size(tmp_path: Path) -> None:
    rows, columns = np.mgrid[:96, :128]
    picture = np.stack([rows * 2, columns * 2, rows + columns], axis=2).astype(np.uint8)
    original = save(handout(tmp_path) / "train/images/image-1.png", picture)
    save(tmp_path / "train/masks/mask-1_0.png", square((96, 128)))
    (tmp_path / "test/images/image-4.png").unlink()
    copy = tmp_path / "test/images/image-4.jpg"
    Image.fromarray(picture).resize((64, 48), Image.Resampling.BOX).save(copy, quality=80)
    save(tmp_path / "test/masks/mask-4_0.png", square((48, 64)))
    assert problems(tmp_path) == [f"{original} and {copy} are the same picture (in train and in test): keep one."]


def test_the_same_picture_twice_in_one_split_is_allowed(tmp_path: Path) -> None:
    save(handout(tmp_path) / "train/images/image-2.png", noise("image-1"))
    assert len(load_dataset(tmp_path).train) == 3


def test_the_same_picture_twice_in_a_folder_that_is_split_at_random(tmp_path: Path) -> None:
    couple(tmp_path, range(1, 19))
    save(tmp_path / "images/image-4.png", noise("image-1"))
    for seed in range(10):
        with pytest.raises(
            DataError, match=r"are the same picture \(a random split may part them\): keep one\.$"
        ) as caught:
            load_dataset(tmp_path, split_seed=seed)
        (sentence,) = caught.value.problems
        assert f"{tmp_path}/images/image-1.png" in sentence
        assert f"{tmp_path}/images/image-4.png" in sentence


def test_a_split_that_is_missing_and_one_that_is_empty(tmp_path: Path) -> None:
    couple(tmp_path / "train", (1,))
    for kind in ("images", "masks"):
        (tmp_path / "test" / kind).mkdir(parents=True)
    assert problems(tmp_path) == [
        f"{tmp_path} has no val/ folder: add one with images/ and masks/ in it.",
        f"{tmp_path}/test holds no images: every split needs at least one image with its mask.",
    ]


def test_all_problems_are_listed_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    handout(tmp_path)
    lone = save(tmp_path / "train/images/image-8.png", noise("image-3"))
    broken = tmp_path / "train/images/image-10.png"
    broken.write_bytes(b"")
    grey = save(tmp_path / "train/masks/mask-9_0.png", np.arange(192, dtype=np.uint8).reshape(12, 16))
    empty = save(tmp_path / "test/masks/mask-4_0.png", square((6, 8), foreground=0))
    assert main([str(tmp_path)]) == 1
    assert sorted(capsys.readouterr().err.splitlines()) == [
        f"{empty} is empty, without one foreground pixel: mark the foreground, or remove it together with its image.",
        f"{broken} cannot be read as an image (it has no content): export it again as PNG or JPEG.",
        f"{lone} and {tmp_path}/val/images/image-3.png are the same picture (in train and in val): keep one.",
        f"{lone} has no mask: add a mask {OF_ITS_NAME}, or remove the image.",
        f"{grey} has more than two values (192 grey levels: 0, 1, 2, 3 and 188 more): {TWO_VALUES}.",
        f"{grey} has no image: add an image {OF_ITS_NAME}, or remove the mask.",
    ]
