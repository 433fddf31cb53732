"""States of a run: failed, killed, pre-empted; stops, and changes through the public API."""

from typing import Any

import pytest

from tests.server.running import Client, Server

ENDS = """
import json, time, wandb
out = {}
def state(name):
    r = wandb.Api().run(f"states/{name}")
    return r.state
for name, code in (("finished", 0), ("failed", 3)):
    run = wandb.init(project="states", id=name)
    out["while running"] = state(name)
    run.finish(exit_code=code)
try:
    with wandb.init(project="states", id="raised"):
        raise ValueError("a bug")
except ValueError:
    pass
run = wandb.init(project="states", id="moved")
run.log({"x": 1})
run.mark_preempting()
end = time.monotonic() + 30
while state("moved") != "preempting":
    assert time.monotonic() < end
run.finish(exit_code=1)
run = wandb.init(project="states", id="spared")
run.mark_preempting()
run.finish()
for name in ("finished", "failed", "raised", "moved", "spared"):
    out[name] = state(name)
print(json.dumps(out))
"""
STOPPED = """
import time, wandb
from wandb.sdk.lib import run_stopping
start = run_stopping._RunStopCheckerImpl.__init__
def faster(self, *arguments, poll_interval):
    start(self, *arguments, poll_interval=0.2)
run_stopping._RunStopCheckerImpl.__init__ = faster
run = wandb.init(project="states", id="stopped")
run.log({"x": 1})
wandb.Api().run("states/stopped").stop()
for step in range(600):
    run.log({"step": step})
    time.sleep(0.1)
"""
CHANGES = """
import json, wandb
out = {}
api = wandb.Api()
made = wandb.apis.public.Run.create(api, run_id="made", project="changes", state="pending")
out["made"] = [made.state, made.id]
with wandb.init(project="changes", id="one", config={"a": 1}, settings=wandb.Settings(console="off")) as run:
    run.log({"x": 1})
    artifact = wandb.Artifact("with-it", "dataset")
    with artifact.new_file("a.txt") as file:
        file.write("a")
    run.log_artifact(artifact).wait()
r = wandb.Api().run("changes/one")
with open("later.txt", "w") as file:
    file.write("later")
r.upload_file("later.txt"); r.name = "renamed"; r.notes = "later"; r.tags.append("late")
r.config["b"] = 2; r.summary["y"] = 3; r.update()
r = wandb.Api().run("changes/one")
out["file"] = [r.name, r.file("later.txt").size, r.state]
out["changed"] = [r.notes, r.tags, r.config, r.summary["x"], r.summary["y"]]
r.file("later.txt").delete()
out["file deleted"] = "later.txt" in [f.name for f in wandb.Api().run("changes/one").files()]
r.delete(delete_artifacts=True)
out["left"] = [[r.id for r in wandb.Api().runs("changes")], wandb.Api().artifact_exists("changes/with-it:v0")]
print(json.dumps(out))
"""


@pytest.fixture(scope="module")
def ends(client: Client) -> Any:
    return client.run(ENDS, WANDB_CONSOLE="off")


def test_the_exit_code_decides_between_finished_and_failed(ends: Any) -> None:
    assert ends["while running"] == "running"
    assert (ends["finished"], ends["failed"], ends["raised"]) == ("finished", "failed", "failed")


def test_a_preempting_run_that_ends_early_is_preempted_and_one_that_ends_well_is_finished(ends: Any) -> None:
    assert (ends["moved"], ends["spared"]) == ("preempted", "finished")


def test_a_stop_request_ends_the_program_and_the_run_counts_as_killed(client: Client, server: Server) -> None:
    process = client.program(STOPPED, WANDB_CONSOLE="off")
    client.finish(process)
    assert process.returncode != 0
    query = 'query { project(name: "states") { run(name: "stopped") { state } } }'
    assert server.graphql(query)[1]["data"]["project"]["run"] == {"state": "killed"}


def test_runs_and_files_can_be_made_changed_and_deleted_through_the_api(client: Client) -> None:
    found = client.run(CHANGES)
    assert found["made"] == ["pending", "made"]
    assert found["file"] == ["renamed", 5, "finished"]
    assert found["changed"] == ["later", ["late"], {"a": 1, "b": 2}, 1, 3]
    assert found["file deleted"] is False
    assert found["left"] == [["made"], False]
