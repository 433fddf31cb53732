"""Every kind of value under every question, against MongoDB's rules."""

import json
import math
from typing import Any

import pytest

from server.store import Store, projects, runs
from tests.server.mongo import holds, leaves_at
from tests.server.running import Client, Server

ABSENT = object()
NAN, INFINITY = math.nan, math.inf
VALUES: list[Any] = [
    *(ABSENT, None, True, False, 0, 1, 1.0, -2, 0.1, 1e300, 2**53 + 1, NAN, INFINITY, -INFINITY),
    *("", "a", "b", "1", "NaN", "true", "null", "é", "x" * 999, "x" * 1001, "x" * 50_000 + "y", "[1]", "{}"),
    *([], [1], [1, 2], [2, 1], ["a"], [None], [True], [NAN], [[1, 2]], [[]], [{"a": 1}], list(range(500))),
    *({}, {"a": 1}, {"a": 1.0}, {"b": 1, "a": 1}, {"a": None}, {"a": {"b": [1, 2]}}, {"a": []}, {"value": 3}),
    *([{"a": 1, "b": 2}, {"a": 2}], [{"a": [5, 6]}], {"a": [{"b": 1}, {"b": 2}]}),
]
WANTED: list[Any] = [
    *(None, True, False, 0, 1, 1.0, 0.1, NAN, INFINITY, "", "a", "1", "x" * 1001, "x" * 50_000 + "y"),
    *([], [1], [1, 2], [True], [None], [[1, 2]], {}, {"a": 1}, {"a": 1, "b": 1}, {"a": {"b": [1.0, 2]}}),
]
LISTS: list[Any] = [[], [None], [1, "a"], [None, [1, 2], {}]]
ORDERED: tuple[Any, ...] = (None, True, False, 0, 1, 0.1, NAN, INFINITY, -INFINITY, "", "b", "x" * 1000, [1], [1, 2])
QUESTIONS: list[Any] = [
    *WANTED[:-4],
    *({operator: wanted} for operator in ("$eq", "$ne") for wanted in WANTED),
    *({operator: wanted} for operator in ("$gt", "$gte", "$lt", "$lte") for wanted in ORDERED),
    *({operator: wanted} for operator in ("$in", "$nin") for wanted in LISTS),
    *({"$exists": wanted} for wanted in (True, False, 1, 0)),
    *({"$not": {"$gt": 0}}, {"$not": {"$exists": True}}, {"$not": {"$not": {"$eq": None}}}),
    *({"$gte": 0, "$lt": 1}, {"$ne": None, "$nin": [1]}, {"$regex": "^x+$"}, {"$regex": "a", "$ne": "a"}),
    {"$not": {"$regex": "x"}},
]
PATHS = ("a", "a.b", "0", "0.a", "a.0", "1.a", "a.a")


def expected(question: Any, path: str = "") -> list[int]:
    at = path.split(".") if path else []
    found = [[] if value is ABSENT else leaves_at(value, at) for value in VALUES]
    return [i for i, leaves in enumerate(found) if holds(leaves, question)]


def documents(value: Any) -> tuple[str, str]:
    """Config and summary in which x is `value`."""
    config, summary = ({}, {}) if value is ABSENT else ({"x": {"value": value}}, {"x": value})
    return json.dumps(config), json.dumps(summary)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Runs that have ended, and in another project the same runs while they go on."""
    store = Store(tmp_path_factory.mktemp("values"))
    ids = {}
    with store.write() as db:
        for state in ("finished", "running"):
            row, _ = projects.ensure(db, "local", state, 0.0)
            ids[state] = row["id"]
            for i, value in enumerate(VALUES):
                config, summary = documents(value)
                runs.insert(db, row["id"], f"r{i}", state, float(i), config=config, summary=summary)
        assert runs.index_summaries(db, 10_000) == len(VALUES)
    yield store, ids, [expected(question) for question in QUESTIONS]
    store.close()


PLACES = [("finished", "config.x"), ("finished", "summary_metrics.x"), ("running", "summary_metrics.x")]


@pytest.mark.parametrize(("state", "key"), PLACES)
def test_every_question_about_every_kind_of_value(project: Any, state: str, key: str) -> None:
    store, ids, answers = project

    def found(filters: Any) -> list[int]:
        first = 1 if state == "finished" else 1 + len(VALUES)
        return [run_id - first for run_id in runs.ids(store.db, ids[state], json.dumps(filters))]

    for question, answer in zip(QUESTIONS, answers, strict=True):
        assert found({key: question}) == answer, question
        others = sorted(set(range(len(VALUES))) - set(answer))
        assert found({"$nor": [{key: question}]}) == found({"$not": {key: question}}) == others, question
    for path in PATHS:
        for question in (
            {"$exists": True},
            {"$exists": False},
            1,
            None,
            {"$ne": None},
            {"$gt": 1},
            {"$in": [2, [5, 6]]},
        ):
            assert found({f"{key}.{path}": question}) == expected(question, path), (path, question)


READ = """
import json, sys, wandb
api = wandb.Api()
names = lambda filters: sorted(int(run.id[1:]) for run in api.runs("values", filters=filters))
print(json.dumps([names({key: question}) for key in ("config.x", "summary_metrics.x")
    for question in json.load(open("questions.json"))]))
"""


def test_the_client_gets_the_same_answers(server: Server, client: Client) -> None:
    for i, value in enumerate(VALUES):
        config, summary = documents(value)
        assert server.open_run("values", f"r{i}", config=config, summary=summary)[0] == 200
    asked = [question for question in QUESTIONS if len(str(question)) < 2000][::7]
    (client.folder / "questions.json").write_text(json.dumps(asked))
    assert client.run(READ) == [expected(question) for question in asked] * 2
