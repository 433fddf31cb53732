"""Photographs of more than 8 bits are seen alike in training, test and prediction; what may be wrong is said."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from agent import predict
from agent.config import parse
from agent.lifecycle import checkpoints
from agent.training import models
from data import synthetic
from tests.agent.running import train

SIDE = 32
FLAGS = ["--model=unet_transposed", "--width=4", f"--image_size={SIDE}", "--batch_size=2", "--augmentation=none"]


def twelve_bits(folder: Path) -> Path:
    """Drawn photographs as grey 16-bit files from 0 to 4080."""
    synthetic.write(folder, seed=2, n_train=3, n_val=1, n_test=2, height=SIDE, width=SIDE)
    for path in folder.glob("*/images/*.png"):
        with Image.open(path) as picture:
            grey = np.asarray(picture.convert("L"), np.uint16) * 16
        grey[0, 0], grey[-1, -1] = 0, 4080
        Image.fromarray(grey).save(path)
    return folder


def mask(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture)


@pytest.mark.slow
def test_a_run_and_agent_predict_bring_twelve_bits_to_eight_by_one_range(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photographs = twelve_bits(tmp_path / "photos")
    done = train(tmp_path, *FLAGS, "--epochs=2", "--repeats=40", "--learning_rate=0.01", f"--data={photographs}")
    assert done.returncode == 0, done.stderr
    (line,) = [each for each in done.stdout.splitlines() if "0 to 4080" in each]

    (run,) = (tmp_path / "wandb").glob("offline-run-*")
    folder = tmp_path / run.name.rpartition("-")[2]
    tested = folder / "predictions" / "best_loss"
    weights = next(
        path
        for path in sorted(folder.glob("epoch-*.pt"))
        if predict.main([str(path), str(photographs / "test/images"), "-o", str(tmp_path / path.stem)]) == 0
        and all(np.array_equal(mask(tmp_path / path.stem / each.name), mask(each)) for each in tested.iterdir())
    )
    assert checkpoints.load_pixel_range(weights) == (0, 4080)
    assert line in capsys.readouterr().out.splitlines()
    assert any(0 < mask(each).mean() < 255 for each in tested.iterdir())


@pytest.mark.slow
def test_a_run_says_what_resizing_changes_and_stops_where_a_mask_loses_all(tmp_path: Path) -> None:
    photographs = tmp_path / "photos"
    synthetic.write(photographs, seed=2, n_train=3, n_val=1, n_test=2, height=75, width=100)
    path = photographs / "test/masks/mask-5.png"
    two = np.zeros((75, 100), np.uint8)
    two[40, 50] = two[38, 48] = 255
    Image.fromarray(two).save(path)
    done = train(tmp_path / "warned", *FLAGS, "--epochs=1", f"--data={photographs}")
    assert done.returncode == 0, done.stderr
    (warning,) = [line for line in done.stdout.splitlines() if line.startswith(f"warning: {path} ")]
    assert "(0.027 % becomes 0.098 %)" in warning

    two[38, 48] = 0
    Image.fromarray(two).save(path)
    done = train(tmp_path / "refused", *FLAGS, "--epochs=1", f"--data={photographs}")
    assert done.returncode == 1
    assert f"agent.train: {path} loses all its foreground" in done.stderr
    assert "Traceback" not in done.stderr


def test_one_odd_photograph_does_not_keep_the_others_from_their_masks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Metadata that Pillow cannot write again, 16 bits that were not trained on."""
    config = parse(FLAGS)
    checkpoints.save(tmp_path / "epoch-0001.pt", models.build(config.architecture, width=4).state_dict(), config)
    photographs = tmp_path / "photos"
    photographs.mkdir()
    picture = Image.fromarray(synthetic.draw(3, 48, 64)[0])
    for name in ("a", "z"):
        picture.save(photographs / f"{name}.jpg")
    make = bytes.fromhex("457869660000 49492a0008000000 0200 0f01 0500 01000000 26000000 1201 0300 01000000 06000000")
    picture.save(photographs / "odd.jpg", exif=make + bytes(4) + bytes.fromhex("0100000002000000"))
    Image.fromarray(np.full((48, 64), 300, np.uint16)).save(photographs / "deep.png")

    assert predict.main([str(tmp_path / "epoch-0001.pt"), str(photographs), "-o", str(tmp_path / "out")]) == 1
    assert sorted(path.name for path in (tmp_path / "out").glob("*.png")) == ["a.png", "odd.png", "z.png"]
    assert mask(tmp_path / "out/odd.png").shape == (64, 48)
    (line,) = capsys.readouterr().err.splitlines()
    assert "deep.png has more than 8 bits" in line
