"""Run filters and orders against a slow evaluation in Python."""

import json
import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.pages.render import run_seconds
from server.store import Refused, Store, runs
from tests.server.content import add_project, add_run
from tests.server.mongo import passes

CONFIGS: list[dict[str, Any]] = [
    {"lr": 0.1, "name": "a", "n": 1},
    {"lr": 0.01, "name": "b"},
    {"lr": "high", "n": 2},
    {"name": "a", "n": 3, "opt": {"wd": 1}},
    {},
]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Any:
    store = Store(tmp_path_factory.mktemp("filters"))
    with store.write() as db:
        place = add_project(db)
        for i, config in enumerate(CONFIGS):
            add_run(db, place, f"run{i}", config, begin=float(i), tags=[f"t{i % 2}"])
    yield store, place
    store.close()


def found(project: Any, filters: Any, order: str | None = None) -> list[int]:
    store, project_id = project
    return [i - 1 for i in runs.ids(store.db, project_id, json.dumps(filters), order)]


KEYS = st.sampled_from(["lr", "name", "n", "opt.wd"])
VALUES = st.sampled_from([0.1, 0.01, 1, 2, 3, "a", "b", "high"])
LEAVES = st.one_of(
    st.tuples(KEYS, st.sampled_from(["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"]), VALUES),
    st.tuples(KEYS, st.sampled_from(["$in", "$nin"]), st.lists(VALUES, max_size=3)),
    st.tuples(KEYS, st.just("$exists"), st.booleans()),
).map(lambda leaf: {f"config.{leaf[0]}": {leaf[1]: leaf[2]}})
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(["$and", "$or", "$nor"]), st.lists(inner, min_size=1, max_size=3)),
        st.tuples(st.just("$not"), inner),
    ).map(lambda node: {node[0]: node[1]}),
    max_leaves=5,
)


def test_the_duration_is_the_clients_own_runtime_where_it_sent_one(store: Store) -> None:
    """That of a run that was offline, or paused; before and after its summary is indexed."""
    with store.write() as db:
        place = add_project(db)
        for name, runtime in {"offline": 3600, "none": None, "text": "1:00", "endless": 1e999, "below": -5}.items():
            run_id = add_run(db, place, name, {}, [], {"_runtime": runtime}, begin=1000.0)
            db.execute("UPDATE runs SET started_at = 1000, finished_at = 1007 WHERE id = ?", (run_id,))
    for n_indexed in (5, 0):
        ids = runs.ids(store.db, place, '{"duration": {"$gte": 7}}', "-duration")
        values = runs.values_of(store.db, ids, ["duration"])
        assert [values[run_id] for run_id in ids] == [[3600], [7], [7], [7], [7]]
        assert [run_seconds(run) for run in runs.get_many(store.db, ids)] == [3600, 7, 7, 7, 7]
        with store.write() as db:
            assert runs.index_summaries(db, 9) == n_indexed


@given(TREES)
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_sql_filters_agree_with_an_evaluation_in_python(project: Any, tree: dict[str, Any]) -> None:
    assert found(project, tree) == [i for i, config in enumerate(CONFIGS) if passes(tree, {"config": config})]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, [0, 1, 2, 3, 4]),
        ({"tags": "t1"}, [1, 3]),
        ({"tags": {"$nin": ["t1"]}}, [0, 2, 4]),
        ({"config.opt.value.wd": 1}, [3]),
        ({"config.lr.value": 0.1}, [0]),
        ({"config.name": {"$regex": "^[ab]$"}}, [0, 1, 3]),
        ({"config.name": {"$not": {"$eq": "a"}}}, [1, 2, 4]),
        ({"state": "finished", "name": {"$in": ["run0", "run4"]}}, [0, 4]),
        ({"created_at": {"$gte": "1970-01-01T00:00:03Z"}}, [3, 4]),
        ({"group": None}, [0, 1, 2, 3, 4]),
        ({"sweep": "none"}, []),
    ],
)
def test_filters_on_fields(project: Any, filters: Any, expected: list[int]) -> None:
    assert found(project, filters) == expected


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("+created_at", [0, 1, 2, 3, 4]),
        ("-created_at", [4, 3, 2, 1, 0]),
        ("+config.n.value", [0, 2, 3, 1, 4]),
        ("-config.n.value", [3, 2, 0, 1, 4]),
    ],
)
def test_runs_without_the_value_come_last_in_both_directions(project: Any, order: str, expected: list[int]) -> None:
    assert found(project, {}, order) == expected


