"""Runs over one another: which lines, bands, settings, results and pictures a comparison shows."""

import math
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from starlette.datastructures import QueryParams

from common.colours import MEANINGS, SCALE, SERIES, assign, slot
from server.pages.charts import histories, line_chart, metric_charts
from server.pages.media import images, table_join, wandb_tables
from server.pages.overview import comparison
from server.pages.render import render
from server.store import Connection, Store, projects, runs, users
from tests.server.content import add_project, add_run
from tests.server.markup import Node, read
from tests.server.running import ROOT

STEPS = 10


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """`a1`, `a2`, `b1` of two models: val/loss is 10, 20 and 30 above the step; `c` is elsewhere."""
    opened = Store(tmp_path_factory.mktemp("compare"), lambda: 1.7e9)
    with opened.write() as db:
        here = add_project(db)
        for name, model, height in (("a1", "a", 10), ("a2", "a", 20), ("b1", "b", 30)):
            rows = [
                {"_step": at, "_runtime": 2 * at, "epoch": at + 1, "train/loss": height / 2, "val/loss": height + at}
                for at in range(STEPS)
            ]
            settings = {"model": model, "same": 1, "lr": height}
            add(db, here, name, settings, rows, {"val/loss": height, "test/iou": height})
        there = add_project(db, "q", "other")
        add(db, there, "c", {"model": "c"}, [{"_step": at, "val/loss": at} for at in range(STEPS)])
        add(db, there, "d", {}, [{"_step": at, "val/loss": at, "val/iou": at} for at in range(STEPS)])
    yield opened
    opened.close()


def add(db: Connection, project: int, name: str, *content: Any, **columns: Any) -> int:
    return add_run(db, project, name, *content, **{"display_name": f"run {name}"} | columns)


def page(store: Store, within: str | None = "p", person: Any = users.ADMIN, **asked: Any) -> Node:
    project = projects.find(store.db, "local", within) if within else None
    query = QueryParams(urlencode(asked, doseq=True))
    shown = comparison.gather(store, str, project, query, person)
    return read(render("compare.html", person=None, csrf="", here="", saved=None, **shown))


def drawn(shown: Node) -> dict[str, int]:
    """Name → number of points of the lines of the charts."""
    found = {}
    for line in shown.all("g", class_="line"):
        path = next((each for each in line.children if isinstance(each, Node) and each.tag == "path"), None)
        found[line.attributes["data-name"]] = len(re.findall("[Ml]", path.attributes["d"])) if path else 0
    return found


def legend(shown: Node) -> list[str]:
    return [each.text for each in shown.one(id="legend").all("span", class_="swatch")]


def test_validation_is_a_whole_line_and_training_a_dashed_one_of_the_same_colour(store: Store) -> None:
    shown = page(store, runs=["a1", "b1"])
    assert drawn(shown) == {f"run {name} {split}": STEPS for name in ("a1", "b1") for split in ("train", "val")}
    styles = {
        line.attributes["data-name"]: line.attributes["class"].split()[1:] for line in shown.all("g", class_="line")
    }
    assert styles["run a1 train"] == [*styles["run a1 val"], "dashed"]
    assert styles["run a1 val"] != styles["run b1 val"]
    assert legend(shown) == ["run a1", "run b1"]
    assert [figure.attributes["data-x"] for figure in shown.all("figure", class_="chart")] == ["epoch"]


