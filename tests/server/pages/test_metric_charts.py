"""Curves of a run's page: which there are, and that they are true to the data."""

import json
import math
import re
from itertools import pairwise
from typing import Any

import pytest

from server.pages.charts import metric_charts, step_metrics
from server.pages.charts.axis_scale import Scale
from server.pages.charts.line_chart import MAX_POINTS, Line, chart, downsample

Rows = list[dict[str, Any]]


def page(rows: Rows, metrics: list[dict[str, Any]] | None = None, number: int = 1) -> metric_charts.Page:
    """`metrics`: definitions as a configuration holds them. A row's step is its place in the list."""
    stepped = [{"_step": i} | row for i, row in enumerate(rows)]
    survey = metric_charts.Survey(step_metrics.read(json.dumps({"_wandb": {"value": {"m": metrics or []}}})))
    for row in stepped:
        survey.add(row)
    return metric_charts.page(survey, stepped, number)


def titles(drawn: metric_charts.Page) -> list[tuple[str, str]]:
    """Title and axis of each chart."""
    pattern = r'<figcaption>(.*?)(?:</small>)?</fig.*aria-label=".* against (.*?)"'
    found = [re.search(pattern, text) for text in drawn.charts]
    return [(match[1], match[2]) for match in found if match]


def points(drawn: str) -> list[int]:
    """Points of each line of a chart."""
    return [len(re.findall("[Ml]", path)) for path in re.findall(r' d="(.*?)"', drawn)]


def test_train_and_val_of_a_metric_share_a_chart() -> None:
    rows = [{"epoch": e, "train/loss": 1 / e, "val/loss": 2 / e, "lr": 0.1 * e} for e in (1, 2, 3)]
    drawn = page(rows)
    assert titles(drawn) == [("loss", "epoch"), ("lr", "epoch")]
    assert points(drawn.charts[0]) == [3, 3]
    assert ">train</text>" in drawn.charts[0]


def test_a_metric_of_the_machine_is_one_chart_with_a_line_for_each_labelled_process() -> None:
    rows = [{"cpu/l:rank_1": i, "cpu/l:rank_2": 2 * i, "disk./.usageGB/l:rank_1": 5} for i in range(3)]
    drawn = page(rows)
    assert titles(drawn) == [("cpu", "step"), ("disk./.usageGB", "step")]
    assert points(drawn.charts[0]) == [3, 3]
    assert ">rank_1</text>" in drawn.charts[0]
    assert ">rank_2</text>" in drawn.charts[0]


def test_each_metric_keeps_all_its_points_however_many_rows_others_have() -> None:
    rows: Rows = [{"train/loss": 1 / (i + 1)} for i in range(6000)]
    for i in range(299, 6000, 300):
        rows[i]["val/loss"] = 0.5
    [train, val] = points(page(rows).charts[0])
    assert val == 20
    assert MAX_POINTS / 4 < train <= MAX_POINTS


def test_many_points_keep_their_ends_their_extremes_and_their_gaps() -> None:
    values = [math.sin(i) for i in range(100_000)]
    values[0], values[-1], values[31_415], values[27_182], values[50_000] = 0.125, 0.25, 77.0, -99.0, math.nan
    kept = downsample((float(i), value) for i, value in enumerate(values))
    assert len(kept) <= MAX_POINTS
    assert [x for x, _ in kept] == sorted({x for x, _ in kept})
    assert {(0.0, 0.125), (31_415.0, 77.0), (27_182.0, -99.0), (99_999.0, 0.25)} <= set(kept)
    assert [x for x, y in kept if math.isnan(y)] == [50_000.0]
    gaps = [b - a for (a, _), (b, _) in pairwise(kept)]
    assert max(gaps) < 4 * 100_000 / (MAX_POINTS / 4), "early and late points are as dense"


def test_a_metric_is_drawn_against_the_epoch_only_where_each_of_its_rows_has_one() -> None:
    rows: Rows = [{"loss": i, "both": i} | ({"epoch": i, "iou": i} if i % 2 else {}) for i in range(6)]
    assert titles(page(rows)) == [("both", "step"), ("iou", "epoch"), ("loss", "step")]
    assert [points(text) for text in page(rows).charts] == [[6], [3], [6]]
    assert titles(page([{"epoch": 1}, {"epoch": 2}])) == [("epoch", "step")], "nothing else is drawn against it"


def test_an_axis_that_define_metric_asks_for_is_obeyed() -> None:
    rows: Rows = [{"mine": 10 * i, "a/x": i, "a/mine": i, "b": i, "c": i, "epoch": i} for i in range(3)]
    rows += [{"b": 9}, {"plain": 1}, {"plain": 2}]
    metrics: Rows = [
        {"1": "mine"},
        {"2": "a/*", "5": 1, "6": [1]},
        {"1": "a/mine", "6": [3]},
        {"1": "b", "5": 1},
        {"1": "gone", "5": 99},
        {"1": "plain", "5": 1},
    ]
    metrics += [{"1": "unlogged"}]
    drawn = page(rows, metrics)
    assert titles(drawn) == [
        ("b <small>1 value without mine", "mine"),
        ("c", "epoch"),
        ("plain", "step"),
        ("a/mine", "epoch"),
        ("a/x", "mine"),
    ]


