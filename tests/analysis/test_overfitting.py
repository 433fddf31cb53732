import pandas as pd
import pytest

from analysis.overfitting import curve_figures, overfitting_figures, verdict


def curves(
    train_loss: list[float], val_loss: list[float], train_iou: list[float], val_iou: list[float]
) -> pd.DataFrame:
    columns = {"train/loss": train_loss, "val/loss": val_loss, "train/iou": train_iou, "val/iou": val_iou}
    return pd.DataFrame({"run_id": "r", "epoch": range(1, len(val_loss) + 1), **columns})


OVERFIT = curves([0.8, 0.4, 0.3, 0.2], [0.8, 0.5, 0.6, 0.75], [0.3, 0.6, 0.8, 0.95], [0.3, 0.6, 0.7, 0.65])


def test_figures_are_those_counted_by_hand() -> None:
    assert curve_figures(OVERFIT, "best_loss") == pytest.approx(
        {
            "epochs": 4,
            "best_epoch": 2,
            "gap_best": 0.0,
            "gap_end": 0.30,
            "val_loss_epoch": 2,
            "val_loss_rise": 0.5,
            "train_loss_fall": 0.5,
        }
    )


def test_the_rule_decides_which_epoch_is_best() -> None:
    figures = curve_figures(OVERFIT, "best_iou")
    assert figures["best_epoch"] == 3
    assert figures["gap_best"] == pytest.approx(0.1)


def test_rising_validation_loss_under_falling_training_loss_is_overfitting_with_its_figures() -> None:
    text = verdict(pd.DataFrame([curve_figures(OVERFIT, "best_loss")]))
    assert text == (
        "overfits after epoch 2 of 4: validation loss rises 50% while training loss falls 50%;"
        " train − val IoU +0.000 at the best epoch, +0.300 at the end"
    )


def test_curves_that_fall_to_the_end_cannot_tell() -> None:
    falling = curves([0.4, 0.3], [0.4, 0.3], [0.5, 0.6], [0.5, 0.6])
    assert verdict(pd.DataFrame([curve_figures(falling, "best_loss")])).startswith(
        "cannot tell: validation loss"
    )


def test_a_flat_end_is_no_clear_overfitting() -> None:
    flat = curves([0.5, 0.3, 0.29], [0.5, 0.30, 0.31], [0.5, 0.6, 0.6], [0.5, 0.6, 0.6])
    assert verdict(pd.DataFrame([curve_figures(flat, "best_loss")])).startswith("no clear overfitting: ")


def test_validation_loss_that_rises_while_training_loss_rises_too_is_not_called_overfitting() -> None:
    diverging = curves([0.5, 0.3, 0.6], [0.5, 0.3, 0.6], [0.5, 0.6, 0.3], [0.5, 0.6, 0.3])
    assert verdict(pd.DataFrame([curve_figures(diverging, "best_loss")])).startswith("no clear overfitting: ")


def test_without_curves_nothing_is_claimed() -> None:
    runs = pd.DataFrame({"run_id": ["r"], "test/rule": ["best_loss"]})
    figures = overfitting_figures(runs, OVERFIT.iloc[:0])
    assert verdict(figures) == "cannot tell: no curves"


def test_a_run_with_nan_losses_only_claims_nothing() -> None:
    nan = float("nan")
    runs = pd.DataFrame({"run_id": ["r"], "test/rule": ["best_loss"]})
    figures = overfitting_figures(runs, curves([nan], [nan], [0.1], [0.1]))
    assert verdict(figures) == "cannot tell: no curves"


def test_every_run_of_the_table_has_its_figures_by_its_own_rule() -> None:
    runs = pd.DataFrame({"run_id": ["r", "q"], "test/rule": ["best_loss", "best_iou"]})
    figures = overfitting_figures(runs, pd.concat([OVERFIT, OVERFIT.assign(run_id="q")]))
    assert dict(zip(figures["run_id"], figures["best_epoch"], strict=True)) == {"r": 2, "q": 3}
