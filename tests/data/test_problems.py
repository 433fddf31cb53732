"""Every fault of a folder has its one sentence, and all of them come at once."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data.findings import DataError
from data.puzzle import load, main
from tests.data.folders import couple, handout, noise, save, square

OF_ITS_NAME = "of its name (its number is enough only where the rest of all names is the same)"
TWO_VALUES = "keep black for background and one other value for the foreground, and save it as PNG"


def problems(folder: Path) -> list[str]:
    with pytest.raises(DataError) as caught:
        load(folder)
    assert str(caught.value).splitlines() == list(caught.value.problems)
    return sorted(caught.value.problems)


def test_an_image_without_mask(tmp_path: Path) -> None:
    image = save(handout(tmp_path) / "train/images/image-7.png", noise("7"))
    assert problems(tmp_path) == [f"{image} has no mask: add a mask {OF_ITS_NAME}, or remove the image."]


def test_a_mask_without_image(tmp_path: Path) -> None:
    mask = save(handout(tmp_path) / "train/masks/mask-7_1.png", square())
    assert problems(tmp_path) == [f"{mask} has no image: add an image {OF_ITS_NAME}, or remove the mask."]


def test_sizes_that_differ(tmp_path: Path) -> None:
    mask = save(handout(tmp_path) / "train/masks/mask-2_0.png", square((6, 8)))
    assert problems(tmp_path) == [
        f"{tmp_path}/train/images/image-2.png has another size than its mask (16x12 pixels, and 8x6 of {mask}): "
        "export the mask at the image's size."
    ]


@pytest.mark.parametrize(
    ("levels", "sentence"),
    [
        ((0, 40, 255), f"has more than two values (3 grey levels: 0, 40, 255): {TWO_VALUES}."),
        ((0, 10, 20, 30, 40, 50), f"has more than two values (6 grey levels: 0, 10, 20, 30 and 2 more): {TWO_VALUES}."),
        ((1, 2), "has no black pixel (2 grey levels: 1, 2): make the background black."),
    ],
)
def test_a_mask_with_grey_levels(tmp_path: Path, levels: tuple[int, ...], sentence: str) -> None:
    pixels = square(foreground=levels[-1])
    pixels[pixels == 0] = levels[0]
    pixels[0, : len(levels)] = levels
    mask = save(handout(tmp_path) / "test/masks/mask-4_0.png", pixels)
    assert problems(tmp_path) == [f"{mask} {sentence}"]


def test_a_mask_with_several_colours(tmp_path: Path) -> None:
    pixels = np.stack([square(), np.zeros_like(square()), np.zeros_like(square())], axis=2)
    pixels[0, 0] = (0, 0, 255)
    mask = save(handout(tmp_path) / "test/masks/mask-4_0.png", pixels)
    assert problems(tmp_path) == [
        f"{mask} has more than two values (3 colours: #000000, #0000ff, #ff0000): {TWO_VALUES}."
    ]


def test_an_empty_mask(tmp_path: Path) -> None:
    mask = save(handout(tmp_path) / "val/masks/mask-3_0.png", square(foreground=0))
    assert problems(tmp_path) == [
        f"{mask} is empty, without one foreground pixel: mark the foreground, or remove it together with its image."
    ]


def test_an_all_foreground_mask(tmp_path: Path) -> None:
    mask = save(handout(tmp_path) / "val/masks/mask-3_0.png", np.full((12, 16), 255, dtype=np.uint8))
    assert problems(tmp_path) == [
        f"{mask} is all foreground: mark the foreground, or remove it together with its image."
    ]


@pytest.mark.parametrize("file", ["val/images/image-3.png", "val/masks/mask-3_0.png"])
def test_a_file_that_is_no_image(tmp_path: Path, file: str) -> None:
    path = handout(tmp_path) / file
    path.write_text("not a picture")
    assert problems(tmp_path) == [
        f"{path} cannot be read as an image (its content is no known image format): export it again as PNG or JPEG."
    ]


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "tif", "gif", "webp"])
def test_a_file_that_is_cut_off(tmp_path: Path, suffix: str) -> None:
    (handout(tmp_path) / "val/images/image-3.png").unlink()
    path = save(tmp_path / f"val/images/image-3.{suffix}", noise("3", (64, 64)))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    (sentence,) = problems(tmp_path)
    assert sentence.startswith(f"{path} cannot be read as an image (")
    assert sentence.endswith("): export it again as PNG or JPEG.")


def test_an_image_format_that_needs_a_plugin(tmp_path: Path) -> None:
    path = handout(tmp_path) / "val/images/image-3.png"
    path = path.rename(path.with_suffix(".heic"))
    path.write_bytes(b"\0\0\0\x18ftypheic")
    assert problems(tmp_path) == [
        f"{path} cannot be read as an image (its content is no known image format): export it again as PNG or JPEG."
    ]


def test_the_same_picture_in_two_splits(tmp_path: Path) -> None:
    copy = save(handout(tmp_path) / "test/images/image-4.png", noise("image-1"))
    assert problems(tmp_path) == [
        f"{tmp_path}/train/images/image-1.png and {copy} are the same picture (in train and in test): keep one."
    ]


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
    assert len(load(tmp_path).train) == 3


def test_the_same_picture_twice_in_a_folder_that_is_split_at_random(tmp_path: Path) -> None:
    couple(tmp_path, range(1, 19))
    save(tmp_path / "images/image-4.png", noise("image-1"))
    for seed in range(10):
        with pytest.raises(
            DataError, match=r"are the same picture \(a random split may part them\): keep one\.$"
        ) as caught:
            load(tmp_path, split_seed=seed)
        (sentence,) = caught.value.problems
        assert f"{tmp_path}/images/image-1.png" in sentence
        assert f"{tmp_path}/images/image-4.png" in sentence


def test_a_folder_with_nothing(tmp_path: Path) -> None:
    assert problems(tmp_path) == [
        f"{tmp_path} holds no images: it needs train/, val/ and test/, each with images/ and masks/, "
        "or just images/ and masks/."
    ]


def test_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    assert problems(tmp_path / "no") == [
        f"{tmp_path}/no does not exist: give the folder that holds the images and masks."
    ]


def test_a_file_instead_of_a_folder(tmp_path: Path) -> None:
    path = save(tmp_path / "image.png", noise("1"))
    assert problems(path) == [f"{path} is a file: give the folder that holds the images and masks."]


def test_a_split_that_is_missing_and_one_that_is_empty(tmp_path: Path) -> None:
    couple(tmp_path / "train", (1,))
    for kind in ("images", "masks"):
        (tmp_path / "test" / kind).mkdir(parents=True)
    assert problems(tmp_path) == [
        f"{tmp_path} has no val/ folder: add one with images/ and masks/ in it.",
        f"{tmp_path}/test holds no images: every split needs at least one image with its mask.",
    ]


def test_a_split_without_masks_folder(tmp_path: Path) -> None:
    handout(tmp_path)
    (tmp_path / "val/masks").rename(tmp_path / "val/outlines")
    assert problems(tmp_path) == [f"{tmp_path}/val has no masks/ folder: add one."]


def test_two_folders_that_mean_the_same(tmp_path: Path) -> None:
    couple(handout(tmp_path) / "validation", (5,))
    assert problems(tmp_path) == [f"{tmp_path} has val/ and validation/, which mean the same: keep one."]


def test_a_flat_couple_beside_the_splits(tmp_path: Path) -> None:
    couple(handout(tmp_path), (5,))
    assert problems(tmp_path) == [
        f"{tmp_path} has split folders and also images/ beside them: "
        "move its files into the split folders or out of the way."
    ]


def test_too_few_images_to_split(tmp_path: Path) -> None:
    assert problems(couple(tmp_path, (1, 2))) == [
        f"{tmp_path}: there are 2 images: a split into train, val and test needs at least 3."
    ]


def test_two_masks_for_one_image(tmp_path: Path) -> None:
    save(handout(tmp_path) / "train/masks/mask-1_1.png", square())
    image = tmp_path / "train/images/image-1.png"
    assert problems(tmp_path) == [f"{image} has 2 masks (mask-1_0.png and mask-1_1.png): keep one."]


def test_two_images_for_one_mask(tmp_path: Path) -> None:
    save(handout(tmp_path) / "train/images/image-1.bmp", noise("other"))
    mask = tmp_path / "train/masks/mask-1_0.png"
    assert problems(tmp_path) == [f"{mask} fits 2 images (image-1.bmp and image-1.png): rename it so that it fits one."]


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
