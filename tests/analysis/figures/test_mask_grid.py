from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from analysis import AnalysisError, cli, grids
from analysis.comparison.comparison import compare
from analysis.figures import mask_grid
from analysis.figures.mask_grid import COLOURS, error_picture, heading, masks_figure
from analysis.figures.median_runs import median_runs
from analysis.pull.masks import Predictions
from analysis.pull.study import Study
from tests.analysis.studies import MODELS, noisy, numbers, predictions, seen, square, study


def figure_of(made: Study) -> Figure:
    return masks_figure(compare(made), made.predictions, "python -m analysis a/b")


def test_every_kind_of_pixel_has_its_own_colour() -> None:
    picture = error_picture(square(0, 0, 4, 8), square(0, 2, 4, 8))
    assert tuple(picture[1, 3]) == COLOURS["true positive"]
    assert tuple(picture[1, 5]) == COLOURS["false positive"]
    assert tuple(picture[1, 1]) == COLOURS["false negative"]
    assert tuple(picture[6, 6]) == COLOURS["true negative"]
    assert picture.shape == (8, 8, 3)
    assert (picture == COLOURS["false positive"]).all(axis=2).sum() == 8
    assert (picture == COLOURS["false negative"]).all(axis=2).sum() == 8


def test_colours_stay_apart_without_hue() -> None:
    grey = sorted(np.dot(colour, (0.299, 0.587, 0.114)) for colour in COLOURS.values())
    assert np.diff(grey).min() > 30


def test_rows_are_test_images_and_columns_image_truth_and_every_model() -> None:
    figure = figure_of(study())
    assert len(figure.axes) == 4 * (2 + 8)
    assert figure.axes[0].get_title() == "test image"
    assert figure.axes[1].get_title() == "truth"
    assert figure.axes[2].get_title() == "U-Net, transposed\nIoU 0.882"
    assert [figure.axes[10 * row].get_ylabel() for row in range(4)] == [f"image-{i}" for i in range(4)]


def test_without_photographs_no_panel_holds_one() -> None:
    made = study(models=MODELS[:3])
    figure = masks_figure(compare(made), made.predictions, "command", photographs=False)
    assert len(figure.axes) == 4 * (1 + 3)
    pictures = [np.asarray(axes.images[0].get_array()) for axes in figure.axes]
    assert {tuple(pixel) for picture in pictures for pixel in picture.reshape(-1, 3)} == set(COLOURS.values())


def test_the_iou_of_the_tested_checkpoint_stands_under_each_mask() -> None:
    figure = figure_of(study(models=MODELS[:3]))
    # best_iou is one row down: 16·15 of 2·16² − 16·15; best_loss of model 2 is two columns off.
    labels = {axes.get_xlabel() for axes in figure.axes}
    assert labels == {"", f"{240 / 272:.3f}", f"{15 * 15 / (512 - 225):.3f}", f"{14 * 16 / (512 - 224):.3f}"}


def test_the_drawn_mask_is_that_of_the_labs_rule() -> None:
    made = study(models=[MODELS[2]])
    shown = np.asarray(figure_of(made).axes[2].images[0].get_array())
    predicted = made.predictions["r0s0"]
    stem = next(iter(predicted.truth))
    np.testing.assert_array_equal(shown, error_picture(predicted.truth[stem], predicted.masks["best_loss"][stem]))


@pytest.mark.parametrize(("ious", "expected"), [([0.9, 0.7, 0.8], "r0s2"), ([0.9, 0.7], "r0s1"), ([0.9], "r0s0")])
def test_of_several_runs_the_one_with_the_lower_median_iou_is_shown(ious: list[float], expected: str) -> None:
    made = study(seeds=len(ious), models=[MODELS[2]])
    made.runs["test/iou"] = ious
    assert median_runs(compare(made))["run_id"].tolist() == [expected]


def test_a_model_without_predictions_is_left_out_of_the_grid() -> None:
    made = study()
    kept: Mapping[str, Predictions] = {run_id: p for run_id, p in made.predictions.items() if run_id != "r0s0"}
    figure = figure_of(seen(made, kept))
    assert len(figure.axes) == 4 * (2 + 7)
    assert "7 of 8 models" in figure.texts[0].get_text()


