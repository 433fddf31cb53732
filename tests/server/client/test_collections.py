"""Collections of artifacts, through the unmodified wandb client: listed, filtered, tagged, deleted."""

from typing import Any

import pytest

from tests.server.running import Client, Server

COLLECTIONS = """
import json, wandb
out = {}
with wandb.init(project="shelves") as run:
    for name, kind in (("weights", "model"), ("logits", "model"), ("photographs", "dataset")):
        artifact = wandb.Artifact(name, kind)
        with artifact.new_file("a.txt") as file:
            file.write(name)
        run.log_artifact(artifact).wait()
        artifact.link("shelves/" + name + "-chosen")
    try:
        elsewhere = wandb.Artifact("far", "model", storage_region="moon-1")
        run.log_artifact(elsewhere).wait()
    except ValueError as error:
        out["region"] = str(error)
api = wandb.Api()
project = api.project("shelves")
models = api.artifact_type("model", "shelves")
out["models"] = [c.name for c in models.collections(order="name")]
out["newest"] = [c.name for c in models.collections(order="-createdAt")]
out["named"] = [c.name for c in project.collections(filters={"name": "photographs"})]
out["count"] = len(project.collections())
try:
    list(project.collections(filters={"colour": "red"}))
except Exception as error:
    out["refused"] = str(error)
for kind, name in (("model", "weights"), ("model", "weights-chosen")):
    collection = api.artifact_collection(kind, "shelves/" + name)
    collection.tags = ["kept", "gone"]
    collection.save()
    collection.tags = ["kept", "new"]
    collection.save()
fresh = wandb.Api()
names = ("weights", "weights-chosen")
out["tags"] = [sorted(fresh.artifact_collection("model", "shelves/" + name).tags) for name in names]
api.artifact_collection("model", "shelves/logits-chosen").delete()
out["left"] = [wandb.Api().artifact_exists("shelves/" + n) for n in ("logits-chosen:v0", "logits:v0")]
for name in ("photographs", "photographs-chosen"):
    api.artifact_collection("dataset", "shelves/" + name).delete()
fresh = wandb.Api()
out["gone"] = [[c.name for c in fresh.artifact_collections("shelves", "dataset")], len(list(project.collections()))]
out["types"] = [kind.name for kind in fresh.artifact_types("shelves")]
out["type"] = [fresh.artifact_type(kind, "shelves").id for kind in ("model", "dataset")]
try:
    fresh.artifact_type("sculpture", "shelves")
except Exception as error:
    out["unknown"] = str(error)
print(json.dumps(out))
"""


@pytest.fixture(scope="module")
def found(client: Client) -> Any:
    return client.run(COLLECTIONS)


def test_the_collections_of_a_type_come_in_the_order_that_is_asked_for(found: Any) -> None:
    assert found["models"] == ["logits", "logits-chosen", "weights", "weights-chosen"]
    assert found["newest"] == ["logits-chosen", "logits", "weights-chosen", "weights"]


def test_collections_are_filtered_by_name_and_counted(found: Any) -> None:
    assert found["named"] == ["photographs"]
    assert found["count"] == 6


def test_a_filter_that_is_not_known_is_named(found: Any) -> None:
    assert "colour" in found["refused"]


def test_sequences_and_portfolios_have_tags_that_come_and_go(found: Any) -> None:
    assert found["tags"] == [["kept", "new"], ["kept", "new"]]


def test_deleting_a_portfolio_keeps_what_it_linked_to(found: Any) -> None:
    assert found["left"] == [False, True]


def test_a_storage_region_that_does_not_exist_is_named(found: Any) -> None:
    assert "moon-1" in found["region"]


def test_versions_of_a_collection_are_found_by_their_number_and_names_stand_in_addresses(
    server: Server, found: Any
) -> None:
    query = """{ project(name: "shelves") { artifactType(name: "model") { artifactCollection(name: "weights") {
      artifacts(filters: "{\\"versionIndex\\": 0}") { edges { version node { versionIndex
        currentManifest { file { directUrl } } files { edges { node { storagePath directUrl } } } } } } } } } }"""
    data = server.graphql(query)[1]["data"]["project"]["artifactType"]["artifactCollection"]
    [edge] = data["artifacts"]["edges"]
    assert (edge["version"], edge["node"]["versionIndex"]) == ("v0", 0)
    [file] = [edge["node"] for edge in edge["node"]["files"]["edges"]]
    assert file["storagePath"].startswith("wandb_artifacts/")
    assert file["storagePath"] in file["directUrl"]
    assert "wandb_manifest.json" in edge["node"]["currentManifest"]["file"]["directUrl"]


def test_a_type_stays_when_the_last_of_its_collections_is_deleted(found: Any) -> None:
    assert found["gone"] == [[], 3]
    assert found["types"] == ["dataset", "model"]
    assert len(set(found["type"])) == 2
    assert "sculpture" in found["unknown"]
