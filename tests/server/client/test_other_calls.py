"""Smaller things that the unmodified wandb client does through its API."""

from typing import Any

import pytest
import wandb

from tests.server.running import Client, Server

ODDS = """
import json, wandb
out = {}
with wandb.init(project="odds", id="first") as run:
    artifact = wandb.Artifact("weights", "model")
    with artifact.new_file("epoch.pt") as file:
        file.write("one")
    run.log_artifact(artifact).wait()
    artifact.link("shelf/best")
with wandb.init(project="odds", id="second"):
    pass
api = wandb.Api()
api.run("odds/second").log_artifact(api.artifact("odds/weights:v0"), aliases=["again"])
out["outputs"] = [[a.name for a in wandb.Api().run(f"odds/{name}").logged_artifacts()] for name in ("first", "second")]
out["logged_by"] = api.artifact("odds/weights:again").logged_by().id
out["linked"] = api.artifact("shelf/best:v0").source_name
out["account"] = api.team(api.default_entity).members[0].account_type
try:
    api.organization("acme")
except Exception as error:
    out["organization"] = str(error)
print(json.dumps(out))
"""


@pytest.fixture(scope="module")
def found(client: Client) -> Any:
    return client.run(ODDS)


def test_an_artifact_that_a_second_run_logs_is_an_output_of_both_and_of_the_first(found: Any) -> None:
    assert found["outputs"] == [["weights:v0"], ["weights:v0"]]
    assert found["logged_by"] == "first"


def test_a_link_makes_the_project_that_it_names(found: Any) -> None:
    assert found["linked"] == "weights:v0"


def test_members_of_an_entity_are_people(found: Any) -> None:
    assert found["account"] == "USER"


def test_an_organization_is_not_found(found: Any) -> None:
    assert "'acme' not found" in found["organization"]


def test_a_file_of_an_artifact_needs_a_key_and_a_digest_that_is_there(server: Server, found: Any) -> None:
    digest = "f97c5d29941bfb1b2fdab0874906ab82"  # MD5 of "one"
    path = "/artifactsV2/default/local/odds/weights//{}/epoch.pt"
    assert server.get(path.format(digest), Authorization=server.basic()) == (200, b"one")
    assert server.get(path.format(digest))[0] == 401
    assert server.get(path.format(digest), Authorization=server.basic("w" * 40))[0] == 401
    for other in ("0" * 32, "nonsense", ".."):
        assert server.get(path.format(other), Authorization=server.basic())[0] == 404
    assert server.get("/artifactsV2/default/local", Authorization=server.basic())[0] == 404


def test_the_newest_client_that_is_known_is_the_one_that_is_tested(server: Server) -> None:
    query = "query ServerInfo { serverInfo { cliVersionInfo latestLocalVersionInfo { outOfDate } } }"
    info = server.graphql(query)[1]["data"]["serverInfo"]
    assert info == {"cliVersionInfo": {"max_cli_version": wandb.__version__}, "latestLocalVersionInfo": None}
