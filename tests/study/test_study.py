"""`make study` as a process: it finishes, it can be interrupted, and it goes on."""

import csv
import fcntl
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import yaml
from PIL import Image

from common.study_record import StudyRecord
from data import synthetic
from study.__main__ import main, record_start, remember_latest, resolve_data
from study.plan import StudyError

ROOT = Path(__file__).parents[2]

PERSONS_OWN = {
    ".netrc": "machine 127.0.0.1 login user password not-to-be-read\n",
    ".config/wandb/settings": "[default]\nbase_url = http://127.0.0.1:9\nentity = not-to-be-read\n",
}
"""Files of a W&B login that would break the study if it read them: nothing listens on port 9."""

MISLEADING = {
    **{"WANDB_MODE": "offline", "WANDB_ENTITY": "elsewhere", "WANDB_PROJECT": "other"},
    **{"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
}
"""Variables of which wandb must not see its own; the last two keep a trial from a network, and quiet."""

PHOTOGRAPHS = "it's a folder"


def command(folder: Path, *more: str) -> list[str]:
    return [
        *(sys.executable, "-m", "study", "--results", str(folder / "results")),
        *("--data", str(folder / PHOTOGRAPHS), "--sweep", str(folder / "tiny.yaml"), "--trials", "1", *more),
    ]


def environment(folder: Path) -> dict[str, str]:
    """No W&B login, and a home in which every file would be noticed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WANDB")}
    return kept | {"HOME": str(folder / "home")}


def begin(folder: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        command(folder),
        cwd=ROOT,
        env=environment(folder) | MISLEADING,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def processes_of(folder: Path) -> list[str]:
    """Command lines of living processes that work for this study."""
    found = []
    for process in psutil.process_iter():
        try:
            if str(folder) in " ".join(process.cmdline()) or process.environ().get("HOME") == str(folder / "home"):
                found.append(" ".join(process.cmdline()))
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in PERSONS_OWN.items():
        (tmp_path / "home" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "home" / name).write_text(text)
    synthetic.write(tmp_path / PHOTOGRAPHS, seed=1, n_train=4, n_val=2, n_test=2, height=96, width=128)
    sweep = yaml.safe_load((ROOT / "sweeps" / "cpu.yaml").read_text())
    sweep["parameters"] |= {
        "model": {"values": ["unet_transposed", "unet_bilinear"]},
        "image_size": {"value": 32},
        "epochs": {"value": 2},
        "width": {"value": 4},
    }
    (tmp_path / PHOTOGRAPHS / "train" / "images" / "Thumbs.db").write_text("x")
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(sweep))
    return tmp_path


def interrupt(study: "subprocess.Popen[str]", line_with: str, number: int) -> str:
    """What it printed until it ended, after a signal at a line that holds these words."""
    printed = []
    with study:
        assert study.stdout is not None
        for line in study.stdout:
            printed.append(line)
            if line_with in line:
                study.send_signal(number)
                break
        printed.append(study.stdout.read())
    return "".join(printed)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_an_interrupted_study_stops_everything_and_goes_on_where_it_was(folder: Path) -> None:
    """The terminal is closed between two trials; the second start is refused its last one."""
    models = ["unet_bilinear", "unet_transposed", "unet/resnet34/imagenet"]
    rewrite(folder, model={"values": models})
    closed = begin(folder)
    printed = interrupt(closed, "trial 1 of 3 finished", signal.SIGHUP)
    assert closed.returncode == 130, printed
    assert "the same command goes on" in printed
    assert processes_of(folder) == []

    last = begin(folder)
    printed, _ = last.communicate()
    assert last.returncode == 1, printed
    assert "going on with local/puzzle/" in printed
    for words in ("1 of 3 trials are", "trial 2 of 3 finished: unet_transposed,", "1 of 3 trials did not finish"):
        assert words in printed
    assert printed.count("\n  no ImageNet weights for resnet34: ") == 1
    assert "make serve" in printed
    assert processes_of(folder) == []

    (study,) = (folder / "results").glob("tiny-*")
    assert len(json.loads((study / "study.json").read_text())["data_digest"]) == 64
    assert len(list(study.glob("fleet/*/logs/????????.log"))) == 3
    with (folder / "results" / "latest" / "comparison.csv").open() as file:
        rows = {row["model"]: row["n_runs"] for row in csv.DictReader(file)}
    assert rows == {"U-Net, bilinear": "1", "U-Net, transposed": "1"}
    for name, text in PERSONS_OWN.items():
        assert (folder / "home" / name).read_text() == text
    assert [path.name for path in (folder / "home" / ".config" / "wandb").iterdir()] == ["settings"]


@pytest.fixture
def refuse(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Any]:
    """A study in this process that ends before it begins anything; its message. It leaves no results."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    for name in [name for name in os.environ if name.startswith("WANDB")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(folder / "home"))

    def start(*more: str, **variables: str) -> str:
        monkeypatch.setattr(sys, "argv", command(folder, *more)[2:])
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        before = list((folder / "results").parent.glob("results/*"))
        assert main() == 1
        assert list((folder / "results").parent.glob("results/*")) == before
        said = capsys.readouterr().err.strip()
        assert said.startswith("study: ")
        assert "Traceback" not in said
        return said

    yield start
    for number, handler in before.items():
        signal.signal(number, handler)


def rewrite(folder: Path, **parameters: object) -> None:
    sweep = yaml.safe_load((folder / "tiny.yaml").read_text())
    sweep["parameters"] |= parameters
    (folder / "tiny.yaml").write_text(yaml.safe_dump(sweep))


def test_a_setting_that_no_trial_can_have_stops_the_study_before_it_trains(folder: Path, refuse: Any) -> None:
    rewrite(folder, image_size={"value": 100})
    said = refuse()
    lines = (folder / "tiny.yaml").read_text().splitlines()
    assert f"tiny.yaml:{lines.index('  image_size:') + 1}: error: image_size is 100," in said


def test_a_setting_of_the_person_that_no_trial_can_have_is_told_as_it_was_given(refuse: Any) -> None:
    said = refuse("--size", "100")
    assert "\nSIZE=100: error: image_size is 100," in said
    assert "    fix: write 96" in said


def test_a_server_of_the_person_that_does_not_answer_is_one_sentence_and_nothing_is_left(refuse: Any) -> None:
    said = refuse(WANDB_BASE_URL="http://127.0.0.1:9", WANDB_API_KEY="k" * 40)
    assert "\n" not in said
    for words in ("http://127.0.0.1:9 ([Errno 111]", "start the server", "unset WANDB_BASE_URL and WANDB_API_KEY"):
        assert words in said


def test_photographs_with_a_problem_stop_the_study_before_it_trains(folder: Path, refuse: Any) -> None:
    for mask in (folder / PHOTOGRAPHS / "train" / "masks").iterdir():
        mask.unlink()
    lost = folder / PHOTOGRAPHS / "test" / "masks" / "mask-8.png"
    pixels = np.zeros((96, 128), np.uint8)
    pixels[1, 1] = 255
    Image.fromarray(pixels).save(lost)
    said = refuse()
    assert f"4 files in {folder}/{PHOTOGRAPHS}/train/images: " in said
    assert re.search(rf"{re.escape(str(lost))} .* image_size 32 .*1x1 of 128x96", said)
    assert processes_of(folder) == []


def test_a_second_study_in_the_same_results_is_refused(folder: Path, refuse: Any) -> None:
    (folder / "results").mkdir()
    with (folder / "results" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "another `make study`" in refuse()


def test_results_that_cannot_be_written_are_one_sentence(folder: Path, refuse: Any) -> None:
    (folder / "results").write_text("a file")
    assert "Not a directory" in refuse()


def test_a_study_that_came_to_nothing_leaves_no_folder_and_one_that_began_does(tmp_path: Path) -> None:
    with record_start(tmp_path / "nothing"):
        (tmp_path / "nothing" / "sweep.yaml").write_text("x")
    with record_start(tmp_path / "begun"):
        StudyRecord(("e/p/s",), "http://127.0.0.1:1", None, "abc").save(tmp_path / "begun")
    (tmp_path / "older").mkdir()
    with record_start(tmp_path / "older"):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["begun", "older"]


def test_a_folder_named_latest_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "latest").mkdir()
    with pytest.raises(StudyError, match="is no link"):
        remember_latest(tmp_path / "study")
    assert list(tmp_path.iterdir()) == [tmp_path / "latest"]


def test_a_name_that_only_begins_like_drawn_is_a_folder() -> None:
    assert resolve_data("drawn:7") == "drawn:7"
    assert resolve_data("drawn_pieces") == str(Path("drawn_pieces").resolve())
    assert resolve_data("~/pieces") == str(Path.home() / "pieces")


def test_a_sweep_file_that_is_not_there_is_one_sentence(refuse: Any) -> None:
    (line,) = refuse("--sweep", "nowhere.yaml").splitlines()
    assert line.startswith("study: nowhere.yaml ")
