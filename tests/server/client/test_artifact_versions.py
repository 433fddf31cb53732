"""Artifacts beyond logging and downloading: drafts, shared writing, references, links, deletion, big files."""

from typing import Any

import pytest

from tests.server.running import Client

PROGRAM = """
import datetime, json, os, tempfile, wandb
P = "versions"
out = {}
def attempt(name, call):
    try:
        out[name] = call()
    except Exception as error:
        out[name] = f"{type(error).__name__}: {error}"
def make(name, incremental=False, **texts):
    artifact = wandb.Artifact(name, "dataset", incremental=incremental)
    for file, text in texts.items():
        with artifact.new_file(f"{file}.txt") as handle:
            handle.write(text)
    return artifact
def log(artifact, **more):
    return run.log_artifact(artifact, **more).wait().version
def files(name):
    artifact = wandb.Api().artifact(f"{P}/{name}")
    folder = artifact.download(tempfile.mkdtemp())
    artifact.verify(folder)
    return {file: open(os.path.join(folder, file)).read() for file in sorted(os.listdir(folder))}
def draft():
    new = run.use_artifact("data:latest").new_draft()
    with new.new_file("c.txt") as handle:
        handle.write("3")
    new.remove("a.txt")
    return log(new)
def lasting(name, **more):
    artifact = make(name, a="1")
    artifact.ttl = datetime.timedelta(days=3)
    return log(artifact, **more)
def reference():
    artifact = wandb.Artifact("elsewhere", "dataset")
    artifact.add_reference(run.use_artifact("data:v0").get_entry("a.txt").ref_url(), name="copy.txt")
    artifact.add_reference("file://" + os.path.abspath("local.txt"))
    artifact.add_reference("https://example.invalid/photos.zip", checksum=False)
    return log(artifact)
with open("local.txt", "w") as file:
    file.write("on this disk")
with wandb.init(project=P, id="writer") as run:
    log(make("data", a="1", b="2"), aliases=["first"], tags=["raw"])
    attempt("draft", draft)
    attempt("incremental", lambda: log(make("data", incremental=True, d="4")))
    attempt("reference", reference)
    attempt("ttl", lambda: lasting("lasting"))
    run.upsert_artifact(make("shared", one="1"), distributed_id="g")
    run.upsert_artifact(make("shared", two="2"), distributed_id="g")
    out["unfinished"] = wandb.Api().artifact_exists(f"{P}/shared:latest")
    attempt("shared", lambda: run.finish_artifact(make("shared", three="3"), distributed_id="g").wait().version)
    attempt("link", lambda: run.link_artifact(run.use_artifact("data:v0"), f"local/{P}/best", aliases=["prod"]).name)
    attempt("registry", lambda: run.link_artifact(run.use_artifact("data:v0"), "wandb-registry-dataset/ours").name)
    attempt("model", lambda: run.link_model("local.txt", "weights") and None)
    attempt("logged model", lambda: run.log_model("local.txt", "weights"))
def artifact(name):
    return wandb.Api().artifact(f"{P}/{name}")
def ttl(value):
    a = artifact("lasting:v0"); a.ttl = value; a.save()
    return str(artifact("lasting:v0").ttl)
def tags():
    a = artifact("data:v0"); before = list(a.tags); a.tags = ["clean"]; a.save()
    return [before, list(artifact("data:v0").tags)]
def renamed():
    c = wandb.Api().artifact_collection("dataset", f"{P}/shared")
    c.name = "together"; c.description = "by three"; c.tags = ["t"]; c.save()
    c = wandb.Api().artifact_collection("dataset", f"{P}/together")
    return [c.description, list(c.tags), files("together:latest")["two.txt"]]
for name in ("data:v1", "data:v2", "shared:latest", "best:prod"):
    attempt("files of " + name, lambda: files(name))
def partly():
    folder = artifact("elsewhere:v0").download(tempfile.mkdtemp(), path_prefix="copy")
    other = artifact("elsewhere:v0").download(tempfile.mkdtemp(), path_prefix="local")
    return [open(os.path.join(folder, "copy.txt")).read(), open(os.path.join(other, "local.txt")).read()]
attempt("partly", partly)
attempt("one file", lambda: open(artifact("data:v0").get_entry("b.txt").download(tempfile.mkdtemp())).read())
def damaged():
    folder = artifact("data:v0").download(tempfile.mkdtemp())
    os.remove(os.path.join(folder, "a.txt"))  # the file may be the cache's own
    with open(os.path.join(folder, "a.txt"), "w") as file:
        file.write("changed")
    artifact("data:v0").verify(folder)
attempt("damaged", damaged)
attempt("ttl read", lambda: str(artifact("lasting:v0").ttl))
attempt("ttl off", lambda: ttl(None))
attempt("ttl day", lambda: ttl(datetime.timedelta(days=1)))
attempt("tags", tags)
attempt("linked", lambda: sorted(a.qualified_name for a in artifact("data:v0").linked_artifacts))
attempt("is link", lambda: [artifact("best:prod").is_link, artifact("best:prod").source_qualified_name])
attempt("from registry", lambda: [wandb.Api().artifact(f"{at}/{name}:v0").digest
        for at, name in (("wandb-registry-dataset", "ours"), (P, "data"))])
attempt("unlink", lambda: artifact("best:prod").unlink() or wandb.Api().artifact_exists(f"{P}/best:prod"))
attempt("still there", lambda: wandb.Api().artifact_exists(f"{P}/data:v0"))
attempt("renamed", renamed)
attempt("delete refused", lambda: artifact("data:v2").delete())
attempt("delete", lambda: artifact("data:v1").delete() or wandb.Api().artifact_exists(f"{P}/data:v1"))
attempt("delete with aliases", lambda: artifact("data:v2").delete(delete_aliases=True)
        or artifact("data:latest").version)
attempt("delete collection", lambda: wandb.Api().artifact_collection("dataset", f"{P}/lasting").delete()
        or [c.name for c in wandb.Api().artifact_type("dataset", P).collections()])
attempt("missing", lambda: artifact("nothing:v0"))
print(json.dumps(out))
"""


