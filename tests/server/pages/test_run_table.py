"""The table of a project's runs: columns, order, filter, groups and pages, all by the address; and its CSV."""

import csv
import io
import json
import math
from collections.abc import Iterator
from functools import partial
from typing import Any
from urllib.parse import urlencode

import pytest
from starlette.datastructures import QueryParams

from server.pages import run_table
from server.pages.overview import project
from server.pages.render import render
from server.pages.run_table import filter_syntax
from server.pages.run_table.columns import REPEATED, Column, best_key, survey_runs, sweep_parameters
from server.store import Connection, Row, Store, projects, runs, streams, sweeps
from tests.server.content import add_project, add_run
from tests.server.markup import Node, read

CONFIG = """
method: grid
metric: {name: val/iou, goal: maximize}
parameters:
  model: {values: [a, b]}
  seed: {values: [1, 2]}
"""


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """`r0` to `r3`: models a and b with seeds 1 and 2 in a sweep, whose val/iou ends below its best; `odd` has none."""
    store = Store(tmp_path_factory.mktemp("table"), lambda: 1_700_000_000.0)
    with store.write() as db:
        project = add_project(db, "table")
        sweep = sweeps.insert(db, project, "sweep", CONFIG, 1, 1.0)
        for at, (model, seed) in enumerate([("a", 1), ("a", 2), ("b", 1), ("b", 2)]):
            best = 0.5 + 0.1 * at
            settings, ious = {"model": model, "seed": seed, "same": 3}, [0.1, best, best - 0.3]
            summary = {"val/iou": ious[-1], "test/iou": best - 0.05, "loss": 1 - best}
            add(db, project, f"r{at}", settings, ious, summary, sweep_id=sweep)
        add(db, project, "odd", {"lr": "=1+1", "same": 3}, [], {"other": "text"})
        assert runs.index_summaries(db, 9) == 5
    yield store
    store.close()


def add(
    db: Connection, project: int, name: str, settings: Row, ious: list[float], summary: Row, **columns: Any
) -> None:
    rows = [{"_step": at, "val/iou": iou} for at, iou in enumerate(ious)]
    columns = {"display_name": f"run {name}", "tags": ["t"]} | columns
    add_run(db, project, name, settings, rows, summary, begin=1.7e9, end=1.7e9 + 60, **columns)


def page(store: Store, address: str = "", **asked: Any) -> Node:
    """The page of the project at `?…`, as `overviews.project` renders it."""
    query = QueryParams(address.lstrip("?") or urlencode(asked, doseq=True))
    row = projects.find(store.db, "local", "table")
    assert row is not None
    shown = project.gather(store, row, query)
    terms = partial(project.group_terms, shown["table"], asked=query)
    shared: Row = {"person": None, "csrf": "", "here": "", "saved": [], "view_here": None, "may_change": False}
    return read(render("project.html", terms=terms, **shared, **shown))


def rows(store: Store, **asked: Any) -> list[list[str]]:
    """Heading and rows of the table, without the boxes at the left."""
    [found] = page(store, **asked).one(id="runs").all("table")
    return [cells[1:] for cells in found.rows]


def names(store: Store, address: str = "", **asked: Any) -> list[str]:
    return page(store, address, **asked).one(id="runs").run_ids


def test_the_sweeps_metric_and_its_test_metric_come_first_with_best_values_and_then_what_differs(table: Store) -> None:
    head, *found = rows(table, sort="-high.val/iou")
    assert [text.split(" ")[0] for text in head] == [
        *("name", "state", "val/iou", "test/iou", "model", "seed", "lr", "lasted", "created")
    ]
    assert found[0][:6] == ["run r3", "finished", "0.8 last 0.5", "0.75", "b", "2"]
    assert [cells[2].split(" ")[0] for cells in found] == ["0.8", "0.7", "0.6", "0.5", "–"], "not the last one"


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("+high.val/iou", ["r0", "r1", "r2", "r3", "odd"]),
        ("-high.val/iou", ["r3", "r2", "r1", "r0", "odd"]),
        ("+low.loss", ["r3", "r2", "r1", "r0", "odd"]),
        ("-config.model", ["r2", "r3", "r0", "r1", "odd"]),
        ("-display_name", ["r3", "r2", "r1", "r0", "odd"]),
    ],
)
def test_each_column_orders_both_ways_and_runs_without_a_value_come_last(
    table: Store, sort: str, expected: list[str]
) -> None:
    assert names(table, sort=sort) == expected


