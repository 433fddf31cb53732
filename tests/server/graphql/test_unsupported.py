"""Every argument and every input field of the schema is read by its resolver, or listed as refused or ignored."""

import dis
import re
from collections.abc import Iterator
from typing import Any

import pytest
from graphql import GraphQLInputObjectType, GraphQLObjectType, get_named_type, is_introspection_type

from bench.harness.client_operations import operations
from server.graphql import Context, engine, execute, unsupported
from server.graphql.context import snake_case
from server.store import Refused, projects
from tests.server import queries
from tests.server.queries import PLACE

MD5 = "mgNkuembtIDdJeHwKEyFVQ=="
SWEEP = "method: random\nparameters: {x: {min: 0.0, max: 1.0}}"


class Recorded(dict[str, Any]):
    """An input that notes which of its fields are read."""

    read: set[tuple[str, str]]
    kind: str

    def __getitem__(self, name: str) -> Any:
        self.read.add((self.kind, name))
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self.read.add((self.kind, name))
        return super().get(name, default)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> set[tuple[str, str]]:
    """(input type, field) of everything that a resolver read."""
    read: set[tuple[str, str]] = set()
    for kind in engine.schema().type_map.values():
        if isinstance(kind, GraphQLInputObjectType):
            monkeypatch.setattr(
                kind, "out_type", type(kind.name, (Recorded,), {"read": read, "kind": kind.name}), raising=False
            )
    return read


def mutate(context: Context, name: str, fields: str, /, **input: Any) -> Any:
    answer = queries.mutate(context, name, fields, **input)
    assert not isinstance(answer, str), answer
    return answer


def every_mutation(context: Context) -> None:
    """Calls each mutation at least once so that it gets to every field it knows; raises where one fails."""

    def do(name: str, fields: str = "__typename", /, **input: Any) -> Any:
        return mutate(context, name, fields, **input)

    project = do("upsertModel", "project { id }", name="p", entityName="local", description="d")["project"]["id"]
    do("upsertModel", id=project)
    run = do("upsertBucket", "bucket { id }", modelName="p", entityName="local", name="r")["bucket"]["id"]
    do("upsertBucket", id=run)
    other = do("upsertBucket", "bucket { id }", modelName="p", name="other", state="pending")["bucket"]["id"]
    do("updateRunState", id=other, state="failed")
    do("stopRun", id=run)
    here = {**PLACE, "runName": "r"}
    do("notifyScriptableRunAlert", **here, title="t", text="t")
    do("createRunFiles", **here, files=["a.txt"])
    do("markRunFilesUploaded", **here, files=["a.txt"])
    do("deleteFiles", files=[])
    sweep = do("upsertSweep", "sweep { id name }", **PLACE, config=SWEEP)["sweep"]
    do("upsertSweep", id=sweep["id"])
    agent = do("createAgent", "agent { id }", host="h", sweep=sweep["name"], **PLACE)["agent"]["id"]
    do("agentHeartbeat", id=agent)
    do("enqueueSweepRun", id=sweep["id"], config="{}")
    model = {**PLACE, "artifactTypeName": "model", "artifactCollectionName": "m", "digest": "d"}
    alias = {"alias": "x", "artifactCollectionName": "m"}
    new = do(
        "createArtifact", "artifact { id artifactSequence { id } }", **model, aliases=[alias], tags=[{"tagName": "t"}]
    )
    artifact, sequence = new["artifact"]["id"], new["artifact"]["artifactSequence"]["id"]
    manifest = queries.upload_manifest(context, artifact, {})
    do("updateArtifactManifest", artifactManifestID=manifest)
    do("createArtifactFiles", artifactFiles=[{"artifactID": artifact, "name": "a", "md5": MD5}])
    do("commitArtifact", artifactID=artifact)
    entries = 'filesByManifestEntries(entries: [{digest: "d"}]) { totalCount }'
    body = execute(context, f'{{ project(name: "p") {{ artifact(name: "m") {{ {entries} }} }} }}', None, None).body
    assert "errors" not in body, body
    do("useArtifact", artifactID=artifact, **here)
    do("updateArtifact", artifactID=artifact, aliases=[alias], tagsToAdd=[{"tagName": "t"}])
    do("addAliases", artifactID=artifact, aliases=[alias | PLACE])
    do("deleteAliases", artifactID=artifact, aliases=[alias | PLACE])
    with pytest.raises(AssertionError, match="does not exist"):
        do("linkArtifact", clientID="gone", **PLACE)
    best = [{"alias": "x", "artifactCollectionName": "best"}]
    fields = "artifactMembership { artifactCollection { id } }"
    link = do("linkArtifact", fields, artifactID=artifact, artifactPortfolioName="best", aliases=best, **PLACE)
    portfolio = link["artifactMembership"]["artifactCollection"]["id"]
    do("linkArtifact", artifactID=artifact, artifactPortfolioID=portfolio)
    do("updateArtifactPortfolio", artifactPortfolioID=portfolio)
    do("unlinkArtifact", artifactID=artifact, artifactPortfolioID=portfolio)
    do("deleteArtifactPortfolio", artifactPortfolioID=portfolio)
    do("updateArtifactSequence", artifactSequenceID=sequence)
    do("moveArtifactSequence", artifactSequenceID=sequence, destinationArtifactTypeName="model")
    tagged = {**PLACE, "artifactCollectionName": "m", "tags": [{"tagName": "t"}]}
    do("createArtifactCollectionTagAssignments", **tagged)
    do("deleteArtifactCollectionTagAssignments", **tagged)
    do("deleteArtifact", artifactID=artifact, deleteAliases=True)
    do("deleteArtifactSequence", artifactSequenceID=sequence)
    view = do("upsertView", "view { id }", **PLACE)["view"]["id"]
    do("upsertView", id=view)
    do("deleteView", id=view)
    do("deleteRun", id=run)


