"""Bytes before a run starts, and the limit on them."""

import contextlib
import threading
from pathlib import Path

import pytest

from agent.config import Config, parse
from agent.lifecycle import checkpoints, disk, state
from agent.lifecycle.disk import BudgetError
from agent.lifecycle.state import Progress, State
from agent.training import models
from agent.training.performance import adam
from tests.agent.training.squares import squares, step

CONFIG = parse(["--model=unet_bilinear", "--width=4", "--image_size=32"])


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
    measured = written(tmp_path, config)
    kept = sum(path.stat().st_size for path in tmp_path.glob("*.pt"))
    assert kept <= disk.bytes_of_run(config, n_test=0) < 1.1 * kept + 100_000
    # Besides two checkpoints and a state, a third checkpoint and a second state that are not whole yet.
    peak = 2 * measured - kept / 2
    assert peak <= disk.disk_of_run(config, n_test=0) < 1.1 * peak + 300_000


def test_pictures_count_with_image_truth_and_two_predictions() -> None:
    assert disk.bytes_of_run(CONFIG, 1) - disk.bytes_of_run(CONFIG, 0) == 2 * 6 * 1024 * 1024


def test_runs_side_by_side_may_promise_no_more_than_the_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PUZZLE_DISK_BUDGET", "0.001")
    disk.reserve(tmp_path / "a", 600_000)
    with pytest.raises(BudgetError, match=r"up to 0\.0005 GB, but PUZZLE_DISK_BUDGET leaves 0\.0004 GB"):
        disk.reserve(tmp_path / "b", 500_000)
    disk.reserve(tmp_path / "a", 700_000)
    disk.reserve(tmp_path / "b", 300_000)


def test_a_run_that_is_over_counts_with_what_it_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUZZLE_DISK_BUDGET", "0.001")
    disk.reserve(tmp_path / "a", 900_000)
    (tmp_path / "a" / disk.RESERVED).unlink()
    (tmp_path / "a" / "epoch-0001.pt").write_bytes(bytes(100_000))
    disk.reserve(tmp_path / "b", 900_000)


def test_a_run_that_the_disk_has_no_room_for_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BudgetError, match="but the disk has"):
        disk.reserve(tmp_path / "a", 10**18)


def test_a_budget_that_is_no_number_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUZZLE_DISK_BUDGET", "much")
    with pytest.raises(BudgetError, match="PUZZLE_DISK_BUDGET is 'much', but must be a number of gigabytes"):
        disk.reserve(tmp_path / "a", 1)


def test_two_runs_that_begin_together_do_not_both_take_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have looked at what is left before either has taken it, unless one waits."""
    monkeypatch.setenv("PUZZLE_DISK_BUDGET", "0.001")
    together = threading.Barrier(2, timeout=0.5)
    real = disk.budget

    def slowly() -> float:
        with contextlib.suppress(threading.BrokenBarrierError):
            together.wait()
        return real()

    monkeypatch.setattr(disk, "budget", slowly)
    refused: list[str] = []

    def take(name: str) -> None:
        try:
            disk.reserve(tmp_path / name, 600_000)
        except BudgetError:
            refused.append(name)

    threads = [threading.Thread(target=take, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 1


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BudgetError, match=r"cannot be made \(Not a directory\): name another"):
        disk.reserve(tmp_path / "file" / "a", 1)
