from typing import Any

import pandas as pd
import pytest

from analysis.comparison.row_labels import (
    best_settings,
    label,
    mixed_data_warning,
    one_per_seed,
    with_models,
    with_splits,
)


def runs(*changes: dict[str, Any]) -> pd.DataFrame:
    base = {
        **{"architecture": "unet", "backbone": "resnet18", "weights": "none", "augmentation": "light", "width": 64},
        **{"image_size": 128, "learning_rate": 1e-3, "batch_size": 2, "epochs": 20, "seed": 1, "split_seed": 0},
        **{"data_digest": "d1", "val/iou": 0.9, "test/iou": 0.9},
    }
    return pd.DataFrame([{"run_id": str(i), **base, **change} for i, change in enumerate(changes)])


SCRATCH = {"architecture": "unet_transposed", "backbone": "none"}


@pytest.mark.parametrize(
    ("architecture", "backbone", "expected"),
    [
        ("unet_transposed", "none", "U-Net, transposed"),
        ("unet_bilinear", "none", "U-Net, bilinear"),
        ("unet", "resnet18", "U-Net / resnet18"),
        ("deeplabv3plus", "tu-tf_efficientnet_lite0", "DeepLabV3+ / tf_efficientnet_lite0"),
    ],
)
def test_a_model_has_the_fields_name(architecture: str, backbone: str, expected: str) -> None:
    assert label({"architecture": architecture, "backbone": backbone, "weights": "none"}) == expected


DRAWN, PRETRAINED, VGG = {"weights": "drawn"}, {"weights": "imagenet"}, {"backbone": "vgg11"}
RESNET = "U-Net / resnet18"


@pytest.mark.parametrize(
    ("changes", "models"),
    [
        ([{"seed": 1}, {"seed": 2}], [RESNET] * 2),
        (
            [SCRATCH, {}, PRETRAINED, VGG | PRETRAINED],
            ["U-Net, transposed", f"{RESNET}, from scratch", f"{RESNET}, ImageNet", "U-Net / vgg11, ImageNet"],
        ),
        (
            [DRAWN, {}, SCRATCH | DRAWN, SCRATCH],
            [f"{RESNET}, drawings", f"{RESNET}, from scratch", "U-Net, transposed, drawings", "U-Net, transposed"],
        ),
        ([{}, VGG | PRETRAINED], [f"{RESNET}, from scratch", "U-Net / vgg11, ImageNet"]),
        ([SCRATCH, PRETRAINED, VGG | PRETRAINED], ["U-Net, transposed", RESNET, "U-Net / vgg11"]),
        (
            [{}, {"augmentation": "strong"}, {"image_size": 512}],
            [f"{RESNET}, light, 128 px", f"{RESNET}, strong, 128 px", f"{RESNET}, light, 512 px"],
        ),
        (
            [{"width": 16}, {"width": 32}, SCRATCH | {"width": 16}, SCRATCH | {"width": 32}],
            [RESNET, RESNET, "U-Net, transposed, 16 wide", "U-Net, transposed, 32 wide"],
        ),
    ],
    ids=["seeds", "weights", "drawings", "weights between backbones", "weights that all share", "fields", "width"],
)
def test_a_model_is_named_with_what_varies_and_has_it(changes: list[dict[str, Any]], models: list[str]) -> None:
    """Weights with every backbone once they vary, width only where the U-Net is written here."""
    assert with_models(runs(*changes))["model"].tolist() == models


def test_another_schedule_is_another_setting_and_no_repetition() -> None:
    """Of two schedules the one that is better in validation is kept."""
    tried = runs({"schedule": "constant", "val/iou": 0.8}, {"schedule": "cosine", "val/iou": 0.9})
    kept, sentence = best_settings(with_models(tried))
    assert list(kept["schedule"]) == ["cosine"]
    assert sentence
    assert "schedule" in sentence


def test_of_several_learning_rates_the_one_best_in_validation_is_kept_and_the_test_is_not_asked() -> None:
    kept, sentence = best_settings(
        with_models(
            runs(
                {"learning_rate": 1e-3, "val/iou": 0.90, "test/iou": 0.80},
                {"learning_rate": 1e-3, "val/iou": 0.92, "test/iou": 0.81, "seed": 2},
                {"learning_rate": 1e-2, "val/iou": 0.99, "test/iou": 0.99},
                {"learning_rate": 1e-2, "val/iou": 0.10, "test/iou": 0.99, "seed": 2},
                {"learning_rate": 1e-4, "val/iou": 0.50, "test/iou": 0.95},
            )
        )
    )
    assert kept["run_id"].tolist() == ["0", "1"]
    assert sentence is not None
    assert "learning rate" in sentence
    assert "2 of 5 runs" in sentence


