"""The real client and the embedded server: what a study leaves behind is found, pulled, checked and drawn."""

import subprocess
import sys

import pandas as pd
import pytest

from common.study_record import StudyRecord
from tests.server.running import ROOT, Client

LOG_TWO_RUNS = """
import sys
from pathlib import Path
import wandb
from PIL import Image
from tests.analysis.studies import MODELS, history, predictions, run

folder = Path(sys.argv[1])
predicted = predictions(1)
row = run("x", MODELS[2], predicted)
config = {key: row[key] for key in ("architecture", "backbone", "weights", "image_size", "seed", "n_test")}
with wandb.init(project="puzzle", config=config) as good:
    for epoch in history("x").drop(columns="run_id").to_dict("records"):
        good.log(epoch)
    good.log({"test/predictions": [wandb.Image(predicted.images["image-0"])]})
    good.summary.update({key: value for key, value in row.items() if "/" in key})
    for kind, pictures in (("images", predicted.images), ("truth", predicted.truth), *predicted.masks.items()):
        (folder / kind).mkdir()
        for stem, pixels in pictures.items():
            Image.fromarray(pixels).save(folder / kind / f"{stem}.png")
    artifact = wandb.Artifact(f"predictions-{good.id}", type="predictions", metadata={"rule": "best_loss"})
    artifact.add_dir(str(folder))
    good.log_artifact(artifact)
bad = wandb.init(project="puzzle", config=config)
bad.finish(exit_code=1)
"""


def python(client: Client, *arguments: str, **login: str) -> subprocess.CompletedProcess[str]:
    """Python in the client's folder, in an environment without a server and a key but for `login`."""
    whole = client.environment(PYTHONPATH=str(ROOT))
    environ = {name: value for name, value in whole.items() if name not in ("WANDB_BASE_URL", "WANDB_API_KEY")}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=client.folder, env=environ | login, capture_output=True, text=True, timeout=120)


@pytest.mark.slow
def test_the_last_study_is_found_pulled_checked_and_drawn_with_an_empty_environment(client: Client) -> None:
    server = client.server
    login = {"WANDB_BASE_URL": server.url, "WANDB_API_KEY": server.key, "WANDB_ENTITY": "local"}
    (client.folder / "files").mkdir()
    logged = python(client, "-c", LOG_TWO_RUNS, "files", **login)
    assert logged.returncode == 0, logged.stderr

    latest = client.folder / "results/latest"
    latest.mkdir(parents=True)
    StudyRecord(("local/puzzle",), server.url, str(server.folder)).save(latest)
    done = python(client, "-m", "analysis")

    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines() == ["reading 1 runs …", "python -m analysis: comparing 1 runs …"]
    assert {file.name for file in latest.iterdir()} == {
        *("study.json", "curves.png", "intervals.png", "masks.png", "hardest_images.png", "overfitting.csv"),
        *(f"comparison.{ending}" for ending in ("csv", "md", "tex", "html")),
    }
    (row,) = pd.read_csv(latest / "comparison.csv", keep_default_na=False).to_dict("records")
    # Squares of 16² one column off: 16·15 shared, 2·16² − 16·15 in the union.
    assert row["test_iou"] == pytest.approx(240 / 272)
    assert row["overfitting"].startswith("cannot tell from 1 run")
    printed = " ".join(done.stdout.split())
    assert "1 of 1 runs agree" in printed
    assert "left out: 1 failed" in printed

    asks = "import os, sys; from analysis.cli import main; print(main('p', '', [], ['local/nothing']));"
    asks += "os.environ['WANDB_API_KEY'] = 'w' * 40; print(main('p', '', [], ['local/puzzle']))"
    refused = python(client, "-c", asks, **login)
    assert refused.stdout.split() == ["1", "1"]
    no_project, wrong_key = refused.stderr.splitlines()
    assert no_project.startswith("p: The runs of local/nothing cannot be read: ")
    assert wrong_key.startswith(f"p: {server.url} does not let this key in")
