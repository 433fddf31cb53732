"""Signals at the moments at which a run does not simply stop between two steps."""

import contextlib
import errno
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest
import torch

from agent import train
from agent.config import parse
from agent.inference import predictions
from agent.lifecycle import checkpoints, resume, state
from agent.lifecycle.failures import RunFailure
from agent.lifecycle.plan import RunPlan
from agent.training import loader
from agent.training.models import hub
from agent.training.models.weights import source as weights_source
from common import cores

FLAGS = ["--model=unet_bilinear", "--width=4", "--image_size=32", "--epochs=2"]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[SimpleNamespace]:
    """A run that keeps what it is told; nothing of it leaves the machine."""
    run = SimpleNamespace(id="abc", name="x", entity="a", project="p", resumed=False, offline=True)
    run.starting_step, run.summary, run.config, run.artifacts, run.codes = 0, {}, {}, [], []
    run.log = run.define_metric = lambda *_, **__: None
    run.log_artifact = lambda artifact, **_: run.artifacts.append(artifact.type)
    run.finish = lambda exit_code: run.codes.append(exit_code)
    monkeypatch.setattr(train, "open_run", lambda *_: contextlib.nullcontext(run))
    monkeypatch.setenv("WANDB_RUN_ID", "abc")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("PUZZLE_RUNS", str(tmp_path))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.delenv("WANDB_SWEEP_ID", raising=False)
    before = torch.get_num_threads()
    yield run
    torch.set_num_threads(before)


T = TypeVar("T")


def after(act: Callable[[], object], function: Callable[..., T]) -> Callable[..., T]:
    """`function`, with `act` before each of its calls."""

    def both(*given: Any) -> T:
        act()
        return function(*given)

    return both


def terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def test_processes_that_augment_have_ended_before_an_interrupted_run_is_handed_over(
    run: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal for all processes of a job may end them late, and torch raises that error wherever the run then is."""
    children: list[int] = []

    def count() -> None:
        children.append(len(multiprocessing.active_children()))

    monkeypatch.setattr(loader, "n_workers", lambda *_: 1)
    monkeypatch.setattr(train, "validate", after(count, after(terminate, train.validate)))
    monkeypatch.setattr(train, "end_early", after(count, train.end_early))
    run.mark_preempting = lambda: None
    assert train.main(FLAGS) == 143
    assert children == [1, 0]


@pytest.mark.parametrize("saved", [True, False])
def test_an_interrupted_run_says_how_to_go_on_if_there_is_something_to_go_on_with(
    saved: bool, run: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run.mark_preempting = lambda: None
    if saved:
        (tmp_path / state.STATE_FILE).touch()
    plan = RunPlan(parse(FLAGS), "abc", None, "puzzle", tmp_path)
    assert train.end_early(plan, run, "SIGTERM") == 143
    way_on = "go on with python -m agent.train --resume abc" if saved else "nothing was saved yet"
    assert capsys.readouterr().out == f"agent.train: SIGTERM; {way_on}\n"


@pytest.mark.parametrize(("given", "expected"), [("", 2), ("1", 1)])
def test_a_run_takes_the_threads_that_it_is_told_or_all_cores_and_says_how_many(
    given: str, expected: int, run: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def enough(*_: Any) -> None:
        raise RunFailure("enough")

    monkeypatch.setenv("OMP_NUM_THREADS", given)
    monkeypatch.setattr(cores, "available", lambda: 2)
    monkeypatch.setattr(train, "fit", enough)
    assert train.main(FLAGS) == 1
    assert run.config["n_threads"] == torch.get_num_threads() == expected
    assert f"cpu, threads: {expected}; " in capsys.readouterr().out


def weights(folder: Path) -> dict[str, Any]:
    return {path.name: checkpoints.load(path)[0] for path in folder.glob("epoch-*.pt")}


def test_a_run_goes_on_with_the_threads_it_began_with_to_the_same_bits(
    run: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With two threads instead of one, the weights after two epochs differ."""
    flags = ["--model=unet_bilinear", "--width=8", "--image_size=64", "--epochs=2", "--data=drawn:3"]
    monkeypatch.setenv("PUZZLE_RUNS", str(tmp_path / "whole"))
    assert train.main(flags) == 0
    monkeypatch.setenv("PUZZLE_RUNS", str(tmp_path / "parts"))
    run.mark_preempting = lambda: None
    with monkeypatch.context() as patched:
        patched.setattr(train, "validate", after(terminate, train.validate))
        assert train.main(flags) == 143
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    capsys.readouterr()
    assert train.main(flags) == 0
    assert run.config["n_threads"] == torch.get_num_threads() == 1
    assert "threads: 1 (as the run began)" in capsys.readouterr().out
    whole, parts = weights(tmp_path / "whole" / "abc"), weights(tmp_path / "parts" / "abc")
    assert whole.keys() == parts.keys()
    for file, tensors in whole.items():
        for name, value in tensors.items():
            assert torch.equal(value, parts[file][name]), f"{name} of {file}"


@pytest.mark.parametrize(
    ("cut_off", "on_server", "expected"), [(True, 3, 3), (False, 3, None), (True, 10**9, None), (True, "3", None)]
)
def test_a_run_whose_state_is_lost_goes_on_with_the_threads_that_the_server_knows(
    cut_off: bool, on_server: object, expected: int | None, run: Any
) -> None:
    run.resumed, run.starting_step, run.config = True, int(cut_off), {"n_threads": on_server}
    assert resume.n_threads(run, None) == expected


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--model=unet/resnett18"], "no such backbone"),
        (["--model=unet/tu-nest_tiny", "--image_size=64"], "unet cannot be built on backbone 'tu-nest_tiny'"),
        (["--model=unet/resnet18/imagenet"], "no ImageNet weights for resnet18"),
        (["--data=/nowhere"], "/nowhere does not exist"),
        (["--width=100000"], "the run needs up to "),
    ],
)
@pytest.mark.parametrize("in_sweep", [False, True])
def test_a_configuration_that_cannot_be_trained_makes_a_run_in_a_sweep_only(
    in_sweep: bool,
    flags: list[str],
    sentence: str,
    run: SimpleNamespace,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A sweep hands out again what its server never heard of."""
    made: list[SimpleNamespace] = []

    def opened(*_: Any) -> Any:
        made.append(run)
        return contextlib.nullcontext(run)

    monkeypatch.setattr(hub, "refusal", lambda: "no network")
    weights_source.cache_clear()
    monkeypatch.setattr(train, "open_run", opened)
    if in_sweep:
        monkeypatch.setenv("WANDB_SWEEP_ID", "sweep")
    assert train.main(flags) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert sentence in line
    assert made == ([run] if in_sweep else [])
    assert (sentence in run.summary.get("error", "")) == in_sweep
    assert {path.name for path in tmp_path.iterdir()} <= {".lock"}


@pytest.mark.parametrize("command", ["agent.train", "agent.predict", "agent.export"])
def test_ctrl_c_while_torch_is_imported_is_one_line(command: str, tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nimport missing")
    done = subprocess.run(
        [sys.executable, "-m", command],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (130, f"{command}: ended before it began\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_a_run_is_tested_and_uploaded_lets_it_finish(
    number: int, run: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    signalled = after(lambda: os.kill(os.getpid(), number), predictions.write)
    monkeypatch.setattr(predictions, "write", signalled)
    assert train.main(FLAGS) == 0
    assert run.artifacts == ["model", "predictions"]
    assert run.summary["seconds/total"] > 0
    assert run.codes == [], "the client ends it, with exit code 0"
    assert not (tmp_path / "abc" / state.STATE_FILE).exists()


def test_a_second_ctrl_c_ends_a_run_at_once_in_one_line_with_its_last_state(
    run: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Left(BaseException):
        pass

    def leave(code: int) -> None:
        assert code == 130
        raise Left

    def impatient(*_: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(os, "_exit", leave)
    monkeypatch.setattr(train, "test", impatient)
    with pytest.raises(Left):
        train.main(FLAGS)
    printed = capsys.readouterr()
    assert printed.out.splitlines()[-1].endswith("python -m agent.train --resume abc")
    assert printed.err == ""
    assert run.codes == [], "the server is told nothing that would make it a failure"
    found = state.load(tmp_path / "abc")
    assert found
    assert found.progress.epoch == 2


def test_a_disk_that_is_full_while_predictions_are_written_is_one_line_with_the_last_state(
    run: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(predictions, "write", full)
    assert train.main(FLAGS) == 1
    assert run.summary["error"].endswith(" --resume abc")
    assert f"agent.train: {run.summary['error']}" in capsys.readouterr().err.splitlines()
    assert run.codes == [1]
    found = state.load(tmp_path / "abc")
    assert found
    assert found.progress.epoch == 2


def test_ctrl_c_before_a_run_has_begun_is_one_line(
    run: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def pressed(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(train, "open_run", pressed)
    assert train.main(FLAGS) == 130
    assert capsys.readouterr().err == "agent.train: ended\n"
