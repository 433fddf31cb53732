"""The page of a sweep: how far it is, what it found, which settings matter, who works on it, what may be changed."""

import json
import math
import random
import re
from functools import partial
from typing import Any
from urllib.parse import urlencode

import pytest
from starlette.datastructures import QueryParams

from server.pages.charts import parallel_coordinates
from server.pages.charts.correlation_ratio import importances
from server.pages.overview import comparison, composite_settings, project, sweep
from server.pages.render import render
from server.scheduler import scheduler
from server.store import Refused, Row, Store, projects, runs, streams, sweeps, users
from tests.server.conftest import Clock
from tests.server.content import add_project, add_run
from tests.server.markup import Node, read

CONFIG = """
method: random
run_cap: 10
metric: {name: val/iou, goal: maximize}
early_terminate: {type: hyperband, min_iter: 3}
parameters:
  lr: {distribution: log_uniform_values, min: 1.0e-5, max: 0.1}
  model: {values: [a, b]}
"""
RESULTS = (0.5, 0.7, None, 0.6, 0.8, 0.75, 0.65)


@pytest.fixture
def filled(store: Store, clock: Clock) -> Row:
    """Seven of ten runs: the third crashed without a result and was stopped, the last one goes on; one agent."""
    with store.write() as db:
        place = add_project(db)
        made = sweeps.by_id(db, sweeps.insert(db, place, "s", CONFIG, 1, clock.now))
        sweeps.change(db, made["id"], clock.now, state="RUNNING")
        for at, result in enumerate(RESULTS):
            params = {"lr": 10.0 ** -(at % 5 + 1), "model": "ab"[at % 2]}
            summary = {} if result is None else {"val/iou": result, "test/iou": result - 0.1}
            columns = {"display_name": f"run {at}", "sweep_id": made["id"], "begin": clock.now}
            run_id = add_run(db, place, f"r{at}", params, [], summary, state="running", **columns)
            sweeps.suggest(db, made["id"], run_id, params, "server", None)
            runs.touch(db, runs.by_id(db, run_id), clock.now)
            if at < 6:
                runs.set_state(db, run_id, "crashed" if result is None else "finished", clock.now + 60)
            if at == 2:
                sweeps.record_stop(db, run_id, "worse than others")
        runs.index_summaries(db, 9)
    scheduler.add_agent(store, made, "gpu-<1>")
    return sweeps.by_id(store.db, made["id"])


def page(store: Store, made: Row, address: str = "", may_change: bool = True, **asked: Any) -> Node:
    place = projects.by_id(store.db, made["project_id"])
    query = QueryParams(address.lstrip("?") or urlencode(asked, doseq=True))
    shown = sweep.gather(store, place, sweeps.by_id(store.db, made["id"]), query)
    terms = partial(project.group_terms, shown["table"], asked=query)
    shared: Row = {"person": None, "csrf": "token", "here": "/x", "saved": [], "view_here": None}
    return read(render("sweep.html", terms=terms, may_change=may_change, **shared, **shown))


def test_it_says_how_far_it_is_how_long_it_lasts_and_what_is_best(store: Store, filled: Row, clock: Clock) -> None:
    shown = page(store, filled)
    assert re.findall(r"\d+ \w+", shown.facts["runs"]) == ["7 of", "5 finished", "1 running", "1 crashed"]
    bar = shown.one("progress")
    assert (bar.attributes["value"], bar.attributes["max"]) == ("6", "10")
    for words in (
        "6 of 10 ended",
        "4:00 left",
        "1 agent",
        "run 4 (r4)",
        "val/iou 0.8, test/iou 0.7",
        "lr 1e-05, model a",
    ):
        assert words in shown.one(id="head").text
    clock.now += 61
    assert "4:00 left" not in page(store, filled).one(id="head").text, "no agent is at work"
    assert "silent" in page(store, filled).one(id="agents").text


def test_the_time_left_comes_from_the_time_that_runs_ran_not_from_the_pauses_of_resumed_ones(
    store: Store, filled: Row
) -> None:
    with store.write() as db:
        for run in runs.get_many(db, sweeps.run_ids(db, filled["id"])):
            runs.change(db, run["id"], summary=json.dumps({"_runtime": 30}))
    assert "2:00 left" in page(store, filled).text