@pytest.mark.parametrize(
    ("metrics", "patterns", "note"),
    [
        (
            ("train/loss", "val/loss", "test/loss"),
            {"val": "", "train": "dashed", "test": "dotted"},
            "dotted: test, dashed: training",
        ),
        (("loss", "val/loss"), {"val": "", "": "dash-dotted"}, "dash-dotted: loss"),
        (("eval/loss", "val/loss"), {"eval": "", "val": "dash-dotted"}, "dash-dotted: val"),
        (("loss",), {"": ""}, ""),
    ],
)
def test_lines_of_one_run_in_one_chart_have_different_patterns_and_the_chart_says_which(
    store: Store, metrics: tuple[str, ...], patterns: dict[str, str], note: str
) -> None:
    with store.write() as db:
        rows = [{"_step": at} | dict.fromkeys(metrics, at) for at in range(STEPS)]
        name = "-".join(metrics).replace("/", ".")
        add(db, add_project(db, name), "x", {}, rows)
    [figure] = page(store, name, runs="x").all("figure", class_="chart")
    assert figure.one("figcaption").text == f"loss {note}".rstrip()
    found = {
        line.attributes["data-name"]: line.attributes["class"].split()[2:] for line in figure.all("g", class_="line")
    }
    assert found == {f"run x {name}".rstrip(): pattern.split() for name, pattern in patterns.items()}


def test_patterns_repeat_where_there_are_more_metrics_than_patterns() -> None:
    found = metric_charts.dashes([*"abcde", "train/a", "test/a"])
    assert list(found.values()) == ["dashed", "dotted", "", "dash-dotted", "", "dash-dotted", "dotted"]


@pytest.mark.parametrize(("axis", "edges"), [("step", (0, 9)), ("epoch", (1, 10)), ("time", (0, 18))])
def test_the_axis_is_the_step_the_epoch_or_the_time(store: Store, axis: str, edges: tuple[int, int]) -> None:
    [figure] = page(store, runs="a1,a2", x=axis).all("figure", class_="chart")
    assert tuple(map(float, figure.attributes["data-edges"].split()[:2])) == edges


def test_runs_of_one_name_are_told_apart_by_what_differs_or_by_their_id(store: Store) -> None:
    with store.write() as db:
        place = add_project(db, "t", "twins")
        for name, settings in (("x", {"lr": 0.1, "same": 1}), ("y", {"lr": 0.01, "same": 1}), ("z", {"lr": 0.01})):
            rows = [{"_step": at, "val/loss": at} for at in range(STEPS)]
            add(db, place, name, settings, rows, display_name="twin")
    shown = page(store, within=None, runs=["twins/t/x", "twins/t/y"])
    assert legend(shown) == ["twin, lr 0.1", "twin, lr 0.01"]
    assert set(drawn(shown)) == {"twin, lr 0.1 val", "twin, lr 0.01 val"}
    with store.write() as db:
        db.execute("UPDATE runs SET config = '{}' WHERE name IN ('y', 'z')")
    assert legend(page(store, within=None, runs=["twins/t/y", "twins/t/z"])) == ["twin, y", "twin, z"]


def test_a_comparison_asks_again_while_a_run_goes_on_and_leaves_out_of_its_tables_what_has_not_begun(
    store: Store,
) -> None:
    with store.write() as db:
        place = add_project(db, "t", "alive")
        for name in "ab":
            add(db, place, name, {"lr": name, "same": 3}, [], {"iou": 0.5})
        waiting = runs.insert(db, place, "c", "pending", 1.0, config='{"lr": {"value": "c"}}')
    named = [f"alive/t/{name}" for name in "abc"]
    shown = page(store, None, runs=named)
    assert shown.one("small", id="live").attributes["data-refresh"] == "10"
    assert shown.one(id="settings").rows == [["key", "run a", "run b"], ["lr", "a", "b"]]
    with store.write() as db:
        runs.set_state(db, waiting, "finished", 3.0)
    assert "data-refresh" not in page(store, None, runs=named).one("small", id="live").attributes


def test_charts_are_chosen_by_the_address_and_shown_in_its_order(store: Store) -> None:
    def titles(**asked: Any) -> list[str]:
        return [
            each.text.partition(" ")[0]
            for each in page(store, within=None, runs="other/q/d", **asked).all("figcaption")
        ]

    assert titles() == ["iou", "loss"]
    assert titles(chart=["loss", "iou", "none"]) == ["loss", "iou"]
    assert titles(chart=["loss"]) == ["loss"]
    assert titles(chart=["none"]) == ["iou", "loss"], "a metric that no run has hides nothing"
    boxes = (
        page(store, within=None, runs="other/q/d", chart="loss").one(id="chart-chooser").all("input", type="checkbox")
    )
    assert [(box.attributes["value"], "checked" in box.attributes) for box in boxes] == [("iou", False), ("loss", True)]