@pytest.fixture(scope="module")
def found(client: Client) -> Any:
    return client.run(PROGRAM)


@pytest.mark.slow
def test_a_draft_changes_files_of_an_earlier_version(found: Any) -> None:
    assert found["draft"] == "v1"
    assert found["files of data:v1"] == {"b.txt": "2", "c.txt": "3"}


def test_an_incremental_version_adds_to_the_latest(found: Any) -> None:
    assert found["incremental"] == "v2"
    assert found["files of data:v2"] == {"b.txt": "2", "c.txt": "3", "d.txt": "4"}


def test_several_runs_fill_one_version_together(found: Any) -> None:
    assert found["unfinished"] is False
    assert found["shared"] == "v0"
    assert found["files of shared:latest"] == {"one.txt": "1", "two.txt": "2", "three.txt": "3"}


def test_references_to_artifacts_and_disks_are_downloaded(found: Any) -> None:
    assert found["reference"] == "v0"
    assert found["partly"] == ["1", "on this disk"]


def test_one_file_can_be_downloaded_and_damage_is_noticed(found: Any) -> None:
    assert found["one file"] == "2"
    assert "Digest mismatch" in found["damaged"]


def test_time_to_live_is_kept_changed_and_switched_off(found: Any) -> None:
    assert found["ttl read"] == "3 days, 0:00:00"
    assert (found["ttl off"], found["ttl day"]) == ("None", "1 day, 0:00:00")


def test_tags_and_collections_can_be_changed(found: Any) -> None:
    assert found["tags"] == [["raw"], ["clean"]]
    assert found["renamed"] == ["by three", ["t"], "2"]


def test_links_into_portfolios_and_registries_lead_to_the_source(found: Any) -> None:
    assert found["link"].startswith("best:")
    assert found["linked"] == ["local/versions/best:v0", "local/wandb-registry-dataset/ours:v0"]
    assert found["is link"] == [True, "local/versions/data:v0"]
    assert found["files of best:prod"] == {"a.txt": "1", "b.txt": "2"}
    assert found["registry"].startswith("ours:")
    assert len(set(found["from registry"])) == 1
    assert found["model"] is None
    assert (found["unlink"], found["still there"]) == (False, True)


def test_deleting_needs_leave_where_aliases_are_left(found: Any) -> None:
    assert "latest" in found["delete refused"]
    assert found["delete"] is False
    assert found["delete with aliases"] == "v0"
    assert "lasting" not in found["delete collection"]
    assert "not found" in found["missing"]
