"""A run that failed and is tried again."""

import json

import pytest

from tests.server.running import ROOT, Client

TRIED_TWICE = """
import wandb
from agent import train
with wandb.init(project="puzzle", id="abc", resume="allow") as run:
    run.log({"epoch": 1}, step=0)
    run.summary["error"] = "the disk is full"
with wandb.init(project="puzzle", id="abc", resume="allow") as run:
    known = run.summary["error"]
    train.clear_failure(run)
    run.summary["test/iou"] = 0.5
import json
print(json.dumps([known, dict(wandb.Api().run("puzzle/abc").summary_metrics)]))
"""


@pytest.mark.slow
def test_a_failed_run_that_goes_on_loses_its_old_error(client: Client) -> None:
    program = client.program(TRIED_TWICE, PYTHONPATH=str(ROOT))
    printed = client.finish(program, timeout=240)
    assert program.returncode == 0, printed
    known, summary = json.loads(printed.splitlines()[-1])
    assert known == "the disk is full"
    assert "error" not in summary
    assert summary["test/iou"] == 0.5
