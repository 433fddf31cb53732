"""The real client and the embedded server: what a study leaves behind is found, pulled, checked and drawn."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parents[3]

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


@pytest.fixture
def isolated(tmp_path: Path) -> dict[str, str]:
    """An environment without the person's W&B settings, every folder of the client's below `tmp_path`."""
    names = ("DIR", "CACHE_DIR", "CONFIG_DIR", "DATA_DIR", "ARTIFACT_DIR")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    own = {f"WANDB_{name}": str(tmp_path / "client") for name in names}
    (tmp_path / "client").mkdir()
    home = {"HOME": str(tmp_path), "NETRC": str(tmp_path / ".netrc"), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return {**clean, **own, **home, "WANDB_SILENT": "true", "WANDB_ERROR_REPORTING": "false"}


@pytest.fixture
def base_url(tmp_path: Path, isolated: dict[str, str]) -> Iterator[str]:
    """An embedded server on a free port, its folder `tmp_path/server`."""
    command = [sys.executable, "-m", "server", "--port", "0", "--dir", str(tmp_path / "server")]
    with subprocess.Popen(command, cwd=ROOT, env=isolated, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield server.stdout.readline().split()[-1]
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=30)


def python(folder: Path, environ: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environ, capture_output=True, text=True, timeout=120
    )


@pytest.mark.slow
def test_the_last_study_is_found_pulled_checked_and_drawn_with_an_empty_environment(
    tmp_path: Path, isolated: dict[str, str], base_url: str
) -> None:
    key = (tmp_path / "server/api-key").read_text().strip()
    login = {"WANDB_BASE_URL": base_url, "WANDB_API_KEY": key, "WANDB_ENTITY": "local"}
    (tmp_path / "files").mkdir()
    logged = python(tmp_path, isolated | login, "-c", LOG_TWO_RUNS, "files")
    assert logged.returncode == 0, logged.stderr

    latest = tmp_path / "results/latest"
    latest.mkdir(parents=True)
    study = {"paths": ["local/puzzle"], "base_url": base_url, "server_dir": str(tmp_path / "server")}
    (latest / "study.json").write_text(json.dumps(study))
    done = python(tmp_path, isolated, "-m", "analysis")

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
    refused = python(tmp_path, isolated | login, "-c", asks)
    assert refused.stdout.split() == ["1", "1"]
    no_project, wrong_key = refused.stderr.splitlines()
    assert no_project.startswith("p: The runs of local/nothing cannot be read: ")
    assert wrong_key.startswith(f"p: {base_url} does not let this key in: ")