def test_the_best_so_far_goes_up_in_steps_and_so_does_its_test(store: Store, filled: Row) -> None:
    val, test = page(store, filled).one(id="plots").all("figure", class_="chart")[:2]
    for figure, name, heights in (
        (val, "best so far", {0.5, 0.7, 0.8}),
        (test, "test/iou of the run that is best by val/iou so far", {0.4, 0.6, 0.7}),
    ):
        best = figure.one("g", class_="record")
        assert best.attributes["data-name"] == name
        assert figure.one("ul", class_="legend").text == name
        low, high = map(float, figure.attributes["data-edges"].split()[2:])
        area = figure.all("svg", class_="area")[0].attributes["viewbox"].split()
        [path] = [each for each in best.children if isinstance(each, Node)]
        y, ys = 0.0, []
        for command, _, dy in re.findall(r"([Ml])(-?\d+) ?(-?\d+)", path.attributes["d"]):
            y = float(dy) if command == "M" else y + float(dy)
            ys.append(high - y / float(area[3]) * (high - low))
        assert sorted({round(value, 3) for value in ys}) == sorted(heights)
        assert len(figure.all("circle")) == 6
    assert json.loads(val.all("g", class_="dots")[0].attributes["data-names"])[0] == "run 0"


def test_the_curves_of_its_runs_grow_on_its_page(store: Store, filled: Row) -> None:
    live = runs.find(store.db, filled["project_id"], "r6")
    assert live is not None
    with store.write() as db:
        streams.put_history(db, live["id"], 0, [json.dumps({"_step": at, "val/iou": at / 9}) for at in range(3)])
    [line] = page(store, filled).one(id="plots").all("figure", class_="chart")[0].all("g", class_="line")
    assert line.attributes["data-name"] == "run 6 val"
    assert len(re.findall("[Ml]", line.one("path").attributes["d"])) == 3
    with store.write() as db:
        streams.put_history(db, live["id"], 3, [json.dumps({"_step": 3, "val/iou": 0.4})])
    [line] = page(store, filled).one(id="plots").all("figure", class_="chart")[0].all("g", class_="line")
    assert len(re.findall("[Ml]", line.one("path").attributes["d"])) == 4


def test_runs_are_listed_best_first_with_why_they_were_stopped(store: Store, filled: Row) -> None:
    shown = page(store, filled)
    assert shown.one(id="runs").run_ids == ["r4", "r5", "r1", "r6", "r3", "r0", "r2"]
    [table] = shown.one(id="runs").all("table")
    assert [text.split(" ")[0] for text in table.rows[0][1:]] == [
        *("#", "name", "state", "val/iou", "test/iou", "lr", "model", "why", "lasted")
    ]
    assert table.rows[-1][1:4] == ["3", "run 2", "crashed"]
    assert "worse than others" in table.rows[-1]
    assert "run 2worse than others" in shown.one(id="knowledge").text


def test_a_filter_holds_for_table_lines_and_scatter(store: Store, filled: Row) -> None:
    shown = page(store, filled, q="lr >= 0.001, lr <= 0.1, model = a")
    assert shown.one(id="runs").run_ids == ["r6", "r0", "r2"]
    paths = shown.one("g", class_="lines").all("path")
    assert [path.attributes["data-name"] for path in paths if "faded" not in path.attributes["class"].split()] == [
        *("run 2", "run 0, 0.5", "run 6, 0.65")
    ]
    scatters = shown.one(id="scatters").all("figure")
    assert [len(figure.all("circle")) for figure in scatters] == [2, 2]
    assert [figure.attributes["data-x"] for figure in scatters] == ["lr", "val/iou"]
    assert [[figure.attributes[name] for name in ("data-log-x", "data-log")] for figure in scatters] == [
        *(["1", "0"], ["0", "0"])
    ]
    assert json.loads(scatters[1].attributes["data-values"]) == ["a", "b"], "categories are rows, with room for names"


def test_the_curves_and_runs_of_a_group_are_those_of_the_sweep(store: Store, filled: Row) -> None:
    with store.write() as db:
        add_run(db, filled["project_id"], "alone", {"lr": 0.1, "model": "a"}, [], {"val/iou": 0.9})
        runs.index_summaries(db, 9)
    shown = page(store, filled, group="model").one(id="runs").one("table")
    links = {a.text: a.attributes["href"] for a in shown.all("tr")[2].all("a")}
    assert page(store, filled, links["runs"]).one(id="runs").run_ids == ["r4", "r6", "r0", "r2"]
    place = projects.by_id(store.db, filled["project_id"])
    path, _, query = links["curves"].partition("?")
    compared = comparison.gather(store, str, place, QueryParams(query), users.ADMIN)
    assert path == "/local/p/compare"
    assert {run["name"] for run in compared["runs"]} == {"r0", "r2", "r4", "r6"}


