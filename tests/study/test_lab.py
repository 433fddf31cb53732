"""`make lab` in a fresh copy of the project, at a small size: from a folder of photographs to the notebooks."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from data import synthetic

ROOT = Path(__file__).parents[2]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """What git tracks, with this environment."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    folder = tmp_path / "copy"
    for name in filter(None, names.stdout.split("\0")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)
    (folder / ".venv").symlink_to((ROOT / ".venv").resolve())
    if not (folder / ".venv" / "installed").exists():
        pytest.skip("the environment is not one of `make setup`")
    return folder


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_sheet_from_photographs_to_notebooks(copy: Path, tmp_path: Path) -> None:
    synthetic.write(tmp_path / "photos", seed=1, n_train=4, n_val=2, n_test=2, height=96, width=128)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WANDB")}
    env = kept | {"HOME": str(tmp_path)}
    make = ["make", "-o", "requirements.txt", f"DATA={tmp_path / 'photos'}", "SIZE=32", "EPOCHS=2", "TRIALS=2"]
    done = subprocess.run([*make, "lab"], cwd=copy, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    price, trained = done.stdout.index("sweeps/lab.yaml: 10 runs: "), done.stdout.index("trial 1 of 10")
    assert price < trained
    latest = copy / "results" / "latest"
    for name in ("comparison.md", "curves.png", "masks.png", "report.html"):
        assert (latest / name).stat().st_size > 1000, name
    notebooks = sorted((latest / "notebooks").glob("*.ipynb"))
    assert len(notebooks) == 4
    kinds = {
        output["output_type"]
        for each in notebooks
        for cell in json.loads(each.read_text())["cells"]
        for output in cell.get("outputs", [])
    }
    assert kinds == {"execute_result"}

    again = subprocess.run(
        [*make, "study", "SWEEP=sweeps/lab.yaml"], cwd=copy, env=env, capture_output=True, text=True, check=False
    )
    assert "10 of 10 trials" in again.stdout, again.stdout + again.stderr
