"""What is said of overfitting, and from which figures."""

import math

import numpy as np
import pandas as pd
import pytest

from analysis.curves.overfitting import curve_figures, largest_fall, overfitting_figures, verdict
from tests.analysis.studies import numbers

NAN = math.nan


def curves(
    train_loss: list[float], val_loss: list[float], train_iou: list[float], val_iou: list[float]
) -> pd.DataFrame:
    columns = {"train/loss": train_loss, "val/loss": val_loss, "train/iou": train_iou, "val/iou": val_iou}
    return pd.DataFrame({"run_id": "r", "epoch": range(1, len(val_loss) + 1), **columns})


def losses(val: list[float], train: list[float] | None = None) -> pd.DataFrame:
    """Curves with these losses; the training loss falls evenly unless it is given. IoU does not move."""
    return curves(train or list(np.linspace(0.9, 0.1, len(val))), val, [0.8] * len(val), [0.7] * len(val))


def rising(best: int, slope: float, epochs: int = 40) -> pd.DataFrame:
    """Validation loss falls to 0.2 at epoch `best`, then rises by `slope` an epoch; training loss falls on."""
    falling = list(np.linspace(1.0, 0.2, best))
    return losses(falling + [0.2 + slope * i for i in range(1, epochs - best + 1)])


def said(*histories: pd.DataFrame) -> str:
    """The sentence for a model whose runs have these curves."""
    return str(verdict(pd.concat([curve.assign(run_id=f"r{i}") for i, curve in enumerate(histories)])))


UP = [0.5, 0.3, 0.2, *np.linspace(0.2, 0.8, 17)]
OVERFIT = curves(
    [0.8, 0.4, 0.3, 0.2, 0.1], [0.8, 0.5, 0.6, 0.75, 0.9], [0.3, 0.6, 0.8, 0.9, 0.95], [0.3, 0.6, 0.7, 0.65, 0.6]
)


def test_figures_are_those_counted_by_hand() -> None:
    # Lowest at epoch 2. The end is epochs 3 to 5: gaps of IoU 0.1, 0.25, 0.35.
    expected = {"epochs": 5, "best_epoch": 2, "val_loss_epoch": 2, "gap_best": 0.0, "gap_end": 0.25, "not_finite": 0}
    expected |= {"best_val_loss": 0.5, "best_val_iou": 0.6, "val_loss_lowest": 0.5, "val_loss_last": 0.9}
    # IoU of validation is highest, 0.7, at epoch 3, and lies furthest below that in the last one.
    expected |= {"train_loss_last": 0.1, "fall_epoch": 5, "fall_from": 0.7, "fall_to": 0.6}
    assert curve_figures(OVERFIT, "best_loss") == pytest.approx(expected)


@pytest.mark.parametrize(
    ("iou", "fall"),
    [([0.3, 0.1, 0.9, 0.9], None), ([0.5, 0.9, 0.4, 0.8, 0.7], (3, 0.9, 0.4)), ([0.1, 0.2, 0.3], None), ([0.9], None)],
)
def test_a_fall_counts_once_a_curve_is_near_its_best(iou: list[float], fall: tuple[float, float, float] | None) -> None:
    found = largest_fall(pd.Series(iou, index=range(1, len(iou) + 1)))
    assert [*found.values()] == pytest.approx(list(fall or [np.nan] * 3), nan_ok=True)


def test_the_rule_decides_which_epoch_is_best() -> None:
    figures = curve_figures(OVERFIT, "best_iou")
    assert figures["best_epoch"] == 3
    assert figures["val_loss_epoch"] == 2


def test_every_run_of_the_table_has_its_figures_by_its_own_rule() -> None:
    runs = pd.DataFrame({"run_id": ["r", "q"], "test/rule": ["best_loss", "best_iou"]})
    figures = overfitting_figures(runs, pd.concat([OVERFIT, OVERFIT.assign(run_id="q")]))
    assert dict(zip(figures["run_id"], figures["best_epoch"], strict=True)) == {"r": 2, "q": 3}


