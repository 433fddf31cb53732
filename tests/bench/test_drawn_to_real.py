"""The bench that trains on drawings alone runs from start to end."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from data import synthetic

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_it_prints_the_iou_of_every_split_with_n(tmp_path: Path) -> None:
    synthetic.write(tmp_path / "photos", seed=1, n_train=1, n_val=1, n_test=1)
    flags = ["--drawings", "2", "--epochs", "1", "--image_size", "64", "--seeds", "1"]
    done = subprocess.run(
        [sys.executable, "-m", "bench.drawn_to_real", "--data", str(tmp_path / "photos"), *flags],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    figures = [float(text) for text in re.findall(r"\b[01]\.\d{3}\b", done.stdout)]
    assert figures
    assert all(0 <= figure <= 1 for figure in figures)
    for split in ("train", "val", "test"):
        assert re.search(rf"^{split}\b", done.stdout, flags=re.MULTILINE), done.stdout
