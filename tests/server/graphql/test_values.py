"""Values that no database, no client or no sense holds are the client's error, never a fault of the server."""

import base64
import json
import re
from typing import Any

import pytest
from graphql import GraphQLObjectType, get_introspection_query, get_named_type, is_introspection_type

from server import filestream, jsontext
from server.graphql import Context, engine
from tests.server.content import lines
from tests.server.queries import PLACE, ask, mutate, upload_manifest

LONG = [2**63, -(2**63) - 1, 2**70, 10**400]
BELOW = {
    "Query": "{ %s }",
    "Project": '{ project(name: "p") { %s } }',
    "Run": '{ project(name: "p") { run(name: "r") { %s } } }',
    "Sweep": '{ project(name: "p") { sweeps { edges { node { %s } } } } }',
    "Agent": '{ project(name: "p") { sweeps { edges { node { agents { edges { node { %s } } } } } } } }',
    "Artifact": '{ project(name: "p") { artifact(name: "m") { %s } } }',
    "ArtifactType": '{ project(name: "p") { artifactType(name: "model") { %s } } }',
    "ArtifactSequence": '{ project(name: "p") { artifactCollection(name: "m") { ... on ArtifactSequence { %s } } } }',
    "ArtifactPortfolio": '{ project(name: "p") { artifactCollection(name: "b") { ... on ArtifactPortfolio { %s } } } }',
    "ArtifactCollectionMembership": '{ project(name: "p") { artifactCollectionMembership(name: "m") { %s } } }',
}
SWEEP = "method: random\nparameters: {x: {min: %s, max: %s}}"
ARTIFACT = {**PLACE, "artifactTypeName": "model", "artifactCollectionName": "m"}


@pytest.fixture
def folder(context: Context) -> Context:
    """With one of everything that has arguments."""
    mutate(context, "upsertBucket", "inserted", modelName="p", name="r")
    sweep = mutate(context, "upsertSweep", "sweep { name }", **PLACE, config=SWEEP % ("0", "1"))["sweep"]
    mutate(context, "createAgent", "agent { id }", **PLACE, host="h", sweep=sweep["name"])
    commit(context, {})
    [version] = ask(context, BELOW["Artifact"] % "id")["project"].values()
    link = {**PLACE, "artifactPortfolioName": "b", "artifactID": version["id"]}
    mutate(context, "linkArtifact", "versionIndex", **link)
    return context


def commit(context: Context, contents: Any) -> Any:
    """The answer to the commit of an artifact whose manifest has these contents."""
    digest = str(len(json.dumps(contents)))
    new = mutate(context, "createArtifact", "artifact { id }", **ARTIFACT, digest=digest)["artifact"]["id"]
    upload_manifest(context, new, contents)
    return mutate(context, "commitArtifact", "artifact { size }", artifactID=new)


def numeric_arguments() -> list[tuple[str, str, str, str]]:
    """(type, field, argument, type of the argument) of every argument of the schema that is a whole number."""
    return [
        (kind.name, name, argument, str(get_named_type(part.type)))
        for kind in engine.schema().type_map.values()
        if isinstance(kind, GraphQLObjectType) and not is_introspection_type(kind)
        for name, field in kind.fields.items()
        for argument, part in field.args.items()
        if str(get_named_type(part.type)) in ("Int", "Int64")
    ]


def test_every_count_of_the_schema_refuses_what_is_no_count(folder: Context) -> None:
    found = numeric_arguments()
    assert {("Project", "runs", "first", "Int"), ("Run", "history", "minStep", "Int64")} <= set(found)
    for kind, name, argument, scalar in found:
        field = engine.schema().type_map[kind].fields[name]  # type: ignore[attr-defined]
        inner = "" if str(get_named_type(field.type)) == "JSONString" else " { __typename }"
        bad: list[Any] = [*LONG, 1.5, "x", True] + ([-1, 2**31] if scalar == "Int" else [])
        for value in bad:
            literal = BELOW[kind] % f"{name}({argument}: {json.dumps(value)}){inner}"
            variable = f"query Q($n: {scalar}) " + BELOW[kind] % f"{name}({argument}: $n){inner}"
            for answer in (ask(folder, literal), ask(folder, variable, n=value)):
                assert re.search("cannot represent|64 bits|must be 0 or more", str(answer)), (variable, value, answer)