def test_a_group_is_its_mean_in_a_band_of_all_its_runs(store: Store) -> None:
    shown = page(store, group="model", search="val")
    assert legend(shown) == ["a (2)", "b (1)"]
    assert set(drawn(shown)) == {"a train", "a val", "b train", "b val"}
    assert len(shown.all("path", class_="band")) == 2, "one run has no band"
    assert legend(page(store, group="settings")) == ["10, a (1)", "20, a (1)", "30, b (1)"]


def test_a_stretch_of_the_axis_leaves_the_mean_of_a_group_as_it_was(store: Store) -> None:
    with store.write() as db:
        place = add_project(db, "groups")
        for name, height, every in (("fine", 1.0, 1), ("coarse", 0.0, 10)):
            add(db, place, name, {"model": "a"}, [{"_step": at, "val/iou": height} for at in range(0, 41, every)])
    for asked, n in (({}, 41), ({"from": "2", "to": "8"}, 7), ({"from": "2", "to": "8", "smooth": "0.5"}, 7)):
        [figure] = page(store, "groups", group="model", **asked).all("figure", class_="chart")
        assert drawn(figure) == {"a val": 2 * n}, "the outline of its band"
        assert len(figure.all("path", class_="band")) == 1
        low, high = map(float, figure.attributes["data-edges"].split()[2:])
        assert (low + high) / 2 == pytest.approx(0.5), "from one run to the other"


def test_a_mean_ends_where_the_first_run_ends_and_lies_between_points_on_the_line() -> None:
    mean, ends = histories.band([[(0, 0.0), (10, 10.0)], [(2, 4.0), (4, 8.0), (8, math.nan), (12, 8.0)]], most=99)
    assert mean == [(2, 3.0), (4, 6.0), (10, 9.0)]
    assert ends == [(2, 2.0, 4.0), (4, 4.0, 8.0), (10, 8.0, 10.0)]
    of_a_stretch = histories.band(
        [[(0, 0.0), (10, 10.0)], [(x, 0.0) for x in range(11)]], 3, line_chart.View(0, False, 4, 6)
    )
    assert of_a_stretch[0] == [(4, 2.0), (5, 2.5), (6, 3.0)], "as many points as the stretch has room for"
    assert histories.band([[], [(1, math.inf)]], 9) == ([], [])
    assert histories.band([[(0, 1.0)], [(5, 1.0)]], 9) == ([], []), "nothing in common"


def test_runs_come_from_names_a_filter_or_other_projects(store: Store) -> None:
    assert legend(page(store, q="model = a", sort="+display_name")) == ["run a1", "run a2"]
    assert legend(page(store, within=None, runs=["local/p/a1", "other/q/c", "other/q/none", "a1", "x/y"])) == [
        *("run a1", "run c")
    ]
    stranger = users.Person(7, "anna", roles={"local": "reader"})
    assert legend(page(store, within=None, person=stranger, runs="local/p/a1,other/q/c")) == ["run a1"]
    assert "No runs to compare" in page(store, q="model = none").text
    assert "Did you mean model" in page(store, q="modle = none").one(role="alert").text
    assert "No runs to compare" in page(store, within=None).text


def test_settings_that_differ_and_results_stand_side_by_side(store: Store) -> None:
    settings, results = (
        shown.all("table") for shown in (page(store, runs=["a1", "b1"]), page(store, runs=["a1", "b1"], all="1"))
    )
    assert settings[0].rows == [["key", "run a1", "run b1"], ["lr", "10", "30"], ["model", "a", "b"]]
    assert [row[0] for row in results[0].rows] == ["key", "lr", "model", "same"]
    best = {row.one("th").text: [td.text for td in row.all("td", class_="best")] for row in settings[1].all("tr")[1:]}
    assert best == {"test/iou": ["30"], "val/loss": ["10"]}, "more IoU and less loss are better"


