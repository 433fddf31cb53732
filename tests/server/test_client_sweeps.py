"""Sweeps and agents, through the unmodified wandb client."""

import re
import sys
from collections import Counter
from typing import Any

import pytest

from tests.server.running import WAIT_FOR_ROWS, Client

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
