"""Charts and media, from values."""

import math
import re

import pytest

from server.pages import charts, curves, media
from server.pages.render import duration, number, size


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
    assert charts.ticks(low, high) == pytest.approx(expected)


def test_an_axis_of_whole_numbers_has_no_ticks_between_them() -> None:
    drawn = charts.chart("x", [charts.Line("", [(1.0, 0.5), (3.0, 0.75)])], "run")
    assert re.findall(r'text-anchor="middle">(.*?)<', drawn) == ["1", "2", "3"]


def test_train_and_val_of_a_metric_share_a_chart() -> None:
    rows = [
        {"epoch": e, "_step": e, "train/loss": 1 / e, "val/loss": 2 / e, "lr": 0.1 * e} for e in (1, 2, 3)
    ]
    drawn = curves.charts(rows)
    assert [re.search("<figcaption>(.*?)<", chart)[1] for chart in drawn] == ["loss", "lr"]  # type: ignore[index]
    assert drawn[0].count("<path") == 2
    assert ">train</text>" in drawn[0]
    assert "against epoch" in drawn[0]


def test_a_single_number_texts_and_wandbs_own_keys_are_no_curves() -> None:
    rows = [{"_step": 0, "once": 1, "_runtime": 1, "text": "a"}, {"_step": 1, "_runtime": 2, "text": "b"}]
    assert curves.charts(rows) == []


def test_nan_interrupts_a_line() -> None:
    points = [(0.0, 1.0), (1.0, math.nan), (2.0, 3.0), (3.0, 4.0)]
    drawn = charts.chart("x", [charts.Line("", points)], "step")
    [path] = re.findall(r' d="(.*?)"', drawn)
    assert [part[0] for part in path.split("L")] == ["M", path.split("L")[1][0]]
    assert path.count("M") == 2
    assert "nan" not in path


def test_a_constant_and_nothing_at_all_can_be_drawn() -> None:
    assert "<path" in charts.chart("x", [charts.Line("", [(0.0, 5.0), (1.0, 5.0)])], "step")
    assert charts.chart("x", [charts.Line("", [(0.0, math.nan)])], "step") == ""


def test_long_lines_keep_their_ends() -> None:
    points = [(float(i), 0.0) for i in range(10_000)]
    thin = charts.thin(points)
    assert (thin[0], thin[-1], len(thin)) == (points[0], points[-1], charts.MAX_POINTS)


def test_images_come_with_their_masks_and_the_last_ones_win() -> None:
    mask = {"_type": "mask", "path": "media/images/mask/m.png"}
    single = {"_type": "image-file", "path": "old.png"}
    many = {
        "_type": "images/separated",
        "filenames": ["a.png", "b.png"],
        "captions": ["one", "two"],
        "all_masks": [{"truth": mask}, None],
    }
    found = media.pictures([{"shown": single, "x": 1}, {"shown": many}])
    assert [(p.path, p.caption, p.masks) for p in found] == [
        ("a.png", "one", {"truth": "media/images/mask/m.png"}),
        ("b.png", "two", {}),
    ]


def test_values_are_written_for_people() -> None:
    assert [number(v) for v in (0.123456, 12345, None, "a", True, [1])] == [
        *("0.1235", "12\u2009345", "–", "a", "True", "[1]")
    ]
    assert [size(n) for n in (0, 999, 1500, 2_500_000)] == ["0 B", "999 B", "1.5 kB", "2.5 MB"]
    assert [duration(s) for s in (None, 5.4, 65, 3700)] == ["–", "5 s", "1 min 05 s", "1 h 01 min"]