def rows_of(joined: table_join.Joined | None) -> list[tuple[Any, list[Any], list[Any]]]:
    return [(line.name, line.shared, line.cells) for line in joined.lines] if joined else []


def test_rows_of_one_name_stand_side_by_side_and_what_is_equal_stands_once() -> None:
    first = wandb_tables.Table("t", ["iou", "image", "size"], [[0.9, "a", 4], [0.5, "b", 5]])
    second = wandb_tables.Table("t", ["size", "image", "iou", "note"], [[5, "b", 0.7, "x"], [6, "c", math.nan, None]])
    joined = table_join.join([first, None, second])
    assert joined is not None
    assert (joined.by, joined.shared, joined.apart, joined.n) == ("image", ["size"], ["iou", "note"], 3)
    assert joined.measures == {"iou"}
    assert rows_of(joined)[:2] == [("a", [4], [[0.9, None], None, None]), ("b", [5], [[0.5, None], None, [0.7, "x"]])]
    assert [line.name for line in (table_join.join([first, second], "-iou") or joined).lines] == ["a", "b", "c"]
    assert [line.name for line in (table_join.join([first, second], "+iou") or joined).lines] == ["b", "a", "c"]
    assert rows_of(table_join.join([first, second], "+nothing")) == rows_of(table_join.join([first, second]))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ([["a"], ["a"]], [["a"], ["b"]]),
        ([["a"]], [["b"]]),
        ([[0.5]], [[0.5]]),
        ([[None]], [[None]]),
        ([[]], [["a"]]),
        ([], []),
    ],
    ids=["twice", "nothing in common", "a measure", "empty", "too short", "no rows"],
)
def test_a_column_that_names_no_rows_joins_nothing(left: list[list[Any]], right: list[list[Any]]) -> None:
    assert table_join.join([wandb_tables.Table("t", ["x"], left), wandb_tables.Table("t", ["x"], right)]) is None
    assert table_join.join([wandb_tables.Table("t", ["x"], [["a"]]), None]) is None


def test_a_picture_is_named_by_its_content_and_is_the_same_where_its_masks_are() -> None:
    left, right = ({"_type": "image-file", "path": f"{name}.png", "sha256": "s"} for name in "ab")
    joined = table_join.join(
        [wandb_tables.Table("t", ["x", "y"], [[left, 1.5]]), wandb_tables.Table("t", ["x", "y"], [[right, 2.5]])]
    )
    assert rows_of(joined) == [(left, [], [[1.5], [2.5]])]
    masked = left | {"masks": {"prediction": {"path": "m.png"}}}
    given = [wandb_tables.Table("t", ["at", "x"], [[1, picture]]) for picture in (left, right, masked)]
    assert rows_of(table_join.join(given[:2])) == [(1, [left], [[], []])]
    assert rows_of(table_join.join(given[1:])) == [(1, [], [[right], [masked]])]


def test_pictures_are_the_same_by_what_stands_before_the_colon_where_that_tells_them_apart() -> None:
    def names(*captions: str) -> list[str]:
        return images.names([images.Picture("k", f"{at}.png", each, {}, {}, at) for at, each in enumerate(captions)])

    assert names("image-1: IoU 0.5", "image-2: IoU 0.9") == ["image-1", "image-2"]
    assert names("epoch 3: image-1", "epoch 3: image-2") == ["epoch 3: image-1", "epoch 3: image-2"]
    assert names("a: b") == ["a: b"], "one picture alone says not what its name is"
    assert names("", ":x") == ["0", ":x"]
    assert names("a: IoU 0.5") == ["a"]
    assert names("IoU 0.5", "IoU 0.6") == ["0", "1"]
    assert names("epoch 3: a: IoU 0.5", "epoch 3: b: IoU 0.6") == ["epoch 3: a", "epoch 3: b"]
    assert names("a: IoU 0.5", "a: IoU 0.6") == ["a, 0", "a, 1"]