def test_an_order_finds_the_best_values_that_define_metric_nests(store: Store) -> None:
    with store.write() as db:
        place = add_project(db)
        summaries: list[dict[str, Any]] = [{"acc": {"max": 0.5}}, {"acc": {"best": 0.9}}, {"acc": 0.7}, {}]
        for i, summary in enumerate(summaries):
            add_run(db, place, f"run{i}", summary=summary)
    assert found((store, place), {}, "-summary_metrics.acc") == [1, 2, 0, 3]


@pytest.mark.parametrize(
    "filters", [{"$near": 1}, {"config.x": {"$near": 1}}, {"nonsense": 1}, {"$and": 3}, [1], {"name": {"$regex": "("}}]
)
def test_a_filter_that_is_not_understood_is_refused(project: Any, filters: Any) -> None:
    with pytest.raises(Refused):
        found(project, filters)


NAMES = ["run0", "run3", *(f"other{i}" for i in range(20_000))]
NESTED: Any = {"config.n": 1}
for _ in range(40):
    NESTED = {"$or": [NESTED, {"$and": [{"config.lr": "high"}, {"config.n": 2}]}, {"$not": {"config.n": {"$ne": 3}}}]}


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"name": {"$in": NAMES}}, [0, 3]),
        ({"name": {"$nin": NAMES}}, [1, 2, 4]),
        ({"$or": [{"name": name} for name in NAMES]}, [0, 3]),
        ({"$nor": [{"name": {"$in": NAMES[:9000]}}, {"name": {"$eq": "run4"}}]}, [1, 2]),
        ({"config.n": {"$in": [*range(3, 5000), None]}}, [1, 3, 4]),
        ({"$and": [{"config.n": {"$ne": i}} for i in range(3, 3000)]}, [0, 1, 2, 4]),
        ({"$or": [{f"config.key{i}": 1, "config.n": i} for i in range(90)] + [{"config.n": 2}]}, [2]),
        ({"$or": [{"config.n": i, "config.name": "a"} for i in range(2000)]}, [0, 3]),
        (NESTED, [0, 2, 3]),
    ],
)
def test_filters_of_thousands_of_values_and_many_levels(project: Any, filters: Any, expected: list[int]) -> None:
    assert found(project, filters) == expected


@pytest.mark.parametrize(
    "filters",
    [
        json.dumps({"$or": [{f"config.k{i}": 1} for i in range(6000)]}),
        "[" * 150 + "]" * 150,
        '{"$or":[' * 60 + "{}" + "]}" * 60,
    ],
)
def test_what_is_too_large_is_refused(project: Any, filters: str) -> None:
    store, project_id = project
    with pytest.raises(Refused, match=r"more than 100 (deep|different keys)"):
        runs.ids(store.db, project_id, filters)


METRICS: list[Any] = [0.5, "NaN", math.nan, None, -math.inf, 0.1, True, {"a": 1}, math.inf, {"max": 0.7}, [1], "text"]


@pytest.mark.parametrize("state", ["finished", "running"])
@pytest.mark.parametrize(("order", "expected"), [("+", [5, 0, 9, 1, 11, 10, 6]), ("-", [9, 0, 5, 11, 1, 6, 10])])
def test_the_best_run_is_one_with_a_finite_metric(store: Store, state: str, order: str, expected: list[int]) -> None:
    with store.write() as db:
        place = add_project(db)
        for i, value in enumerate(METRICS):
            add_run(db, place, f"run{i}", {"x": value}, [], {"x": value}, state=state)
        runs.index_summaries(db, 100)
    numbers = found((store, place), {}, f"{order}summary_metrics.x")
    assert numbers[: len(expected)] == expected, "numbers, texts, other kinds"
    assert set(numbers[len(expected) : -2]) == {2, 4, 8}, "not finite"
    assert set(numbers[-2:]) == {3, 7}, "nothing"
    assert found((store, place), {}, f"{order}config.x") == numbers


def test_values_cannot_leave_their_place_in_the_sql(project: Any) -> None:
    assert found(project, {"config.x' OR 1 --": "' OR 1 --"}) == []