@pytest.mark.parametrize(
    ("histories", "beginning", "figures"),
    [
        # Levels are means over four epochs: from about 0.22 to 0.2 + 26 · 0.01 less a window's half.
        (
            [rising(12, 0.01), rising(14, 0.01), rising(13, 0.01)],
            "overfits from epoch 15 of 40: ",
            [15, 40, 98, 90, 75, 121, 15, 40, 3, 79],
        ),
        ([rising(12, 0.05)], "cannot tell from 1 run, ", [1, 3, 4, 12, 40]),
        ([rising(12, 0.05)] * 2, "cannot tell from 2 runs, ", [2, 3, 4, 12, 40]),
        ([losses([0.5, 0.3, *[0.2, 0.201] * 20])] * 3, "does not overfit: ", [0]),
        ([losses(list(np.linspace(1.0, 0.1, 20)))] * 3, "does not overfit: ", [20, 3]),
        # An interval wider than the loss is not printed.
        ([rising(13, 0.2), rising(13, 0.01), rising(13, 0.0)], "cannot tell: after epoch 13 of 40 ", [13, 40]),
        ([losses(UP, train=UP)] * 3, "diverges: ", []),
        ([losses([0.2] * 5).iloc[:0]], "cannot tell: no curves", []),
    ],
    ids=["rises", "one run", "two runs", "flat", "falls to the end", "unlike", "with training loss", "no curves"],
)
def test_what_is_said_begins_with_the_verdict_and_has_its_figures(
    histories: list[pd.DataFrame], beginning: str, figures: list[float]
) -> None:
    text = said(*histories)
    assert text.startswith(beginning)
    assert numbers(text)[: len(figures)] == figures
    assert ("%" in text) == (beginning.startswith(("overfits", "diverges")) or figures == [0])


@pytest.mark.parametrize("noise", [0.0, 0.7, 0.9])
def test_flat_validation_loss_with_noise_that_lasts_seldom_overfits(noise: float) -> None:
    """The selection of the minimum alone told 18 to 65 % of such studies to overfit."""
    rng, told = np.random.default_rng(int(10 * noise)), 0
    for _ in range(60):
        steps = rng.normal(0, 0.01, (3, 50))
        for epoch in range(1, 50):
            steps[:, epoch] = noise * steps[:, epoch - 1] + math.sqrt(1 - noise**2) * steps[:, epoch]
        told += said(*(losses(list(0.2 + curve)) for curve in steps)).startswith("overfits")
    assert told <= 5


def test_seeds_that_disagree_cannot_tell_and_say_how_many_runs_would() -> None:
    text = said(rising(13, 0.002), rising(14, 0.0), rising(15, 0.0))
    assert text.startswith("cannot tell: validation loss +")
    assert "a rise of 10%" in text


def test_runs_that_ended_early_are_left_out_and_counted() -> None:
    text = said(rising(12, 0.01), rising(12, 0.011), rising(12, 0.009), rising(5, 0.01, epochs=9))
    assert text.startswith("overfits")
    assert text.endswith("; left out, ended earlier: 1 run")


@pytest.mark.parametrize("value", [NAN, math.inf])
@pytest.mark.parametrize("n_epochs", [1, 25])
def test_losses_that_are_never_a_number_are_a_sentence(value: float, n_epochs: int) -> None:
    broken = losses([value] * n_epochs)
    assert said(broken, broken).startswith("cannot tell: in every epoch ")
    assert curve_figures(broken, "best_loss")["not_finite"] == n_epochs


def test_epochs_without_a_number_are_left_out_and_counted() -> None:
    broken = rising(12, 0.01)
    broken.loc[3, "val/loss"] = NAN
    text = said(broken, rising(12, 0.011), rising(12, 0.012))
    assert text.startswith("overfits")
    assert text.endswith("; left out, NaN or infinite: 1 epoch")


def test_runs_without_a_finite_epoch_in_common_are_a_sentence() -> None:
    odd, even = rising(12, 0.01), rising(12, 0.01)
    odd.loc[odd["epoch"] % 2 == 1, "val/loss"] = even.loc[even["epoch"] % 2 == 0, "val/loss"] = NAN
    for runs in ([odd, even], [odd, even, odd]):
        text = said(*runs)
        assert text.startswith(f"cannot tell: no epoch has finite values in all of {len(runs)} runs")
        assert numbers(text)[-1] == 20 * len(runs)


@pytest.mark.parametrize("loss", [[0.0] * 8, [0.5, 0.2, *[0.0] * 6], [0.5, 0.0, *[0.4] * 6]])
def test_a_loss_of_0_has_no_share_by_which_it_rises(loss: list[float]) -> None:
    assert said(*[losses(loss)] * 3).startswith("cannot tell: a validation loss is 0, ")


def test_the_last_finite_epoch_is_no_end_after_which_longer_training_might_help() -> None:
    broken = losses(list(np.linspace(1.0, 0.3, 8)))
    assert "lowest at the end, epoch 8 (3 runs); longer training may" in said(*[broken] * 3)
    broken.loc[broken["epoch"] >= 6, ["val/loss", "train/loss"]] = NAN
    text = said(*[broken] * 3)
    assert text.startswith("does not overfit: the mean validation loss was lowest in epoch 5, the last with finite ")
    assert text.endswith(" in all runs (3 runs); left out, NaN or infinite: 9 epochs")


def test_an_end_that_only_some_runs_reach_is_none_of_all() -> None:
    whole = losses(list(np.linspace(1.0, 0.3, 10)))
    assert "longer training" not in said(whole, whole, whole[:9])
