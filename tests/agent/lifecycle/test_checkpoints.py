"""Which weights are kept, and that they come back."""

import errno
import os
from pathlib import Path

import pytest
import torch
from torch import nn

from agent.config import Config, parse
from agent.lifecycle import checkpoints
from agent.lifecycle.checkpoints import BestCheckpoints, lab_rule
from agent.training.models.unet import UNet

CONFIG = parse(["--width=4", "--epochs=5"])


def marked(value: float) -> nn.Module:
    """A model that can be told from another."""
    model = UNet("transposed", width=4)
    nn.init.constant_(model.head.weight, value)
    return model


def keep(best: BestCheckpoints, epoch: int, loss: float, iou: float) -> None:
    """One epoch, its weights marked with its number."""
    if path := best.update(epoch, loss, iou):
        checkpoints.save(path, marked(epoch).state_dict(), CONFIG)
    checkpoints.prune(best.folder, [kept.path for kept in best.kept.values()])


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_one_epoch_that_is_best_by_both_rules_is_one_file(tmp_path: Path) -> None:
    best = BestCheckpoints(tmp_path)
    keep(best, 1, 0.9, 0.1)
    keep(best, 2, 0.5, 0.6)
    assert files(tmp_path) == ["epoch-0002.pt"]
    assert best.kept["best_loss"] == best.kept["best_iou"]


def test_a_tie_goes_to_the_earlier_epoch(tmp_path: Path) -> None:
    best = BestCheckpoints(tmp_path)
    for epoch in (1, 2):
        keep(best, epoch, 0.5, 0.5)
    assert files(tmp_path) == ["epoch-0001.pt"]


@pytest.mark.parametrize("losses", [(float("nan"), 0.5), (0.5, float("nan"))])
def test_a_loss_that_is_not_a_number_is_the_worst(losses: tuple[float, float], tmp_path: Path) -> None:
    best = BestCheckpoints(tmp_path)
    for epoch, loss in enumerate(losses):
        keep(best, epoch, loss, 0.1)
    assert best.kept["best_loss"].val_loss == 0.5


def test_a_checkpoint_comes_back_bit_by_bit_with_its_config(tmp_path: Path) -> None:
    model = UNet("bilinear", width=4)
    checkpoints.save(tmp_path / "a.pt", model.state_dict(), CONFIG)
    state, config = checkpoints.load(tmp_path / "a.pt")
    assert config == CONFIG
    assert isinstance(config, Config)
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_a_disk_that_is_full_leaves_the_checkpoint_before(tmp_path: Path) -> None:
    path, unfinished = tmp_path / "a.pt", tmp_path / f".a.pt.{os.getpid()}.unfinished"
    checkpoints.save(path, marked(1).state_dict(), CONFIG)
    unfinished.symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left on device") as raised:
        checkpoints.save(path, marked(2).state_dict(), CONFIG)
    assert raised.value.errno == errno.ENOSPC
    state, _ = checkpoints.load(path)
    assert state["head.weight"].unique().item() == 1
    assert files(tmp_path) == ["a.pt"]


def test_the_lab_tests_its_u_net_at_the_best_iou_and_smp_at_the_best_loss() -> None:
    rules = {name: lab_rule(name) for name in ("unet_transposed", "unet_bilinear", "unet", "deeplabv3plus")}
    assert rules == {
        "unet_transposed": "best_iou",
        "unet_bilinear": "best_iou",
        "unet": "best_loss",
        "deeplabv3plus": "best_loss",
    }
