"""Rights: anna has a run, an artifact and a sweep; ben may read hers and write to `lab`; carl may do neither."""

import base64
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from graphql import GraphQLEnumType, GraphQLInputObjectType, GraphQLList, GraphQLNonNull

from server.graphql import engine
from server.store import folder_transaction, users
from tests.server.people import ARTIFACT, COMMIT, MANIFEST, MD5, RUN_FILES, SECRET, SWEEP, UPSERT, People


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    grants = (("ben", "anna", "reader"), ("ben", "lab", "owner"))
    people = People.start(tmp_path_factory.mktemp("people") / "folder", "anna ben carl", *grants)
    run = people.ask("anna", UPSERT, project="p", name="r")["upsertBucket"]["bucket"]
    people.ids |= {"run": run["id"], "project": run["project"]["id"]}
    config = json.dumps({"method": "random", "parameters": {"x": {"min": 0.0, "max": 1.0}}})
    sweep = people.ask("anna", SWEEP, entity="anna", config=config)["upsertSweep"]["sweep"]
    people.ids |= {"sweep": sweep["id"], "sweep name": sweep["name"]}
    new = people.upload("anna", "anna", SECRET, "client-of-anna")
    assert people.server.send("PUT", new["uploadUrl"], SECRET)[0] == 200
    assert people.ask("anna", COMMIT, id=new["id"])["commitArtifact"]["artifact"]["state"] == "COMMITTED"
    people.ids |= {"artifact": new["id"], "sequence": new["artifactSequence"]["id"], "manifest": new["manifest"]["id"]}
    [file] = people.ask("anna", RUN_FILES, entity="anna")["createRunFiles"]["files"]
    people.server.send("PUT", file["uploadUrl"], b"text")
    yield people
    people.server.stop()


TEAMS = "{ viewer { teams { edges { node { name } } } } }"
HERS = '{ project(name: "p", entityName: "anna") { name readOnly run(name: "r") { name user { username } readOnly } } }'


def test_things_without_an_entity_go_to_the_person_who_sends_them(people: People) -> None:
    found = people.ask("anna", HERS)["project"]
    assert found == {
        "name": "p",
        "readOnly": False,
        "run": {"name": "r", "user": {"username": "anna"}, "readOnly": False},
    }


def test_a_reader_sees_and_a_stranger_sees_nothing_as_if_there_were_nothing(people: People) -> None:
    assert people.ask("ben", HERS)["project"]["run"] == {"name": "r", "user": {"username": "anna"}, "readOnly": True}
    assert people.ask("carl", HERS) == people.ask("local", HERS.replace("anna", "nobody")) == {"project": None}
    models = '{ models { edges { node { entityName } } } entity(name: "anna") { name } }'
    assert people.ask("carl", models) == {"models": {"edges": []}, "entity": None}
    assert people.ask("ben", models) == {
        "models": {"edges": [{"node": {"entityName": "anna"}}]},
        "entity": {"name": "anna"},
    }


def test_teams_are_the_entities_that_a_person_may_write_to(people: People) -> None:
    edges = people.ask("ben", TEAMS)["viewer"]["teams"]["edges"]
    assert [edge["node"]["name"] for edge in edges] == ["ben", "lab"]
    people.ask("ben", UPSERT, entity="lab", project="p", name="r")
    members = '{ entity(name: "anna") { readOnly members { username role } } }'
    assert people.ask("ben", members)["entity"] == {
        "readOnly": True,
        "members": [{"username": "anna", "role": "admin"}, {"username": "ben", "role": "viewer"}],
    }


FILE = base64.b64encode(b"File:1").decode()


def _filled(people: People, kind: Any, name: str) -> Any:
    """A value for an input of the schema that names anna's things wherever it can."""
    kind = getattr(kind, "of_type", kind) if isinstance(kind, GraphQLNonNull) else kind
    if isinstance(kind, GraphQLList):
        return [_filled(people, kind.of_type, name)]
    if isinstance(kind, GraphQLInputObjectType):
        return {key: _filled(people, field.type, key) for key, field in kind.fields.items()}
    if isinstance(kind, GraphQLEnumType):
        return next(iter(kind.values))
    known = people.ids | {"id": people.ids["run"], "sweep": people.ids["sweep name"], "md5": MD5, "files": FILE}
    known |= dict.fromkeys(("entityName", "artifactEntityName"), "anna") | {"projectName": "p", "runName": "r"}
    known |= dict.fromkeys(("artifactID", "baseArtifactID"), people.ids["artifact"])
    known |= dict.fromkeys(("artifactSequenceID", "artifactPortfolioID"), people.ids["sequence"])
    known["artifactManifestID"] = people.ids["manifest"]
    return {"Boolean": True, "Int": 1, "Int64": 1, "Duration": 1}.get(kind.name, known.get(name, "{}"))


