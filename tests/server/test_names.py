"""Names from clients: what none may be, what real clients use, and what an older folder may still hold."""

import json
import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from server.graphql import Context, execute
from server.store import Store, projects, runs
from tests.server.running import Client, Server, start

RUN = """mutation M($n: String, $p: String, $e: String) {
    upsertBucket(input: {name: $n, modelName: $p, entityName: $e}) { bucket { id } } }"""
PROJECT = "mutation M($n: String) { upsertModel(input: {name: $n}) { inserted } }"
SWEEP = """mutation M($n: String, $e: String) { upsertSweep(input: {projectName: $n, entityName: $e,
    config: "method: grid\\nparameters: {a: {values: [1]}}"}) { sweep { id } } }"""
ARTIFACT = """mutation M($n: String!, $t: String!, $a: String!) { createArtifact(input: {
    entityName: "local", projectName: "p", artifactTypeName: $t, artifactCollectionName: $n, digest: "d",
    aliases: [{artifactCollectionName: $n, alias: $a}]}) { artifact { id artifactSequence { id } } } }"""
RENAME = """mutation M($i: ID!, $n: String) { updateArtifactSequence(input: {artifactSequenceID: $i, name: $n}) {
    artifactCollection { name } } }"""
MOVE = """mutation M($i: ID!, $n: String!) {
    moveArtifactSequence(input: {artifactSequenceID: $i, destinationArtifactTypeName: $n}) {
    artifactCollection { name } } }"""
ALIAS = """mutation M($i: ID!, $n: String!) { updateArtifact(input: {artifactID: $i,
    aliases: [{artifactCollectionName: "m", alias: $n}]}) { artifact { id } } }"""
REPORT = """mutation M($i: ID, $n: String) {
    upsertView(input: {id: $i, entityName: "local", projectName: "p", name: $n}) { view { id } } }"""
FILES = """mutation M($n: String!) { createRunFiles(input: {
    entityName: "local", projectName: "p", runName: "r", files: [$n]}) { files { name uploadUrl } } }"""
UPLOAD = """mutation M($i: ID!, $n: String!) { createArtifactFiles(input: {artifactFiles: [
    {artifactID: $i, name: $n, md5: "mgNkuembtIDdJeHwKEyFVQ=="}]}) { files { edges { node { uploadUrl } } } } }"""


@pytest.fixture
def world(context: Context) -> Context:
    """A run `r`, an artifact `m` and a report in the project `p`."""
    ask(context, RUN, n="r", p="p")
    ask(context, ARTIFACT, n="m", t="model", a="best")
    ask(context, REPORT, n="words")
    return context


def ask(context: Context, query: str, **variables: Any) -> dict[str, Any]:
    answer = execute(context, query, variables, None)
    assert answer.status == 200, "anything else might be repeated by the client"
    return answer.body


ids = {
    "run": "UnVuOjE=",
    "artifact": "QXJ0aWZhY3Q6MQ==",
    "sequence": "QXJ0aWZhY3RDb2xsZWN0aW9uOjE=",
    "report": "Vmlldzox",
}
TAKEN: dict[str, tuple[str, dict[str, Any], str]] = {
    "run": (RUN, {"p": "p"}, "n"),
    "project of a run": (RUN, {"n": "r"}, "p"),
    "entity of a run": (RUN, {"n": "r", "p": "p"}, "e"),
    "project": (PROJECT, {}, "n"),
    "project of a sweep": (SWEEP, {}, "n"),
    "entity of a sweep": (SWEEP, {"n": "p"}, "e"),
    "artifact": (ARTIFACT, {"t": "model", "a": "best"}, "n"),
    "artifact's type": (ARTIFACT, {"n": "other", "a": "best"}, "t"),
    "alias of a new artifact": (ARTIFACT, {"n": "m", "t": "model"}, "a"),
    "alias": (ALIAS, {"i": ids["artifact"]}, "n"),
    "new name of a collection": (RENAME, {"i": ids["sequence"]}, "n"),
    "new type of a collection": (MOVE, {"i": ids["sequence"]}, "n"),
    "report": (REPORT, {}, "n"),
    "new name of a report": (REPORT, {"i": ids["report"]}, "n"),
    "file of a run": (FILES, {}, "n"),
    "file of an artifact": (UPLOAD, {"i": ids["artifact"]}, "n"),
}


@pytest.mark.parametrize("place", TAKEN)
def test_no_name_leads_to_another_place_and_an_ordinary_one_is_taken(world: Context, place: str) -> None:
    query, others, variable = TAKEN[place]
    for name in (".", "..", "../x", "nul\0"):
        answer = ask(world, query, **others, **{variable: name})
        assert answer.keys() == {"errors"}
        message = answer["errors"][0]["message"]
        assert re.search("no name|no file name|no relative path|leads out", message)
        assert "fault" not in message
    assert "data" in ask(world, query, **others, **{variable: "größe 2.0"})


@pytest.mark.parametrize("name", ["run-abc-val_table", "top 5%", "a#b?c\\d", "source-p-train.py"])
def test_artifacts_have_the_names_that_the_client_lets_them_have(world: Context, name: str) -> None:
    for place in ("artifact", "artifact's type", "alias of a new artifact"):
        query, others, variable = TAKEN[place]
        assert "data" in ask(world, query, **others, **{variable: name})


def test_an_address_that_does_not_exist_is_404_for_every_method(server: Server) -> None:
    """The client repeats a 405 for ten minutes."""
    for method, path in (("POST", "/files/local/file_stream"), ("PUT", "/graphql"), ("DELETE", "/"), ("X", "/a/b")):
        assert server.send(method, path, b"{}", Authorization=server.basic())[0] == 404


OLD = """
import json, wandb
api = wandb.Api()
run = api.run("odd/p/..")
out = [run.name, run.config, [r.id for r in api.runs("odd/p")]]
run.delete()
print(json.dumps([*out, len(wandb.Api().runs("odd/p"))]))
"""


def test_a_folder_with_names_of_an_older_server_is_read_and_they_can_be_deleted(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    store = Store(folder)
    with store.write() as db:
        project, _ = projects.ensure(db, "odd", "p", 1.0)
        runs.insert(db, project["id"], "old", "finished", 1.0, config=json.dumps({"a": {"value": 1}}))
    store.close()
    with sqlite3.connect(folder / "wandb.sqlite") as other:
        other.execute("UPDATE runs SET name = '..', display_name = 'dots'")
    other.close()
    server = start(folder)
    try:
        assert Client(server, tmp_path).run(OLD) == ["dots", {"a": 1}, [".."], 0]
    finally:
        server.stop()
