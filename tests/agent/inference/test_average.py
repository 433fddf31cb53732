"""Averages over symmetries and models, and what the command line makes of them."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from agent import predict
from agent.config import parse
from agent.inference import average, load
from agent.inference.average import Member
from agent.inference.load import ModelError, Predictor
from agent.lifecycle import checkpoints
from agent.training import models

CONFIG = parse(["--model=unet_bilinear", "--width=2", "--image_size=32"])


class Fixed(Predictor):
    """The same logits (2, 2) whatever it sees."""

    def __init__(self, values: list[list[float]]) -> None:
        super().__init__(torch.nn.Identity())
        self.values = torch.tensor(values)

    def logits(self, images: Tensor) -> Tensor:
        return self.values.expand(len(images), 2, 2)


class Brightness(Predictor):
    """A logit that grows with the red of each pixel: what it says turns with the image."""

    def __init__(self) -> None:
        super().__init__(torch.nn.Identity())

    def logits(self, images: Tensor) -> Tensor:
        return 4 * images[:, 0] - 2


SQUARE = [np.arange(4, dtype=np.uint8).reshape(2, 2, 1).repeat(3, axis=2) * 80]


def test_what_turns_with_the_image_is_the_same_over_all_symmetries() -> None:
    member = Member(Brightness(), 2)
    (plain,), (mean,) = (average.logits_of([member], SQUARE, tta) for tta in (False, True))
    torch.testing.assert_close(mean, plain)


def test_what_does_not_turn_becomes_the_mean_of_its_four_corners() -> None:
    """Each corner lies on each place twice among the eight symmetries."""
    (mean,) = average.logits_of([Member(Fixed([[2.0, -1.0], [0.0, 3.0]]), 2)], SQUARE, tta=True)
    expected = torch.tensor([2.0, -1.0, 0.0, 3.0]).sigmoid().mean().logit()
    torch.testing.assert_close(mean, expected.expand(2, 2))


def test_an_ensemble_is_the_mean_of_probabilities_at_the_size_of_the_photograph() -> None:
    members = [Member(Fixed([[2.0, 2.0], [2.0, 2.0]]), 2), Member(Fixed([[-1.0, -1.0], [-1.0, -1.0]]), 2)]
    (mean,) = average.logits_of(members, [np.zeros((3, 5, 3), np.uint8)])
    assert mean.shape == (3, 5)
    assert float(mean.sigmoid()[0, 0]) == pytest.approx((0.880797 + 0.268941) / 2, abs=1e-6)
    assert average.binarize(mean, 0.57).all()
    assert not average.binarize(mean, 0.58).any()


def checkpoint(folder: Path, seed: int) -> str:
    torch.manual_seed(seed)
    path = folder / f"epoch-000{seed}.pt"
    checkpoints.save(path, models.build("unet_bilinear", width=2).state_dict(), CONFIG)
    return str(path)


def test_the_command_writes_probabilities_of_an_ensemble(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(1)
    Image.fromarray(rng.integers(0, 255, (40, 30, 3), np.uint8)).save(tmp_path / "a.png")
    first, second = checkpoint(tmp_path, 1), checkpoint(tmp_path, 2)
    given = [str(tmp_path / "a.png"), "-o", str(tmp_path / "out"), "--probabilities", "--tta"]
    assert predict.main([first, "--ensemble", second, *given, "--threshold", "0.4"]) == 0
    assert "2 models and the eight symmetries" in capsys.readouterr().out
    with Image.open(tmp_path / "out" / "a-probability.png") as picture:
        probabilities = np.asarray(picture, dtype=np.float64) / 65535
    with Image.open(tmp_path / "out" / "a.png") as picture:
        mask = np.asarray(picture) > 0
    assert probabilities.shape == (40, 30)
    sure = np.abs(probabilities - 0.4) > 1e-4
    assert np.array_equal(mask[sure], probabilities[sure] > 0.4)


@pytest.mark.parametrize("text", ["0", "1", "-0.5", "half", "nan"])
def test_a_threshold_that_is_no_probability_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        predict.main(["m.pt", "a.png", f"--threshold={text}"])
    assert f"--threshold: is {text!r}" in capsys.readouterr().err


def test_two_photographs_whose_files_would_be_one_are_refused(tmp_path: Path) -> None:
    for name in ("a.png", "a-probability.jpg"):
        Image.new("RGB", (4, 4)).save(tmp_path / name)
    names = [str(tmp_path / name) for name in ("a.png", "a-probability.jpg")]
    assert len(predict.make_tasks(names, tmp_path / "out")[0]) == 2
    with pytest.raises(predict.UsageError, match=r"would both become .*a-probability\.png"):
        predict.make_tasks(names, tmp_path / "out", probabilities=True)


class Api:
    """A server whose sweep has three runs."""

    def __init__(self, **given: Any) -> None:
        pass

    def sweep(self, path: str) -> Any:
        if path != "local/puzzle/abc":
            raise ValueError(f"Could not find sweep {path}")
        runs = [("r2", "finished"), ("r1", "finished"), ("r3", "failed")]
        made = [SimpleNamespace(id=i, state=s, config={"model": "unet/resnet18/none"}) for i, s in runs]
        return SimpleNamespace(runs=made)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("local/puzzle/abc/unet", "no finished run of unet; it has unet/resnet18/none"),
        ("local/puzzle/none/unet", "the sweep local/puzzle/none cannot be read"),
        ("local/pu:zzle/abc/unet", ""),
    ],
)
def test_a_model_of_a_sweep_is_all_its_finished_runs(name: str, sentence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wandb.Api", Api)
    monkeypatch.setattr(load, "check_answers", lambda base_url: None)
    monkeypatch.setattr(load, "_keep_out_of_home", lambda folder: None)
    environ = {"WANDB_BASE_URL": "http://127.0.0.1:9", "WANDB_API_KEY": "k"}
    found = load.expand_name("local/puzzle/abc/unet/resnet18/none", environ)
    assert found == ["local/puzzle/model-r1:best", "local/puzzle/model-r2:best"]
    if sentence:
        with pytest.raises(ModelError, match=sentence):
            load.expand_name(name, environ)
    else:
        assert load.expand_name(name, environ) == [name]


@pytest.mark.parametrize(
    ("probabilities", "expected"),
    [
        ([[0.9, 0.8], [0.1, 0.2]], (0.9 + 0.8) / (2 + 0.1 + 0.2)),
        ([[1.0, 1.0], [0.0, 0.0]], 1.0),
        ([[0.4, 0.3], [0.1, 0.2]], 0.0),
    ],
)
def test_the_expected_iou_is_that_of_calibrated_probabilities(
    probabilities: list[list[float]], expected: float
) -> None:
    logits = torch.tensor(probabilities, dtype=torch.float64).logit()
    assert average.expected_iou(logits, average.binarize(logits)) == pytest.approx(expected)
