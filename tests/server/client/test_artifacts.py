"""Artifacts, through the unmodified wandb client."""

from typing import Any

import pytest

from tests.server.running import Client

ARTIFACTS = """
import json, wandb
out = {}
def make(text, **more):
    artifact = wandb.Artifact("weights", "model", **more)
    with artifact.new_file("epoch-0001.pt") as file:
        file.write(text)
    return artifact
with wandb.init(project="artifacts", id="logger") as run:
    run.log_artifact(make("one", metadata={"iou": 0.5}), aliases=["best"]).wait()
    run.log_artifact(make("two", description="second"), aliases=["best", "final"]).wait()
    again = run.log_artifact(make("one"), aliases=["old"]).wait()
    out["deduplicated"] = again.version
    reference = wandb.Artifact("elsewhere", "dataset")
    reference.add_reference("https://example.invalid/photos.zip", checksum=False)
    out["reference"] = run.log_artifact(reference).wait().version
[there] = wandb.Api().artifact("artifacts/elsewhere:v0").files()
out["refers"] = [there.name, there.url, there.path_uri]
with wandb.init(project="artifacts", id="user") as run:
    used = run.use_artifact("weights:best")
    out["used"] = [used.version, used.description]
api = wandb.Api()
def aliases(version):
    return sorted(api.artifact(f"artifacts/weights:{version}").aliases)
out["aliases"] = [aliases("v0"), aliases("v1")]
best = api.artifact("artifacts/weights:best")
out["metadata"] = api.artifact("artifacts/weights:v0").metadata
out["logged_by"] = best.logged_by().id
out["used_by"] = [r.id for r in best.used_by()]
out["outputs"] = [a.name for a in api.run("artifacts/logger").logged_artifacts()]
out["inputs"] = [a.name for a in api.run("artifacts/user").used_artifacts()]
out["versions"] = [a.version for a in api.artifacts("model", "artifacts/weights")]
out["types"] = sorted(t.name for t in api.artifact_types("artifacts"))
out["collections"] = [c.name for c in api.artifact_type("model", "artifacts").collections()]
best.metadata["note"] = "kept"; best.aliases.append("chosen"); best.aliases.remove("final"); best.save()
fresh = wandb.Api().artifact("artifacts/weights:chosen")
out["changed"] = [fresh.metadata, sorted(fresh.aliases)]
print(json.dumps(out))
"""


@pytest.fixture(scope="module")
def found(client: Client) -> Any:
    return client.run(ARTIFACTS)


def test_equal_content_is_one_version_and_aliases_move(found: Any) -> None:
    assert found["deduplicated"] == "v0"
    assert found["aliases"] == [["latest", "old"], ["best", "final"]]
    assert found["versions"] == ["v1", "v0"]


def test_the_file_of_a_reference_is_listed_with_the_address_that_it_refers_to(found: Any) -> None:
    assert found["refers"] == ["photos.zip", *["https://example.invalid/photos.zip"] * 2]


def test_lineage_names_who_logged_and_who_used(found: Any) -> None:
    assert found["used"] == ["v1", "second"]
    assert found["logged_by"] == "logger"
    assert found["used_by"] == ["user"]
    assert found["outputs"] == ["weights:v0", "weights:v1", "elsewhere:v0"]
    assert found["inputs"] == ["weights:v1"]


def test_metadata_types_and_collections_read_back_and_are_changed(found: Any) -> None:
    assert found["metadata"] == {"iou": 0.5}
    assert found["types"] == ["dataset", "model"]
    assert found["collections"] == ["weights"]
    assert found["reference"] == "v0"
    assert found["changed"] == [{"note": "kept"}, ["best", "chosen"]]
