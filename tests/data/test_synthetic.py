"""Drawn photographs: equal for equal seeds, exact in their masks, varied, and drawn once however many ask."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw

from data import synthetic
from data.dataset import load_dataset
from data.drawing import outline, photograph, prints
from data.drawing.noise import smooth
from data.problems import DataError

SMALL = (96, 128)


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*.png"))}


def read(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.array(picture)


@pytest.fixture(scope="module")
def fifty() -> list[tuple[synthetic.Image, synthetic.Mask]]:
    return [synthetic.draw(seed, *SMALL) for seed in range(50)]


@pytest.fixture
def small_drawings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Drawings of 64 by 48 pixels, and a cache of its own; the cache's folder."""
    whole = synthetic.draw
    monkeypatch.setattr(synthetic, "draw", lambda seed, height=48, width=64, **given: whole(seed, 48, 64, **given))
    monkeypatch.setattr(synthetic, "CACHE", tmp_path / "cache")
    return tmp_path / "cache"


def test_a_generator_is_used_and_moves_on() -> None:
    rng = np.random.default_rng(7)
    first, second = synthetic.draw(rng, *SMALL), synthetic.draw(rng, *SMALL)
    assert np.array_equal(first[0], synthetic.draw(7, *SMALL)[0])
    assert not np.array_equal(first[1], second[1])


def test_equal_seeds_give_equal_bytes_and_global_random_state_is_neither_read_nor_written() -> None:
    np.random.seed(1)
    before = synthetic.draw(7, *SMALL)
    position = np.random.random()
    np.random.seed(1)
    assert position == np.random.random()
    np.random.seed(2)
    assert [each.tobytes() for each in synthetic.draw(7, *SMALL)] == [each.tobytes() for each in before]


def test_shapes_types_and_values_are_as_promised() -> None:
    image, mask = synthetic.draw(3, 90, 150)
    assert image.shape == (90, 150, 3)
    assert mask.shape == (90, 150)
    assert image.dtype == mask.dtype == np.uint8
    assert set(np.unique(mask)) == {0, 1}


def test_photographs_of_one_evening_share_table_and_lamp_and_not_the_piece() -> None:
    drawn = [[synthetic.draw(seed, *SMALL, evening=evening) for seed in range(6)] for evening in range(4)]
    borders = np.array([[np.concatenate([i[:6], i[-6:]], 1).mean(axis=(0, 2)) for i, _ in one] for one in drawn])
    alike = np.corrcoef(borders.reshape(24, -1)).reshape(4, 6, 4, 6).mean(axis=(1, 3))
    assert np.diag(alike).min() > 0.8
    assert np.diag(alike).mean() - alike[~np.eye(4, dtype=bool)].mean() > 0.2
    assert len({mask.tobytes() for _, mask in drawn[0]}) == 6


def test_a_small_picture_shows_the_same_scene_as_a_large_one() -> None:
    small, small_mask = synthetic.draw(11, 192, 256)
    large, large_mask = synthetic.draw(11, 384, 512)
    shrunk = cv2.resize(large_mask * 255, (256, 192), interpolation=cv2.INTER_AREA) > 127
    assert np.count_nonzero(shrunk != (small_mask == 1)) / np.count_nonzero(small_mask) < 0.01
    blurred = [cv2.GaussianBlur(picture, (0, 0), 8) for picture in (small, cv2.resize(large, (256, 192)))]
    assert np.abs(blurred[0].astype(float) - blurred[1]).mean() < 10


def test_coverage_is_the_share_of_each_pixel_inside() -> None:
    corners = np.array([[2.0, 3.0], [6.5, 3.0], [6.5, 5.25], [2.0, 5.25]])
    cover = photograph.coverage(corners, (8, 10))
    assert cover[3:5, 2:6] == pytest.approx(1)
    assert cover[3, 6] == pytest.approx(0.5)
    assert cover[5, 2] == pytest.approx(0.25)
    assert cover[:, 7:].sum() == cover[:3].sum() == cover[6:].sum() == cover[:, :2].sum() == 0


@pytest.mark.parametrize("seed", range(5))
def test_the_mask_is_the_outline_that_another_rasteriser_fills(seed: int) -> None:
    rng = np.random.default_rng(seed)
    piece = outline.place(rng, outline.piece(rng), 192, 256, 0.25)
    ours = photograph.coverage(piece.points, (192, 256)) >= 0.5
    fine = Image.new("L", (256 * 8, 192 * 8))
    ImageDraw.Draw(fine).polygon([(x * 8 - 0.5, y * 8 - 0.5) for x, y in piece.points], fill=255)
    theirs = np.asarray(fine.resize((256, 192), Image.Resampling.BOX)) >= 128
    perimeter = np.hypot(*np.diff(piece.points, axis=0, append=piece.points[:1]).T).sum()
    assert np.count_nonzero(ours != theirs) < 0.15 * perimeter
    assert ours.sum() == pytest.approx(piece.area(), abs=0.1 * perimeter)


