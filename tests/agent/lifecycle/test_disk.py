"""Bytes before a run starts, and whether the disk has them."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from torch import nn

from agent.config import Config, parse
from agent.lifecycle import checkpoints, disk, state
from agent.lifecycle.disk import DiskError
from agent.lifecycle.state import Progress, State
from agent.training import models
from agent.training.material import n_test_pixels, prepare
from agent.training.performance import adam
from data import synthetic
from tests.agent.training.squares import squares, step


def written(folder: Path, config: Config) -> int:
    """Bytes of two checkpoints and a state after one step."""
    model = models.build(config.architecture, config.backbone, config.weights, config.width)
    optimizer = adam(model, 1e-3)
    step(model, optimizer, squares(2))
    for name in ("epoch-0001.pt", "epoch-0002.pt"):
        checkpoints.save(folder / name, model.state_dict(), config)
    now = State("e/p/r", config, "digest", Progress(), {}, state.capture(model, optimizer))
    content = folder / "other"
    content.mkdir()
    state.dump(now, content, None, {})
    return sum(path.stat().st_size for path in folder.rglob("*.pt"))


@pytest.mark.parametrize("model", ["unet_transposed", "unet/resnet18"])
def test_a_run_writes_a_little_less_than_was_said(model: str, tmp_path: Path) -> None:
    config = parse([f"--model={model}", "--width=16", "--image_size=32"])
    measured, built = written(tmp_path, config), models.build(config.architecture, config.backbone, width=config.width)
    kept = sum(path.stat().st_size for path in tmp_path.glob("*.pt"))
    assert kept <= disk.bytes_on_server(built, 0) < 1.1 * kept + 100_000
    # Besides two checkpoints and a state, a third checkpoint and a second state that are not whole yet.
    peak = 2 * measured - kept / 2
    assert peak <= disk.bytes_on_disk(built, 0) < 1.1 * peak + 300_000


def test_pictures_count_with_image_truth_and_two_predictions() -> None:
    model = nn.Linear(1, 1)
    assert disk.bytes_on_server(model, 1024) - disk.bytes_on_server(model, 0) == 2 * 6 * 1024


def test_photographs_smaller_than_the_score_size_need_room_for_their_own_pixels(tmp_path: Path) -> None:
    synthetic.write(tmp_path / "data", seed=2, n_train=3, n_val=1, n_test=2, height=48, width=64)
    flags = ["--model=unet_bilinear", "--width=2", "--image_size=32", f"--data={tmp_path}/data"]
    for score_size, n_pixels in ((100_000, 48 * 64), (32, 24 * 32)):
        material = prepare(parse([*flags, f"--score_size={score_size}"]), tmp_path / "run")
        assert n_test_pixels(material.dataset) == 2 * n_pixels


def test_a_run_that_the_disk_has_no_room_for_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a run that goes on has written already counts as room."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=900_000))
    monkeypatch.setattr(disk, "bytes_on_disk", lambda *_: 1_000_000)
    with pytest.raises(DiskError, match=r"up to 1\.0 MB in .*run, but the disk has 900\.0 kB left: free some"):
        disk.check_free(tmp_path / "run", nn.Identity(), 1024)
    (tmp_path / "run" / "epoch-0001.pt").write_bytes(bytes(100_000))
    disk.check_free(tmp_path / "run", nn.Identity(), 1024)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DiskError, match=r"cannot be made \(Not a directory\): name another"):
        disk.check_free(tmp_path / "file" / "a", nn.Identity(), 1024)
