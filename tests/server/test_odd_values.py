"""Values that fuzzing found to be answered as a fault of the server, each now answered as the client's."""

import json
from typing import Any

import pytest

from server import filestream, jsontext
from server.graphql import Context, execute
from server.store import Store, runs
from server.store import projects as stored_projects
from server.store.database import Row


@pytest.fixture
def run(store: Store) -> Row:
    with store.write() as db:
        project, _ = stored_projects.ensure(db, "local", "p", 0.0)
        return runs.by_id(db, runs.insert(db, project["id"], "r", "running", 0.0))


def message(context: Context, query: str, **variables: Any) -> str:
    answer = execute(context, query, variables, None)
    assert answer.status == 200
    return str(answer.body.get("errors", [{"message": ""}])[0]["message"])


BELOW_RUN = '{ project(name: "p") { run(name: "r") { %s } } }'


@pytest.mark.parametrize(
    "spec", ['{"keys":3}', '{"keys":[[]]}', '{"samples":"a"}', '{"minStep":"a"}', "[]", '{"keys":{"a":1}}']
)
def test_a_spec_of_a_history_that_makes_no_sense_is_refused(context: Context, run: Row, spec: str) -> None:
    assert "sampledHistory" in message(context, BELOW_RUN % f"sampledHistory(specs: [{json.dumps(spec)}])")


def test_whole_numbers_that_no_database_holds_become_floats(context: Context, run: Row, store: Store) -> None:
    huge = "9" * 400
    assert jsontext.parse(f"[{huge}, {2**63}, {2**63 - 1}, {-(2**63)}]") == [
        float("inf"),
        2.0**63,
        2**63 - 1,
        -(2.0**63),
    ]
    assert type(jsontext.parse(f"[{2**63}]")[0]) is float
    count = 'query Q($f: JSONString) { project(name: "p") { runCount(filters: $f) } }'
    assert message(context, count, f=f'{{"summary_metrics.x": {huge}}}') == ""
    files = {"wandb-history.jsonl": {"offset": 0, "content": [f'{{"x":{huge}}}']}}
    files["wandb-summary.json"] = {"offset": 0, "content": [f'{{"x":{huge}}}']}
    filestream.receive(store, "local", "p", "r", {"files": files, "complete": True, "exitcode": 10**30})
    found = runs.by_id(store.db, run["id"])
    assert (found["state"], found["exit_code"]) == ("failed", 1)


def test_values_nested_too_deeply_are_no_json(context: Context, run: Row) -> None:
    def nested(n: int) -> str:
        return '{"a":' * n + "1" + "}" * n

    assert jsontext.loads(nested(100)) is not None
    assert jsontext.loads(nested(101)) is jsontext.loads(nested(50_000)) is None
    wide = "[" + ",".join(["[1]"] * 500) + "]"
    assert len(jsontext.parse(wide)) == 500
    query = (
        'mutation M($s: JSONString) { upsertBucket(input: {modelName: "p", name: "r", summaryMetrics: $s}) {'
        " inserted } }"
    )
    assert "must be a JSON object" in message(context, query, s=nested(3000))


def test_half_a_surrogate_pair_becomes_the_replacement_character() -> None:
    assert jsontext.parse(r'{"\ud800": ["a\uDFFF", 1, "\ud83d\ude00"]}') == {"\ufffd": ["a\ufffd", 1, "\U0001f600"]}
    rows = [r'{"x": "\udc00"}', "{}"]
    assert jsontext.load_objects(rows) == [{"x": "\ufffd"}, {}]


@pytest.mark.parametrize("value", [None, [], 0, {}, {"id": [[]]}])
def test_an_input_of_the_wrong_type_is_the_clients_error(context: Context, value: Any) -> None:
    text = message(context, "mutation M($input: RunIDInput!) { stopRun(input: $input) { success } }", input=value)
    assert text
    assert "fault of this server" not in text


@pytest.mark.parametrize("value", [2**63, "x", {}, 1.5, True])
def test_a_number_that_is_no_whole_one_of_64_bits_is_the_clients_error(context: Context, run: Row, value: Any) -> None:
    query = 'query Q($m: Int64) { project(name: "p") { run(name: "r") { history(minStep: $m) } } }'
    assert "Int64" in message(context, query, m=value)


@pytest.mark.parametrize("cursor", ["9" * 5000, "x", ":", "-1:1"])
def test_a_cursor_that_was_never_given_out_is_the_clients_error(context: Context, run: Row, cursor: str) -> None:
    query = 'query Q($a: String) { project(name: "p") { runs(after: $a) { totalCount } } }'
    assert "not a cursor" in message(context, query, a=cursor)


@pytest.mark.parametrize(
    "plan", ['{"schedule":3}', '{"schedule":[3]}', '{"schedule":[{"data":{"args":3}}]}', '{"earlystop":[1]}']
)
def test_a_controllers_plan_that_makes_no_sense_is_refused(context: Context, plan: str) -> None:
    create = """mutation M($c: String) { upsertSweep(input: {projectName: "p", config: $c, controller: "{}"}) {
        sweep { id } } }"""
    config = "method: grid\nparameters: {a: {values: [1]}}"
    made = execute(context, create, {"c": config}, None).body["data"]["upsertSweep"]["sweep"]["id"]
    change = "mutation M($i: ID, $c: JSONString) { upsertSweep(input: {id: $i, controller: $c}) { sweep { id } } }"
    assert "schedule must be a list" in message(context, change, i=made, c=plan)
