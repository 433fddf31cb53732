"""The parts of the fleet that need no server and no trial: devices, packing, crashes, what a trial is started with."""

import io
import json
import math
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from wandb.sdk.launch.sweeps import utils

from agent import events
from agent.fleet import crashes, devices, launch, packing
from agent.fleet.crashes import CrashStreak
from agent.fleet.devices import DeviceError, Gpu, Memory
from agent.fleet.display import Display
from agent.fleet.packing import Packing
from common import cores, sweep_spec
from tests.agent.fleet.displays import board, said

GIB = 2**30
LISTED = """GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-1111-aa)
GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-2222-bb)
  MIG 1g.5gb      Device  0: (UUID: MIG-c6d4)
  MIG 2g.10gb     Device  1: (UUID: MIG-d7e5)
GPU 2: NVIDIA H100 80GB HBM3 (UUID: GPU-3333-cc)
"""
WHOLE = [Gpu("GPU-1111-aa", "NVIDIA H100 80GB HBM3", "0"), Gpu("GPU-3333-cc", "NVIDIA H100 80GB HBM3", "2")]
SLICES = [Gpu("MIG-c6d4", "MIG 1g.5gb", "1"), Gpu("MIG-d7e5", "MIG 2g.10gb", "1")]


@pytest.fixture
def smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with what nvidia-smi prints; only this program is on the PATH, besides the system's."""
    printed, program = tmp_path / "printed", tmp_path / "nvidia-smi"
    printed.write_text(LISTED)
    program.write_text(f"#!/bin/sh\n/bin/cat {printed}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    return printed


def test_a_board_cut_into_slices_counts_as_its_slices(smi: Path) -> None:
    assert devices.list_gpus({}) == [WHOLE[0], *SLICES, WHOLE[1]]


@pytest.mark.parametrize(
    ("wanted", "seen"),
    [
        ("2,0", [WHOLE[1], WHOLE[0]]),
        ("GPU-3333-cc", [WHOLE[1]]),
        ("GPU-11, MIG-d7e5", [WHOLE[0], SLICES[1]]),
        ("2,-1,0", [WHOLE[1]]),
        ("", []),
    ],
)
def test_cuda_visible_devices_holds_as_cuda_reads_it(smi: Path, wanted: str, seen: list[Gpu]) -> None:
    assert devices.list_gpus({"CUDA_VISIBLE_DEVICES": wanted}) == seen


def test_a_gpu_that_is_not_there_is_refused_with_those_that_are(smi: Path) -> None:
    with pytest.raises(DeviceError, match=r"names 7, but nvidia-smi lists: 0 \(NVIDIA H100 80GB HBM3\), 1 "):
        devices.list_gpus({"CUDA_VISIBLE_DEVICES": "0,7"})


def test_without_nvidia_smi_there_is_no_gpu_but_a_driver_is_said_rather_than_a_cpu_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(devices, "DRIVER", tmp_path / "none")
    assert devices.list_gpus({}) == []
    monkeypatch.setattr(devices, "DRIVER", tmp_path)
    with pytest.raises(DeviceError, match="nvidia-smi -L"):
        devices.list_gpus({})
    assert devices.list_gpus({"CUDA_VISIBLE_DEVICES": ""}) == []


def test_memory_comes_in_mebibytes_and_a_slice_has_none_of_its_own(smi: Path) -> None:
    smi.write_text("1024, 81559\n")
    assert devices.gpu_memory(WHOLE[0]) == Memory(2**30, 81559 * 2**20)
    assert devices.gpu_memory(SLICES[0]) is None


@pytest.mark.parametrize(
    ("cores", "trials", "free", "n"),
    [(8, None, 64 * GIB, 8), (8, 3, 64 * GIB, 3), (8, None, 5 * GIB + 1, 5), (8, None, 0, 1), (2, 0, 64 * GIB, 1)],
)
def test_a_cpu_gets_as_many_trials_as_cores_trials_and_memory_allow(
    cores: int, trials: int | None, free: int, n: int
) -> None:
    assert packing.parallel_trials(cores, trials, free) == n


@pytest.mark.parametrize(
    ("cores", "trials", "put_off", "n"),
    [(2, 2, [1, 1], 2), (2, 2, [2], 1), (4, 4, [2, 2], 2), (4, 4, [2], 3), (4, 2, [1, 1], 2), (2, 3, [8], 1)],
)
def test_trials_that_go_on_with_more_threads_leave_room_for_fewer(
    cores: int, trials: int, put_off: list[int], n: int
) -> None:
    assert packing.parallel_trials(cores, trials, 64 * GIB, put_off) == n


def test_threads_are_the_share_of_the_cores_unless_the_person_says_otherwise() -> None:
    assert packing.threads_per_trial({}, 10_000) == 1
    assert packing.threads_per_trial({}, 1) == cores.available()
    assert packing.threads_per_trial({"OMP_NUM_THREADS": "3"}, 10_000) == 3


def test_a_gpu_holds_one_trial_until_one_was_measured_and_never_more_than_there_are_cores() -> None:
    packing = Packing(total=80 * GIB, before=0, most=4)
    assert packing.max_trials() == 1
    packing.measure(GIB, 1)
    assert packing.max_trials() == 4


def test_a_gpu_is_filled_to_nine_tenths_by_the_largest_share_seen() -> None:
    packing = Packing(total=80 * GIB, before=2 * GIB, most=16)
    packing.measure(used=12 * GIB, n_trials=1)
    assert packing.max_trials() == 7  # 0.9 × 80 - 2 = 70 GiB, 10 GiB each
    packing.measure(used=30 * GIB, n_trials=4)  # 7 GiB each: the largest stays
    packing.measure(used=34 * GIB, n_trials=0)  # nobody trains: this is not ours
    assert packing.max_trials() == 7
    packing.measure(used=62 * GIB, n_trials=2)
    assert packing.max_trials() == 2
    packing.measure(used=80 * GIB, n_trials=1)
    assert packing.max_trials() == 1


@pytest.mark.parametrize(
    ("lines", "code", "reason"),
    [
        (["epoch 1/3\n", "ValueError: bad\n", "wandb: View run at …\n", "\n"], 1, "ValueError: bad"),
        ([], 3, "exit code 3, without a word"),
        (["epoch 1/3\n"], -9, "ended by SIGKILL after: epoch 1/3"),
        ([], -11, "ended by SIGSEGV"),
    ],
)
def test_the_reason_of_a_crash_is_what_it_said_last(lines: list[str], code: int, reason: str) -> None:
    assert crashes.reason(lines, code) == reason


def test_crashes_are_alike_if_only_numbers_ids_and_paths_differ() -> None:
    first = "OSError: [Errno 28] /a/b-1/c.pt: no space for 1.5e+3 of 0x7ffe at 3fa9c0de11"
    second = "OSError: [Errno 28] /z/c.pt: no space for 20 of 0x1 at 00000000"
    assert crashes.normalize(first) == crashes.normalize(second)
    assert crashes.normalize("KeyError: 'a'") != crashes.normalize("KeyError: 'b'")


def test_three_alike_in_a_row_are_too_many_and_a_success_starts_anew() -> None:
    streak = CrashStreak()
    assert [streak.add(run, 1, "lost 1") for run in "ab"] == [False, False]
    streak.reset()
    assert [streak.add(run, 1, "lost 2") for run in "cd"] == [False, False]
    assert not streak.add("e", 2, "lost 2"), "another exit code is another kind"
    assert [streak.add(run, 2, f"lost {run}"[:5]) for run in "fg"] == [False, False]
    assert [streak.add(run, 1, "lost 3") for run in "hij"] == [False, False, True]


def test_a_run_that_is_handed_out_again_counts_once() -> None:
    streak = CrashStreak()
    assert [streak.add("same", 1, "lost") for _ in range(9)] == [False] * 9


ARGS: dict[str, Any] = {"lr": {"value": 0.001}, "model": {"value": "unet/resnet18"}, "flip": {"value": False}}


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (
            ["${env}", "${interpreter}", "-m", "agent.train", "${args}"],
            ["/usr/bin/env", "python", "-m", "agent.train", "--lr=0.001", "--model=unet/resnet18", "--flip=False"],
        ),
        (None, ["/usr/bin/env", "python", "go.py", "--lr=0.001", "--model=unet/resnet18", "--flip=False"]),
        (["${program}", "--at=${envvar:PLACE}"], ["go.py", "--at=here"]),
        (["a", "${args_no_boolean_flags}"], ["a", "--lr=0.001", "--model=unet/resnet18"]),
        (["a", "${args_no_hyphens}"], ["a", "lr=0.001", "model=unet/resnet18", "flip=False"]),
        (["a", "${args_json}"], ["a", '{"lr": 0.001, "model": "unet/resnet18", "flip": false}']),
    ],
)
def test_a_trial_is_started_with_the_command_that_wandb_agent_would_use(
    command: list[str] | None, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLACE", "here")
    assert launch.expand(command, "go.py", ARGS, tmp_path / "args.json") == words


def test_arguments_can_be_handed_over_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "args.json"
    assert launch.expand(["a", "${args_json_file}"], "go.py", ARGS, file) == ["a", str(file)]
    assert json.loads(file.read_text()) == {"lr": 0.001, "model": "unet/resnet18", "flip": False}


def test_the_default_command_is_the_clients() -> None:
    assert list(sweep_spec.DEFAULT_COMMAND) == utils.DEFAULT_SWEEP_COMMAND


@pytest.mark.parametrize(
    ("command", "warm"),
    [
        (["${env}", "${interpreter}", "-m", "agent.train", "${args}"], True),
        (["${interpreter}", "-m", "agent.train", "--epochs=3", "${args_no_equals}"], True),
        (["python", "-m", "agent.train", "${args}"], True),
        (["${env}", "${interpreter}", "-m", "other", "${args}"], False),
        (["${env}", "${interpreter}", "-m", "agent.train", "${args_json}"], False),
        (["nice", "python", "-m", "agent.train", "${args}"], False),
        (None, False),
    ],
)
def test_only_agent_train_with_flags_is_forked(command: list[str] | None, warm: bool) -> None:
    assert launch.starts_train(command) is warm


def test_a_start_has_the_environment_that_wandb_agent_gives(tmp_path: Path) -> None:
    env = {"WANDB_SWEEP_ID": "s", "WANDB_DIR": str(tmp_path), "KEPT": "yes"}
    command = ["${interpreter}", "-m", "agent.train", "${args}"]
    start = launch.make_start(command, None, "r1", ARGS, env, 2, tmp_path / "r1.log")
    settings = tmp_path / "wandb" / "sweep-s" / "config-r1.yaml"
    assert start.flags == ["--lr=0.001", "--model=unet/resnet18", "--flip=False"]
    assert start.env == env | {
        "WANDB_RUN_ID": "r1",
        "WANDB_SWEEP_PARAM_PATH": str(settings),
        "OMP_NUM_THREADS": "2",
        "MKL_NUM_THREADS": "2",
        "PYTHONUNBUFFERED": "1",
        "PUZZLE_EVENTS": str(tmp_path / "r1.jsonl"),
    }
    assert yaml.safe_load(settings.read_text()) == {"wandb_version": 1, **ARGS}


def begin(made: Display, folder: Path, run: str = "r1") -> Path:
    """A trial begins at agent 1; the file of its events."""
    values = {"seed": 2, "model": "unet/resnet18", "epochs": 9}
    progress = folder / f"{run}.jsonl"
    progress.touch()
    news = {"state": "trial", "run": run, "log": str(folder / f"{run}.log"), "values": values}
    made.handle(1, {**news, "progress": str(progress), "offset": progress.stat().st_size})
    return progress


def add(progress: Path, event: str, **values: Any) -> None:
    with progress.open("a") as file:
        file.write(events.document(event, **values))


def test_an_agents_line_follows_its_trial(tmp_path: Path) -> None:
    made = board(terminal=True)
    progress = begin(made, tmp_path)
    add(progress, "start", name="unet/resnet18, seed 2", epochs=9)
    add(progress, "epoch", epoch=3, epochs=9, **{"val/iou": 0.91249})
    with progress.open("a") as file:
        file.write('{"event": "epoch", "epo')
    made.poll()
    made.console.print(made.render())
    (row,) = [line for line in said(made).splitlines() if line.startswith("agent 1 ")]
    cells = ["agent 1", "GPU 0", "0:00", "epoch 3 of 9, val IoU 0.912", "unet/resnet18, seed 2"]
    assert re.split("  +", row.strip()) == cells
    assert "3 to go, 0:00 so far" in said(made)


def test_the_step_of_a_long_epoch_is_shown_until_the_epoch_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = board(terminal=True)
    progress = begin(made, tmp_path)
    monkeypatch.setenv(events.EVENTS_VARIABLE, str(progress))
    clock = iter([0.0, 29.0, 31.0, 31.0, 32.0])
    monkeypatch.setattr(events, "time", SimpleNamespace(monotonic=lambda: next(clock), time=lambda: 1.0))
    assert list(events.tell_steps("abc", 1, 9, 3)) == ["a", "b", "c"]
    assert capsys.readouterr().out == "epoch 1 of 9: step 2 of 3\n"
    made.poll()
    assert made.lines[1].progress_text() == "epoch 1 of 9, step 2 of 3"
    add(progress, "epoch", epoch=1, epochs=9, **{"val/iou": 0.5})
    made.poll()
    assert made.lines[1].progress_text() == "epoch 1 of 9, val IoU 0.500"
    add(progress, "step", epoch=2, epochs=9, step=1, steps=3)
    made.poll()
    assert made.lines[1].progress_text() == "epoch 2 of 9, step 1 of 3, val IoU 0.500"


def test_of_a_paused_sweep_one_agent_speaks_for_all() -> None:
    made = board(terminal=False)
    made.add_agent(2, "GPU 1")
    for number in (1, 2):
        made.handle(number, {"state": "waiting", "paused": False})
        made.handle(number, {"state": "waiting", "paused": True})
    assert said(made).count("`wandb sweep --resume local/puzzle/s`") == 1
    made.handle(2, {"state": "waiting", "paused": False})
    made.last_line = -math.inf
    made.poll()
    assert [line.split("] ")[1] for line in said(made).splitlines()[1:]] == [
        "agent 1: the sweep is paused",
        "agent 2: waiting for a run",
    ]


def test_without_a_terminal_there_is_a_line_per_event(tmp_path: Path) -> None:
    made = board(terminal=False)
    add(begin(made, tmp_path), "result", **{"test/iou": 0.98765})
    made.handle(1, {"state": "finished"})
    begin(made, tmp_path, "r2")
    made.handle(1, {"state": "crashed", "reason": "ValueError: x", "log": "logs/r2.log"})
    ends = ["finished in 0:00, test IoU 0.988", "failed: ValueError: x; see logs/r2.log"]
    for line, words in zip(said(made).splitlines(), ["started r1", ends[0], "started r2", ends[1]], strict=True):
        assert line.startswith("[0:00] agent 1")
        assert "unet/resnet18, seed 2" in line
        assert words in line
    assert made.summary() == "1 finished, 1 failed, 1 to go"


def test_a_program_reads_the_trials_own_events_and_what_became_of_them(tmp_path: Path) -> None:
    made = board(terminal=True)
    made.program = io.StringIO()
    progress = begin(made, tmp_path)
    add(progress, "epoch", epoch=1, epochs=9, steps=20, **{"val/iou": 0.5, "val/loss": 0.7})
    add(progress, "error", reason="training loss is nan")
    made.handle(1, {"state": "crashed", "reason": "agent.train: training loss is nan", "log": "r1.log"})
    launch, epoch, error, end = map(json.loads, made.program.getvalue().splitlines())
    assert (launch["event"], launch["run"], launch["agent"], launch["config"]["epochs"]) == ("launch", "r1", 1, 9)
    assert {**epoch, "time": 0} == {
        **{"event": "epoch", "time": 0, "run": "r1", "epoch": 1, "epochs": 9, "steps": 20},
        **{"val/iou": 0.5, "val/loss": 0.7},
    }
    assert (error["event"], error["run"]) == ("error", "r1")
    assert (end["event"], end["state"], end["reason"]) == ("end", "failed", "training loss is nan")
    assert said(made) == ""


def test_what_a_trial_said_in_an_earlier_part_is_not_read_again(tmp_path: Path) -> None:
    made = board(terminal=False)
    add(begin(made, tmp_path), "stopped")
    begin(made, tmp_path)
    made.handle(1, {"state": "finished"})
    assert made.summary() == "1 finished, 2 to go"


def test_a_run_that_is_handed_out_again_counts_as_it_ended_last(tmp_path: Path) -> None:
    made = board(terminal=False)
    for state in ("crashed", "put off", "finished"):
        begin(made, tmp_path)
        made.handle(1, {"state": state})
    assert made.summary() == "1 finished, 2 to go"


@pytest.mark.parametrize("terminal", [True, False])
def test_a_warm_up_says_what_it_does_and_how_far_it_is(terminal: bool) -> None:
    made = board(terminal)
    made.warm_up("torch", 1, 9)
    made.last_line -= 60
    made.warm_up("timm", 3, 9)
    made.warm_up("wandb", 4, 9)
    assert made.note == "warming up: importing wandb, 4 of 9"
    first, *more = (line.split("] ")[1] for line in said(made).splitlines())
    assert first.startswith("warming up: 9 imports")
    assert more == ([] if terminal else ["warming up: importing timm, 3 of 9"])


def test_a_trial_that_the_server_ended_counts_as_stopped_early(tmp_path: Path) -> None:
    made = board(terminal=False)
    add(begin(made, tmp_path), "stopped")
    made.handle(1, {"state": "finished"})
    assert said(made).splitlines()[-1].endswith("model unet/resnet18, seed 2 stopped by the sweep after 0:00")
    assert made.summary() == "1 stopped early, 2 to go"


def test_a_server_that_is_away_is_told_once_and_shown_until_it_is_back() -> None:
    made = board(terminal=False)
    for pause in (1, 2, 4):
        made.handle(1, {"state": "away", "reason": "no answer from http://x (refused)", "again": pause})
    assert made.lines[1].note == "server away, again in 4 s"
    made.handle(1, {"state": "back"})
    away, back = said(made).splitlines()
    assert "agent 1: no answer from http://x (refused)" in away
    assert back.endswith("agent 1: the server is back")


def test_a_trial_that_ends_while_the_server_is_away_does_not_bring_it_back(tmp_path: Path) -> None:
    made = board(terminal=False)
    begin(made, tmp_path)
    made.handle(1, {"state": "away", "reason": "no answer", "again": 1})
    for news in ({"state": "overdue"}, {"state": "killed"}, {"state": "put off"}):
        made.handle(1, news)
    assert "the server is back" not in said(made)
