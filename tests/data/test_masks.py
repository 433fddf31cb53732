"""What is lost of masks, values that differ from file to file, and that equal faults share one sentence."""

import re
from pathlib import Path

import numpy as np
import pytest

from data.__main__ import main
from data.dataset import load_dataset
from data.masks import resize, smallest_thing
from tests.data.folders import handout, noise, problems, save, square

SIZE = (75, 100)


def big_handout(folder: Path, mask: np.ndarray) -> Path:
    """The handout in images of 100x75 pixels, the mask of image-4 given."""
    handout(folder)
    for path in folder.glob("*/images/*.png"):
        save(path, noise(path.stem, SIZE))
    for path in folder.glob("*/masks/*.png"):
        save(path, square(SIZE))
    save(folder / "test/masks/mask-4_0.png", mask)
    return folder


def marked(*corners: tuple[int, int], side: int) -> np.ndarray:
    mask = np.zeros(SIZE, dtype=np.uint8)
    for row, column in corners:
        mask[row : row + side, column : column + side] = 255
    return mask


def test_a_mask_that_loses_all_is_a_problem_with_the_size_that_keeps_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A square of 32 pixels samples every 3.125th column: column 50 of 100 is between two of them."""
    big_handout(tmp_path, marked((10, 47), (40, 50), side=1))
    assert main([str(tmp_path)]) == main([str(tmp_path), "--image-size", "112"]) == 0
    assert main([str(tmp_path), "--image-size", "32"]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"{tmp_path}/test/masks/mask-4_0.png loses all its foreground ")
    assert re.findall(r"image_size \d+|\d+x\d+", error) == ["image_size 32", "1x1", "100x75", "image_size 112"]
    with pytest.raises(SystemExit):
        main([str(tmp_path), "--image-size", "0"])


@pytest.mark.parametrize("seed", range(5))
def test_the_size_that_keeps_a_mask_keeps_every_thing_of_it(seed: int) -> None:
    rng = np.random.default_rng(seed)
    mask = np.zeros((750, 1000), dtype=np.uint8)
    for row, column in rng.integers(0, 74, size=(5, 2)) * 10:
        mask[row : row + 6, column : column + 6] = 1
    width, height, enough = smallest_thing(mask)
    assert (width, height, enough) == (6, 6, 176)
    kept = resize(mask, enough)
    assert 0.6 < kept.mean() / mask.mean() < 1.5
    for row, column in np.argwhere(mask)[::36]:
        assert kept[
            row * enough // 750 : (row + 6) * enough // 750 + 1,
            column * enough // 1000 : (column + 6) * enough // 1000 + 1,
        ].any()


def test_a_share_that_changes_by_a_third_is_a_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of two things of one pixel, 32 squares keep one: 1 of 1024 instead of 2 of 7500."""
    (sentence,) = load_dataset(big_handout(tmp_path, marked((40, 50), (38, 48), side=1)), image_size=32).warnings
    assert sentence.startswith(f"{tmp_path}/test/masks/mask-4_0.png ")
    assert re.findall(r"image_size \d+|[\d.]+ %", sentence) == ["image_size 32", "0.027 %", "0.098 %"]
    assert main([str(tmp_path), "--image-size=32"]) == 0
    assert f"warning: {sentence}\n" in capsys.readouterr().out
    assert load_dataset(tmp_path, image_size=96).warnings == ()


@pytest.mark.parametrize("value", [1, 128, 255])
def test_one_value_in_all_masks_is_fine(tmp_path: Path, value: int) -> None:
    handout(tmp_path)
    for path in tmp_path.glob("*/masks/*.png"):
        save(path, square(foreground=value))
    assert load_dataset(tmp_path).warnings == ()


@pytest.mark.parametrize(
    ("mask", "value"),
    [
        (square(foreground=1), "1"),
        (square(foreground=128), "128"),
        (np.stack([square(), square() * 0, square() * 0], axis=2), "#ff0000"),
        (square().astype(np.uint16) * 257, "65535"),
    ],
)
def test_values_that_differ_from_mask_to_mask_are_named(tmp_path: Path, mask: np.ndarray, value: str) -> None:
    save(handout(tmp_path) / "val/masks/mask-3_0.png", mask)
    (sentence,) = problems(tmp_path)
    assert re.findall(r"(\S+) in (\d+) \((\S+)[,)]", sentence) == [
        ("255", "4", "mask-1_0.png"),
        (value, "1", "mask-3_0.png"),
    ]


def many(folder: Path, number: int) -> Path:
    for n in range(number):
        split = ("val", "test")[n] if n < 2 else "train"
        save(folder / split / f"images/image-{n}.png", noise(str(n)))
        save(folder / split / f"masks/mask-{n}.png", square())
    return folder


def test_equal_faults_of_200_masks_are_one_sentence(tmp_path: Path) -> None:
    many(tmp_path, 202)
    for path in tmp_path.glob("train/masks/*.png"):
        save(path, square(foreground=0))
    (sentence,) = problems(tmp_path)
    assert sentence.startswith(f"200 files in {tmp_path}/train/masks: each is empty")
    assert "(mask-2.png, mask-3.png, mask-4.png, mask-5.png and 196 more)" in sentence


def test_faults_of_one_kind_share_a_sentence_though_their_numbers_differ(tmp_path: Path) -> None:
    many(tmp_path, 8)
    for n, path in enumerate(sorted(tmp_path.glob("train/masks/*.png"))):
        mask = square()
        mask[0, : n + 1] = range(1, n + 2)
        save(path, mask)
    (sentence,) = problems(tmp_path)
    assert sentence.startswith(f"6 files in {tmp_path}/train/masks: ")
    assert re.findall(r"(mask-\d).png: (\d)", sentence) == [
        ("mask-2", "3"),
        ("mask-3", "4"),
        ("mask-4", "5"),
        ("mask-5", "6"),
    ]


def test_missing_masks_are_one_sentence_and_labels_in_their_place_are_named(tmp_path: Path) -> None:
    many(tmp_path, 12)
    for path in tmp_path.glob("train/masks/*.png"):
        path.rename(path.with_suffix(".npy"))
    missing, labels = problems(tmp_path)
    assert missing.startswith(f"10 files in {tmp_path}/train/images: each has no mask (image-2.png, ")
    assert labels.startswith(f"10 files in {tmp_path}/train/masks: each is a label")
    assert "mask-3.npy and 6 more" in labels


@pytest.mark.parametrize("suffix", [".json", ".txt", ".npy"])
def test_labels_beside_whole_pairs_are_passed_over(tmp_path: Path, suffix: str) -> None:
    (handout(tmp_path) / f"train/masks/mask-1_0{suffix}").touch()
    assert len(load_dataset(tmp_path).train) == 3


@pytest.mark.parametrize("place", ["train/images/image-2.png", "train/masks/mask-2_0.png", "val"])
def test_a_link_to_nothing_is_named(tmp_path: Path, place: str) -> None:
    link = handout(tmp_path) / place
    link.rename(tmp_path / "elsewhere")
    link.symlink_to("../lost.png")
    sentence = next(each for each in problems(tmp_path) if each.startswith(f"{link} "))
    assert "a link to ../lost.png" in sentence