def test_each_heading_is_a_link_that_keeps_the_filter_and_turns_the_order_round(table: Store) -> None:
    shown = page(table, q="model = a", sort="-high.val/iou").one(id="runs")
    link = next(a for a in shown.all("a") if a.text.startswith("val/iou"))
    again = page(table, link.attributes["href"])
    assert again.run_ids == ["r0", "r1"]
    assert [th.attributes["aria-sort"] for th in again.all("th", class_="sorted")] == ["ascending"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {"r0", "r1", "r2", "r3", "odd"}),
        ("RUN r1", {"r1"}),
        ("val/iou > 0.65", {"r2", "r3"}),
        ("val/iou >= 0.6, model = a", {"r1"}),
        ("model = a|b, seed != 2", {"r0", "r2"}),
        ("seed = 1", {"r0", "r2"}),
        ('seed = "1"', set()),
        ("model ~ ^a", {"r0", "r1"}),
        ("r3 model=b", {"r3"}),
        ("state = finished, loss <= 0.31", {"r2", "r3"}),
        ("tag = t, id = odd", {"odd"}),
        ("sweep ~ .", {"r0", "r1", "r2", "r3"}),
        ('lr = "=1+1"', {"odd"}),
        ("created > 2020-01-01", {"r0", "r1", "r2", "r3", "odd"}),
        ("created > 2120-01-01", set()),
        ("best ( [", set()),
        ("config.model = a", {"r0", "r1"}),
        ("same = 3.0", {"r0", "r1", "r2", "r3", "odd"}),
    ],
)
def test_a_filter_of_words_and_comparisons(table: Store, text: str, expected: set[str]) -> None:
    assert set(names(table, q=text)) == expected


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("modle = a", "Did you mean model"),
        ("nothing > 1", "named 'nothing'"),
        ("val/iou > high", "'high' is none"),
        ("model ~ [", "regular expression"),
        ("x" * 3000, "at most 2000 are read"),
        ("created > soon", "not a time"),
        (",".join(["seed=1"] * 30), "at most 20"),
    ],
)
def test_a_filter_that_is_not_understood_is_said_in_a_sentence_and_shows_no_run(
    table: Store, text: str, sentence: str
) -> None:
    shown = page(table, q=text)
    assert sentence in shown.one(role="alert").text
    assert names(table, q=text) == []
    assert shown.one(type="search").attributes["value"] == text


def test_columns_are_chosen_by_the_address(table: Store) -> None:
    assert rows(table, col=["config.same", "low.loss"], q="r0")[1] == ["3", "0.5"]
    boxes = page(table, col=["config.same"]).one(id="chooser").all("input", type="checkbox")
    assert [box.attributes["value"] for box in boxes if "checked" in box.attributes] == ["config.same"]
    assert {"high.val/iou", "config.model", "state"} <= {box.attributes["value"] for box in boxes}
    assert rows(table, col=["no.such", "<b>"], q="r0")[0][0] == "name", "what there is not is left out"


def test_runs_are_grouped_with_mean_deviation_and_number(table: Store) -> None:
    shown = page(table, group="model").one(id="runs").one("table")
    assert [cells[:4] for cells in shown.rows[1:]] == [
        ["b", "2", "0.75 ± 0.071 (2)", "0.7 ± 0.071 (2)"],
        ["a", "2", "0.55 ± 0.071 (2)", "0.5 ± 0.071 (2)"],
        ["–", "1", "–", "–"],
    ]
    link = next(a for a in shown.all("a") if a.text == "runs")
    assert names(table, link.attributes["href"]) == ["r3", "r2"]


def test_a_group_says_how_many_of_its_runs_are_unfinished(store: Store) -> None:
    with store.write() as db:
        project = add_project(db, "table")
        for at, state in enumerate(("killed", "killed", "finished")):
            add(db, project, f"r{at}", {"model": "a", "n": at}, [0.5], {}, state=state)
        add(db, project, "other", {"model": "b"}, [0.5], {})
    shown = page(store, group="model").one(id="runs").one("table")
    assert {cells[0]: cells[1] for cells in shown.rows[1:]} == {"a": "3 2 unfinished", "b": "1"}


def test_seed_and_fold_are_folded_away_among_settings(table: Store) -> None:
    shown = page(table, group="settings", q="sweep ~ .").one(id="runs").one("table")
    assert [cell.split(" ")[0] for cell in shown.rows[0][:2]] == ["model", "n"]
    assert [cells[:2] for cells in shown.rows[1:]] == [["b", "2"], ["a", "2"]]
    assert [name for name in ("seed", "data.fold", "split_seed", "seedling") if REPEATED.fullmatch(name)] == [
        *("seed", "data.fold", "split_seed")
    ]


