import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.curves.overfitting import curve_figures, estimate, overfitting_figures, rise, verdict

NAN = math.nan


def curves(
    train_loss: list[float], val_loss: list[float], train_iou: list[float], val_iou: list[float]
) -> pd.DataFrame:
    columns = {"train/loss": train_loss, "val/loss": val_loss, "train/iou": train_iou, "val/iou": val_iou}
    return pd.DataFrame({"run_id": "r", "epoch": range(1, len(val_loss) + 1), **columns})


def losses(val: list[float], train: list[float] | None = None) -> pd.DataFrame:
    """Curves with these losses; the training loss falls evenly unless it is given. IoU does not move."""
    return curves(train or list(np.linspace(0.9, 0.1, len(val))), val, [0.8] * len(val), [0.7] * len(val))


def said(*histories: pd.DataFrame) -> str:
    """The sentence for a model whose runs have these curves, all tested at the lowest validation loss."""
    ids = [f"r{i}" for i in range(len(histories))]
    runs = pd.DataFrame({"run_id": ids, "test/rule": "best_loss"})
    named = [curve.assign(run_id=run_id) for run_id, curve in zip(ids, histories, strict=True)]
    return verdict(overfitting_figures(runs, pd.concat(named)))


OVERFIT = curves(
    [0.8, 0.4, 0.3, 0.2, 0.1],
    [0.8, 0.5, 0.6, 0.75, 0.9],
    [0.3, 0.6, 0.8, 0.9, 0.95],
    [0.3, 0.6, 0.7, 0.65, 0.6],
)


def test_figures_are_those_counted_by_hand() -> None:
    # Lowest at epoch 2, its level the median of 0.8, 0.5, 0.6; the end is epochs 3 to 5 with a median of 0.75.
    # Training loss: from the median of 0.8, 0.4, 0.3 to that of 0.3, 0.2, 0.1. Gaps at the end: 0.1, 0.25, 0.35.
    # Validation IoU: from the median of 0.3, 0.6, 0.7 to that of 0.7, 0.65, 0.6.
    assert curve_figures(OVERFIT, "best_loss") == pytest.approx(
        {
            "epochs": 5,
            "best_epoch": 2,
            "val_loss_epoch": 2,
            "gap_start": NAN,
            "gap_best": 0.0,
            "gap_end": 0.25,
            "val_loss_rise": 0.25,
            "train_loss_fall": 0.5,
            "stop_gain": -0.05,
            "not_finite": 0,
        },
        nan_ok=True,
    )


def test_the_rule_decides_which_epoch_is_best() -> None:
    figures = curve_figures(OVERFIT, "best_iou")
    assert figures["best_epoch"] == 3
    assert figures["val_loss_epoch"] == 2


def test_the_end_is_the_last_fifth_of_the_epochs_after_the_best_one() -> None:
    # 20 epochs after the best one, the last 4 of them: 6, 7, 8, 90 with a median of 7.5; level: median of 9, 1, 5.
    curve = pd.Series([9.0, 1.0, *[5.0] * 16, 6.0, 7.0, 8.0, 90.0])
    assert rise(curve, 1) == pytest.approx(0.5)


def test_rising_validation_loss_under_falling_training_loss_is_overfitting_with_its_figures() -> None:
    assert said(OVERFIT) == (
        "overfits from epoch 2 (1 run) of 5: validation loss rises 25% while training loss halves;"
        " train − val IoU +0.000 there, +0.250 at the end;"
        " stopping there changes val IoU by −0.050 and saves 60% of the epochs"
    )


@pytest.mark.parametrize("last", [0.142, 0.5, 100.0])
def test_one_noisy_last_epoch_is_no_overfitting(last: float) -> None:
    flat = [0.5, 0.3, 0.2, *[0.101, 0.102] * 8, 0.1, 0.101, 0.103, 0.102, 0.101, last]
    assert len(flat) == 25
    assert said(losses(flat)).startswith(
        "no clear overfitting: validation loss +1% from epoch 20 (1 run) to 25; "
    )


def test_one_lucky_low_epoch_does_not_make_its_neighbours_a_rise() -> None:
    flat = [0.20, 0.21, 0.20, 0.19, 0.20, 0.10, 0.20, 0.21, 0.19, 0.20, 0.20]
    assert said(losses(flat)).startswith(
        "no clear overfitting: validation loss +0% from epoch 6 (1 run) to 11; "
    )


def test_one_good_last_epoch_does_not_hide_a_rise() -> None:
    rising = [0.5, 0.3, 0.2, 0.21, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.21]
    # Level: median of 0.3, 0.2, 0.21; end: median of 0.5, 0.55, 0.21.
    assert said(losses(rising)).startswith("overfits from epoch 3 (1 run) of 12: validation loss rises 138% ")


@pytest.mark.parametrize(("n_epochs", "after"), [(25, 0), (25, 2), (200, 19)])
def test_too_few_epochs_after_the_best_one_cannot_tell(n_epochs: int, after: int) -> None:
    falling = list(np.linspace(1, 0.1, n_epochs - after))
    best = len(falling)
    assert said(losses(falling + [9.0] * after)).startswith(
        f"cannot tell: validation loss was lowest at epoch {best} (1 run) of {n_epochs}, too near the end; train"
    )


@pytest.mark.parametrize(("n_epochs", "after"), [(25, 3), (200, 20)])
def test_one_epoch_more_can_tell(n_epochs: int, after: int) -> None:
    falling = list(np.linspace(1, 0.1, n_epochs - after))
    assert said(losses(falling + [9.0] * after)).startswith(
        f"overfits from epoch {len(falling)} (1 run) of {n_epochs}"
    )


