"""Axes and media, from values."""

import math
import re
from itertools import pairwise
from typing import Any

import pytest

from common.text import size
from server.pages.charts import axis_scale, line_chart, plots
from server.pages.media import images
from server.pages.render import duration, number
from tests.server import markup


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0.13, 0.97, [0.2, 0.4, 0.6, 0.8]),
        (-3, 42, [0, 10, 20, 30, 40]),
        (1, 30, [10, 20, 30]),
    ],
)
def test_ticks_are_round_numbers_within_the_range(low: float, high: float, expected: list[float]) -> None:
    assert axis_scale.ticks(low, high) == pytest.approx(expected)


@pytest.mark.parametrize("scale", [axis_scale.Scale, axis_scale.LogScale])
@pytest.mark.parametrize(
    ("low", "high"),
    [
        *((1000.1, 1000.6), (1e6, 1e6 + 0.001), (1000.4, 1001.6), (123456, 123457), (0.5, 0.5000001), (1, 1 + 1e-9)),
        *((1.05, 1.06), (0.1, 0.9), (1, 1e5), (2e-7, 2.1e-7), (9.1, 11.9)),
    ],
)
def test_labels_of_a_narrow_range_are_true(
    scale: type[axis_scale.Scale | axis_scale.LogScale], low: float, high: float
) -> None:
    made = scale.over([low, high])
    marks = made.ticks()
    assert len(marks) > 1
    values = [float(label) + float(made.origin or 0) for _, label in marks]
    steps = [after - before for before, after in pairwise(values)]
    assert [made.share(value) for value in values] == pytest.approx([share for share, _ in marks], abs=0.01)
    assert min(steps) > 0
    assert max(len(label) for _, label in marks) <= 7, "there is room beside the axis"


@pytest.mark.parametrize("values", [[1.0, math.nextafter(1.0, 2)], [7.0], [1e-300, 1e300], [3e305, 4e305], [5e-324, 1]])
def test_a_logarithmic_axis_has_place_for_any_finite_values_above_0(values: list[float]) -> None:
    made = axis_scale.LogScale.over(values)
    labels = [label for _, label in made.ticks()]
    assert all(0 <= made.share(value) <= 1 for value in values)
    assert len(set(labels)) == len(labels)
    assert made.origin == ""


def test_an_axis_of_whole_numbers_has_no_ticks_between_them() -> None:
    drawn = line_chart.chart("x", [line_chart.Line("", [(1.0, 0.5), (3.0, 0.75)])], "run")
    assert re.findall(r'text-anchor="middle">(.*?)<', drawn) == ["1", "2", "3", "run"]


@pytest.mark.parametrize(("n", "note"), [(11, ""), (55, ", the first 40 of 55 classes")])
def test_classes_of_a_confusion_matrix_are_in_natural_order_and_those_left_out_are_counted(n: int, note: str) -> None:
    rows = [{"Actual": f"class {at}", "Predicted": f"class {at}", "nPredictions": 1} for at in range(n)]
    figure = markup.read(plots.draw("wandb/confusion_matrix/v1", {}, "cm", rows) or "")
    names = [f"class {at}" for at in range(min(n, plots.MAX_CLASSES))]
    assert [th.text for th in figure.all("th", scope="col")] == names
    assert [th.text for th in figure.all("th", scope="row")] == names
    assert figure.one("small").text == f"rows: actual, columns: predicted{note}"


def test_images_come_with_their_masks_and_the_last_ones_win() -> None:
    mask = {"_type": "mask", "path": "media/images/mask/m.png"}
    single = {"_type": "image-file", "path": "old.png"}
    many = {
        "_type": "images/separated",
        "filenames": ["a.png", "b.png"],
        "captions": ["one", "two"],
        "all_masks": [{"truth": mask}, None],
    }
    found = images.pictures([{"shown": single, "x": 1}, {"shown": many}])
    assert [(p.path, p.caption, p.masks) for p in found] == [
        ("a.png", "one", {"truth": "media/images/mask/m.png"}),
        ("b.png", "two", {}),
    ]


@pytest.mark.parametrize(
    "value",
    [
        {"_type": "images/separated", "filenames": 3, "captions": {}, "all_masks": "x"},
        {"_type": "images/separated", "filenames": ["a.png"], "captions": 3, "all_masks": {"a": 1}},
        {"_type": "images/separated", "filenames": [["a.png"], None, "a.png"], "captions": [[1]], "all_masks": [3]},
        {"_type": "image-file", "path": ["a.png"], "masks": {"m": {"path": []}}},
        {"_type": ["image-file"], "path": "a.png"},
    ],
)
def test_media_that_make_no_sense_are_passed_over(value: dict[str, Any]) -> None:
    assert [p.path for p in images.pictures([{"deep": {"shown": value}}])] in ([], ["a.png"])


def test_values_are_written_for_people() -> None:
    assert [number(v) for v in (0.123456, 12345, None, "a", True, [1])] == [
        *("0.1235", "12\u2009345", "–", "a", "True", "[1]")
    ]
    assert number("x" * 2000) == "x" * 1000 + " … (2000 characters)"
    assert [size(n) for n in (0, 999, 1500, 2_500_000)] == ["0 B", "999 B", "1.5 kB", "2.5 MB"]
    assert [duration(s) for s in (None, 5.4, 65, 3700)] == ["–", "0:05", "1:05", "1:01:40"]