def test_axes_say_what_a_brush_needs() -> None:
    axes = [
        parallel_coordinates.Axis("lr", [1e-4, 1e-1, None]),
        parallel_coordinates.Axis("n", [1, 2, 3]),
        parallel_coordinates.Axis("model", ["b", "a", True]),
    ]
    lines = [parallel_coordinates.Run("r", "r", rank) for rank in (0.0, 1.0, None)]
    drawn = read(parallel_coordinates.draw(axes, lines))
    found = {each.attributes["data-key"]: each.attributes for each in drawn.all("g", class_="axis")}
    assert [found[key]["data-kind"] for key in ("lr", "n", "model")] == ["log", "linear", "category"]
    assert json.loads(found["model"]["data-values"]) == ["a", "b", "true"]
    assert found["n"]["data-edges"] == "1 3"
    assert [text.text for text in drawn.all("g", class_="axis")[1].all("text")][1:] == ["1", "2", "3"]
    assert [path.attributes["class"] for path in drawn.one("g", class_="lines").all("path")] == ["q", "q0", "q6"]
    assert [path.attributes["d"].count("L") for path in drawn.one("g", class_="lines").all("path")] == [1, 2, 2]


def test_categories_are_in_natural_order_and_values_close_to_each_other_come_with_their_origin() -> None:
    axes = [
        parallel_coordinates.Axis("backbone", ["resnet101", "resnet18", "resnet50"]),
        parallel_coordinates.Axis("seed", [1_000_000, 1_000_001, 1_000_002]),
    ]
    drawn = read(parallel_coordinates.draw(axes, [parallel_coordinates.Run("r", "r", 0.0) for _ in range(3)]))
    backbone, seed = drawn.all("g", class_="axis")
    assert json.loads(backbone.attributes["data-values"]) == ["resnet18", "resnet50", "resnet101"]
    assert [text.raw for text in seed.all("text")] == ["seed +1000000seed", "0", "1", "2"]
    assert seed.attributes["data-key"] == "seed"


LONG = ("deeplabv3plus/tu-tf_efficientnet_lite0", "unet/resnet18", "a text of which the end is left out as too long")


@pytest.mark.parametrize("n", [2, 4, 11])
def test_labels_of_axes_are_whole_beside_one_another_and_inside(n: int) -> None:
    axes = [parallel_coordinates.Axis(f"a setting with a long name {at}", LONG) for at in range(n)]
    drawn = read(
        parallel_coordinates.draw(axes, [parallel_coordinates.Run("r", "r", rank) for rank in (0.0, 0.5, 1.0)])
    )
    svg = drawn.one("svg")
    assert svg.attributes["width"] == svg.attributes["viewbox"].split()[2]
    ends = [0.0]
    for axis in drawn.all("g", class_="axis"):
        name, *labels = axis.all("text")
        texts = [label.raw.partition("a text")[0] for label in labels]
        assert set(LONG[:2]) <= set(texts)
        left = min(float(text.attributes["x"]) for text in (name, *labels))
        assert left > max(ends), "right of the labels of the axis before"
        written = zip(labels, (text or LONG[2][:42] for text in texts), strict=True)
        ends = [float(label.attributes["x"]) + 6.6 * len(text) for label, text in written]
        ends.append(float(name.attributes["x"]) + 7.5 * len(axis.attributes["data-key"]))
    assert max(ends) <= float(svg.attributes["width"])


MODELS = ("unet/resnet18/none", "unet/lite-0/imagenet", "deeplab/resnet18/none", "deeplab/lite-0/none", "plain")