def test_a_stretch_a_smooth_line_and_a_log_axis_are_part_of_the_address(store: Store) -> None:
    shown = page(store, runs="a1", **{"from": "3", "to": "6"}, smooth="0.5", log="1", search="loss")
    [figure] = shown.all("figure", class_="chart")
    assert figure.attributes["data-log"] == "1"
    assert set(drawn(shown).values()) == {4}
    assert figure.all("svg", class_="cut")
    for odd in ({"from": "x"}, {"to": "nan"}, {"smooth": "-1"}, {"smooth": "inf"}, {"x": "<b>"}, {"page": "0"}):
        assert set(drawn(page(store, runs="a1", **odd)).values()) == {STEPS}


def test_smoothing_is_an_average_of_the_past_that_starts_at_the_first_value() -> None:
    points = [(0.0, 4.0), (1.0, math.nan), (2.0, 8.0)]
    smooth = line_chart.smooth(points, 0.5)
    # After 4 and 8: (0.25 · 4 + 0.5 · 8) / (1 - 0.5²)
    assert smooth[0] == (0.0, 4.0)
    assert math.isnan(smooth[1][1])
    assert smooth[2][1] == pytest.approx(5 / 0.75)


@pytest.mark.parametrize(
    ("heights", "view", "text"),
    [
        ([math.nan, math.inf], line_chart.View(), "No finite value."),
        ([-1.0, 0.0], line_chart.View(log=True), "No value above 0"),
        ([1.0, 2.0], line_chart.View(first=9.0), "No value in this stretch"),
    ],
)
def test_a_chart_with_nothing_to_draw_says_why(heights: list[float], view: line_chart.View, text: str) -> None:
    figure = line_chart.chart("x", [line_chart.Line("", list(enumerate(heights)))], "step", view=view)
    assert text in figure
    assert "<svg" not in figure


def test_a_point_between_gaps_is_a_dot_in_a_line_of_many_points_too() -> None:
    heights = [math.nan, 1.0, math.nan, *(2.0 for _ in range(40)), math.inf, 3.0]
    figure = line_chart.chart("x", [line_chart.Line("", list(enumerate(heights)), marks=False)], "step")
    assert re.findall(r"<title>(.*?)</title>", figure) == ["1 at 1", "3 at 44"]


def test_a_comparison_counts_what_is_not_finite(store: Store) -> None:
    with store.write() as db:
        rows = [{"_step": at, "a": math.nan if at < 2 else at, "b": at} for at in range(STEPS)]
        add_run(db, add_project(db, "t", "gaps"), "x", {}, rows)
    notes = {figure.one("figcaption").text for figure in page(store, None, runs="gaps/t/x").all("figure")}
    assert notes == {"a 2 values NaN or infinite", "b"}


def test_what_a_logarithm_has_no_place_for_is_counted(store: Store) -> None:
    drawn = line_chart.chart(
        "x",
        [line_chart.Line("", [(0, -1.0), (1, 0.0), (2, 10.0), (3, 1000.0)])],
        "step",
        view=line_chart.View(log=True),
    )
    assert "2 values of 0 or less" in drawn
    assert re.findall(r'text-anchor="end">(.*?)<', drawn) == ["10", "100", "1000"]


def test_of_many_points_a_line_keeps_its_ends_extremes_and_gaps() -> None:
    points = [(float(i), math.sin(i)) for i in range(5000)]
    points[1234], points[2345], points[3456] = (1234.0, 9.0), (2345.0, -9.0), (3456.0, math.nan)
    kept = histories.thin(points, 100)
    assert len(kept) < 130
    assert {points[0], points[1234], points[2345], points[3456], points[-1]} <= set(kept)
    assert [x for x, _ in kept] == sorted({x for x, _ in kept})
    assert histories.thin(points[:50], 100) == points[:50]


def test_a_history_keeps_nested_numbers_and_rows_without_an_axis() -> None:
    history = histories.History()
    history.add([5, 6, 7], [{"a": {"b": 1}, "epoch": 1}, {"a": {"b": 2}, "_step": 9}, {"t": "x", "flag": True}])
    assert history.points("a.b", "step") == [(5, 1), (9, 2)]
    assert history.points("a.b", "epoch") == [(1, 1)]
    assert not history.has("a.b", "epoch")
    assert set(history.metrics) == {"a.b", "epoch"}