def test_validation_loss_that_rises_while_training_loss_rises_too_is_not_called_overfitting() -> None:
    diverging = [0.5, 0.3, 0.2, 0.4, 0.6, 0.8]
    text = said(losses(diverging, train=diverging))
    assert text.startswith(
        "no clear overfitting: validation loss +100% from epoch 3 (1 run) to 6, but training loss +100%; "
    )


def test_a_claim_needs_more_than_half_of_the_runs_and_says_how_many_it_has() -> None:
    at_the_end = losses([0.9, 0.8, 0.7, 0.6, 0.5])
    assert said(OVERFIT, at_the_end).startswith(
        "cannot tell: validation loss was lowest at epoch 4 ± 2 (2 runs) of 5, "
    )
    text = said(OVERFIT, OVERFIT, at_the_end)
    assert text.startswith("overfits from epoch 2 ± 0 (2 runs) of 5: validation loss rises 25% [+25%, +25%] ")
    assert text.endswith("; from 2 of 3 runs, the others end too soon after their best epoch")


def test_without_curves_nothing_is_claimed() -> None:
    assert said(OVERFIT.iloc[:0]) == "cannot tell: no curves"


@pytest.mark.parametrize("value", [NAN, math.inf])
@pytest.mark.parametrize("n_epochs", [1, 25])
def test_losses_that_are_never_a_number_are_a_sentence(value: float, n_epochs: int) -> None:
    broken = losses([value] * n_epochs)
    assert (
        said(broken)
        == said(broken, broken)
        == "cannot tell: in every epoch a loss or an IoU is NaN or infinite"
    )


def test_epochs_without_a_number_are_left_out_and_counted() -> None:
    broken = losses([NAN, *OVERFIT["val/loss"], math.inf], train=[0.9, *OVERFIT["train/loss"], 0.1])
    text = said(broken)
    assert text.startswith(
        "overfits from epoch 3 (1 run) of 6: validation loss rises 25% while training loss halves; "
    )
    assert text.endswith("; left out, NaN or infinite: 2 epochs")


def test_every_run_of_the_table_has_its_figures_by_its_own_rule() -> None:
    runs = pd.DataFrame({"run_id": ["r", "q"], "test/rule": ["best_loss", "best_iou"]})
    figures = overfitting_figures(runs, pd.concat([OVERFIT, OVERFIT.assign(run_id="q")]))
    assert dict(zip(figures["run_id"], figures["best_epoch"], strict=True)) == {"r": 2, "q": 3}


def rising(best: int, slope: float, epochs: int = 40) -> pd.DataFrame:
    """Validation loss falls to 0.2 at epoch `best`, then rises by `slope` an epoch; training loss falls on."""
    falling = list(np.linspace(1.0, 0.2, best))
    return losses(falling + [0.2 + slope * i for i in range(1, epochs - best + 1)])


def test_the_verdict_gives_the_spread_of_the_epoch_and_the_interval_of_the_rise_over_seeds() -> None:
    text = said(rising(12, 0.01), rising(14, 0.01), rising(16, 0.01))
    # Standard deviation of 12, 14, 16 is 2.
    assert text.startswith("overfits from epoch 14 ± 2 (3 runs) of 40: validation loss rises ")
    assert "while training loss falls" in text
    assert "and saves 65% of the epochs" in text


def test_seeds_that_disagree_cannot_tell() -> None:
    text = said(rising(12, 0.05), rising(14, 0.0), rising(16, 0.0))
    assert text.startswith("cannot tell: after epoch 14 ± 2 (3 runs) validation loss changes by +")
    assert "[−" in text


def test_where_the_losses_part_is_told_if_most_runs_agree() -> None:
    train = list(np.linspace(0.8, 0.4, 40))
    together = [loss + 0.01 for loss in train[:20]]
    parting = losses(together + [together[-1] + 0.02 * i for i in range(1, 21)], train=train)
    start = curve_figures(parting, "best_loss")["gap_start"]
    assert abs(start - 20) <= 2
    assert f"validation and training loss part from epoch {start:.0f} on" in said(parting)
    assert "part from" not in said(losses([0.5, *[0.3] * 39], train=[0.4, *[0.2] * 39]))


@pytest.mark.parametrize("n", [2, 5, 12])
def test_intervals_are_those_of_scipy(n: int) -> None:
    values = pd.Series(np.random.default_rng(n).normal(size=n))
    found = estimate(values)
    low, high = stats.t.interval(0.95, n - 1, loc=values.mean(), scale=stats.sem(values))
    assert (found.low, found.high) == pytest.approx((low, high))
    assert (found.mean, found.sd, found.n) == pytest.approx((values.mean(), values.std(), n))


def test_one_run_has_no_interval_and_none_has_no_mean() -> None:
    assert math.isnan(estimate(pd.Series([1.0])).low)
    assert math.isnan(estimate(pd.Series([NAN])).mean)


def test_a_rise_of_both_losses_apart_from_a_little_is_no_overfitting() -> None:
    still = losses([0.5, 0.3, 0.2, 0.3, 0.35, 0.4], train=[0.5, 0.3, 0.300, 0.297, 0.296, 0.295])
    # Training loss: from the median of 0.3, 0.3, 0.297 to that of 0.297, 0.296, 0.295: 1 % down.
    assert said(still).startswith(
        "no clear overfitting: validation loss +17% from epoch 3 (1 run) to 6, but training loss −1%; "
    )
