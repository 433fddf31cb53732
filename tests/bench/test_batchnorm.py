"""The bench of the BatchNorm doctor: which epochs it compares."""

import pytest

from agent.training.batchnorm import Validation
from agent.training.loop import Evaluation
from agent.training.metrics import Counts
from agent.training.models.unet import UNet
from bench import batchnorm
from bench.batchnorm import Best
from data.puzzle import Dataset
from tests.agent.training.squares import squares

PAIRS = squares(2)
DATASET = Dataset(PAIRS, PAIRS, PAIRS, "", "")


def judgement(tp: int, gap: float | None) -> Validation:
    """A validation IoU of `tp` per cent."""
    return Validation(Evaluation(0.5, (Counts(tp=tp, fn=100 - tp),), (PAIRS[0].mask,)), gap)


def test_the_best_epoch_is_the_first_with_the_highest_validation_iou() -> None:
    best, model = Best(), UNet("bilinear", 4)
    for epoch, (tp, gap) in enumerate([(10, 0.5), (60, 0.3), (60, None), (20, 0.1)], start=1):
        best.consider(epoch, judgement(tp, gap), model, DATASET, 2)
    assert (best.epoch, best.val, best.gap) == (2, 0.6, 0.3)


def test_the_spread_is_mean_lowest_and_highest() -> None:
    assert batchnorm.spread("plain, val", [0.2, 0.6, 0.4]).split()[-3:] == ["0.400", "0.200", "0.600"]


def test_a_model_that_cannot_be_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["bench.batchnorm", "--model=vnet"])
    with pytest.raises(SystemExit, match="architecture is 'vnet', but must be one of"):
        batchnorm.main()


def test_statistics_of_one_image_at_a_time_are_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["bench.batchnorm", "--at_once=1"])
    with pytest.raises(SystemExit, match="2"):
        batchnorm.main()
    assert "--at_once is 1, but must be 2 or more" in capsys.readouterr().err