@pytest.mark.parametrize("seed", range(5))
def test_lens_and_sensor_move_no_edge(seed: int) -> None:
    rng = np.random.default_rng(seed)
    piece = outline.place(rng, outline.piece(rng), 192, 256, 0.25)
    cover = photograph.coverage(piece.points, (192, 256))
    camera = photograph.Camera(1.7, 3.2, noise=0, gamma=1, balance=(1, 1, 1), quality=100)
    seen = camera.take(rng, np.repeat(40 + 160 * cover[..., None], 3, axis=2)).mean(axis=2)
    light = (seen - 40) / 160
    for axis, positions in ((0, np.arange(256)), (1, np.arange(192))):
        centre = cover.sum(axis=axis) @ positions / cover.sum()
        shift = (light - cover).sum(axis=axis) @ (positions - centre) / cover.sum()
        assert abs(shift) < 0.05
    assert np.count_nonzero((light >= 0.5) != (cover >= 0.5)) < 0.01 * cover.sum()


def test_pieces_cover_the_stated_share_and_stay_in_the_frame(
    fifty: list[tuple[synthetic.Image, synthetic.Mask]],
) -> None:
    shares = np.array([mask.mean() for _, mask in fifty])
    assert shares.min() > 0.18
    assert shares.max() < synthetic.SHARE[1] + 0.02
    assert np.median(shares) > synthetic.SHARE[0]
    for _, mask in fifty:
        assert mask[1:-1, 1:-1].sum() == mask.sum()
        assert cv2.connectedComponents(mask)[0] == 2


def test_every_kind_of_side_occurs() -> None:
    sides = [outline.piece(np.random.default_rng(seed)).sides for seed in range(50)]
    counts = {kind: sum(s.count(kind) for s in sides) for kind in outline.SIDES}
    assert min(counts.values()) >= 10
    assert {s.count("straight") for s in sides} == {0, 1, 2}


def test_dark_pieces_and_pieces_near_the_colour_of_the_table_occur(
    fifty: list[tuple[synthetic.Image, synthetic.Mask]],
) -> None:
    brightness = np.array([image[mask == 1].mean() for image, mask in fifty])
    table = np.array([image[mask == 0].mean() for image, mask in fifty])
    contrast = np.array([np.abs(image[mask == 1].mean(0) - image[mask == 0].mean(0)).max() for image, mask in fifty])
    assert np.count_nonzero(brightness < 0.5 * table) >= 3
    assert np.count_nonzero(contrast < 25) >= 3


def test_every_kind_of_print_and_every_texture_is_drawn_within_range() -> None:
    kinds = [prints.kind(np.random.default_rng(seed)) for seed in range(100)]
    assert set(kinds) == set(prints.KINDS)
    for kind in prints.KINDS:
        for seed in range(8):
            print_ = prints.draw(np.random.default_rng(seed), (60, 80), 0.2, kind)
            assert print_.shape == (60, 80, 3)
            assert print_.min() >= 0
            assert print_.max() <= 255


def test_smooth_noise_varies_over_its_cell_and_not_within_it() -> None:
    field = smooth(np.random.default_rng(0), (256, 256), 16)
    assert 0.5 < field.std() < 0.9
    assert np.abs(np.diff(field, axis=1)).max() < 0.4
    assert abs(np.corrcoef(field[:, :-48].ravel(), field[:, 48:].ravel())[0, 1]) < 0.2


def test_write_lays_out_splits_that_the_loader_reads(small_drawings: Path, tmp_path: Path) -> None:
    synthetic.write(tmp_path / "set", seed=5, n_train=2, n_val=1, n_test=1)
    numbers = {"train": (1, 2), "val": (3,), "test": (4,)}
    assert files(tmp_path / "set").keys() == {
        f"{split}/{kind}s/{kind}-{n}.png" for split in numbers for n in numbers[split] for kind in ("image", "mask")
    }
    image = read(tmp_path / "set/train/images/image-1.png")
    mask = read(tmp_path / "set/train/masks/mask-1.png")
    drawn = synthetic.draw(np.random.default_rng((5, 1)), 48, 64, evening=5)
    assert np.array_equal(image, drawn[0])
    assert np.array_equal(mask, drawn[1] * 255)


def test_an_image_depends_on_its_number_and_not_on_how_many_there_are(small_drawings: Path, tmp_path: Path) -> None:
    synthetic.write(tmp_path / "one", seed=5, n_train=1, n_val=0, n_test=0)
    synthetic.write(tmp_path / "two", seed=5, n_train=2, n_val=0, n_test=0)
    assert files(tmp_path / "one").items() <= files(tmp_path / "two").items()