@pytest.mark.parametrize(
    ("texts", "more", "expected"),
    [
        (MODELS[:4], {}, ["architecture", "backbone", "weights"]),
        (MODELS, {}, ["architecture", "backbone", "weights"]),  # a text that leaves parts out
        ((MODELS[0], MODELS[2]), {}, ["architecture"]),
        ((MODELS[0], MODELS[0]), {}, []),
        (
            MODELS[:4],
            {"backbone": [1, 2, 3, 4], "encoder": [1, 2, 3, 4]},
            [],
        ),  # architecture and weights do not say which
        (MODELS[:4], {"architecture": ["unet", "unet", "deeplab", None]}, ["architecture", "backbone", "weights"]),
        ((1, *MODELS[:3]), {}, []),
        ((*MODELS[:3], None), {}, []),
        (("adam@0.1", "sgd@0.1", "adam@0.5"), {"how": ["adam", "sgd", "adam"], "lr": [0.1, 0.1, 0.5]}, ["how", "lr"]),
        (("none", "light"), {"policy": ["none", "light"], "n": [0, 5]}, []),  # nothing shorter than the text
    ],
)
def test_a_text_made_of_other_settings_is_told_by_these(
    texts: tuple[Any, ...], more: dict[str, list[Any]], expected: list[str]
) -> None:
    words = [[*str(text).split("/"), "-", "-"][:3] for text in texts]
    others = {name: [word[at] for word in words] for at, name in enumerate(("architecture", "backbone", "weights"))}
    unequal = {"n_parameters": list(range(len(texts))), "seed": [at % 2 for at in range(len(texts))]}
    same = {"encoder": others["backbone"], "model_again": list(texts)}
    assert list(composite_settings.split(texts, others | unequal | same | more)) == expected