def input_fields() -> Iterator[tuple[str, str]]:
    for kind in engine.schema().type_map.values():
        if isinstance(kind, GraphQLInputObjectType):
            yield from ((kind.name, name) for name in kind.fields)


def arguments() -> Iterator[tuple[str, str, str]]:
    for kind in engine.schema().type_map.values():
        if isinstance(kind, GraphQLObjectType) and not is_introspection_type(kind):
            for name, field in kind.fields.items():
                yield from ((kind.name, name, argument) for argument in field.args)


LISTED = {**unsupported.REFUSED, **unsupported.IGNORED}


def test_every_input_field_is_read_by_its_resolver_or_listed(context: Context, read: set[tuple[str, str]]) -> None:
    every_mutation(context)
    fields = {
        f"{kind.name}.{name}": field
        for kind in engine.schema().type_map.values()
        if isinstance(kind, GraphQLInputObjectType)
        for name, field in kind.fields.items()
    }
    below = {get_named_type(fields[place].type).name for place in LISTED if place in fields}
    rest = [place.split(".") for place in fields if place not in LISTED]
    assert [(kind, name) for kind, name in rest if kind not in below and (kind, snake_case(name)) not in read] == []


def test_every_argument_is_read_by_its_resolver_or_listed() -> None:
    resolvers = {
        (kind, field): resolver
        for module in engine.MODULES
        for kind, fields in module.RESOLVERS.items()
        for field, resolver in fields.items()
    }
    for kind, field, argument in arguments():
        if f"{kind}.{field}.{argument}" not in LISTED:
            loaded = [i.argval for i in dis.get_instructions(resolvers[kind, field]) if i.opname.startswith("LOAD")]
            assert snake_case(argument) in loaded, f"{kind}.{field}({argument})"


def test_the_lists_name_what_is_in_the_schema_and_say_why() -> None:
    places = {".".join(parts) for parts in arguments()} | {".".join(parts) for parts in input_fields()}
    assert LISTED.keys() <= places
    assert all(LISTED.values())
    assert not unsupported.REFUSED.keys() & unsupported.IGNORED.keys()