def test_a_path_resolves_to_itself() -> None:
    assert synthetic.resolve("some/folder") == Path("some/folder")
    assert synthetic.resolve("drawn/folder") == Path("drawn/folder")


def test_drawn_resolves_to_eighteen_photographs_kept_for_the_next_time(small_drawings: Path) -> None:
    folder = synthetic.resolve("drawn")
    assert [len(list((folder / split / "images").iterdir())) for split in ("train", "val", "test")] == [10, 4, 4]
    stamp = folder.stat().st_mtime_ns
    assert synthetic.resolve(f"drawn:{synthetic.DEFAULT_SEED}") == folder
    assert folder.stat().st_mtime_ns == stamp
    assert synthetic.resolve("drawn:3") != folder
    assert len(list(small_drawings.iterdir())) == 2


def test_a_seed_that_is_no_whole_number_is_refused() -> None:
    with pytest.raises(ValueError, match="'drawn:x'"):
        synthetic.resolve("drawn:x")


@pytest.mark.usefixtures("small_drawings")
def test_many_drawings_are_a_folder_with_a_tenth_to_validate_and_to_test_of_as_many_evenings() -> None:
    dataset = load_dataset(synthetic.resolve("drawn:3:20"), image_size=32)
    assert [len(split) for split in (dataset.train, dataset.val, dataset.test)] == [20, 2, 2]


def test_two_processes_that_ask_at_once_get_one_complete_folder(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from data import synthetic; whole = synthetic.draw;"
        "synthetic.draw = lambda seed, height=48, width=64, **given: whole(seed, 48, 64, **given);"
        f"synthetic.CACHE = Path({str(tmp_path)!r}); sys.stdin.readline(); print(synthetic.resolve('drawn:4'))"
    )
    pipe = subprocess.PIPE
    askers = [subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, text=True) for _ in "ab"]
    for asker in askers:
        assert asker.stdin is not None
        asker.stdin.write("go\n")
        asker.stdin.flush()
    answers = {asker.communicate(timeout=60)[0].strip() for asker in askers}
    assert [asker.returncode for asker in askers] == [0, 0]
    assert len(answers) == 1
    assert [str(path) for path in tmp_path.iterdir()] == list(answers)
    assert len(files(tmp_path)) == 36


def test_the_loser_of_a_race_discards_its_drawings(small_drawings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = synthetic.write

    def overtaken(folder: Path, seed: int) -> None:
        monkeypatch.setattr(synthetic, "write", slow)
        winner.append(synthetic.resolve("drawn:6"))
        slow(folder, seed)

    winner: list[Path] = []
    monkeypatch.setattr(synthetic, "write", overtaken)
    assert synthetic.resolve("drawn:6") == winner[0]
    assert list(small_drawings.iterdir()) == winner


def test_a_failed_drawing_leaves_nothing_behind(small_drawings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(folder: Path, seed: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(synthetic, "write", fail)
    with pytest.raises(DataError, match=r"\(disk full\).*PUZZLE_CACHE"):
        synthetic.resolve("drawn")
    assert list(small_drawings.iterdir()) == []


def test_a_cache_that_can_be_no_folder_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(synthetic, "CACHE", tmp_path / "file" / "cache")
    with pytest.raises(DataError, match=r"Not a directory.*PUZZLE_CACHE"):
        synthetic.resolve("drawn")


def refusal(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as stop:
        synthetic.main(arguments)
    assert stop.value.code == 2
    return capsys.readouterr().err


def test_the_command_draws_what_it_was_asked_for(small_drawings: Path, tmp_path: Path) -> None:
    synthetic.main([str(tmp_path / "set"), "--seed", "3", "--train", "1", "--val", "0", "--test", "2"])
    names = ["test/images/image-2.png", "test/images/image-3.png", "train/images/image-1.png"]
    assert [name for name in files(tmp_path / "set") if "image-" in name] == names


def test_the_command_refuses_a_folder_with_something_in_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "note.txt").write_text("mine")
    assert f"{tmp_path} is not an empty folder" in refusal([str(tmp_path)], capsys)
    assert f"{tmp_path / 'note.txt'} is not an empty folder" in refusal([str(tmp_path / "note.txt")], capsys)
    assert [path.name for path in tmp_path.iterdir()] == ["note.txt"]


def test_the_command_refuses_negative_numbers_and_an_empty_request(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "--train: '-1'" in refusal([str(tmp_path / "set"), "--train", "-1"], capsys)
    assert "name a FOLDER" in refusal([], capsys)


def test_the_sheet_shows_twelve_drawings(small_drawings: Path, tmp_path: Path) -> None:
    synthetic.main(["--sheet", str(tmp_path / "sheet.png")])
    assert read(tmp_path / "sheet.png").shape == (3 * 288, 4 * 384, 3)