def test_the_axes_of_a_sweep_over_one_long_text_are_its_parts(store: Store) -> None:
    with store.write() as db:
        place = add_project(db)
        config = json.dumps({"metric": {"name": "val/iou", "goal": "maximize"}, "parameters": {"model": {}}})
        made = sweeps.by_id(db, sweeps.insert(db, place, "m", config, 1, 1.0))
        for at, model in enumerate(MODELS[:4] * 2):
            own = dict(zip(("architecture", "backbone", "weights"), model.split("/"), strict=True))
            values = {"model": model} | (own | {"seed": at // 4, "n_parameters": at % 4} if at < 7 else {})
            add_run(db, place, f"r{at}", values, [], {"val/iou": at / 10}, state="running", sweep_id=made["id"])
    keys = ["architecture", "backbone", "weights"]
    for q in ("", "architecture = unet", "seed = 9"):
        plots = page(store, made, q=q).one(id="plots")
        assert [axis.attributes["data-key"] for axis in plots.all("g", class_="axis")] == [*keys, "val/iou"], q
    assert {th.text for th in page(store, made).one("table", class_="importance").all("th", scope="row")} == set(keys)
    assert "architecture deeplab, backbone lite-0, weights none" in page(store, made, q="seed = 9").one(id="head").text


def test_what_matters_stands_beside_what_chance_explains() -> None:
    noise = random.Random(1)
    settings: dict[str, list[Any]] = {
        "step": [i % 4 for i in range(80)],
        "middle": [i / 80 for i in range(80)],
        "nothing": [noise.choice("abc") for _ in range(80)],
        "always": [1] * 80,
        "unique": [f"x{i}" for i in range(80)],
    }
    exact = importances({"step": settings["step"]}, [float(i % 4) for i in range(80)], 1)
    assert [(round(each.share, 9), each.n, each.groups) for each in exact] == [(1.0, 80, 4)]
    hill = [-abs(x - 0.5) + 0.01 * noise.random() for x in settings["middle"]]
    found = {each.name: each for each in importances(settings, [*hill[:-1], None], 1)}
    assert set(found) == {"step", "middle", "nothing"}, "one group, or one run a group, says nothing"
    assert found["middle"].is_clear, "an optimum in the middle counts, which a correlation of ranks would miss"
    assert found["middle"].share > 0.7
    assert not found["step"].is_clear
    assert 0.03 < found["nothing"].chance < 0.2
    assert importances(settings, hill, 7) == importances(settings, hill, 7)
    assert importances({"a": [1, 2, 1, 2]}, [1.0, 2.0, 1.0, 2.0], 1) == [], "four runs prove nothing"
    assert importances({"a": [1, 2] * 5}, [3.0] * 10, 1) == []
    assert importances({"a": [1, 2] * 5}, [math.nan] * 10, 1) == []


def test_one_in_twenty_settings_without_effect_beats_chance() -> None:
    noise = random.Random(2)
    clear = 0
    for seed in range(100):
        values, results = [noise.random() for _ in range(30)], [noise.random() for _ in range(30)]
        clear += importances({"x": values}, results, seed)[0].is_clear
    assert 0 < clear <= 12  # of a binomial with n = 100 and p = 0.05, the 99.9th percentile


def test_buttons_ask_first_with_a_way_back_and_are_for_those_who_may(store: Store, filled: Row) -> None:
    shown = page(store, filled)
    questions = shown.one(id="head").all("details", class_="confirm")
    for each, word in zip(questions, ("Pause", "Stop", "Cancel"), strict=True):
        button, away = each.one("button"), each.one("a")
        assert (button.attributes["value"], each.one("summary").text) == (word.lower(), f"{word}…")
        assert button.text.startswith(f"{word} the sweep")
        assert (away.text, away.attributes["href"]) == ("Keep going", ""), "without script: this page anew"
    assert all(each.one("form").attributes["method"] == "post" for each in questions)
    assert all(each.one("input", name="csrf").attributes["value"] == "token" for each in questions)
    stranger = page(store, filled, may_change=False).one(id="head")
    assert stranger.all("form") == []
    assert "log in" in stranger.text
    with store.write() as db:
        sweeps.change(db, filled["id"], 1.0, state="PAUSED")
    head = page(store, filled).one(id="head")
    assert "resume" in [each.attributes.get("value") for each in head.all("button")]
    assert "while paused" in head.text


def test_the_best_run_says_that_it_was_ended_before_its_end_and_that_it_collapsed(store: Store, filled: Row) -> None:
    best = runs.find(store.db, filled["project_id"], "r4")
    assert best is not None
    rows = [json.dumps({"_step": at, "val/iou": iou}) for at, iou in enumerate([0.8, 0.1])]
    with store.write() as db:
        streams.put_history(db, best["id"], 0, rows)
        runs.set_state(db, best["id"], "killed", 2.0)
    head = page(store, filled).one(id="head").text
    assert "run 4 (r4) killed" in head
    assert "val/iou 0.8 last 0.1, test/iou" in head


def test_a_run_that_ended_by_itself_before_it_could_be_stopped_is_not_told_as_stopped(
    store: Store, filled: Row
) -> None:
    with store.write() as db:
        query = "SELECT id FROM runs WHERE name IN ('r2', 'r4') ORDER BY name"
        [ended, killed] = [row["id"] for row in db.execute(query)]
        sweeps.record_stop(db, killed, "by hand")
        runs.set_state(db, killed, "killed", 2.0)
        runs.set_state(db, ended, "finished", 2.0)
    told = ["by hand", "ended by itself, though asked to stop: worse than others"]
    shown = page(store, filled)
    assert [row.one("td").text for row in shown.one(id="knowledge").all("table")[0].all("tr")] == told
    assert set(told) <= {cell.text for cell in shown.one(id="runs").all("td")}


def test_names_that_several_runs_have_come_with_the_ids(store: Store, filled: Row) -> None:
    with store.write() as db:
        db.execute("UPDATE runs SET display_name = 'twin' WHERE name IN ('r2', 'r4')")
        [stopped] = [row["id"] for row in db.execute("SELECT id FROM runs WHERE name = 'r4'")]
        sweeps.record_stop(db, stopped, "by hand")
    shown = page(store, filled)
    assert {"twin r2", "twin r4", "run 1"} <= {th.text for th in shown.one(id="runs").all("th", scope="row")}
    assert [th.text for th in shown.one(id="knowledge").all("th")] == ["twin (r4)", "twin (r2)"]
    titles = {path.attributes["data-name"] for path in shown.one("g", class_="lines").all("path")}
    assert {"twin (r4), 0.8", "twin (r2)", "run 1, 0.7"} <= titles
    for dots in shown.one(id="plots").all("g", class_="dots"):
        assert {"twin (r4)", "run 1"} <= set(json.loads(dots.attributes["data-names"]))


def end(store: Store, name: str, state: str = "finished") -> None:
    with store.write() as db:
        [run_id] = [row["id"] for row in db.execute("SELECT id FROM runs WHERE name = ?", (name,))]
        runs.set_state(db, run_id, state, store.clock())


def test_a_stopped_sweep_is_not_over_while_its_runs_go_on(store: Store, filled: Row, clock: Clock) -> None:
    scheduler.set_state(store, filled, "FINISHED")
    head = page(store, filled).one(id="head")
    assert head.one("h1").text == "Sweep s stopping"
    assert "1 run still goes on" in head.text
    assert [each.attributes["value"] for each in head.all("button")] == ["cancel"]
    assert "log in" in page(store, filled, may_change=False).one(id="head").text
    row = project.gather(store, projects.by_id(store.db, filled["project_id"]), QueryParams())["sweeps"][0]
    assert row["state"] == "stopping", "in the list of the project's sweeps too"
    scheduler.set_state(store, filled, "CANCELED")
    head = page(store, filled).one(id="head")
    assert (head.one("h1").text, head.all("form")) == ("Sweep s canceling", [])
    assert "1 run still goes on" in head.text
    with pytest.raises(Refused, match="canceled"):
        scheduler.set_state(store, filled, "FINISHED")
    end(store, "r6", "killed")
    ended = page(store, filled)
    assert ended.one("h1").text == "Sweep s canceled"
    assert "run 6the sweep was canceled" in ended.one(id="knowledge").text


def test_a_sweep_whose_last_runs_go_on_is_finishing(store: Store, filled: Row) -> None:
    with store.write() as db:
        sweeps.change(db, filled["id"], 1.0, state="FINISHED", config=CONFIG.replace("run_cap: 10", "run_cap: 7"))
    assert page(store, filled).one("h1").text == "Sweep s finishing"
    end(store, "r6")
    head = page(store, filled).one(id="head")
    assert (head.one("h1").text, head.all("form")) == ("Sweep s finished", [])
    with pytest.raises(Refused, match="finished"):
        scheduler.set_state(store, filled, "CANCELED")


def test_the_page_is_live_until_the_runs_have_ended_and_the_agents_have_left(
    store: Store, filled: Row, clock: Clock
) -> None:
    def seen() -> tuple[bool, str]:
        shown = page(store, filled)
        return "data-refresh" in shown.one(id="live").attributes, shown.one(id="agents").all("td")[1].text

    assert seen() == (True, "running")
    scheduler.set_state(store, filled, "FINISHED")
    end(store, "r6")
    assert seen() == (True, "running"), "the agent has not left yet"
    clock.now += scheduler.AGENT_SILENT
    assert seen() == (False, "gone")
    with store.write() as db:
        sweeps.change(db, filled["id"], 1.0, state="RUNNING")
    assert seen() == (True, "silent"), "of a sweep that goes on, it may come back"
    with store.write() as db:
        sweeps.change(db, filled["id"], 1.0, state="CANCELED")
        db.execute("UPDATE runs SET state = 'preempting', agent_id = (SELECT id FROM agents) WHERE name = 'r6'")
    assert seen() == (True, "silent"), "its run goes on"


def test_the_yaml_the_agents_line_and_what_the_search_knows_can_be_read(store: Store, filled: Row) -> None:
    shown = page(store, filled)
    assert shown.one(id="agent-line").text == "wandb agent local/p/s"
    assert "early_terminate: {type: hyperband, min_iter: 3}" in shown.one(id="yaml").text
    assert shown.one(id="agents").all("table")[0].rows[1][0] == "gpu-<1>"
    knows = shown.one(id="knowledge").text
    assert "this server suggests, method random" in knows
    assert "6 runs with a result" in knows
    assert "10 runs" in knows


def test_one_run_is_no_runs(store: Store) -> None:
    with store.write() as db:
        place = add_project(db)
        config = "run_cap: 1\nmetric: {name: iou}\nparameters: {a: {min: 0, max: 1}}"
        made = sweeps.by_id(db, sweeps.insert(db, place, "s", config, 1, 1.0))
        run = add_run(db, place, summary={"iou": 1}, state="running", sweep_id=made["id"])
        sweeps.suggest(db, made["id"], run, {"a": 0}, "server", None)
    assert "1 run with a result" in page(store, made).text
    assert "1 group of 1 run" in page(store, made, group="state").text
    assert "0 of 1 run" in page(store, made, q="state = failed").text


def test_a_sweep_without_a_metric_and_one_without_runs_have_pages(store: Store) -> None:
    with store.write() as db:
        place, config = add_project(db), "method: random\nparameters: {a: {min: 0.0, max: 1.0}}"
        bare = sweeps.by_id(db, sweeps.insert(db, place, "bare", config, 1, 1.0))
        add_run(db, place, state="running", sweep_id=bare["id"])
        empty = sweeps.by_id(db, sweeps.insert(db, place, "empty", "metric: {name: 3}", 1, 1.0))
    assert page(store, bare).one(id="runs").run_ids == ["r"]
    assert "No runs yet" in page(store, empty).one(id="runs").text  # where runs appear without a reload
    assert "no end of its own" in page(store, bare).text
