"""Every fault of a folder has its one sentence, and all of them come at once."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data.__main__ import main
from data.dataset import load_dataset
from data.problems import DataError
from tests.data.folders import couple, handout, noise, problems, save, square


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
        "train/images/image-2.png has another size than its mask (16x12 pixels, and 8x6 ",
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
        "val/images/image-3.png cannot be read as an image (its content",
    ),
    "text as mask": (
        lambda f: (f / "val/masks/mask-3_0.png").write_text("not a picture"),
        "val/masks/mask-3_0.png cannot be read as an image (its content",
    ),
    "no bytes": (lambda f: (f / "val/images/image-3.png").write_bytes(b""), "val/images/image-3.png cannot be read as"),
    "a format that needs a plugin": (heic, "val/images/image-3.heic cannot be read as an image (its content"),
    "copy in another split": (
        lambda f: save(f / "test/images/image-4.png", noise("image-1")),
        "train/images/image-1.png and {f}/test/images/image-4.png are the same picture ",
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
    "flat and split": (lambda f: couple(handout(f), (5,)), "{f} has split folders and also images/ "),
    "two images": (lambda f: couple(f, (1, 2)), "{f}: there are 2 images: "),
}


@pytest.mark.parametrize("kind", FOLDERS)
def test_a_folder_that_holds_no_data_set_is_one_sentence(tmp_path: Path, kind: str) -> None:
    make, beginning = FOLDERS[kind]
    make(tmp_path / "folder")
    (sentence,) = problems(tmp_path / "folder")
    assert sentence.startswith(beginning.format(f=tmp_path / "folder"))


def test_the_same_picture_twice_in_a_folder_that_is_split_at_random(tmp_path: Path) -> None:
    couple(tmp_path, range(1, 19))
    save(tmp_path / "images/image-4.png", noise("image-1"))
    for seed in range(10):
        with pytest.raises(DataError, match=r"image-[14]\.png and .*image-[14]\.png are the same .*random split"):
            load_dataset(tmp_path, split_seed=seed)


def test_a_split_that_is_missing_and_one_that_is_empty(tmp_path: Path) -> None:
    couple(tmp_path / "train", (1,))
    for kind in ("images", "masks"):
        (tmp_path / "test" / kind).mkdir(parents=True)
    assert [each.partition(":")[0] for each in problems(tmp_path)] == [
        f"{tmp_path} has no val/ folder",
        f"{tmp_path}/test holds no images",
    ]


def test_all_problems_are_listed_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    handout(tmp_path)
    lone = save(tmp_path / "train/images/image-8.png", noise("image-3"))
    broken = tmp_path / "train/images/image-10.png"
    broken.write_bytes(b"")
    lone_mask = save(tmp_path / "train/masks/mask-9_0.png", np.arange(192, dtype=np.uint8).reshape(12, 16))
    empty = save(tmp_path / "test/masks/mask-4_0.png", square((6, 8), foreground=0))
    assert main([str(tmp_path)]) == 1
    assert sorted(" ".join(line.split()[:3]) for line in capsys.readouterr().err.splitlines()) == [
        f"{empty} is empty,",
        f"{broken} cannot be",
        f"{lone} and {tmp_path}/val/images/image-3.png",
        f"{lone} has no",
        f"{lone_mask} has more",
        f"{lone_mask} has no",
    ]
