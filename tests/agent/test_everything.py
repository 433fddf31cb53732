"""sweeps/everything.yaml with the real client: made, suggested by its scheduler, handed to an agent."""

import re
import shutil

import pytest

from agent.config import from_settings
from tests.server.running import ROOT, Client

N = 3
AGENT = """
import wandb
from wandb.agents import pyagent
pyagent.Agent.HEARTBEAT_SLEEP_SECONDS = 0.2
def train():
    with wandb.init(settings=wandb.Settings(x_disable_meta=True)) as run:
        run.log({"val/iou": run.config["image_size"] / 512})
wandb.agent("PATH", function=train, count=COUNT)
"""
READ = """
import json, wandb
sweep = wandb.Api().sweep("PATH")
print(json.dumps([sweep.state, [[run.state, run.config] for run in sweep.runs]]))
"""


@pytest.mark.slow
def test_the_scheduler_suggests_valid_runs_from_our_search_space(client: Client) -> None:
    (client.folder / "agent").mkdir()
    shutil.copy(ROOT / "agent" / "search_space.py", client.folder / "agent" / "search_space.py")
    text = (ROOT / "sweeps" / "everything.yaml").read_text()
    (client.folder / "everything.yaml").write_text(text.replace("run_cap: 200", f"run_cap: {N}"))
    _, output = client.command("wandb", "sweep", "everything.yaml", WANDB_SILENT="false")
    found = re.search(r"wandb agent (\S+/\S+/\w+)", re.sub(r"\x1b\[[0-9;]*m", "", output))
    assert found, output
    path = found[1]
    scheduler = client.start(["wandb", "sweep-scheduler", "--batch-size", str(N), "--poll-interval", "0.5", path])
    agent = client.program(AGENT.replace("PATH", path).replace("COUNT", str(N)), WANDB_CONSOLE="off")
    outputs = [client.finish(process, 250) for process in (agent, scheduler)]
    assert (agent.returncode, scheduler.returncode) == (0, 0), outputs
    state, runs = client.run(READ.replace("PATH", path))
    assert state == "FINISHED"
    assert [run_state for run_state, _ in runs] == ["finished"] * N
    assert len({from_settings(config) for _, config in runs}) == N