@pytest.mark.parametrize("size", [*LONG, -1, 1.5, "1", True, [], float("nan")])
def test_a_manifest_with_a_size_that_is_none_is_refused(folder: Context, size: Any) -> None:
    answer = commit(folder, {"a": {"digest": "d", "ref": "http://x", "size": size}})
    assert "size or reference of 'a'" in str(answer)


def test_sizes_that_are_too_much_together_are_refused_and_none_is_0(folder: Context) -> None:
    entry = {"digest": "d", "ref": "http://x", "size": 2**62}
    assert "together" in commit(folder, {"a": entry, "b": entry})
    assert commit(folder, {"a": entry | {"size": None}}) == {"artifact": {"size": 0}}


@pytest.mark.parametrize("ttl", [0, -3, -(2**62)])
def test_a_time_to_live_is_a_time(folder: Context, ttl: int) -> None:
    assert "time to live" in mutate(
        folder, "createArtifact", "artifact { id }", **ARTIFACT, digest="t", ttlDurationSeconds=ttl
    )


@pytest.mark.parametrize("number", LONG)
def test_a_sweep_with_a_number_beyond_64_bits_is_refused_with_its_place(folder: Context, number: int) -> None:
    for place, config in (
        ("parameters.x.max", SWEEP % ("0", number)),
        ("run_cap", f"run_cap: {number}\n" + SWEEP % ("0.0", "1.0")),
        ("requeue", f"requeue: {number}\n" + SWEEP % ("0.0", "1.0")),
        ("parameters.x.values.1", f"method: grid\nparameters: {{x: {{values: [1, {number}]}}}}"),
    ):
        answer = mutate(folder, "upsertSweep", "sweep { id }", **PLACE, config=config)
        assert re.fullmatch(rf"{place} .* 64 bits", answer)


@pytest.mark.parametrize("method", ["random", "grid", "bayes\nmetric: {name: l}"])
def test_the_widest_interval_of_64_bits_is_searched(folder: Context, method: str) -> None:
    config = (SWEEP % (-(2**63) + 1, 2**63 - 1)).replace("random", method)
    fields = "sweep { name runCountExpected }"
    sweep = mutate(folder, "upsertSweep", fields, **PLACE, config=config)["sweep"]
    assert sweep["runCountExpected"] is None
    agent = mutate(folder, "createAgent", "agent { id }", **PLACE, host="h", sweep=sweep["name"])["agent"]
    [command] = json.loads(mutate(folder, "agentHeartbeat", "commands", id=agent["id"])["commands"])
    assert abs(command["args"]["x"]["value"]) < 2**63


def test_a_cap_of_more_than_32_bits_can_be_read(folder: Context) -> None:
    config = f"run_cap: {2**40}\n" + SWEEP % ("0.0", "1.0")
    answer = mutate(folder, "upsertSweep", "sweep { runCountExpected }", **PLACE, config=config)
    assert answer == {"sweep": {"runCountExpected": 2**40}}


def test_lines_beyond_32_bits_can_be_read(folder: Context) -> None:
    filestream.receive(folder.store, "local", "p", "r", lines(2**40, console=["x"]))
    fields = "logLineCount logLines(last: 1) { edges { node { number } } }"
    run = ask(folder, BELOW["Run"] % fields)["project"]["run"]
    assert run == {"logLineCount": 2**40 + 1, "logLines": {"edges": [{"node": {"number": 2**40}}]}}


SPECS = [{"keys": 3}, {"keys": [[]]}, {"keys": {"a": 1}}, {"samples": "a"}, {"minStep": "a"}, []]
SPECS += [{"keys": ["a"], "samples": samples} for samples in (-1, 1.5, True, 2**70, "5")]