def test_models_with_one_setting_each_leave_nothing_to_choose() -> None:
    everything = with_models(runs({}, {"backbone": "vgg11", "learning_rate": 1e-4}))
    kept, sentence = best_settings(everything)
    assert sentence is None
    assert len(kept) == 2


def test_runs_on_different_data_are_a_warning() -> None:
    assert "2 different data sets" in (mixed_data_warning(runs({}, {"data_digest": "d2"})) or "")


def test_another_split_or_size_explains_another_digest() -> None:
    other_split, other_size = {"split_seed": 1, "data_digest": "d2"}, {"image_size": 256, "data_digest": "d3"}
    assert mixed_data_warning(runs({}, other_split, other_size)) is None


def placed(*changes: dict[str, Any]) -> pd.DataFrame:
    return with_splits(with_models(runs(*changes)))


def test_the_split_is_the_fold_and_runs_without_one_are_on_the_datas_own() -> None:
    assert placed({"fold": 2}, {"fold": None})["split"].tolist() == ["2", "0"]
    assert placed({}, {})["split"].tolist() == ["0", "0"]
    assert placed({"split_seed": 0}, {"split_seed": 3})["split"].tolist() == ["0/0", "0/3"]


def test_folds_of_a_cross_validation_are_told_from_re_splits_beside_them() -> None:
    both = with_splits(runs({"fold": 1, "folds": 6}, {"fold": 1, "folds": 0}, {"fold": 1}))
    assert list(both["split"]) == ["1 of 6", "1", "1"]
    assert list(with_splits(runs({"fold": 2, "folds": 6}))["split"]) == ["2"]


def test_a_run_without_a_seed_repeats_nothing() -> None:
    assert placed({"seed": None}, {"seed": None})["repeat"].tolist() == ["0", "1"]


def test_of_runs_with_equal_seeds_the_one_created_last_counts() -> None:
    made = placed({"created_at": "2026-02-01"}, {"created_at": "2026-01-01"}, {"seed": 2, "created_at": "2026-01-01"})
    kept, sentence = one_per_seed(made)
    assert kept["run_id"].tolist() == ["0", "2"]
    assert sentence is not None
    assert sentence.startswith("1 of 3 runs repeat ")


def test_equal_seeds_on_other_splits_or_data_are_no_repetition() -> None:
    kept, sentence = one_per_seed(placed({"fold": 1}, {"fold": 2}, {"fold": 2, "data_digest": "d2"}))
    assert len(kept) == 3
    assert sentence is None


def test_folds_see_different_pictures_without_a_warning() -> None:
    assert mixed_data_warning(runs({"fold": 1, "data_digest": "a"}, {"fold": 2, "data_digest": "b"})) is None
    assert mixed_data_warning(runs({"fold": 1, "data_digest": "a"}, {"fold": 1, "data_digest": "b"})) is not None
    beside = runs({"fold": 1, "folds": 6, "data_digest": "a"}, {"fold": 1, "folds": 0, "data_digest": "b"})
    assert mixed_data_warning(beside) is None
    assert mixed_data_warning(beside.assign(folds=[float("nan"), 0])) is not None


def test_two_backbones_never_share_a_name() -> None:
    both = with_models(runs({}, {"backbone": "tu-resnet18"}, {"backbone": "tu-efficientnet_lite0"}))
    assert list(both["model"]) == [RESNET, "U-Net / tu-resnet18", "U-Net / efficientnet_lite0"]


def test_other_visits_are_another_setting_and_another_size_of_scores_another_model() -> None:
    made = with_models(runs({"repeats": 7}, {"repeats": 14, "val/iou": 0.95}, {"repeats": 14, "seed": 2}))
    kept, sentence = best_settings(made)
    assert list(kept["run_id"]) == ["1", "2"]
    assert sentence is not None
    assert sentence.startswith("Settings of repeats vary: ")
    sizes = with_models(runs({"score_size": 1024}, {"score_size": 512}))
    assert list(sizes["model"]) == [f"{RESNET}, scored at 1024 px", f"{RESNET}, scored at 512 px"]