@pytest.mark.parametrize("place", sorted(unsupported.REFUSED))
def test_what_is_listed_as_refused_is_refused_by_name_unless_it_is_empty(place: str) -> None:
    name = place.rpartition(".")[2]
    kind, _, rest = place.partition(".")
    parts: dict[str, Any] = engine.schema().type_map[kind].fields  # type: ignore[attr-defined]
    parts = parts[rest.split(".")[0]].args if "." in rest else parts
    with pytest.raises(Refused, match=f"^{name} is not supported here: "):
        unsupported._drop_unsupported(place.rpartition(".")[0], parts, {snake_case(name): "something"})
    empties: list[Any] = [None, "", "null", "{}", [], False]
    for empty in empties:
        values: dict[str, Any] = {snake_case(name): empty}
        unsupported._drop_unsupported(place.rpartition(".")[0], parts, values)
        assert values == {}


def test_what_is_ignored_changes_nothing_and_client_mutation_ids_come_back(context: Context) -> None:
    input = {"modelName": "p", "name": "r", "debug": True}
    assert mutate(context, "upsertBucket", "inserted", **input) == {"inserted": True}
    run = mutate(context, "upsertBucket", "bucket { id }", **input)["bucket"]["id"]
    assert mutate(context, "stopRun", "clientMutationId", id=run, clientMutationId="7") == {"clientMutationId": "7"}


def test_a_sweep_for_a_launch_queue_is_refused_and_not_made_even_where_the_client_asks_again_without_it(
    context: Context,
) -> None:
    queue = '{"queue": "gpus"}'
    declared = """mutation UpsertSweep($launchScheduler: JSONString, $config: String) { upsertSweep(input: {
        projectName: "p", launchScheduler: $launchScheduler, config: $config}) { sweep { name } } }"""
    without = declared.replace("$launchScheduler: JSONString, ", "").replace("launchScheduler: $launchScheduler,", "")
    for query in (declared, without):
        body = execute(context, query, {"launchScheduler": queue, "config": SWEEP}, None).body
        assert "launchScheduler is not supported" in body["errors"][0]["message"]
    assert projects.find(context.store.db, "local", "p") is None
    body = execute(context, declared, {"launchScheduler": None, "config": SWEEP}, None).body
    assert body["data"]["upsertSweep"]["sweep"]


@pytest.mark.parametrize(
    ("operation", "noun"),
    [
        ("CreateRunQueue", "launch queues"),
        ("popFromRunQueue", "launch queues"),
        ("LaunchAgent", "launch queues"),
        ("CreateAutomation", "automations"),
        ("GetOrgAutomations", "automations"),
        ("FetchRegistry", "registries"),
        ("RegistryUserMembers", "registries"),
        ("CreateTeam", "way to make users"),
        ("RewindRun", "rewinding of runs"),
        ("CompleteMultipartUploadArtifact", "uploads in several parts"),
    ],
)
def test_an_operation_is_refused_in_a_sentence_that_says_what_is_missing(
    context: Context, operation: str, noun: str
) -> None:
    [text, *_] = operations()[operation]
    body = execute(context, text, {}, None).body
    assert list(body) == ["errors"]
    assert re.fullmatch(
        rf"this server has no {noun}[^;]*: it refuses (query|mutation) {operation}", body["errors"][0]["message"]
    )


def test_a_run_says_that_a_stop_was_asked_for_and_not_how_it_ended(context: Context) -> None:
    run = mutate(context, "upsertBucket", "bucket { id stopped shouldStop }", modelName="p", name="r")["bucket"]
    assert (run["stopped"], run["shouldStop"]) == (False, False)
    mutate(context, "stopRun", "success", id=run["id"])
    body = execute(context, '{ project(name: "p") { run(name: "r") { state stopped } } }', None, None).body
    assert body["data"]["project"]["run"] == {"state": "running", "stopped": True}


@pytest.mark.parametrize("state", ["PAUSED", "FINISHED", "x"])
def test_a_new_sweep_has_no_other_state_than_pending(context: Context, state: str) -> None:
    with pytest.raises(AssertionError, match=f"PENDING .* not {state}"):
        mutate(context, "upsertSweep", "sweep { state }", projectName="p", config=SWEEP, state=state)


def test_an_alias_for_another_collection_is_refused(context: Context) -> None:
    with pytest.raises(AssertionError, match=r"'x'.*'other'.*'m'"):
        mutate(
            context,
            "createArtifact",
            "__typename",
            **PLACE,
            artifactTypeName="model",
            artifactCollectionName="m",
            digest="d",
            aliases=[{"alias": "x", "artifactCollectionName": "other"}],
        )