@pytest.mark.parametrize("spec", SPECS)
def test_a_spec_of_a_history_that_makes_no_sense_is_refused(folder: Context, spec: Any) -> None:
    answer = ask(folder, BELOW["Run"] % f"sampledHistory(specs: [{json.dumps(json.dumps(spec))}])")
    assert answer.startswith("sampledHistory: ")


def test_whole_numbers_that_no_database_holds_become_floats(folder: Context) -> None:
    huge = "9" * 400
    found = jsontext.parse(f"[{huge}, {2**63}, {2**63 - 1}, {-(2**63)}]")
    assert found == [float("inf"), 2.0**63, 2**63 - 1, -(2.0**63)]
    assert type(found[1]) is float
    count = 'query Q($f: JSONString) { project(name: "p") { runCount(filters: $f) } }'
    assert ask(folder, count, f=f'{{"summary_metrics.x": {huge}}}') == {"project": {"runCount": 0}}
    row = [f'{{"x":{huge}}}']
    end = {"complete": True, "exitcode": 10**30}
    filestream.receive(folder.store, "local", "p", "r", lines(history=row, summary=row) | end)
    assert ask(folder, BELOW["Run"] % "state exitcode")["project"]["run"] == {"state": "failed", "exitcode": 1}


def nested(n: int) -> str:
    return '{"a":' * n + "1" + "}" * n


def test_values_nested_too_deeply_are_no_json(folder: Context) -> None:
    assert jsontext.loads(nested(100)) is not None
    assert jsontext.loads(nested(101)) is jsontext.loads(nested(50_000)) is None
    assert len(jsontext.parse("[" + ",".join(["[1]"] * 500) + "]")) == 500
    answer = mutate(folder, "upsertBucket", "inserted", modelName="p", name="r", summaryMetrics=nested(3000))
    assert "must be a JSON object" in answer


def test_half_a_surrogate_pair_becomes_the_replacement_character() -> None:
    assert jsontext.parse(r'{"\ud800": ["a\uDFFF", 1, "\ud83d\ude00"]}') == {"\ufffd": ["a\ufffd", 1, "\U0001f600"]}
    assert jsontext.load_objects([r'{"x": "\udc00"}', "{}"]) == [{"x": "\ufffd"}, {}]


@pytest.mark.parametrize("value", [None, [], 0, {}, {"id": [[]]}])
def test_an_input_of_the_wrong_type_is_the_clients_error(context: Context, value: Any) -> None:
    answer = ask(context, "mutation M($input: RunIDInput!) { stopRun(input: $input) { success } }", input=value)
    assert isinstance(answer, str)
    assert "fault of this server" not in answer


@pytest.mark.parametrize(
    "plan", ['{"schedule":3}', '{"schedule":[3]}', '{"schedule":[{"data":{"args":3}}]}', '{"earlystop":[1]}']
)
def test_a_controllers_plan_that_makes_no_sense_is_refused(context: Context, plan: str) -> None:
    config = SWEEP % ("0", "1")
    made = mutate(context, "upsertSweep", "sweep { id }", projectName="p", config=config, controller="{}")["sweep"]
    answer = mutate(context, "upsertSweep", "sweep { id }", id=made["id"], controller=plan)
    assert "schedule must be a list" in answer


@pytest.mark.parametrize("cursor", ["x", ":", "-1:3", "1.5:1", "9" * 30 + ":1", " 0:1", "²:1"])
def test_a_cursor_that_is_none_is_refused(folder: Context, cursor: str) -> None:
    query = 'query Q($after: String) { project(name: "p") { runs(after: $after) { totalCount } } }'
    assert ask(folder, query, after=cursor) == f"not a cursor: {cursor!r}"


@pytest.mark.parametrize("number", ["9" * 20, "-1", "1.5", "", "1e3"])
def test_an_id_with_an_odd_number_is_no_id(folder: Context, number: str) -> None:
    text = base64.b64encode(f"Run:{number}".encode()).decode()
    assert f"{text!r} is not" in mutate(folder, "stopRun", "success", id=text)


