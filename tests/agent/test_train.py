"""A run by hand, without any server."""

import csv
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from agent.config import parse
from agent.lifecycle import checkpoints
from agent.train import should_stop
from agent.training import models
from agent.training.loop import evaluate
from data import synthetic
from data.dataset import load_dataset
from tests.agent.running import train


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "drawn"
    synthetic.write(folder, seed=2, n_train=3, n_val=1, n_test=2)
    return folder


FLAGS = ["--model=unet_bilinear", "--width=4", "--image_size=32", "--epochs=2", "--batch_size=2"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the run leaves that these tests share."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def lines(photographs: Path, home: Path) -> list[str]:
    """What that run printed."""
    done = train(home, *FLAGS, f"--data={photographs}")
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.slow
def test_a_run_needs_no_server_and_leaves_checkpoints_and_predictions(
    photographs: Path, home: Path, lines: list[str]
) -> None:
    n_parameters = sum(p.numel() for p in models.build("unet_bilinear", width=4).parameters())
    assert lines[0].startswith(
        f"trial unet_bilinear, seed 1: {n_parameters:,} parameters; 3 training, 1 validation and 2 test"
    )
    assert [line.split("  ")[0] for line in lines[1:3]] == ["epoch 1/2", "epoch 2/2"]
    assert lines[-1].startswith("test IoU 0.")

    (run,) = (home / "wandb").glob("offline-run-*")
    folder = home / run.name.rpartition("-")[2]
    assert not (folder / "state.pt").exists()
    dataset = load_dataset(photographs, image_size=32, score_size=1024)
    assert dataset.test[0].truth.shape != (32, 32)
    with (folder / "predictions" / "scores.csv").open() as file:
        scores = {(row["checkpoint"], row["image"]): row for row in csv.DictReader(file)}
    assert set(scores) == {(rule, pair.name) for rule in ("best_loss", "best_iou") for pair in dataset.test}
    repaired = re.search(r"^BatchNorm: .*\(epoch (\d+)\) .* recomputed on 3 training images, (0\.\d+)$", lines[-2])
    assert repaired, lines
    state, _ = checkpoints.load(folder / f"epoch-{int(repaired[1]):04d}.pt")
    saved = models.build("unet_bilinear", width=4)
    saved.load_state_dict(state)
    assert f"{evaluate(saved, dataset.val, 2).pooled_counts.iou:.4f}" == repaired[2]
    for path in folder.glob("epoch-*.pt"):
        state, config = checkpoints.load(path)
        model = models.build(config.architecture, config.backbone, config.weights, config.width)
        model.load_state_dict(state)
        predictions = np.stack(evaluate(model, dataset.test, 2).predictions)
        written = [
            np.stack([mask(folder, rule, pair.name) for pair in dataset.test]) for rule in ("best_loss", "best_iou")
        ]
        assert any(np.array_equal(predictions * 255, each) for each in written)


def mask(folder: Path, rule: str, name: str) -> np.ndarray:
    with Image.open(folder / "predictions" / rule / f"{name}.png") as image:
        return np.asarray(image)


def without_seconds(lines: list[str]) -> list[str]:
    return [line.rsplit("  ", 1)[0] for line in lines]


@pytest.mark.slow
def test_equal_configurations_give_equal_predictions_and_history(
    photographs: Path, lines: list[str], tmp_path: Path
) -> None:
    again = train(tmp_path, *FLAGS, f"--data={photographs}").stdout.splitlines()
    assert without_seconds(again) == without_seconds(lines)


@pytest.mark.slow
def test_an_epoch_that_repeats_trains_as_so_many_epochs_and_validates_once(
    photographs: Path, lines: list[str], tmp_path: Path
) -> None:
    done = train(tmp_path, *FLAGS, "--epochs=1", "--repeats=2", f"--data={photographs}")
    repeated = done.stdout.splitlines()
    assert [line.partition("  ")[0] for line in repeated if line.startswith("epoch")] == ["epoch 1/1"]
    losses = [re.search(r"val loss \S+  val IoU \S+", line) for line in (lines[2], repeated[1])]
    assert losses[0] is not None
    assert losses[1] is not None
    assert losses[0][0] == losses[1][0]


@pytest.mark.parametrize(
    ("patience", "epoch", "expected"), [(0, 90, False), (3, 8, False), (3, 9, True), (3, 2, False)]
)
def test_patience_ends_a_run_when_so_many_epochs_were_the_best_by_no_rule(
    patience: int, epoch: int, expected: bool
) -> None:
    """The best loss is of epoch 4, the best IoU of epoch 6."""
    kept = {"best_loss": 4, "best_iou": 6} if epoch > 3 else {}
    trial: Any = SimpleNamespace(
        plan=SimpleNamespace(config=parse([f"--patience={patience}"])),
        best=SimpleNamespace(kept={rule: SimpleNamespace(epoch=n) for rule, n in kept.items()}),
        progress=SimpleNamespace(epoch=epoch),
    )
    assert should_stop(trial) == expected
