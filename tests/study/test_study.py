"""`make study` as a process: it finishes, it can be interrupted, and it goes on."""

import csv
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import yaml

from data import synthetic

ROOT = Path(__file__).parents[2]

PERSONS_OWN = {
    ".netrc": "machine 127.0.0.1 login user password not-to-be-read\n",
    ".config/wandb/settings": "[default]\nbase_url = http://127.0.0.1:9\nentity = not-to-be-read\n",
}
"""Files of a W&B login that would break the study if it read them: nothing listens on port 9."""


def command(folder: Path, *more: str) -> list[str]:
    return [
        *(sys.executable, "-m", "study", "--results", str(folder / "results")),
        *("--data", str(folder / "photos"), "--sweep", str(folder / "tiny.yaml"), "--trials", "1", *more),
    ]


def environment(folder: Path) -> dict[str, str]:
    """No W&B login, and a home in which every file would be noticed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WANDB")}
    return kept | {"HOME": str(folder / "home")}


def begin(folder: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        command(folder),
        cwd=ROOT,
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def processes_of(folder: Path) -> list[str]:
    """Command lines of living processes that work for this study."""
    found = []
    for process in psutil.process_iter():
        try:
            if str(folder) in " ".join(process.cmdline()) or process.environ().get("HOME") == str(
                folder / "home"
            ):
                found.append(" ".join(process.cmdline()))
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in PERSONS_OWN.items():
        (tmp_path / "home" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "home" / name).write_text(text)
    synthetic.write(tmp_path / "photos", seed=1, n_train=4, n_val=2, n_test=2)
    sweep = yaml.safe_load((ROOT / "sweeps" / "cpu.yaml").read_text())
    sweep["parameters"] |= {
        "model": {"values": ["unet_transposed", "unet_bilinear"]},
        "image_size": {"value": 32},
        "epochs": {"value": 2},
        "width": {"value": 4},
    }
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(sweep))
    return tmp_path


@pytest.mark.slow
@pytest.mark.timeout(500)
def test_an_interrupted_study_stops_everything_and_goes_on_where_it_was(folder: Path) -> None:
    with begin(folder) as study:
        assert study.stdout is not None
        for line in study.stdout:
            if "trial 1 of 2 finished" in line:
                study.send_signal(signal.SIGINT)
                break
        rest = study.stdout.read()
    assert study.returncode == 130, rest
    assert "the same command goes on from the trials that are finished" in rest
    assert processes_of(folder) == []

    second = begin(folder)
    printed, _ = second.communicate()
    assert second.returncode == 0, printed
    assert "1 of 2 trials are finished" in printed
    assert "trial 2 of 2 finished" in printed
    assert "make serve" in printed
    with (folder / "results" / "latest" / "comparison.csv").open() as file:
        assert [row["n_runs"] for row in csv.DictReader(file)] == ["1", "1"]

    third = begin(folder)
    printed, _ = third.communicate()
    assert third.returncode == 0, printed
    assert "2 of 2 trials are finished" in printed
    assert "started" not in printed
    assert processes_of(folder) == []
    for name, text in PERSONS_OWN.items():
        assert (folder / "home" / name).read_text() == text
    assert [path.name for path in (folder / "home" / ".config" / "wandb").iterdir()] == ["settings"]


def test_photographs_with_a_problem_stop_the_study_before_it_trains(folder: Path) -> None:
    next((folder / "photos" / "train" / "masks").iterdir()).unlink()
    done = subprocess.run(
        command(folder), cwd=ROOT, env=environment(folder), capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "has no mask" in done.stderr
    assert "Traceback" not in done.stderr
    assert processes_of(folder) == []


def test_a_sweep_file_that_is_not_there_is_one_sentence(folder: Path) -> None:
    done = subprocess.run(
        command(folder, "--sweep", "nowhere.yaml"),
        cwd=ROOT,
        env=environment(folder),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.strip().startswith("study: nowhere.yaml is not a sweep that can be read: ")
