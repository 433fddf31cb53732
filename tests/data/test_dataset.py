"""Loading: pixels, sizes, digest, command line. What is wrong with a folder is in test_problems.py."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import data
from data import pixels
from data.__main__ import main
from data.dataset import Dataset, load_dataset
from data.masks import to_mask
from data.pixels import channels, to_rgb
from data.problems import DataError
from tests.data.folders import couple, handout, noise, save, square


def names(dataset: Dataset) -> dict[str, list[str]]:
    return {split: [pair.name for pair in getattr(dataset, split)] for split in ("train", "val", "test")}


def test_images_are_rgb_bytes_and_masks_are_zero_and_one(tmp_path: Path) -> None:
    pair = load_dataset(handout(tmp_path)).val[0]
    assert pair.name == "image-3"
    assert pair.image.shape == (12, 16, 3)
    assert pair.image.dtype == pair.mask.dtype == np.uint8
    np.testing.assert_array_equal(pair.image, noise("image-3"))
    np.testing.assert_array_equal(pair.mask, square(foreground=1))


def test_pairs_are_in_natural_order_of_their_names(tmp_path: Path) -> None:
    assert names(load_dataset(handout(tmp_path)))["train"] == ["image-1", "image-2", "image-10"]


def test_each_file_is_decoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded = []
    decode = pixels.decode

    def count(path: Path) -> np.ndarray:
        decoded.append(path)
        return decode(path)

    monkeypatch.setattr(pixels, "decode", count)
    load_dataset(handout(tmp_path), image_size=8)
    assert len(decoded) == len(set(decoded)) == 10


@pytest.mark.parametrize("image_size", [4, 8, 32])
def test_images_and_masks_become_squares(tmp_path: Path, image_size: int) -> None:
    pair = load_dataset(handout(tmp_path), image_size=image_size).train[0]
    assert pair.image.shape == (image_size, image_size, 3)
    assert pair.mask.shape == (image_size, image_size)
    assert set(np.unique(pair.mask)) == {0, 1}


def test_shrinking_averages_the_image(tmp_path: Path) -> None:
    pair = load_dataset(handout(tmp_path), image_size=4).val[0]
    blocks = noise("image-3").reshape(4, 3, 4, 4, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(pair.image, blocks, atol=0.51)


def test_resizing_does_not_shift_the_mask_against_the_image(tmp_path: Path) -> None:
    """A disc is drawn as image and as mask; their centres may differ by a tenth of a pixel of the small square."""
    rows, columns = np.mgrid[:240, :320]
    disc = ((rows - 100) ** 2 + (columns - 190) ** 2 < 70**2).astype(np.uint8)
    handout(tmp_path)
    save(tmp_path / "val/images/image-3.png", np.repeat(disc[:, :, None] * 255, 3, axis=2))
    save(tmp_path / "val/masks/mask-3_0.png", disc * 255)
    pair = load_dataset(tmp_path, image_size=32).val[0]
    weights = pair.image[:, :, 0].astype(float)
    for axis in (0, 1):
        place = np.indices((32, 32))[axis]
        in_image = (place * weights).sum() / weights.sum()
        in_mask = (place * pair.mask).sum() / pair.mask.sum()
        assert in_mask == pytest.approx(in_image, abs=0.1)


def test_the_digest_ignores_place_format_and_image_size(tmp_path: Path) -> None:
    first = handout(tmp_path / "here")
    second = tmp_path / "elsewhere" / "there"
    shutil.copytree(first, second)
    (second / "train").rename(second / "Training")
    mask = second / "val" / "masks" / "mask-3_0.png"
    save(mask.with_suffix(".bmp"), square())
    mask.unlink()
    digests = {load_dataset(first).digest, load_dataset(first, image_size=8).digest, load_dataset(second).digest}
    assert len(digests) == 1
    assert len(digests.pop()) == 64


def change_pixel(folder: Path) -> None:
    pixels = noise("image-3")
    pixels[0, 0, 0] ^= 1
    save(folder / "val/images/image-3.png", pixels)


def change_mask(folder: Path) -> None:
    mask = square()
    mask[0, 0] = 255
    save(folder / "val/masks/mask-3_0.png", mask)


def change_name(folder: Path) -> None:
    (folder / "val/images/image-3.png").rename(folder / "val/images/img-3.png")


def change_split(folder: Path) -> None:
    for file in ("images/image-4.png", "masks/mask-4_0.png"):
        (folder / "test" / file).rename(folder / "val" / file)


@pytest.mark.parametrize("change", [change_pixel, change_mask, change_name, change_split])
def test_the_digest_changes_with_pixels_masks_names_and_split(tmp_path: Path, change: Callable[[Path], None]) -> None:
    couple(handout(tmp_path) / "test", (5,))
    before = load_dataset(tmp_path).digest
    change(tmp_path)
    assert load_dataset(tmp_path).digest != before


def test_the_test_digest_knows_the_pictures_of_the_test_split_and_nothing_else(tmp_path: Path) -> None:
    couple(handout(tmp_path) / "test", (5,))
    before = load_dataset(tmp_path)
    for kind, number in (("image", "image-5"), ("mask", "mask-5_0")):
        path = tmp_path / "test" / f"{kind}s" / f"{number}.png"
        path.rename(path.with_name(f"{kind}-0.png"))
    (tmp_path / "train/images/image-10.png").unlink()
    (tmp_path / "train/masks/mask-10_0.png").unlink()
    renamed = load_dataset(tmp_path)
    assert names(renamed)["test"] == ["image-0", "image-4"]
    assert renamed.test_digest == before.test_digest
    assert renamed.digest != before.digest
    save(tmp_path / "test/masks/mask-4_0.png", np.fliplr(square()))
    save(tmp_path / "test/images/image-4.png", noise("another"))
    assert load_dataset(tmp_path).test_digest != before.test_digest


def palette_mask() -> Image.Image:
    picture = Image.fromarray(square(foreground=1)).convert("P")
    picture.putpalette([0, 0, 0, 128, 0, 0])
    return picture


def rgba_mask() -> Image.Image:
    white = np.full((12, 16, 4), 255, dtype=np.uint8)
    white[:, :, 3] = square()
    return Image.fromarray(white)


MASKS = {
    "0 and 1": Image.fromarray(square(foreground=1)),
    "0 and 255": Image.fromarray(square()),
    "one bit": Image.fromarray(square()).convert("1"),
    "16 bit": Image.fromarray(square().astype(np.uint16) * 257),
    "grey RGB": Image.fromarray(square()).convert("RGB"),
    "red RGB": Image.merge("RGB", [Image.fromarray(square()), *[Image.new("L", (16, 12))] * 2]),
    "palette": palette_mask(),
    "white on transparent": rgba_mask(),
    "float": Image.fromarray(square(foreground=1).astype(np.float32)),
}


@pytest.mark.parametrize("kind", MASKS)
def test_every_kind_of_mask_means_background_and_foreground(kind: str) -> None:
    mask, _ = to_mask(channels(MASKS[kind]))
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask, square(foreground=1))


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (Image.new("L", (2, 3), 7), (7, 7, 7)),
        (Image.new("1", (2, 3), 1), (255, 255, 255)),
        (Image.new("RGBA", (2, 3), (10, 20, 30, 255)), (10, 20, 30)),
        (Image.new("RGBA", (2, 3), (10, 20, 30, 0)), (255, 255, 255)),
        (Image.new("LA", (2, 3), (9, 255)), (9, 9, 9)),
        (Image.new("RGB", (2, 3), (1, 2, 3)).convert("P", palette=Image.Palette.ADAPTIVE), (1, 2, 3)),
    ],
    ids=["grey", "one bit", "opaque RGBA", "transparent RGBA", "grey with alpha", "palette"],
)
def test_every_mode_of_image_becomes_rgb(picture: Image.Image, expected: tuple[int, int, int]) -> None:
    image = to_rgb(channels(picture))
    assert image.shape == (3, 2, 3)
    assert image.dtype == np.uint8
    assert {tuple(pixel) for pixel in image.reshape(-1, 3).tolist()} == {expected}


def test_a_flat_folder_gives_every_pair_to_one_split(tmp_path: Path) -> None:
    couple(tmp_path, range(1, 19))
    found = names(load_dataset(tmp_path, split_seed=1))
    assert [len(found[split]) for split in ("train", "val", "test")] == [10, 4, 4]
    assert len({name for some in found.values() for name in some}) == 18
    assert found == names(load_dataset(tmp_path, split_seed=1))
    assert found != names(load_dataset(tmp_path, split_seed=2))


def test_split_seed_does_not_touch_a_split_of_its_own(tmp_path: Path) -> None:
    handout(tmp_path)
    assert load_dataset(tmp_path, split_seed=1).digest == load_dataset(tmp_path, split_seed=2).digest


def test_the_command_prints_a_summary_and_exits_with_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    handout(tmp_path)
    (tmp_path / "train/images/notes.txt").write_text("lens 35 mm")
    command, root = [sys.executable, "-m", "data", str(tmp_path)], Path(data.__file__).parents[1]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=root)
    loaded = load_dataset(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"{tmp_path}: split by its folders",
        "split  pairs  foreground      size",
        "train      3  25.0 to 25.0 %  16x12",
        "val        1  25.0 to 25.0 %  16x12",
        "test       1  25.0 to 25.0 %  16x12",
        f"digest {loaded.digest}",
        f"test digest {loaded.test_digest}",
        f"ignored, being no picture files: {tmp_path}/train/images/notes.txt",
    ]
    assert main([str(tmp_path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [found[name] for name in ("digest", "test_digest", "warnings")] == [loaded.digest, loaded.test_digest, []]
    assert found["text"] + "\n" == done.stdout


def test_too_little_memory_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """OpenCV has no room for images of the size that is asked for, or Pillow none for a photograph."""
    handout(tmp_path)

    def full(*_: object, **__: object) -> np.ndarray:
        raise no_memory

    with pytest.raises(cv2.error) as raised:
        cv2.resize(np.zeros((1, 1), np.uint8), (2**31 - 1, 2**29))
    no_memory: Exception = raised.value
    monkeypatch.setattr(cv2, "resize", full)
    with pytest.raises(DataError, match=r"^the images need more memory at 16384x16384 pixels than there is: free some"):
        load_dataset(tmp_path, image_size=16384)
    no_memory = MemoryError()
    monkeypatch.setattr(pixels, "channels", full)
    assert main([str(tmp_path)]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == len(list(tmp_path.rglob("*.png")))
    assert all(line.endswith("needs more memory than there is: free some, or make it smaller.") for line in lines)


def test_the_command_says_how_it_split(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(couple(tmp_path / "flat", (1, 2, 3))), "--split_seed", "5"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == f"{tmp_path}/flat: split at random with split_seed=5"
    folder = handout(tmp_path / "parts")
    assert main([str(folder), "--fold", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{folder}: fold 2: ")
    assert lines[0].endswith("split_seed=0")
    assert [line.split()[:2] for line in lines[2:5]] == [["train", "3"], ["val", "1"], ["test", "1"]]
    assert lines[5] == f"digest {load_dataset(folder, fold=2).digest}"


def test_the_command_refuses_a_seed_of_drawings_that_is_no_number(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["drawn:seven"]) == 1
    said = capsys.readouterr().err
    assert (said.count("\n"), "drawn:seven" in said) == (1, True)


@pytest.mark.skipif("PUZZLE_DATA" not in os.environ, reason="PUZZLE_DATA does not name the lab's photographs")
def test_the_photographs_of_the_lab_are_ten_four_and_four() -> None:
    dataset = load_dataset(os.environ["PUZZLE_DATA"])
    assert [len(dataset.train), len(dataset.val), len(dataset.test)] == [10, 4, 4]
    assert [pair.name for pair in dataset.test] == ["image-4", "image-16", "image-29", "image-36"]
    for pair in (*dataset.train, *dataset.val, *dataset.test):
        assert pair.image.shape == (768, 1024, 3)
        assert pair.mask.shape == (768, 1024)
        assert 0.2 <= pair.mask.mean() <= 0.3
