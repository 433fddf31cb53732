"""A trial that cannot go on, in a sweep: it is marked failed and says why, and the sweep goes on."""

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from data import synthetic
from tests.server import running
from tests.server.running import ROOT, Client

READ_BACK = """
import json, wandb
sweep = wandb.Api().sweep({path!r})
runs = []
for run in sweep.runs:
    runs.append({{
        "state": run.state,
        "config": dict(run.config),
        "models": [each.metadata for each in run.logged_artifacts() if each.type == "model"],
        "rows": list(run.scan_history(keys=["epoch", "val/iou", "val/bn_gap"])),
        "summary": {{k: v for k, v in run.summary.items() if isinstance(v, (int, float, str))}},
    }})
print(json.dumps({{"state": sweep.state, "runs": runs}}))
"""


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    server = running.start(tmp_path / "server")
    folder = tmp_path / "client"
    folder.mkdir()
    yield Client(server, folder)
    server.stop()


def sweep_over(client: Client, folders: list[Path]) -> str:
    values = {"width": 4, "image_size": 32, "epochs": 1, "fold": 1, "deterministic": True}
    sweep = {
        "program": "agent/train.py",
        "command": [sys.executable, "-m", "agent.train", "${args}"],
        "method": "grid",
        "metric": {"name": "val/iou", "goal": "maximize"},
        "parameters": {"data": {"values": [str(folder) for folder in folders]}}
        | {name: {"value": value} for name, value in values.items()},
    }
    file = client.folder / "sweep.yaml"
    file.write_text(yaml.safe_dump(sweep))
    code, printed = client.command("wandb", "sweep", "--project", "puzzle", str(file), WANDB_SILENT="false")
    assert code == 0, printed
    return printed.split("wandb agent ")[1].split()[0]


TRIED_TWICE = """
import wandb
from agent.lifecycle import resume
with wandb.init(project="puzzle", id="abc", resume="allow") as run:
    run.log({"epoch": 1}, step=0)
    run.summary["error"] = "the disk is full"
with wandb.init(project="puzzle", id="abc", resume="allow") as run:
    known = run.summary["error"]
    resume.forget_failure(run)
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


@pytest.mark.slow
def test_a_corrupt_image_fails_its_run_with_the_reason_and_the_next_trial_is_trained(
    client: Client, tmp_path: Path
) -> None:
    good, corrupt = tmp_path / "good", tmp_path / "corrupt"
    synthetic.write(good, seed=2, n_train=3, n_val=1, n_test=1, height=48, width=64)
    shutil.copytree(good, corrupt)
    broken = corrupt / "train" / "images" / "image-2.png"
    broken.write_bytes(broken.read_bytes()[:200])

    path = sweep_over(client, [corrupt, good])
    agent = client.start(["wandb", "agent", path], PYTHONPATH=str(ROOT), PUZZLE_RUNS=str(tmp_path / "runs"))
    printed = client.finish(agent, timeout=240)
    assert agent.returncode == 0, printed

    found = client.run(READ_BACK.format(path=path))
    assert found["state"] == "FINISHED"
    failed, finished = sorted(found["runs"], key=lambda run: str(run["state"]))
    assert (failed["state"], finished["state"]) == ("failed", "finished")
    assert failed["config"]["data"] == str(corrupt)
    assert failed["summary"]["error"].startswith(f"{broken} cannot be read as an image (")
    assert f"agent.train: {broken} cannot be read as an image (" in printed
    assert "Traceback" not in printed
    assert "Ignoring" not in printed, "the client warns of names that a sweep decides about"
    check_finished(finished)


def check_finished(run: dict[str, Any]) -> None:
    """What BatchNorm doctor, fold and weights leave behind."""
    config, summary, (row,) = run["config"], run["summary"], run["rows"]
    assert (config["fold"], config["deterministic"], config["weights_source"]) == (1, True, "none")
    assert len(str(config["test_digest"])) == 64
    assert "error" not in summary
    gap = row["val/bn_gap"]
    assert gap == summary["val/bn_gap"] == summary["best_iou/bn_gap"] == summary["best_loss/bn_gap"]
    (metadata,) = run["models"]
    assert metadata["best_iou"]["bn_gap"] == gap
    assert metadata["best_iou"]["bn_repaired"] == (gap > 0.02)
    assert summary["bn_repaired"] == summary["best_iou/bn_repaired"] == (gap > 0.02)