def test_an_image_that_a_model_was_not_tested_on_is_blank() -> None:
    made = study(models=MODELS[:2])
    fewer = {"r0s0": predictions(0), "r1s0": predictions(1, images=3)}
    figure = figure_of(seen(made, fewer))
    assert [axes.axison for axes in figure.axes[3::4]] == [True, True, True, False]


def test_models_of_a_cross_validation_are_drawn_on_the_images_of_one_fold() -> None:
    made = noisy(seeds=1, folds=(1, 2))
    # The lower of two: of the first model the run on fold 2, of the others that on fold 1.
    made.runs["test/iou"] = [0.99, 0.9, 0.9, 0.98, 0.95, 0.95]
    figure = figure_of(made)
    assert [axes.get_ylabel() for axes in figure.axes[::5]] == [f"image-2-{i}" for i in range(4)]
    assert all(axes.axison for axes in figure.axes)
    assert [axes.get_title().split()[-1] for axes in figure.axes[2:5]] == ["0.980", "0.950", "0.950"]
    words = figure.texts[0].get_text().replace("\n", " ")
    assert words.startswith("3 models, 4 of n = 8 test images (fold 2), trained")
    assert "all test images of that run; of several runs on these the one with the median" in words
    assert "not tested" not in words


def test_the_fold_of_most_models_is_drawn_and_who_was_not_tested_on_it_is_said() -> None:
    made = noisy(seeds=1, folds=(1, 2))
    kept = made.runs["run_id"].isin(["m0f1s0", "m1f2s0", "m2f2s0"])
    made = replace(made, runs=made.runs[kept].reset_index(drop=True))
    figure = figure_of(made)
    assert len(figure.axes) == 4 * (2 + 2)
    assert all(axes.axison for axes in figure.axes)
    words = figure.texts[0].get_text().replace("\n", " ")
    assert words.startswith("2 of 3 models, 4 of n = 8 test images (fold 2)")
    assert "; not tested on these images: U-Net / resnet18, from scratch; drawn" in words


def test_more_models_or_images_than_fit_are_left_out_and_the_caption_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mask_grid, "MOST_IMAGES", 2)
    made = study()
    figure = masks_figure(compare(made), made.predictions, "python -m analysis a/b", models=3)
    assert len(figure.axes) == 2 * (2 + 3)
    caption = figure.texts[0].get_text().replace("\n", " ")
    assert numbers(caption)[:4] == [3, 8, 2, 4]
    assert "python -m analysis a/b" in caption


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "trained at 32×32 pixels, 20 epochs;"),
        ({"epochs": [20, 30]}, "trained at 32×32 pixels;"),
        ({"image_size": [128, 64]}, "trained at 64×64 or 128×128 pixels, 20 epochs;"),
    ],
)
def test_the_caption_says_size_and_epochs(changes: dict[str, list[int]], words: str) -> None:
    made = study(models=MODELS[:2])
    figure = figure_of(replace(made, runs=made.runs.assign(**changes)))
    assert words in figure.texts[0].get_text().replace("\n", " ")


def test_a_heading_is_broken_between_the_parts_of_a_name() -> None:
    assert heading({"model": "U-Net / mobilenet_v2, from scratch", "test/iou": 0.5}).split("\n") == [
        *("U-Net", "mobilenet_v2,", "from scratch", "IoU 0.500")
    ]


def test_no_predictions_at_all_is_one_sentence() -> None:
    with pytest.raises(AnalysisError, match="no masks to draw"):
        figure_of(seen(study(), {}))


def test_pictures_of_different_size_fit_on_one_grid() -> None:
    made = study(models=MODELS[:2])
    sizes = {"r0s0": predictions(0), "r1s0": predictions(1, size=512)}
    runs = made.runs.assign(image_size=pd.Series([32, 512]))
    assert len(figure_of(seen(replace(made, runs=runs), sizes)).axes) == 16


def test_the_command_draws_as_many_models_as_are_asked_for_and_says_how(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    figures: list[Figure] = []
    monkeypatch.setattr(cli, "pull", lambda paths: study())
    monkeypatch.setattr(Figure, "savefig", lambda figure, file, format: figures.append(figure))
    assert grids.main(["a/b", "--models", "2", "--out", str(tmp_path)]) == 0
    caption = figures[0].texts[0].get_text().replace("\n", " ")
    assert caption.startswith("2 of 8 models")
    assert caption.endswith("drawn by: python -m analysis.grids a/b --models=2")
