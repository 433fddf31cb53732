"""The state of a run: what is saved after an epoch goes on bit by bit, and a save that is cut off harms nothing."""

import functools
import itertools
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import pytest
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler

from agent.config import parse
from agent.lifecycle import checkpoints, state
from agent.lifecycle.checkpoints import BestCheckpoints
from agent.lifecycle.plan import run_folder
from agent.lifecycle.state import Progress, State, StateWriter
from agent.lifecycle.torch_file import BadFile
from agent.training import schedule
from agent.training.loader import CPU, make_loader
from agent.training.loop import Precision, train_epoch
from agent.training.performance import adam, to_device
from common import cores
from common.names import BadName
from data.augment import Augmenter
from tests.agent.lifecycle.captures import capture, weights
from tests.agent.training.squares import squares

CONFIG = parse(["--width=4"])


def dropping(device: torch.device = CPU, p: float = 0.5) -> nn.Module:
    """BatchNorm has state outside the weights, dropout draws from torch's generator, Adam remembers all gradients."""
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(p), nn.Conv2d(8, 2, 1)
    )
    return to_device(model, device)


def train(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    epochs: range,
    precision: Precision = "float32",
    after_step: Callable[[], None] = lambda: None,
) -> list[float]:
    augment, device = Augmenter("strong", 32, seed=1), next(model.parameters()).device
    visits = (make_loader(squares(5), augment, 2, 1, range(epoch, epoch + 1), device) for epoch in epochs)
    return [train_epoch(model, optimizer, batches, precision, after_step=after_step)[0] for batches in visits]


def now(tensors: dict[str, Any], epoch: int = 1, keeper: BestCheckpoints | None = None) -> State:
    return State(
        "e/p/r", CONFIG, "digest", Progress(epoch, 1.5, [{"epoch": 1}]), keeper.kept if keeper else {}, tensors
    )


@pytest.mark.parametrize(("precision", "rate", "decay"), [("float32", "constant", 0.0), ("bfloat16", "cosine", 0.1)])
@pytest.mark.parametrize("cut", [1, 2])
def test_a_run_that_goes_on_is_bit_identical_to_one_that_was_never_cut_off(
    precision: Precision, rate: str, decay: float, cut: int, device: torch.device, tmp_path: Path
) -> None:
    """Of 12 steps, 3 an epoch; the warm-up of the cosine schedule ends within the first."""

    def begin(seed: int) -> tuple[nn.Module, torch.optim.Optimizer, LRScheduler]:
        torch.manual_seed(seed)
        model = dropping(device)
        optimizer = adam(model, 1e-2, decay)
        return model, optimizer, schedule.build(rate, optimizer, 12)

    whole, optimizer, rates = begin(1)
    losses = train(whole, optimizer, range(1, 5), precision, rates.step)

    first, optimizer, rates = begin(1)
    before = train(first, optimizer, range(1, 1 + cut), precision, rates.step)
    state.dump(now(state.capture(first, optimizer, rates)), tmp_path, None, {})

    second, other, rates = begin(99)
    found = state.load(tmp_path)
    assert found
    state.restore(found.tensors, second, other, rates)
    assert before + train(second, other, range(1 + cut, 5), precision, rates.step) == losses
    for name, value in second.state_dict().items():
        assert torch.equal(value, whole.state_dict()[name]), name


def test_a_run_goes_on_where_weights_have_another_memory_format(monkeypatch: pytest.MonkeyPatch) -> None:
    """As from a GPU to a CPU without bfloat16; but for dropout only the last bits differ."""
    monkeypatch.setattr(cores, "multiply_bfloat16", lambda: True)
    torch.manual_seed(1)
    first = dropping(p=0)
    optimizer = adam(first, 1e-3)
    train(first, optimizer, range(1, 2))
    captured = state.clone(state.capture(first, optimizer))
    expected = train(first, optimizer, range(2, 5))

    monkeypatch.setattr(cores, "multiply_bfloat16", lambda: False)
    second = dropping(p=0)
    other = adam(second, 1e-3)
    state.restore(captured, second, other)
    assert train(second, other, range(2, 5)) == pytest.approx(expected, rel=1e-4)


def test_a_captured_state_does_not_change_when_training_goes_on(device: torch.device) -> None:
    model = dropping(device)
    optimizer = adam(model, 1e-2)
    train(model, optimizer, range(1, 2))
    captured = state.capture(model, optimizer)
    copy = state.clone(captured)
    train(model, optimizer, range(2, 3))
    assert torch.equal(captured["model"]["0.weight"], copy["model"]["0.weight"])
    assert not torch.equal(captured["model"]["0.weight"], model.state_dict()["0.weight"])
    moments = captured["optimizer"]["state"][0]["exp_avg"], copy["optimizer"]["state"][0]["exp_avg"]
    assert torch.equal(*moments)


def saved(folder: Path, keeper: BestCheckpoints, epoch: int, loss: float, iou: float) -> None:
    best = keeper.update(epoch, loss, iou)
    state.dump(now(capture(epoch), epoch, keeper), folder, best, weights(epoch))


def test_the_best_and_the_latest_stay_and_nothing_else(tmp_path: Path) -> None:
    keeper = BestCheckpoints(tmp_path)
    for epoch, loss, iou in [(1, 0.9, 0.1), (2, 0.5, 0.6), (3, 0.6, 0.8), (4, 0.7, 0.7)]:
        saved(tmp_path, keeper, epoch, loss, iou)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["epoch-0002.pt", "epoch-0003.pt", "state.pt"]
    assert {rule: kept.epoch for rule, kept in keeper.kept.items()} == {"best_loss": 2, "best_iou": 3}
    found = state.load(tmp_path)
    assert found
    assert (found.progress, found.kept, found.config) == (Progress(4, 1.5, [{"epoch": 1}]), keeper.kept, CONFIG)
    assert found.tensors["model"]["w"].tolist() == [4, 4, 4]


