from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from analysis import AnalysisError
from analysis.pull.predictions import StoredPredictions, read_predictions
from tests.analysis.fakes import write_predictions
from tests.analysis.studies import square


def test_predictions_are_read_as_bool_masks_and_rgb_images(tmp_path: Path) -> None:
    write_predictions(tmp_path, ["image-10", "image-9"])
    read = read_predictions(tmp_path)
    assert list(read.truth) == ["image-9", "image-10"]
    np.testing.assert_array_equal(read.truth["image-9"], square(2, 2, 4, 8))
    assert not read.masks["best_iou"]["image-9"].any()
    assert read.images["image-9"].shape == (8, 8, 3)


def test_stored_predictions_are_read_when_they_are_asked_for(tmp_path: Path) -> None:
    stored = StoredPredictions({"r1": (tmp_path / "later", '{"rule": "best_iou"}')})
    assert (list(stored), len(stored), "r1" in stored) == (["r1"], 1, True)
    write_predictions(tmp_path / "later", ["image-1"])
    assert list(stored["r1"].truth) == ["image-1"]
    assert stored["r1"].metadata == {"rule": "best_iou"}


def test_a_file_that_is_no_picture_is_one_sentence_that_names_the_folder(tmp_path: Path) -> None:
    write_predictions(tmp_path, ["image-1"])
    (tmp_path / "truth/image-1.png").write_text("no picture")
    with pytest.raises(AnalysisError, match=r"holds a file that is no picture .* delete that folder"):
        read_predictions(tmp_path)


@pytest.mark.parametrize("change", ["missing", "smaller"])
def test_masks_that_do_not_fit_the_truth_are_refused(tmp_path: Path, change: str) -> None:
    write_predictions(tmp_path, ["image-1", "image-2"])
    file = tmp_path / "best_iou/image-2.png"
    file.unlink()
    if change == "smaller":
        Image.fromarray(np.zeros((4, 4), np.uint8)).save(file)
    with pytest.raises(AnalysisError, match="best_iou does not hold one mask of the truth's size"):
        read_predictions(tmp_path)