def test_a_run_that_no_client_has_opened_makes_no_setting_differ(store: Store) -> None:
    with store.write() as db:
        place = add_project(db)
        for name in "ab":
            add(db, place, name, {"lr": name, "same": 3}, [], {})
        waiting = runs.insert(db, place, "c", "pending", 1.0, config='{"lr": {"value": "c"}}')
        runs.index_summaries(db, 9)
    ids = runs.ids(store.db, place, None, "-created_at")
    assert [column.title for column in survey_runs(store, place, ids).differing] == ["lr"]
    assert [column.title for column in survey_runs(store, place, [waiting]).settings] == ["lr"]


def test_pages_keep_what_is_asked(table: Store) -> None:
    shown = page(table, size=2, page=2, sort="+high.val/iou", q="val/iou > 0")
    assert shown.run_ids == ["r2", "r3"]
    [first] = shown.one(aria_label="Pages").all("a")
    assert names(table, first.attributes["href"]) == ["r0", "r1"]
    for odd in ("0", "-1", "99", "²", "x", "1e9"):
        assert len(names(table, size=2, page=odd)) in (1, 2)


def test_the_csv_is_what_is_shown_and_no_formula_comes_alive(table: Store) -> None:
    def read_csv(**asked: Any) -> list[list[str]]:
        row = projects.find(table.db, "local", "table")
        assert row is not None
        text = project.as_csv(table, row, QueryParams(urlencode(asked, doseq=True)), first=project.FIRST)
        return list(csv.reader(io.StringIO(text)))

    assert read_csv(col=["config.model", "high.val/iou"], sort="-high.val/iou", size=1, q="sweep ~ .") == [
        ["id", "model", "val/iou"],
        *(["r3", "b", "0.8"], ["r2", "b", "0.7"], ["r1", "a", "0.6"], ["r0", "a", "0.5"]),
    ]
    assert read_csv(col=["config.lr"], q="odd")[1] == ["odd", "'=1+1"]
    groups = read_csv(group="model", col=["high.val/iou"], q="sweep ~ .")
    assert groups[0] == ["model", "n", "val/iou", "val/iou sd", "val/iou n"]
    assert [float(cell) for cell in groups[1][1:]] == pytest.approx([2, 0.75, 0.0707107, 2])


def test_ticked_runs_are_compared_by_a_form_without_script(table: Store) -> None:
    form = next(each for each in page(table).all("form") if "data-select" in each.attributes)
    assert form.attributes["action"] == "/local/table/compare"
    assert "method" not in form.attributes
    assert {box.attributes["value"] for box in form.all("input", name="runs")} == {"r0", "r1", "r2", "r3", "odd"}


def test_a_word_that_a_filter_could_misread_is_quoted() -> None:
    lists: tuple[list[Any], ...] = [3, 4], [[1, 2], [3, 4]], ['say "x"', "a|b, \\", None], []
    for value in ("a, b", 'say "x"', "a|b", "", " a", "<=", "plain", "[3, 4]", 1.5, True, None, *lists):
        term = filter_syntax.equality_term("key = x", value)
        [clause] = filter_syntax.read(term, {"key = x": "config.k"})["$and"]
        assert value in clause["config.k"]["$in"]
        assert len(clause["config.k"]["$in"]) <= 2


def test_a_setting_that_is_a_list_is_filtered_and_its_group_opened(store: Store) -> None:
    with store.write() as db:
        place = add_project(db, "table")
        for at, sizes in enumerate([[1, 2], [3, 4], [3, 4], "[5, 6]"]):
            add(db, place, f"r{at}", {"sizes": sizes, "seed": at}, [0.5], {})
        runs.index_summaries(db, 9)
    assert names(store, q='sizes = "[3, 4]"') == ["r2", "r1"]
    assert names(store, q='sizes = "[1,2]"|"[5, 6]", seed >= 0') == ["r3", "r0"]
    assert names(store, q='sizes != "[3, 4]"') == ["r3", "r0"]
    assert names(store, q='seed = "1"') == []
    table = page(store, group="sizes").one(id="runs").one("table")
    opened = {row.one("th").text: names(store, row.all("a")[0].attributes["href"]) for row in table.all("tr")[1:]}
    assert opened == {"[1, 2]": ["r0"], "[3, 4]": ["r2", "r1"], "[5, 6]": ["r3"]}