def test_the_whole_schema_can_be_asked_for(folder: Context) -> None:
    """The introspection query of clients up to 0.25.1 and of GraphiQL."""
    query = get_introspection_query(
        descriptions=True,
        specified_by_url=True,
        directive_is_repeatable=True,
        schema_description=True,
        input_value_deprecation=True,
        one_of=True,
    )
    found = {kind["name"]: kind for kind in ask(folder, query)["__schema"]["types"]}
    assert found.keys() == engine.schema().type_map.keys()
    for name, kind in engine.schema().type_map.items():
        fields = getattr(kind, "fields", {}).keys()
        assert {field["name"] for field in found[name]["fields"] or found[name]["inputFields"] or []} == fields
    one = ask(folder, '{ __type(name: "Query") { fields { name } } gone: __type(name: "Nothing") { name } __typename }')
    assert (one["gone"], one["__typename"]) == (None, "Query")
    deep = "{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }"
    assert "Maximum introspection depth" in ask(folder, deep)


def test_an_empty_entity_is_the_persons_own_in_every_mutation_that_takes_one(folder: Context) -> None:
    """As `wandb sync` sends it for an offline run that named none."""
    place = {"entityName": "", "projectName": "p"}
    run = {**place, "runName": "r"}
    new = mutate(folder, "createArtifact", "artifact { id }", **{**ARTIFACT, **run, "digest": "d"})["artifact"]["id"]
    upload_manifest(folder, new, {})
    assert mutate(folder, "commitArtifact", "artifact { state }", artifactID=new) == {
        "artifact": {"state": "COMMITTED"}
    }
    assert mutate(folder, "useArtifact", "artifact { id }", **run, artifactID=new) == {"artifact": {"id": new}}
    link = {"artifactPortfolioName": "b", "artifactID": new}
    assert mutate(folder, "linkArtifact", "versionIndex", **place, **link) == {"versionIndex": 1}
    alias = {**place, "artifactCollectionName": "m", "alias": "new"}
    assert mutate(folder, "addAliases", "success", artifactID=new, aliases=[alias]) == {"success": True}
    assert mutate(folder, "createRunFiles", "files { name }", **run, files=["a"]) == {"files": [{"name": "a"}]}
    tag = {"artifactCollectionName": "m", "tags": [{"tagName": "t"}]}
    tagged = mutate(folder, "createArtifactCollectionTagAssignments", "tags { name }", **place, **tag)
    assert tagged == {"tags": [{"name": "t"}]}


def test_a_client_changes_a_sweep_by_the_same_rule_as_a_page(context: Context) -> None:
    sweep = mutate(context, "upsertSweep", "sweep { id }", **PLACE, config=SWEEP % ("0", "1"))["sweep"]

    def set_state(state: str) -> Any:
        return mutate(context, "upsertSweep", "sweep { state }", **PLACE, id=sweep["id"], state=state)

    for state in ("RUNNING", "RUNNING", "PAUSED", "RUNNING", "FINISHED", "FINISHED", "RUNNING", "CANCELED", "CANCELED"):
        assert set_state(state) == {"sweep": {"state": state}}
    for state in ("RUNNING", "PAUSED", "FINISHED"):
        assert set_state(state) == f"the sweep is canceled: it cannot become {state.lower()} any more"


def test_the_update_of_a_sweep_warns_as_its_creation_does(context: Context) -> None:
    doubtful = "method: grid\nparameters: {x: {values: [1, 2], probabilities: [0.5, 0.5]}}"
    fields = "sweep { id } configValidationWarnings"
    made = mutate(context, "upsertSweep", fields, **PLACE, config=doubtful)
    assert made["configValidationWarnings"]
    assert mutate(context, "upsertSweep", fields, **PLACE, id=made["sweep"]["id"], config=doubtful) == made
