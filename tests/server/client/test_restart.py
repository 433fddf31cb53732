"""Sudden ends in the middle of a run: of the server, which comes back on the same folder, or of the run."""

import os
import signal
import time
from pathlib import Path

import pytest

from tests.server.running import WAIT_FOR_ROWS, Client, start

LOGGING = f"""{WAIT_FOR_ROWS}
import os, time, wandb
with wandb.init(project="restart", id="steady") as run:
    for i in range(200):
        run.log({{"x": i}})
        if i == 100:
            wait_for_rows("restart/steady")
            print("halfway", flush=True)
            end = time.monotonic() + 60
            while not os.path.exists("go-on") and time.monotonic() < end:
                time.sleep(0.01)
    artifact = wandb.Artifact("after", "model")
    with artifact.new_file("a.txt") as file:
        file.write("a")
    run.log_artifact(artifact, aliases=["best"])
"""
READ = """
import json, wandb
r = wandb.Api().run("restart/steady")
rows = [row["x"] for row in r.scan_history()]
print(json.dumps([r.state, rows, r.summary["x"], [a.name for a in r.logged_artifacts()]]))
"""


@pytest.mark.slow
def test_no_row_is_lost_or_doubled_when_the_server_is_killed_in_mid_run(tmp_path: Path) -> None:
    server = start(tmp_path / "folder")
    client = Client(server, tmp_path)
    process = client.program(LOGGING)
    assert process.stdout is not None
    assert any("halfway" in line for line in process.stdout)
    server.stop(signal.SIGKILL)
    (tmp_path / "go-on").touch()
    server.restart()
    client.finish(process)
    found = client.run(READ)
    assert server.stop() == 0
    assert found == ["finished", list(range(200)), 199, ["after:v0"]]


def test_a_killed_run_crashes_and_keeps_its_rows(tmp_path: Path) -> None:
    server = start(tmp_path / "folder", 0, "--crash-after", "2")
    client = Client(server, tmp_path)
    code = f"""{WAIT_FOR_ROWS}
import time, wandb
run = wandb.init(project="crash", id="victim")
for i in range(5):
    run.log({{"loss": i}})
wait_for_rows("crash/victim")
print("logged", flush=True)
time.sleep(60)
"""
    process = client.program(code)
    assert process.stdout is not None
    assert any(line == "logged\n" for line in process.stdout)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    query = 'query { project(name: "crash") { run(name: "victim") { state historyLineCount } } }'
    deadline = time.monotonic() + 15
    while (found := server.graphql(query)[1]["data"]["project"]["run"])["state"] == "running":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    server.stop()
    assert found == {"state": "crashed", "historyLineCount": 5}