def test_facts_about_media_are_no_metrics(store: Store) -> None:
    picture = {"_type": "images/separated", "count": 3, "height": 48, "width": 64, "filenames": ["a.png"]}
    deep = {"picture": picture, "n": 4, "bars": {"_type": "histogram", "packedBins": {"min": 0, "size": 1, "count": 9}}}
    with store.write() as db:
        place = add_project(db, "table")
        add(db, place, "r", {}, [], {"test/predictions": picture, "test/pre": 1, "val/iou": 0.5, "deep": deep})
        runs.index_summaries(db, 9)
    keys = survey_runs(store, place, runs.ids(store.db, place))
    assert [column.title for column in keys.metrics] == ["deep.n", "test/pre", "val/iou"]
    assert rows(store)[0][2:5] == ["test/pre", "val/iou", "deep.n"]


def test_what_a_program_wrote_into_the_summary_itself_counts_and_else_the_best_of_the_history(store: Store) -> None:
    rows = [{"_step": i, "iou": iou, "set": iou, "loss": 1 - iou} for i, iou in enumerate([0.2, 0.9, 0.4])]
    with store.write() as db:
        project = add_project(db)
        summary = {"iou": 0.4, "set": 0.7, "loss": 0.6, "nested": {"max": 3}}
        for name, n in (("short", 1), ("long", 300)):  # rows that are counted when they come, and when they are read
            run_id = add_run(db, project, name, summary=summary, state="running")
            for at in range(n):
                streams.put_history(db, run_id, 3 * at, [json.dumps(row | {"_step": 3 * at}) for row in rows])
    keys = ["high.iou", "low.loss", "high.set", "high.nested"]
    ids = runs.ids(store.db, project)
    columns = [Column(key) for key in keys]
    running = run_table.cells(store, ids, columns)
    with store.write() as db:
        for run_id in ids:
            runs.set_state(db, run_id, "finished", 2.0)
        assert runs.index_summaries(db, 9) == 2
    ended = run_table.cells(store, ids, columns)
    assert list(ended.values()) == [[0.9, pytest.approx(0.1), 0.7, 3]] * 2
    assert running == ended
    assert runs.ids(store.db, project, json.dumps({"high.iou": {"$gt": 0.85}})) == ids
    assert runs.ids(store.db, project, json.dumps({"summary.iou": {"$gt": 0.85}})) == []


@pytest.mark.parametrize(
    ("ious", "alive", "shown"),
    [
        ([0.5, 0.46], False, "0.5"),
        ([0.5, 0.44], False, "0.5 last 0.44"),
        ([0.3347, 0.0], True, "0.3347 now 0"),
        ([0.3347, math.nan], True, "0.3347 now nan"),
        ([0.5, 0.0, 0.6], True, "0.6"),
        ([0.5, *[0.1] * 300], False, "0.5 last 0.1"),
    ],
)
def test_beside_a_best_value_stands_the_last_one_where_it_is_worse_by_more_than_a_tenth(
    store: Store, ious: list[float], alive: bool, shown: str
) -> None:
    """Whether a program wrote its best value into the summary or wandb the last one; rows without it say nothing."""
    rows = [{"_step": at, "val/iou": iou, "val/loss": 1 - iou, "size": iou} for at, iou in enumerate(ious)]
    columns = ["high.val/iou", "low.val/loss", "high.size"]
    best = max(iou for iou in ious if iou == iou)
    with store.write() as db:
        place = add_project(db, "table")
        for name, last in (("own", best), ("client", best if math.isnan(ious[-1]) else ious[-1])):
            summary = {"val/iou": last, "val/loss": 1 - last, "size": last}
            logged: list[Row] = [*rows, {"_step": 999, "media": {"val/iou": "text"}}]
            add_run(db, place, name, rows=logged, summary=summary, state="running" if alive else "finished")
        runs.index_summaries(db, 9)
    for cells in page(store, col=columns).one(id="runs").all("table")[0].rows[1:]:
        assert cells[1] == shown
        assert not {"last", "now"} & set(cells[3].split()), "of what may be large or small, neither is worse"
    row = projects.find(store.db, "local", "table")
    assert row is not None
    assert not {"now", "last"} & set(project.as_csv(store, row, QueryParams([("col", "high.val/iou")])).split())


@pytest.mark.parametrize(
    ("last", "best", "sign", "worse"),
    [
        *[(0.89, 1.0, -1, True), (0.91, 1.0, -1, False), (1.11, 1.0, 1, True), (1.09, 1.0, 1, False)],
        *[(-1.2, -1.0, -1, True), (-0.8, -1.0, 1, True), (0.5, 1.0, 1, False), (math.nan, 0.0, 1, True)],
        *[(math.nan, math.nan, 1, False), (math.nan, math.nan, -1, False), (0.5, math.nan, -1, False)],
        *[(math.inf, 1.0, 1, True), (math.inf, 1.0, -1, False)],
    ],
)
def test_clearly_worse_is_by_more_than_a_tenth_of_the_best_ones_size(
    last: float, best: float, sign: int, worse: bool
) -> None:
    assert run_table.is_clearly_worse(last, best, sign) == worse


