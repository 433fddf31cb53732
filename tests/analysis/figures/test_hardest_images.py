import re
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure

from analysis import AnalysisError
from analysis.comparison.comparison import compare
from analysis.comparison.rows import image_means
from analysis.figures.hardest_images import agreement, draw_zoom, hardest_images_figure, worst_place
from analysis.figures.mask_grid import COLOURS
from tests.analysis.studies import MODELS, predictions, scored, seen, square, study


def test_the_hardest_image_comes_first_with_mean_and_range_over_models() -> None:
    made = study(models=MODELS[2:4])
    easy = replace(predictions(0), masks=predictions(0).masks)
    hard = predictions(4)
    mixed = {rule: {**easy.masks[rule], "image-2": hard.masks[rule]["image-2"]} for rule in easy.masks}
    one = replace(easy, masks=mixed)
    means = image_means(compare(seen(made, {"r0s0": one, "r1s0": one})).shown_scores)
    # Four columns off of 16: 12·16 shared, 20·16 in the union.
    assert means.iloc[0].tolist() == ["image-2", pytest.approx(192 / 320), pytest.approx(0.6), pytest.approx(0.6), 2]
    assert means["iou"].tolist() == sorted(means["iou"])


def test_agreement_is_the_share_of_masks_that_say_foreground() -> None:
    share = agreement([square(0, 0, 4, 8), square(0, 2, 4, 8)])
    assert [share[0, 0], share[0, 3], share[0, 5], share[7, 7]] == [0.5, 1.0, 0.5, 0.0]


@pytest.mark.parametrize("at", [(0, 0), (50, 20), (63, 63)])
def test_the_worst_place_holds_the_densest_errors_and_lies_inside(at: tuple[int, int]) -> None:
    truth = np.zeros((64, 64), dtype=bool)
    prediction = truth.copy()
    prediction[at] = True
    rows, columns = worst_place(truth, prediction)
    assert rows.start <= at[0] < rows.stop
    assert columns.start <= at[1] < columns.stop
    assert (rows.stop - rows.start, columns.stop - columns.start) == (13, 13)
    assert min(rows.start, columns.start) >= 0
    assert max(rows.stop, columns.stop) <= 64


def test_without_a_photograph_the_zoom_shows_only_the_four_colours() -> None:
    axes = Figure().add_subplot()
    draw_zoom(axes, square(4, 4, 16), square(4, 7, 16))
    shown = {tuple(pixel) for pixel in np.asarray(axes.images[0].get_array()).reshape(-1, 3)}
    assert shown <= set(COLOURS.values())


def test_a_figure_without_photographs_holds_none_of_their_pixels() -> None:
    made = study(models=MODELS[2:4])
    figure = hardest_images_figure(compare(made), made.predictions, "command", photographs=False)
    pictures = [np.asarray(image.get_array()) for axes in figure.axes for image in axes.images]
    coloured = [picture for picture in pictures if picture.ndim == 3]
    assert len(coloured) == 8
    assert {tuple(p) for picture in coloured for p in picture.reshape(-1, 3)} <= set(COLOURS.values())
    with_them = hardest_images_figure(compare(made), made.predictions, "command")
    values = [np.asarray(image.get_array()) for axes in with_them.axes for image in axes.images]
    assert any(200 in picture and picture.ndim == 3 for picture in values)


def test_the_caption_says_n_run_and_command() -> None:
    made = study(models=MODELS[2:4])
    text = hardest_images_figure(compare(made), made.predictions, "python -m analysis a/b").texts[0].get_text()
    words = text.replace("\n", " ")
    assert re.search(r"n = 4 test images, .* 2 models.*\(run r0s0\); .* python -m analysis a/b", words)


def test_the_hardest_images_of_all_folds_are_drawn_each_by_a_run_that_was_tested_on_it() -> None:
    hard, easy = np.array([0.7, 0.6]), np.array([0.95, 0.9])
    made = scored({(0, 1, 0): easy, (0, 2, 0): hard, (1, 1, 0): easy - 0.1, (1, 2, 0): hard - 0.1})
    figure = hardest_images_figure(compare(made), made.predictions, "c")
    assert [axes.get_title() for axes in figure.axes[:12:3]] == ["i2-1", "i2-0", "i1-1", "i1-0"]
    assert [axes.get_xlabel() for axes in figure.axes[2:12:3]] == ["2 models"] * 4
    words = figure.texts[-1].get_text().replace("\n", " ")
    name = "U-Net / backbone00"
    assert f"of {name} (run m0f2s0) on i2-1, i2-0 and of {name} (run m0f1s0) on i1-1, i1-0; drawn" in words


def test_where_the_best_model_was_not_tested_the_next_one_is_drawn_and_named() -> None:
    hard, easy = np.array([0.7, 0.6]), np.array([0.95, 0.9])
    made = scored({(0, 1, 0): easy, (1, 1, 0): easy - 0.1, (1, 2, 0): hard - 0.1})
    figure = hardest_images_figure(compare(made), made.predictions, "c")
    assert [axes.get_title() for axes in figure.axes[:12:3]] == ["i2-1", "i2-0", "i1-1", "i1-0"]
    assert [axes.get_xlabel() for axes in figure.axes[2:12:3]] == ["1 model", "1 model", "2 models", "2 models"]
    words = figure.texts[-1].get_text().replace("\n", " ")
    assert "over models that were tested on each, 1 to 2 models, one run each" in words
    assert "of U-Net / backbone01 (run m1f2s0) on i2-1, i2-0 and of U-Net / backbone00 (run m0f1s0) on i1-1" in words
    assert ", of each image the best model that was tested on it; drawn" in words


def test_no_predictions_at_all_is_one_sentence() -> None:
    made = seen(study(models=MODELS[:1]), {})
    with pytest.raises(AnalysisError, match="no hard images to draw"):
        hardest_images_figure(compare(made), made.predictions, "command")
