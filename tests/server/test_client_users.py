"""Several people with the real client: each logs to their own entity; rights hold for reading and writing."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from server.store import beside, users
from tests.server.running import Client, Server, start

LOG = """
import json, wandb
with wandb.init(project="p", id="mine") as run:
    run.log({"x": 1})
    artifact = wandb.Artifact("m", "model")
    with artifact.new_file("w.txt") as file:
        file.write("weights")
    run.log_artifact(artifact).wait()
print(json.dumps([run.entity, run.url]))
"""
READ = """
import json, pathlib, tempfile, wandb
api = wandb.Api()
def tried(act):
    try:
        return act()
    except Exception as error:
        return type(error).__name__ + ": " + str(error)
def written():
    with wandb.init(entity="anna", project="p", id="theirs") as run:
        run.log({"x": 2})
    return "written"
print(json.dumps({
    "me": [api.viewer.username, api.default_entity, api.viewer.teams],
    "runs": tried(lambda: [run.summary["x"] for run in api.runs("anna/p")]),
    "file": tried(lambda: pathlib.Path(api.artifact("anna/p/m:v0").download(tempfile.mkdtemp()), "w.txt").read_text()),
    "deleted": tried(lambda: api.run("anna/p/mine").delete()),
    "written": tried(written),
}))
"""


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, dict[str, str]]]:
    server = start(tmp_path_factory.mktemp("users") / "folder")
    keys = {name: users.new_key() for name in ("anna", "ben", "carl")}
    with beside(server.folder) as db:
        for name, key in keys.items():
            users.add(db, name, key, 0.0)
        users.grant(db, "ben", "anna", "reader")
    yield server, keys
    server.stop()


@pytest.mark.slow
def test_each_logs_to_their_own_entity_and_others_get_what_they_have_a_right_to(
    people: tuple[Server, dict[str, str]], tmp_path: Path
) -> None:
    server, keys = people
    client = Client(server, tmp_path)
    assert client.run(LOG, WANDB_API_KEY=keys["anna"])[0] == "anna"
    ben = client.run(READ, WANDB_API_KEY=keys["ben"])
    assert ben["me"] == ["ben", "ben", ["ben"]]
    assert (ben["runs"], ben["file"]) == ([1], "weights")
    assert "ben may read the entity anna, not change it" in ben["deleted"]
    assert "ben may read the entity anna, not change it" in ben["written"]
    carl = client.run(READ, WANDB_API_KEY=keys["carl"])
    assert "Could not find project" in carl["runs"]
    assert "not found" in carl["file"].lower() or "does not exist" in carl["file"].lower()
    assert "anna" in carl["deleted"]
    assert "entity anna does not exist, or carl has no right in it" in carl["written"]
