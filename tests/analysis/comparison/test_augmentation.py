import pandas as pd
import pytest
from scipy import stats

from analysis.comparison.augmentation import augmentation_effects, welch
from tests.analysis.studies import history, numbers


def study(**best: list[int]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Runs and curves of one model: strength → the epoch of the lowest validation loss of each run, of 60 epochs."""
    rows = [
        {
            **{"run_id": f"{strength}{i}", "architecture": "unet", "backbone": "resnet34", "weights": "none"},
            **{"augmentation": strength, "test/rule": "best_loss", "epochs": 60},
        }
        for strength, epochs in best.items()
        for i in range(len(epochs))
    ]
    curves = [
        history(f"{strength}{i}", epochs=60, best=epoch)
        for strength, epochs in best.items()
        for i, epoch in enumerate(epochs)
    ]
    return pd.DataFrame(rows), pd.concat(curves, ignore_index=True)


def test_stronger_augmentation_that_delays_the_best_epoch_is_said_to_with_figures() -> None:
    (sentence,) = augmentation_effects(*study(light=[12, 14, 16], strong=[29, 31, 33]))
    assert sentence.startswith("U-Net / resnet34: strong augmentation in place of light delays ")
    assert numbers(sentence)[:9] == [14, 2, 31, 2, 17, 95, 12, 22, 3]


@pytest.mark.parametrize(
    ("first", "second", "figures"),
    [
        ([10, 30, 20], [15, 35, 20], "difference +3"),
        ([12], [40], "difference +28, no interval"),
        ([12, 12], [14, 14], "no interval"),
    ],
    ids=["within the noise", "one run each", "runs without spread"],
)
def test_a_difference_that_proves_nothing_cannot_be_told(first: list[int], second: list[int], figures: str) -> None:
    (sentence,) = augmentation_effects(*study(none=first, light=second))
    assert "cannot tell whether light" in sentence
    assert figures in sentence


def test_weaker_augmentation_is_compared_with_the_next_stronger_one_that_is_there() -> None:
    sentences = augmentation_effects(*study(strong=[30, 31], none=[10, 11], light=[20, 21]))
    assert [sentence.split(": ")[1].split(" delays")[0] for sentence in sentences] == [
        "light augmentation in place of none",
        "strong augmentation in place of light",
    ]


@pytest.mark.parametrize("lost", ["light", "strong"])
def test_a_strength_whose_losses_were_never_finite_is_named(lost: str) -> None:
    runs, curves = study(light=[12, 14], strong=[30, 31])
    curves.loc[curves["run_id"].str.startswith(lost), "val/loss"] = float("nan")
    (sentence,) = augmentation_effects(runs, curves)
    assert sentence == (
        "U-Net / resnet34: cannot tell whether strong augmentation in place of light moves the lowest validation loss:"
        f" no run with {lost} has an epoch of finite values"
    )


def test_a_best_epoch_near_the_end_may_be_later() -> None:
    (sentence,) = augmentation_effects(*study(light=[12, 13], strong=[59, 60]))
    assert "to 60 ± 1 or later" in sentence


def test_runs_that_differ_in_something_else_are_not_compared() -> None:
    runs, curves = study(light=[12, 14], strong=[30, 31])
    for name, values in {"epochs": [60, 100], "image_size": [256, 512], "score_size": [512, 1024]}.items():
        assert augmentation_effects(runs.assign(**{name: [values[0]] * 2 + [values[1]] * 2}), curves) == [], name
    assert augmentation_effects(runs.drop(columns="augmentation"), curves) == []


def test_a_sentence_names_the_weights_where_they_differ() -> None:
    runs, curves = study(none=[10], light=[20])
    pretrained = runs.assign(run_id=runs["run_id"] + "p", weights="imagenet")
    both = pd.concat([curves, curves.assign(run_id=curves["run_id"] + "p")], ignore_index=True)
    sentences = augmentation_effects(pd.concat([runs, pretrained], ignore_index=True), both)
    starts = [sentence.partition(":")[0] for sentence in sentences]
    assert starts == ["U-Net / resnet34, from scratch", "U-Net / resnet34, ImageNet"]


def test_the_interval_is_that_of_welchs_test_in_scipy() -> None:
    a, b = [12.0, 15.0, 13.0, 19.0], [20.0, 31.0, 25.0]
    expected = stats.ttest_ind(b, a, equal_var=False).confidence_interval()
    assert welch(pd.Series(a), pd.Series(b)) == pytest.approx(tuple(expected))
