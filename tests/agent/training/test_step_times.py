"""What runs leave of their step times, and what is read of it."""

import json
import multiprocessing
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from agent import train
from agent.config import Config, parse
from agent.lifecycle.checkpoints import BestCheckpoints
from agent.lifecycle.interruption import Interruption
from agent.lifecycle.plan import RunPlan
from agent.lifecycle.state import Progress
from agent.train import TrainingRun
from agent.training import performance, schedule, step_times
from agent.training.material import Material
from agent.training.models.unet import UNet
from agent.training.step_times import COLUMNS, Step
from data.dataset import Dataset
from tests.agent.training.squares import squares

CONFIG = parse(["--model=unet/resnet18", "--image_size=256", "--batch_size=4"])
GPU = "cuda: NVIDIA H100 80GB HBM3"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "folder" / "steps.csv"
    monkeypatch.setenv("PUZZLE_STEP_SECONDS", str(path))
    return path


def test_a_run_on_a_gpu_leaves_the_median_step_of_its_epochs(file: Path) -> None:
    step_times.record(CONFIG, GPU, "bfloat16", 5000.4, [0.02, 0.01, 0.06])
    (step,) = step_times.read(file)
    assert step.settings == (
        "NVIDIA H100 80GB HBM3", "unet", "resnet18", 64, 256, 4, "bfloat16", 5000,
    )  # fmt: skip
    assert (step.seconds, step.n) == (0.02, 3)
    assert step.deviation == pytest.approx((0.0014 / 2) ** 0.5, abs=1e-6), "mean 0.03: 0.01² + 0.02² + 0.03²"


def test_the_columns_are_those_of_the_table_that_the_bench_writes(file: Path) -> None:
    step_times.record(CONFIG, GPU, "float32", 1, [0.5])
    table = Path(step_times.__file__).parents[1] / "lint" / "step_seconds.csv"
    head = next(line for line in table.read_text().splitlines() if not line.startswith("#"))
    assert head == file.read_text().splitlines()[0] == ",".join(COLUMNS)


@pytest.mark.parametrize(("device", "seconds"), [("cpu", [0.1, 0.1]), (GPU, [])])
def test_nothing_is_kept_of_a_cpu_and_of_a_run_that_only_warmed_up(
    file: Path, device: str, seconds: list[float]
) -> None:
    step_times.record(CONFIG, device, "float32", 1, seconds)
    assert not file.exists()


def test_the_fastest_of_equal_settings_counts(file: Path) -> None:
    """Slower ones shared their GPU."""
    for seconds in (0.3, 0.1, 0.2):
        step_times.record(CONFIG, GPU, "float32", 1, [seconds])
    step_times.record(CONFIG, GPU, "bfloat16", 1, [0.05])
    assert [step.seconds for step in step_times.read(file)] == [0.1, 0.05]


def test_what_a_full_disk_left_of_a_row_is_passed_over(file: Path) -> None:
    step_times.record(CONFIG, GPU, "float32", 1, [0.3])
    whole = file.read_text()
    file.write_text(whole + whole.splitlines()[1][:-20] + "\n" + whole.splitlines()[1].replace("unet", "x") + "\n")
    assert [step.architecture for step in step_times.read(file)] == ["unet", "x"]
    assert step_times.read(file.with_name("none.csv")) == []


def test_a_disk_that_refuses_is_told_and_ends_nothing(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.parent.write_text("a file where a folder should be")
    step_times.record(CONFIG, GPU, "float32", 1, [0.3])
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{file} cannot be written" in line
    assert line.endswith(" PUZZLE_STEP_SECONDS")


def write_many(path: str, width: int) -> None:
    step = Step("GPU", "unet", "resnet18", width, 64, 2, "float32", 1, 0.5, 0.0, 1)
    for _ in range(200):
        step_times.append(step, Path(path))


def test_processes_that_write_at_once_lose_no_row(file: Path) -> None:
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=write_many, args=(str(file), width)) for width in (8, 16)]
    for each in writers:
        each.start()
    for each in writers:
        each.join()
    lines = file.read_text().splitlines()
    assert (lines[0], len(lines)) == (",".join(COLUMNS), 401)
    assert {step.width for step in step_times.read(file)} == {8, 16}


def test_a_run_counts_its_own_epochs_after_the_first_and_all_steps_of_them(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten images in batches of four are three steps, twice in an epoch; the run went on after epoch 2."""
    config = Config(architecture="unet_bilinear", batch_size=4, epochs=5, repeats=2)
    rows: list[Any] = [{"seconds_of_steps": seconds} for seconds in (90.0, 90.0, 60.0, 12.0, 6.0)]
    monkeypatch.setattr(performance, "device_name", lambda _: GPU)
    trial: Any = SimpleNamespace(
        plan=SimpleNamespace(config=config),
        material=SimpleNamespace(
            dataset=SimpleNamespace(train=range(10)), device=None, precision="float32", n_macs=600, steps=3
        ),
        progress=Progress(5, 0.0, rows),
    )
    train.record_step_times(trial, 3)
    (step,) = step_times.read(file)
    assert (step.macs, step.seconds, step.n) == (2000, 1.5, 2)


def test_training_leaves_its_row(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three epochs on a processor that is called a GPU: two of them count, each of two visits in two steps."""
    monkeypatch.setenv("PUZZLE_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(performance, "device_name", lambda _: GPU)
    monkeypatch.setattr(performance, "n_macs", lambda *_: 50)
    config = parse(
        ["--model=unet_bilinear", "--width=2", "--image_size=32", "--batch_size=2", "--epochs=3", "--repeats=2"]
    )
    pairs = squares(4)
    model = performance.to_device(UNet("bilinear", 2), torch.device("cpu"))
    run: Any = SimpleNamespace(entity="e", project="p", id="r", config={}, summary={}, starting_step=3)
    plan = RunPlan(config, "r", None, None, tmp_path / "runs" / "r")
    trial = TrainingRun(
        plan,
        run,
        Material(config, Dataset(pairs, pairs, pairs, "", ""), model),
        adam := performance.adam(model, 1e-3),
        schedule.build("constant", adam, 12),
        BestCheckpoints(plan.folder),
    )
    train.fit(trial, Interruption())
    (step,) = step_times.read(file)
    assert step.settings == ("NVIDIA H100 80GB HBM3", "unet_bilinear", "none", 2, 32, 2, "float32", 100)
    seconds = [row["seconds_of_steps"] / 4 for row in trial.progress.rows[1:]]
    assert step.seconds == pytest.approx(sum(seconds) / 2, abs=1e-6)
    assert step.n == 2


def test_reading_needs_no_torch() -> None:
    code = "import json, sys; import agent.training.step_times; print(json.dumps('torch' in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) is False