def test_no_mutation_of_the_schema_works_on_the_things_of_others(people: People) -> None:
    mutations = engine.schema().mutation_type
    assert mutations is not None
    for name, field in mutations.fields.items():
        kind = field.args["input"].type
        query = f"mutation M($input: {kind}) {{ {name}(input: $input) {{ __typename }} }}"
        given = _filled(people, kind, "input")
        with pytest.raises(LookupError, match="ben may read"):
            people.ask("ben", query, input=given)
        with pytest.raises(LookupError, match=r"number \d+|entity anna does not exist"):
            people.ask("carl", query, input=given)


def test_what_a_stranger_may_not_see_answers_word_for_word_like_what_is_not_there(people: People) -> None:
    def message(query: str) -> str:
        with pytest.raises(LookupError) as caught:
            people.ask("carl", query)
        return re.sub(r"\d+", "N", str(caught.value))

    def numbered(kind: str, number: int) -> str:
        return base64.b64encode(f"{kind}:{number}".encode()).decode()

    for name, kind in (("stopRun", "Run"), ("upsertSweep", "Sweep")):
        there, gone = (
            f'mutation {{ {name}(input: {{id: "{numbered(kind, n)}"}}) {{ __typename }} }}' for n in (1, 999)
        )
        assert message(there) == message(gone)
    for field in ("artifact", "artifactCollection", "view"):
        kind = field[0].upper() + field[1:]
        answers = [
            people.server.graphql(f'{{ {field}(id: "{numbered(kind, n)}") {{ id }} }}', key=people.keys["carl"])
            for n in (1, 999)
        ]
        texts = [re.sub(r"\d+", "N", json.dumps(answer[1])) for answer in answers]
        assert texts[0] == texts[1]


def test_a_digest_alone_gives_nobody_the_content(people: People) -> None:
    stolen = people.upload("carl", "carl", SECRET, "client-of-carl")
    assert stolen["uploadUrl"] is not None
    with pytest.raises(LookupError, match="never uploaded"):
        people.ask("carl", COMMIT, id=stolen["id"])
    assert people.server.send("PUT", stolen["uploadUrl"], SECRET)[0] == 200
    assert people.ask("carl", COMMIT, id=stolen["id"])["commitArtifact"]["artifact"]["state"] == "COMMITTED"
    readers = people.upload("ben", "ben", SECRET, "client-of-ben")
    assert readers["uploadUrl"] is None, "who may read the content need not send it again"


def test_an_artifact_of_another_person_is_not_made_ones_own_by_its_client_id(people: People) -> None:
    with pytest.raises(LookupError, match="client id"):
        people.ask("carl", ARTIFACT, entity="carl", client="client-of-anna", name="m")
    link = """mutation L($e: String) { linkArtifact(input: {clientID: "client-of-anna", entityName: $e,
        projectName: "p", artifactPortfolioName: "x"}) { versionIndex } }"""
    people.ask("carl", UPSERT, project="p", name="r")
    with pytest.raises(LookupError, match="does not exist"):
        people.ask("carl", link, e="carl")


def test_links_to_what_one_may_not_see_are_left_out(people: People) -> None:
    people.ask("ben", UPSERT, entity="lab", project="p", name="r")
    link = """mutation L($id: ID) { linkArtifact(input: {artifactID: $id, entityName: "lab", projectName: "p",
        artifactPortfolioName: "best"}) { versionIndex } }"""
    people.ask("ben", link, id=people.ids["artifact"])
    with folder_transaction(people.server.folder) as db:
        users.grant(db, "carl", "lab", "reader")
    listed = """{ project(name: "p", entityName: "lab") { artifactCollection(name: "best") { name
        artifacts { edges { node { id } } } artifactMembership(aliasName: "v0") { artifact { id } } } } }"""
    seen = people.ask("carl", listed)["project"]["artifactCollection"]
    assert seen == {"name": "best", "artifacts": {"edges": []}, "artifactMembership": {"artifact": None}}
    assert len(people.ask("ben", listed)["project"]["artifactCollection"]["artifacts"]["edges"]) == 1
    assert people.page("carl", "/lab/p/artifacts/model/best/v0")[0] == 404
    with folder_transaction(people.server.folder) as db:
        users.revoke(db, "carl", "lab")


def test_only_owners_get_addresses_to_upload_to(people: People) -> None:
    files = """{ project(name: "p", entityName: "anna") { run(name: "r") {
        files { edges { node { url(upload: true) } } } } } }"""
    assert "sig=" in json.dumps(people.ask("anna", files))
    with pytest.raises(LookupError, match="only the owner"):
        people.ask("ben", files)
    manifest = "query Q($id: ID!) { artifact(id: $id) { currentManifest { file { uploadUrl directUrl } } } }"
    for who in ("anna", "ben"):
        file = people.ask(who, manifest, id=people.ids["artifact"])["artifact"]["currentManifest"]["file"]
        assert file["uploadUrl"] is None, "a version does not change"
        assert people.server.get(file["directUrl"])[0] == 200