def test_twelve_series_can_be_told_apart_on_light_and_dark_and_a_name_keeps_its_colour() -> None:
    for which, page_luminance in ((0, 0.97), (1, 0.01)):
        colours = [pair[which] for pair in SERIES]
        assert min(_distance(a, b) for i, a in enumerate(colours) for b in colours[:i]) > 0.1
        for colour in [*colours, *(pair[which] for pair in SCALE)]:
            low, high = sorted((_luminance(colour), page_luminance))
            assert (high + 0.05) / (low + 0.05) >= 2.4, colour
    names = [f"model {i}" for i in range(30)]
    numbers = assign(names)
    assert len(set(numbers.values())) == 30
    assert sorted(numbers[name] for name in names[:12]) == list(range(12))
    assert assign(["unet"])["unet"] == slot("unet") == assign(["unet", "other"])["unet"]
    assert {"train", "val", "false-positive", "false-negative", "wrong-class"} <= MEANINGS.keys()


def test_two_hundred_runs_are_one_page_of_less_than_300_kilobytes(tmp_path: Path) -> None:
    with closing(Store(tmp_path)) as opened:
        with opened.write() as db:
            place = add_project(db)
            rows = [{"_step": at, "train/iou": at % 7 / 7, "val/iou": at % 5 / 5} for at in range(80)]
            for number in range(200):
                add_run(db, place, f"run{number}", {"lr": number / 7}, rows, {"val/iou": number / 200})
        shown = comparison.gather(opened, str, projects.find(opened.db, "local", "p"), QueryParams(), users.ADMIN)
        text = render("compare.html", person=None, csrf="", here="", saved=None, **shown)
    assert len(text.encode()) < 300_000
    drawing = read(text)
    assert len(drawing.all("g", class_="line")) == 400
    assert drawing.one("figure", class_="crowd").all("small")[0].text == "pale: training"


def test_what_a_colour_means_is_said_in_one_place_only() -> None:
    ours = {pair[which] for pair in (*MEANINGS.values(), *SERIES) for which in (0, 1)}
    rooms = (ROOT / room for room in ("agent", "analysis", "study", "server", "data"))
    files = [path for room in rooms for kind in ("py", "css", "js", "html") for path in room.rglob(f"*.{kind}")]
    assert len(files) > 100
    named = {
        path.name: found
        for path in files
        if (found := ours & {each.lower() for each in re.findall("#[0-9a-fA-F]{6}", path.read_text("utf-8"))})
    }
    assert named == {}


def _linear(colour: str) -> list[float]:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]


def _luminance(colour: str) -> float:
    return sum(share * channel for share, channel in zip((0.2126, 0.7152, 0.0722), _linear(colour), strict=True))


def _distance(one: str, other: str) -> float:
    """In OKLab (Ottosson, 2020): 0.02 is just visible."""

    def lab(colour: str) -> list[float]:
        red, green, blue = _linear(colour)
        cones = (
            0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue,
            0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue,
            0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue,
        )
        long, middle, short = (cone ** (1 / 3) for cone in cones)
        return [
            0.2104542553 * long + 0.7936177850 * middle - 0.0040720468 * short,
            1.9779984951 * long - 2.4285922050 * middle + 0.4505937099 * short,
            0.0259040371 * long + 0.7827717662 * middle - 0.8086757660 * short,
        ]

    return math.dist(lab(one), lab(other))


@pytest.mark.parametrize(
    ("key", "best"),
    [
        *(("test/iou", 2), ("best_loss/test_f1", 2), ("val/loss", 1), ("seconds/steps", 1), ("seconds_per_epoch", 1)),
        *(("best_iou/epoch", None), ("n_macs", None), ("temperature", None)),
    ],
)
def test_the_best_is_known_of_metrics_alone(key: str, best: int | None) -> None:
    assert comparison.best_of(key, [2.0, 1.0, 3.0, "nan", None]) == best
