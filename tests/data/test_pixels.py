"""One file's pixels: more than 8 bits by the range of the data set, odd metadata, damaged files."""

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from data import pixels
from data.__main__ import main
from data.dataset import load_dataset, read_image
from data.problems import DataError, FileError
from tests.data.folders import handout, noise, problems, save


def deep(name: str, largest: int) -> np.ndarray:
    """An image (12, 16, 3) uint16 from 0 to `largest`, different for every name."""
    image = (noise(name).astype(np.uint32) * largest // 255).astype(np.uint16)
    image[0, 0], image[-1, -1] = 0, largest
    return image


def write(path: Path, array: np.ndarray) -> Path:
    """As PNG or TIFF with all bits of the array (H, W) or (H, W, 3 or 4)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if array.ndim == 2:
        Image.fromarray(array).save(path)
    else:
        cv2.imwrite(str(path), array[:, :, [2, 1, 0, 3][: array.shape[2]]])
    return path


def deep_handout(folder: Path, suffix: str, convert: type[np.generic] | str, grey: bool, largest: int) -> Path:
    for path in sorted(handout(folder).glob("*/images/*.png")):
        path.unlink()
        image = deep(path.stem, largest)
        write(path.with_suffix(suffix), (image[:, :, 0] if grey else image).astype(convert))
    return folder


@pytest.mark.parametrize(
    ("suffix", "convert", "grey"),
    [
        (".png", "uint16", True),
        (".png", "uint16", False),
        (".tif", "uint16", True),
        (".tif", "uint16", False),
        (".tif", ">u2", True),
        (".tif", "int32", True),
        (".tif", "float32", True),
    ],
)
@pytest.mark.parametrize("largest", [1023, 4080, 65535])
def test_the_range_of_all_images_becomes_eight_bits(
    tmp_path: Path, suffix: str, convert: str, grey: bool, largest: int
) -> None:
    dataset = load_dataset(deep_handout(tmp_path, suffix, convert, grey, largest))
    assert list(dataset.pixel_range or ()) == [0, largest]
    for pair in (*dataset.train, *dataset.test):
        image = deep(pair.name, largest)
        expected = image[:, :, :1].repeat(3, axis=2) if grey else image
        np.testing.assert_allclose(pair.image, expected * (255 / largest), atol=0.51)


def test_the_range_is_one_for_all_splits_and_every_fold(tmp_path: Path) -> None:
    """The test picture alone reaches 4080: what is dark beside it stays dark."""
    deep_handout(tmp_path, ".png", "uint16", True, 1020)
    write(tmp_path / "test/images/image-4.png", deep("image-4", 4080)[:, :, 0])
    dataset = load_dataset(tmp_path)
    assert [pair.image.max() for pair in (*dataset.train, *dataset.val, *dataset.test)] == [64, 64, 64, 64, 255]
    assert load_dataset(tmp_path, fold=1).pixel_range == dataset.pixel_range == (0, 4080)


def test_a_floating_point_image_from_0_to_1_and_a_signed_one_have_ranges_too(tmp_path: Path) -> None:
    for name, values in (("float32", [[0, 0.5, 1]]), ("int32", [[-1000, 0, 1000]])):
        path = write(tmp_path / f"{name}.tif", np.array(values, name))
        found = pixels.find_range([path])
        assert found == (values[0][0], values[0][2])
        assert pixels.to_rgb(pixels.decode(path), found)[0, :, 0].tolist() == [0, 128, 255]


def test_values_beyond_the_range_are_cut_off_and_opacity_is_not_stretched() -> None:
    array = np.array([[[100, 200, 5000, 65535], [0, 0, 0, 0]]], np.uint16)
    assert pixels.to_rgb(array, (100, 300)).tolist() == [[[0, 128, 255], [255, 255, 255]]]


def test_eight_bit_images_beside_deep_ones_stay_as_they_are(tmp_path: Path) -> None:
    handout(tmp_path)
    write(tmp_path / "test/images/image-4.png", deep("image-4", 4080))
    np.testing.assert_array_equal(load_dataset(tmp_path).val[0].image, noise("image-3"))


def test_the_check_says_what_the_range_is_and_which_image_is_nearly_black_in_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    deep_handout(tmp_path, ".png", "uint16", True, 4080)
    hot = deep("image-1", 4080)[:, :, 0]
    hot[5, 5] = 65535
    write(tmp_path / "train/images/image-1.png", hot)
    assert main([str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "0 to 65535" in printed
    assert f"warning: {tmp_path}/test/images/image-4.png is nearly of one colour" in printed
    assert "image-1.png is nearly" not in printed


def test_a_pixel_that_is_not_a_number_is_a_problem(tmp_path: Path) -> None:
    path = write(handout(tmp_path) / "val/images/image-3.tif", np.full((12, 16), np.nan, np.float32))
    (tmp_path / "val/images/image-3.png").unlink()
    write(tmp_path / "train/images/image-1.png", deep("image-1", 4080))
    (problem,) = problems(tmp_path)
    assert problem.startswith(f"{path} has pixels that are not a number")


def test_a_deep_photograph_is_refused_where_only_eight_bits_were_trained_on(tmp_path: Path) -> None:
    path = write(tmp_path / "a.png", deep("a", 4080))
    with pytest.raises(DataError, match=r"a\.png has more than 8 bits"):
        read_image(path)
    assert read_image(path, (0, 4080)).max() == 255


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr"])
def test_eight_bit_modes_are_converted_as_pillow_does(tmp_path: Path, mode: str) -> None:
    picture = Image.fromarray(noise(mode)).convert(mode)
    picture.save(path := tmp_path / "a.tif" if mode in ("CMYK", "YCbCr") else tmp_path / "a.png")
    array = pixels.decode(path)
    assert array.dtype == np.uint8
    np.testing.assert_array_equal(pixels.to_rgb(array), np.asarray(picture.convert("RGB")))


def exif(*entries: tuple[int, int, bytes]) -> bytes:
    """An EXIF block of (tag, type, value), values of more than 4 bytes after the entries."""
    heads, values = b"", b""
    after = 8 + 2 + 12 * len(entries) + 4
    for tag, kind, value in entries:
        place = value.ljust(4, b"\0") if len(value) <= 4 else struct.pack("<I", after + len(values))
        heads += struct.pack("<HHI", tag, kind, 1) + place
        values += value if len(value) > 4 else b""
    return b"Exif\0\0II*\0" + struct.pack("<IH", 8, len(entries)) + heads + bytes(4) + values


SHORT, LONG, TEXT, RATIONAL, MAKE, ORIENTATION = 3, 4, 2, 5, 0x10F, 0x112
TURNED = (ORIENTATION, SHORT, struct.pack("<H", 6))


@pytest.mark.parametrize(
    ("block", "is_turned"),
    [
        (exif(TURNED), True),
        (exif((MAKE, RATIONAL, struct.pack("<II", 1, 2)), TURNED), True),
        (exif((MAKE, RATIONAL, struct.pack("<II", 1, 0)), TURNED), True),
        (exif(TURNED)[:14], False),
        (exif((ORIENTATION, SHORT, bytes(2))), False),
        (exif((ORIENTATION, SHORT, b"\x09\0")), False),
        (exif((ORIENTATION, TEXT, b"6\0")), False),
        (exif((ORIENTATION, LONG, b"\xff" * 4)), False),
        (b"Exif\0\0" + b"\xff" * 40, False),
    ],
    ids=["turned", "make", "make over 0", "cut off", "0", "9", "text", "huge", "garbage"],
)
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_broken_metadata_are_no_metadata(tmp_path: Path, block: bytes, is_turned: bool, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(noise("a")).save(path, exif=block)
    assert pixels.decode(path).shape == ((16, 12, 3) if is_turned else (12, 16, 3))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_stands_upright(tmp_path: Path, orientation: int) -> None:
    """The same turn whether Pillow decodes the file (8 bits) or OpenCV (16-bit colour)."""
    upright = noise("upright")
    turned = {1: upright, 2: np.fliplr(upright), 3: np.rot90(upright, 2), 4: np.flipud(upright)}
    turned |= {6: np.rot90(upright), 8: np.rot90(upright, -1)}
    turned |= {5: np.swapaxes(upright, 0, 1), 7: np.rot90(np.swapaxes(upright, 0, 1), 2)}
    tags = exif((ORIENTATION, SHORT, struct.pack("<H", orientation)))
    path = tmp_path / "a.png"
    Image.fromarray(np.ascontiguousarray(turned[orientation])).save(path, exif=tags)
    np.testing.assert_array_equal(pixels.decode(path), upright)


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "bmp", "gif", "webp"])
def test_a_damaged_file_is_one_sentence_whatever_its_decoder_raises(tmp_path: Path, suffix: str) -> None:
    """Every third of 60 damaged copies is cut off, the others have 8 other bytes."""
    path = save(tmp_path / f"a.{suffix}", noise("a"))
    whole, rng = np.frombuffer(path.read_bytes(), np.uint8), np.random.default_rng(0)
    sentences = []
    for attempt in range(60):
        damaged = whole.copy()
        damaged[rng.integers(len(whole), size=8)] = rng.integers(256, size=8)
        path.write_bytes(damaged.tobytes()[: rng.integers(len(whole)) if attempt % 3 == 0 else None])
        try:
            assert pixels.to_rgb(pixels.decode(path), (0, 1)).shape[2] == 3
        except FileError as error:
            sentences.append(str(error.of(path)))
    assert len(sentences) > 10
    assert not any("\n" in sentence for sentence in sentences)


def test_a_decompression_bomb_is_a_problem_of_its_file(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", noise("a"))
    content = bytearray(path.read_bytes())
    content[16:24] = struct.pack(">II", 60_000, 60_000)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    path.write_bytes(content)
    with pytest.raises(FileError) as caught:
        pixels.decode(path)
    assert "decompression bomb" in caught.value.detail


def test_a_cut_off_file_of_16_bit_colour_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.png", deep("a", 4080))
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(FileError, match="cannot be read as an image"):
        pixels.decode(path)


def test_the_first_of_several_pages_is_used_and_said(tmp_path: Path) -> None:
    (handout(tmp_path) / "val/images/image-3.png").unlink()
    path = tmp_path / "val/images/image-3.tif"
    first, *others = (Image.fromarray(noise(name)) for name in ("image-3", "second", "third"))
    first.save(path, save_all=True, append_images=others)
    dataset = load_dataset(tmp_path)
    np.testing.assert_array_equal(dataset.val[0].image, noise("image-3"))
    (warning,) = dataset.warnings
    assert warning.startswith(f"{path} ")
    assert "3 pages" in warning