def test_an_address_holds_only_as_long_as_the_right_it_was_made_with(people: People) -> None:
    def granted(role: str) -> None:
        with folder_transaction(people.server.folder) as db:
            users.grant(db, "carl", "anna", role)

    granted("owner")
    upload = """mutation($e: String!) { createRunFiles(input: {entityName: $e, projectName: "p", runName: "r",
        files: ["late.txt"]}) { files { uploadUrl } } }"""
    files = """{ project(name: "p", entityName: "anna") { run(name: "r") {
        files(names: ["late.txt"]) { edges { node { directUrl } } } } } }"""
    put = people.ask("carl", upload, e="anna")["createRunFiles"]["files"][0]["uploadUrl"]
    assert people.server.send("PUT", put, b"one")[0] == 200
    [edge] = people.ask("carl", files)["project"]["run"]["files"]["edges"]
    get = edge["node"]["directUrl"]
    granted("reader")
    assert (people.server.send("PUT", put, b"two")[0], people.server.get(get)) == (403, (200, b"one"))
    with folder_transaction(people.server.folder) as db:
        users.revoke(db, "carl", "anna")
    assert people.server.get(get)[0] == 403
    assert people.server.get(get.replace("by=", "by=1"))[0] == 403


def test_the_id_of_ones_own_key_is_its_beginning(people: People) -> None:
    keys = """{ viewer { ...Keys } users { edges { node { ...Keys } } } }
        fragment Keys on User { username apiKeys { edges { node { name } } } }"""
    answer = people.ask("anna", keys)
    own = {"edges": [{"node": {"name": people.keys["anna"][:12]}}]}
    assert answer["viewer"] == {"username": "anna", "apiKeys": own}
    everybody = {e["node"]["username"]: e["node"]["apiKeys"] for e in people.ask("local", keys)["users"]["edges"]}
    assert everybody["anna"] == {"edges": []}


def test_streams_of_others_are_refused(people: People) -> None:
    def post(who: str, run: str) -> tuple[int, Any]:
        header = people.server.basic(people.keys[who])
        status, body = people.server.post(f"/files/anna/p/{run}/file_stream", b"{}", Authorization=header)
        return status, json.loads(body)

    assert post("anna", "r") == (200, {})
    assert post("ben", "r")[0] == 403
    assert post("carl", "r") == (404, {"error": "run anna/p/r does not exist"})
    assert post("anna", "gone") == (404, {"error": "run anna/p/gone does not exist"})


def test_pages_ask_for_a_key_as_soon_as_there_are_users_and_show_what_one_may_see(people: People) -> None:
    assert people.server.get("/")[0] == 401
    assert people.server.get("/anna/p")[0] == 401
    assert "/anna/p" in people.page("ben", "/")[1]
    tabs = ("runs/r", *(f"runs/r/{tab}" for tab in ("overview", "media", "system", "logs", "files", "artifacts")))
    below = ("feed", "reports", "artifacts", "artifacts/model/m/v0", "artifacts/model/m/v0/download", *tabs)
    for path in (
        "/anna",
        "/anna/p",
        f"/anna/p/sweeps/{people.ids['sweep name']}",
        *(f"/anna/p/{end}" for end in below),
    ):
        assert people.server.get(path, Authorization=people.server.basic(people.keys["ben"]))[0] == 200, path
        assert people.page("carl", path)[0] == 404, path
    for path in ("/", "/search?q=p", "/anna/p"):
        assert '"/anna' not in people.page("carl", path)[1], path
    gone = people.page("carl", "/nobody/p")[1].replace("nobody", "anna")
    assert people.page("carl", "/anna/p")[1] == gone


@pytest.mark.parametrize(
    "contents",
    [
        {"../../x": {"digest": MD5}},
        {"/etc/passwd": {"digest": MD5}},
        {"a": 3},
        {"a": {"size": 1}},
        {"a": {"digest": MD5, "ref": {}}},
        {"a": {"digest": MD5, "size": "1"}},
    ],
)
def test_a_manifest_with_strange_entries_is_refused(people: People, contents: Any) -> None:
    client = json.dumps(contents)
    new = people.ask("anna", ARTIFACT, entity="anna", client=client, name="odd")["createArtifact"]["artifact"]
    made = people.ask("anna", MANIFEST, entity="anna", id=new["id"])["createArtifactManifest"]
    address = made["artifactManifest"]["file"]["uploadUrl"]
    people.server.send("PUT", address, json.dumps({"contents": contents}).encode())
    with pytest.raises(LookupError, match=r"file '|the artifact's manifest"):
        people.ask("anna", COMMIT, id=new["id"])