@pytest.mark.parametrize(
    "config",
    [
        *("", "[]", '{"_wandb": 3}', '{"_wandb": {"value": []}}', '{"_wandb": {"value": {"m": {"1": "x"}}}}'),
        '{"_wandb": {"value": {"m": [3, null, {"1": 3, "5": "x"}, {"2": [], "5": 1}, {"1": "x", "5": -1}]}}}',
        '{"_wandb": {"value": {"m": [{"1": "x", "5": 2}, {"1": ["y"]}, {"2": "*(", "4": "y"}]}}}',
    ],
)
def test_definitions_that_make_no_sense_define_nothing(config: str) -> None:
    assert step_metrics.read(config).of("x") is None


def test_what_media_keep_about_themselves_is_no_curve() -> None:
    image = {"_type": "image-file", "height": 4, "width": 5, "size": 6, "path": "a.png"}
    row = {
        "one": image,
        "deep": {"er": {"img": image, "n": 1}},
        "h": {"_type": "histogram", "values": [1], "bins": [0, 1]},
        "t": {"_type": "table-file", "ncols": 1, "nrows": 2},
        "flag": True,
        "text": "1",
        "_runtime": 1,
        "_timestamp": 2,
    }
    assert titles(page([row, row])) == [("deep.er.n", "step")]
    assert page([{"once": 1}]).charts == []


def test_all_charts_are_on_some_page_and_the_page_says_which_are_here() -> None:
    rows = [{f"m{i:03}": i + j for i in range(120)} for j in range(2)]
    pages = [page(rows, number=n) for n in range(1, 6)]
    assert [title for each in pages for title, _ in titles(each)] == [f"m{i:03}" for i in range(120)]
    assert [(each.first, each.last, each.total, each.pages) for each in pages[:2]] == [
        (1, 24, 120, 5),
        (25, 48, 120, 5),
    ]
    assert [page(rows, number=n).number for n in (0, -3, 99)] == [1, 1, 5]


HUGE = 1.7e308


@pytest.mark.parametrize(
    "values",
    [
        *([HUGE, -HUGE], [HUGE, HUGE], [-HUGE, 0], [1e-320, 5e-324], [5e-324, 5e-324], [0, 5e-324], [5e-324, HUGE]),
        *(
            [1e308, math.nextafter(1e308, 0)],
            [0.3, 0.1 + 0.2],
            [1e9, 1e9 + 1],
            [2**62, 2**62 + 1],
            [-(2**63), 2**63 - 1],
        ),
        *([7], [0], [-0.0], [1.7e9, 1.7e9 + 0.25], [1e-300, 2e-300], [1e200, -1e-200]),
    ],
)
def test_any_finite_values_have_a_place_and_ticks_that_can_be_told_apart(values: list[float]) -> None:
    scale = Scale.over(values)
    shares = [scale.share(value) for value in values]
    assert all(0 <= share <= 1 for share in shares)
    assert len(set(shares)) == len(set(values))
    marks = scale.ticks()
    assert all(-1e-9 <= share <= 1 + 1e-9 for share, _ in marks)
    assert 1 < len({label for _, label in marks}) == len(marks)
    drawn = chart("x", [Line("", [(x, y) for x in values for y in values])], "step")
    assert not re.search("nan|inf", drawn)


def test_steps_beyond_the_whole_numbers_of_a_float_stay_apart() -> None:
    rows = [{"_step": 2**60 + i, "x": i} for i in range(3)]
    survey = metric_charts.Survey(step_metrics.read(""))
    for row in rows:
        survey.add(row)
    [drawn] = metric_charts.page(survey, rows, 1).charts
    assert re.findall(r'text-anchor="middle">(.*?)<', drawn) == ["0", "1", "2", f"step +{2**60}"]
    assert len(set(re.findall(r"l(\d+)", drawn))) == 1, "two steps of one width"


@pytest.mark.parametrize(
    ("values", "note"),
    [
        ([1.0, math.nan, 3.0], "1 value NaN or infinite"),
        ([math.inf, -math.inf], "2 values NaN or infinite"),
        ([5.0, 5.0], ""),
    ],
)
def test_values_that_have_no_place_are_counted(values: list[float], note: str) -> None:
    [drawn] = page([{"x": value} for value in values]).charts
    assert note in drawn
    assert ("<small>" in drawn) == bool(note)
    assert ("<path" in drawn) == any(map(math.isfinite, values))