@pytest.mark.parametrize("cut_at", [1, 2], ids=["checkpoint", "state"])
def test_a_save_that_is_cut_off_leaves_the_epoch_before_whole(
    cut_at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = BestCheckpoints(tmp_path)
    saved(tmp_path, keeper, 1, 0.9, 0.1)
    real, saves = torch.save, itertools.count(1)

    def breaks_off(content: object, file: BinaryIO) -> None:
        real(content, file)
        if next(saves) == cut_at:
            raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", breaks_off)
    with pytest.raises(KeyboardInterrupt):
        saved(tmp_path, keeper, 2, 0.5, 0.5)
    found = state.load(tmp_path)
    assert found
    assert found.progress.epoch == 1
    kept, _ = checkpoints.load(found.kept["best_iou"].path)
    assert kept["w"].tolist() == [1, 1, 1]


def test_no_state_is_none_and_one_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    assert state.load(tmp_path) is None
    (tmp_path / state.STATE_FILE).write_bytes(b"half a file")
    with pytest.raises(BadFile, match=rf"^{re.escape(str(tmp_path))}.state.pt is no file of torch.save"):
        state.load(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"run": "e/../r"},
        {"run": "e/p"},
        {"run": 3},
        {"config": {"width": 0}},
        {"config": {"depth": 1}},
        {"progress": {"epochs": 3}},
        {"kept": {"best_iou": {"path": "../../api-key", "epoch": 1, "val_loss": 1.0, "val_iou": 1.0}}},
        {"kept": {"best_iou": {"path": "/etc/passwd", "epoch": 1, "val_loss": 1.0, "val_iou": 1.0}}},
        {"kept": 1},
    ],
)
def test_a_state_with_names_or_values_that_no_run_writes_is_refused(change: dict[str, Any], tmp_path: Path) -> None:
    """Its checkpoints are uploaded when the run ends: a path out of its folder would give away any file."""
    state.dump(now(capture(1)), tmp_path, None, {})
    content = torch.load(tmp_path / state.STATE_FILE, weights_only=True)
    torch.save(content | change, tmp_path / state.STATE_FILE)
    with pytest.raises(BadFile, match=r"is no state of a run, or one of another version"):
        state.load(tmp_path)


def test_a_state_of_an_older_version_has_no_digest_and_no_number_of_threads(tmp_path: Path) -> None:
    state.dump(now(capture(1)), tmp_path, None, {})
    content = torch.load(tmp_path / state.STATE_FILE, weights_only=True)
    del content["n_threads"]
    torch.save(content, tmp_path / state.STATE_FILE)
    found = state.load(tmp_path)
    assert found
    assert (found.progress.epoch, found.n_threads) == (1, None)


def test_a_state_with_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    saved(tmp_path, BestCheckpoints(tmp_path), 1, 0.9, 0.1)
    path = tmp_path / "epoch-0001.pt"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(BadFile, match=r"epoch-0001.pt is damaged: it differs from its SHA-256"):
        state.load(tmp_path)


@pytest.mark.parametrize("run_id", ["..", "a/b", ".lock", "", "abc"])
def test_an_id_or_a_link_that_leads_out_of_the_folder_of_all_runs_is_refused(
    run_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PUZZLE_RUNS", str(tmp_path / "runs"))
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "abc").symlink_to(tmp_path)
    with pytest.raises(BadName, match=r"^run id "):
        run_folder(run_id)


def test_a_state_whose_checkpoint_is_gone_is_refused(tmp_path: Path) -> None:
    saved(tmp_path, BestCheckpoints(tmp_path), 1, 0.9, 0.1)
    (tmp_path / "epoch-0001.pt").unlink()
    with pytest.raises(BadFile, match=r"epoch-0001.pt is missing$"):
        state.load(tmp_path)


def test_a_writer_saves_in_order_and_leaves_only_when_all_is_saved() -> None:
    go_on = threading.Event()
    done: list[int] = []

    def first() -> None:
        go_on.wait()
        done.append(1)

    with StateWriter() as writer:
        writer.submit(first)
        assert writer.busy
        go_on.set()
        writer.submit(functools.partial(done.append, 2))
    assert done == [1, 2]
    assert not writer.busy


def test_what_a_save_raises_reaches_the_run() -> None:
    def full() -> None:
        raise OSError("No space left on device")

    writer = StateWriter()
    writer.submit(full)
    with pytest.raises(OSError, match="No space left"):
        writer.wait()
    writer.submit(full)
    with pytest.raises(OSError, match="No space left"), writer:
        pass


def test_the_random_state_of_a_gpu_goes_on_on_a_machine_with_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The GPU in use is the only one that a run draws numbers on."""
    given: list[Tensor] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda: torch.tensor([7]))
    monkeypatch.setattr(torch.cuda, "set_rng_state", given.append)
    model = dropping()
    optimizer = adam(model, 1e-3)
    tensors = state.capture(model, optimizer)
    assert tensors["random_cuda"] == [torch.tensor([7])]
    state.restore(tensors | {"random_cuda": [torch.tensor([7]), torch.tensor([8])]}, model, optimizer)
    assert [each.tolist() for each in given] == [[7]]
