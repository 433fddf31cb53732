"""Sweeps and agents, through the unmodified wandb client."""

import os
import re
import sys
from collections import Counter
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.server.markup import read
from tests.server.running import WAIT_FOR_ROWS, Client, Server

# `wandb agent`, which asks every 5 s, in less time.
QUICK_AGENT = """
import sys
from wandb import wandb_agent
from wandb.cli.cli import cli
wandb_agent.Agent.POLL_INTERVAL = 0.5
cli(["agent", sys.argv[1]])
"""
TRAIN = f"""{WAIT_FOR_ROWS}
import os, signal, wandb
with wandb.init(resume="allow") as run:
    first = run.config.lr == run.config.opt["wd"] == 0
    for i in range(1, 4):
        run.log({{"val/iou": i * run.config.lr + run.config.opt["wd"]}})
    if first and not run.resumed:
        wait_for_rows(run.path, 3)
        os.kill(os.getpid(), signal.SIGKILL)
"""
GRID = """
program: train.py
method: grid
requeue: 1
metric: {name: val/iou, goal: maximize}
parameters:
  lr: {values: [0.0, 0.1]}
  opt: {parameters: {wd: {values: [0, 1]}}}
command: ["${env}", python, "${program}"]
"""
READ = """
import json, wandb
sweep = wandb.Api().sweep("grid/SWEEP")
best = sweep.best_run()
print(json.dumps({"state": sweep.state, "expected": sweep.expected_run_count, "order": sweep.order,
    "runs": [[r.state, r.config["lr"], r.config["opt"]["wd"], [row["_step"] for row in r.scan_history()]]
             for r in sweep.runs],
    "best": [best.config["lr"], best.config["opt"]["wd"], best.summary["val/iou"]], "name": sweep.config["method"]}))
"""


ENDLESS = """
import os, time, wandb
with wandb.init() as run:
    while True:
        run.log({"pid": os.getpid()})
        time.sleep(0.2)
"""
WAIT_FOR_PID = """
import time, wandb
pids = []
end = time.monotonic() + 60
while not pids and time.monotonic() < end:
    time.sleep(0.1)
    pids = [row["pid"] for run in wandb.Api().runs("endless") for row in run.scan_history()]
print(pids[0])
"""


@pytest.fixture(scope="module")
def grid(client: Client) -> Any:
    """A grid that two agents work on; the program of its first cell kills itself once."""
    (client.folder / "train.py").write_text(TRAIN)
    (client.folder / "grid.yaml").write_text(GRID)
    code, output = client.command("wandb", "sweep", "--project", "grid", "grid.yaml", WANDB_SILENT="false")
    assert code == 0, output
    found = re.search(r"wandb agent (local/grid/(\w+))", output)
    assert found is not None, output
    agents = [client.start([sys.executable, "-c", QUICK_AGENT, found[1]]) for _ in range(2)]
    outputs = [client.finish(agent) for agent in agents]
    assert [agent.returncode for agent in agents] == [0, 0], outputs
    return client.run(READ.replace("SWEEP", found[2]))


@pytest.mark.slow
def test_two_agents_at_once_run_every_configuration_of_a_grid_once(grid: Any) -> None:
    cells = [(state, lr, wd) for state, lr, wd, _ in grid["runs"]]
    assert Counter(cells) == Counter([("finished", lr, wd) for lr in (0.0, 0.1) for wd in (0, 1)])
    assert grid["best"] == [0.1, 1, pytest.approx(1.3)]
    assert (grid["state"], grid["expected"], grid["order"]) == ("FINISHED", 4, "-summary_metrics.val/iou")


@pytest.mark.slow
def test_a_sweep_that_was_stopped_and_then_canceled_on_its_page_ends_its_run_and_its_agent(
    client: Client, server: Server
) -> None:
    (client.folder / "endless.py").write_text(ENDLESS)
    (client.folder / "endless.yaml").write_text(GRID.replace("train.py", "endless.py"))
    code, output = client.command("wandb", "sweep", "--project", "endless", "endless.yaml", WANDB_SILENT="false")
    assert code == 0, output
    found = re.search(r"wandb agent (local/endless/(\w+))", output)
    assert found is not None, output
    agent = client.start([sys.executable, "-c", QUICK_AGENT, found[1]])
    pid = client.run(WAIT_FOR_PID)
    place = f"/local/endless/sweeps/{found[2]}"
    for action, state in (("stop", "stopping"), ("cancel", "canceling")):
        page = read(server.get(place, Authorization=server.basic())[1].decode())
        csrf = page.one(id="head").all("input", name="csrf")[0].attributes["value"]
        form = {"Content_Type": "application/x-www-form-urlencoded", "Authorization": server.basic()}
        body = server.send("POST", place, urlencode({"csrf": csrf, "action": action}).encode(), **form)[1]
        assert state in read(body.decode()).one("h1").text
    client.finish(agent)
    assert agent.returncode == 0
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.slow
def test_a_run_that_was_killed_is_handed_out_again_and_goes_on_when_the_sweep_says_requeue(grid: Any) -> None:
    steps = {(lr, wd): found for _, lr, wd, found in grid["runs"]}
    assert steps.pop((0.0, 0)) == [0, 1, 2, 3, 4, 5]
    assert list(steps.values()) == [[0, 1, 2]] * 3


FUNCTION = """
import json, wandb
from wandb.agents import pyagent
pyagent.Agent.HEARTBEAT_SLEEP_SECONDS = 0.1
out = {}
def train():
    with wandb.init() as run:
        run.log({"loss": run.config.x})
config = {"method": "random", "metric": {"name": "loss", "goal": "minimize"}, "run_cap": 3, "name": "named",
          "parameters": {"x": {"min": 0.0, "max": 1.0}}}
sweep_id = wandb.sweep(config, project="capped")
wandb.agent(sweep_id, function=train, project="capped", count=3)
sweep = wandb.Api().sweep(f"capped/{sweep_id}")
out["capped"] = [sweep.state, len(sweep.runs), sweep.name, len({r.config["x"] for r in sweep.runs})]
out["best"] = sweep.best_run().summary["loss"] == min(r.summary["loss"] for r in sweep.runs)
out["agents"] = [a.total_runs if hasattr(a, "total_runs") else len(list(a.runs())) for a in sweep.agents()]
try:
    wandb.sweep({"method": "grid", "parameters": {"x": {"min": 0.0, "max": 1.0}}}, project="capped")
except Exception as e:
    out["refused"] = str(e)
print(json.dumps(out))
"""


def test_a_function_agent_stops_at_the_run_cap(client: Client) -> None:
    found: Any = client.run(FUNCTION, WANDB_CONSOLE="off")
    assert found["capped"] == ["FINISHED", 3, "named", 3]
    assert found["best"] is True
    assert found["agents"] == [3]
    assert "x" in found["refused"]