def test_runs_with_one_name_have_their_ids_beside_it(table: Store, store: Store) -> None:
    with store.write() as db:
        place = add_project(db, "table")
        for at, name in enumerate(["twin", "twin", "alone"]):
            run_id = add_run(db, place, f"r{at}", begin=1.0 + at, display_name=name)
            runs.add_alert(db, run_id, "t", "x", "INFO", 1.0)
            runs.add_alert(db, run_id, "t", "y", "INFO", 2.0)
    shown = page(store)
    assert [th.text for th in shown.one(id="runs").all("th", scope="row")] == ["alone", "twin r1", "twin r0"]
    assert {th.text for th in shown.one(id="alerts").all("th", scope="row")} == {"alone", "twin (r1)", "twin (r0)"}
    labels = [box.attributes.get("aria-label") for box in shown.all("input", name="runs")]
    assert labels == ["select alone", "select twin (r1)", "select twin (r0)"]
    assert [th.text for th in page(store, q="id = r1").one(id="runs").all("th", scope="row")] == ["twin"]


def test_a_setting_that_says_what_a_test_metric_is_of_stands_beside_it(store: Store) -> None:
    with store.write() as db:
        place = add_project(db, "table")
        for at in range(4):
            settings = {"a": at, "test/checkpoint": ["last", "best"][at % 2], "val/n": 4}
            add(db, place, f"r{at}", settings, [], {"test/iou": at / 10, "val/iou": 0.5})
        runs.index_summaries(db, 9)
    assert rows(store)[0][:6] == ["name", "state", "test/iou", "val/iou", "test/checkpoint", "a"]


def test_what_a_test_metric_is_of_stands_beside_it_where_runs_differ(store: Store) -> None:
    with store.write() as db:
        place = add_project(db, "table")
        for at, rule in enumerate(["loss", "iou", "iou", None]):
            picture = {"_type": "image-file", "path": f"{at}.png"}
            texts = {"test/file": f"{at}", "other/rule": "ab"[at % 2], "test/picture": picture, "test/same": "x"}
            summary = {"test/iou": at / 10} | ({"test/rule": rule} if rule else {}) | texts
            add(db, place, f"r{at}", {"lr": at}, [], summary)
        runs.index_summaries(db, 9)
    head, *found = rows(store, sort="-high.test/iou")
    assert head[:5] == ["name", "state", "test/iou ▼", "test/rule", "lr"]
    assert [cells[3] for cells in found] == ["–", "iou", "iou", "loss"]
    assert "differ in test/rule" in page(store).one(id="runs").text
    assert names(store, q="test/rule = loss") == ["r0"]
    assert "test/rule" not in rows(store, q="test/rule = iou")[0], "of these runs it is the same"
    assert "other/rule" in page(store).one(id="chooser").text
    [grouped] = page(store, group="test/rule").one(id="runs").all("table")
    assert [cells[0] for cells in grouped.rows[1:]] == ["–", "iou", "loss"]
    assert "test/rule" not in grouped.rows[0][1:]


def test_settings_of_sweeps_come_before_others_and_nested_ones_have_dotted_names() -> None:
    config = "parameters: {z: {values: [1]}, opt: {parameters: {lr: {min: 0, max: 1}}}}"
    assert list(sweep_parameters({"config": config})) == ["z", "opt.lr"]
    assert list(sweep_parameters({"config": "method: random"})) == []


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("val/iou", "high.val/iou"),
        ("val/loss", "low.val/loss"),
        ("error_rate", "low.error_rate"),
        ("f1", "high.f1"),
        ("seconds/train", "low.seconds/train"),
    ],
)
def test_whether_more_is_better_is_the_sweeps_word_else_told_by_the_name(name: str, key: str) -> None:
    assert best_key(name) == key
    assert best_key(name, maximize=True) == f"high.{name}"


def test_a_project_of_which_no_run_has_a_number_and_one_with_a_broken_sweep_have_tables(store: Store) -> None:
    with store.write() as db:
        project = add_project(db)
        sweeps.insert(db, project, "s", "metric: {name: 3}", 1, 1.0)
        runs.insert(db, project, "r", "pending", 1.0)
    found = run_table.gather(store, project, QueryParams("group=settings"))
    assert (found.n, found.fault) == (1, "")
