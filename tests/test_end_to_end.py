"""The whole path, by hand as the README says it: server, `wandb sweep`, two `wandb agent`s, artifacts, table, grid."""

import csv
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from agent.lifecycle import checkpoints
from agent.training import models
from agent.training.loop import evaluate
from common.keys import METRICS
from data import synthetic
from data.dataset import load_dataset
from tests.server import running
from tests.server.running import ROOT, Client

EPOCHS = 2
GRID: dict[str, Any] = {
    "model": {"values": ["unet_transposed", "deeplabv3plus/tu-tf_efficientnet_lite0/imagenet"]},
    "seed": {"value": 1},
    "width": {"value": 4},
    "image_size": {"value": 64},
    "epochs": {"value": EPOCHS},
}

READ_BACK = """
import json, wandb
path, folder = {path!r}, {folder!r}
api = wandb.Api()
sweep = api.sweep(path)
runs = {{}}
for run in sweep.runs:
    runs[run.id] = {{
        "state": run.state,
        "config": dict(run.config),
        "summary": {{k: v for k, v in run.summary.items() if isinstance(v, (int, float, str))}},
        "history": [row for row in run.scan_history(keys=["epoch", "train/loss", "val/loss", "train/iou", "val/iou"])],
    }}
best = sweep.best_run()
artifact = api.artifact(f"{{best.entity}}/{{best.project}}/model-{{best.id}}:best")
print(json.dumps({{
    "state": sweep.state, "best": best.id, "runs": runs, "aliases": artifact.aliases,
    "metadata": artifact.metadata, "folder": artifact.download(folder), "logged_by": artifact.logged_by().id,
}}))
"""


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photographs") / "drawn"
    synthetic.write(folder, seed=1, n_train=4, n_val=2, n_test=2)
    return folder


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    server = running.start(tmp_path_factory.mktemp("server") / "data")
    yield Client(server, tmp_path_factory.mktemp("client"))
    server.stop()


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_sweep_becomes_a_table_and_a_grid(client: Client, photographs: Path, tmp_path: Path) -> None:
    path = make_sweep(client, photographs, tmp_path)
    train_with_two_agents(client, path)

    found = client.run(READ_BACK.format(path=path, folder=str(tmp_path / "model")))
    assert found["state"] == "FINISHED"
    check_runs(found["runs"])
    check_best_weights(found, photographs)

    done = client.start([sys.executable, "-m", "analysis", path, "--out", str(tmp_path)], PYTHONPATH=str(ROOT))
    printed = client.finish(done)
    assert done.returncode == 0, printed
    check_analysis(found["runs"], tmp_path)


def make_sweep(client: Client, photographs: Path, folder: Path) -> str:
    sweep = yaml.safe_load((ROOT / "sweeps" / "cpu.yaml").read_text())
    sweep["parameters"] = sweep["parameters"] | GRID | {"data": {"value": str(photographs)}}
    (folder / "sweep.yaml").write_text(yaml.safe_dump(sweep))
    code, printed = client.command("wandb", "sweep", str(folder / "sweep.yaml"), WANDB_SILENT="false")
    assert code == 0, printed
    match = re.search(r"wandb agent (\S+)", printed)
    assert match, printed
    return match[1]


def train_with_two_agents(client: Client, path: str) -> None:
    agents = [client.start(["wandb", "agent", path], PYTHONPATH=str(ROOT)) for _ in range(2)]
    printed = [client.finish(agent, timeout=240) for agent in agents]
    assert [agent.returncode for agent in agents] == [0, 0], printed
    assert all("test IoU" in each for each in printed), "one agent did all the work"


def check_runs(runs: dict[str, Any]) -> None:
    """Every configuration exactly once, finished, with its history and its summary of best values."""
    assert sorted(run["config"]["model"] for run in runs.values()) == sorted(GRID["model"]["values"])
    for run in runs.values():
        assert run["state"] == "finished"
        assert [row["epoch"] for row in run["history"]] == list(range(1, EPOCHS + 1))
        summary = run["summary"]
        assert summary["val/iou"] == max(row["val/iou"] for row in run["history"])
        assert summary["val/loss"] == min(row["val/loss"] for row in run["history"])
        assert summary["test/rule"] == ("best_iou" if run["config"]["backbone"] == "none" else "best_loss")
        assert {f"test/{name}" for name in METRICS} <= summary.keys()


def check_best_weights(found: dict[str, Any], photographs: Path) -> None:
    """The downloaded checkpoints, evaluated here, give the test IoU that the run logged, but for a pixel or two."""
    summary = found["runs"][found["best"]]["summary"]
    assert found["logged_by"] == found["best"]
    assert {"best", "best-loss", "best-iou"} <= set(found["aliases"])
    for rule, file in found["metadata"]["files"].items():
        state, config = checkpoints.load(Path(found["folder"]) / file)
        model = models.build(config.architecture, config.backbone, "none", config.width)
        model.load_state_dict(state)
        dataset = load_dataset(photographs, image_size=config.image_size, score_size=config.score_size)
        assert dataset.digest == found["metadata"]["data_digest"]
        tested = evaluate(model, dataset.test, config.batch_size).pooled_counts.iou
        # Another number of threads adds in another order, and of a photograph's pixels one or two then change sides.
        assert tested == pytest.approx(summary[f"{rule}/test_iou"], abs=1e-5)


def check_analysis(runs: dict[str, Any], folder: Path) -> None:
    with (folder / "comparison.csv").open() as file:
        rows = {row["model"]: row for row in csv.DictReader(file)}
    assert len(rows) == 2
    assert {row["n_runs"] for row in rows.values()} == {"1"}
    (logged,) = [r["summary"]["test/iou"] for r in runs.values() if r["config"]["backbone"] == "none"]
    assert float(rows["U-Net, transposed"]["test_iou"]) == pytest.approx(logged, abs=1e-6)
    assert "Trained again, the order may change." in (folder / "comparison.md").read_text()
    for picture in ("masks.png", "curves.png"):
        with Image.open(folder / picture) as image:
            assert min(image.size) > 300
