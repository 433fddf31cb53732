"""The screen follows the events of the fleet."""

import io
import re
from typing import Any

import pytest
from rich.console import Console

from study.progress import Progress


def printed(progress: Progress) -> list[str]:
    return progress.console.file.getvalue().splitlines()  # type: ignore[attr-defined, no-any-return]


def screen(progress: Progress) -> str:
    console = Console(file=io.StringIO(), width=100)
    console.print(progress.render())
    return " ".join(console.file.getvalue().split())  # type: ignore[attr-defined]


def hearing(*events: dict[str, Any], terminal: bool = True, n_before: int = 0) -> Progress:
    console = Console(file=io.StringIO(), force_terminal=terminal, width=60, color_system=None)
    progress = Progress(n_trials=4, n_before=n_before, epochs=10, console=console, started=100)
    for event in events:
        progress.handle(event)
    return progress


def launch(run: str) -> dict[str, Any]:
    return {"event": "launch", "run": run, "name": f"model {run}"}


def start(run: str) -> dict[str, Any]:
    return {"event": "start", "run": run, "name": f"{run}, seed 1"}


def epoch(run: str, epoch: int, iou: float = 0.5) -> dict[str, Any]:
    return {"event": "epoch", "run": run, "epoch": epoch, "epochs": 10, "val/iou": iou}


def end(run: str, state: str, **more: Any) -> dict[str, Any]:
    return {"event": "end", "run": run, "state": state, **more}


def test_a_trial_is_shown_with_number_name_epoch_and_iou() -> None:
    progress = hearing(launch("a"), start("a"), epoch("a", 3, 0.7312), {"event": "sweep", "text": "x"})
    for words in ("trial 1 of 4 a, seed 1", "epoch 3 of 10", "IoU 0.731", "0 of 4 trials"):
        assert words in screen(progress)
    assert printed(progress) == []


def test_the_step_of_a_long_epoch_is_shown_until_the_epoch_is_over() -> None:
    step = {"event": "step", "run": "a", "epoch": 1, "epochs": 10, "step": 12, "steps": 20}
    assert "epoch 1 of 10, step 12 of 20" in screen(hearing(launch("a"), start("a"), step))
    assert "step" not in screen(hearing(launch("a"), start("a"), step, epoch("a", 1)))


def test_trials_side_by_side_are_told_apart() -> None:
    progress = hearing(
        launch("a"), launch("b"), epoch("b", 5), epoch("a", 10), end("a", "finished", **{"test/iou": 0.9})
    )
    assert re.search(r"model a finished .*0\.900.* model b epoch 5 of 10 .*0\.500", screen(progress))
    assert progress.n_finished == 1


def test_a_trial_that_is_handed_out_again_keeps_its_row() -> None:
    progress = hearing(launch("a"), epoch("a", 4), end("a", "put off"), launch("a"), epoch("a", 5))
    assert re.findall(r"trial (\d).* epoch (\d+)", screen(progress)) == [("1", "5")]
    assert "trial 2" not in screen(progress)


def test_why_trials_or_the_fleet_failed_is_kept_once() -> None:
    refused = "no backbone"
    progress = hearing(
        *(launch(run) for run in "ab"),
        {"event": "error", "run": "a", "reason": refused},
        *(end(run, "failed", reason=refused) for run in "ab"),
        {"event": "error", "reason": "3 trials in a row failed"},
    )
    assert progress.reasons == [refused, "3 trials in a row failed"]
    assert "model a failed" in screen(progress)
    assert progress.n_finished == 0


def test_without_a_terminal_going_on_is_said_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("study.progress.time.monotonic", lambda: 130.0)
    progress = hearing(launch("a"), start("a"), epoch("a", 5), terminal=False)
    progress.print_lines()
    [trial, all_trials] = printed(progress)[1:]
    assert re.match(r"\[0:30\] trial 1 of 4: a, seed 1, epoch 5 of 10 .*0\.500", trial)
    assert re.match(r"\[0:30\] 0 of 4 .* 3:30 left", all_trials)


def test_time_left_follows_from_the_epochs_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("study.progress.time.monotonic", lambda: 110.0)
    progress = hearing(launch("a"), n_before=2)
    assert progress.seconds_left() is None
    progress.handle(epoch("a", 5))
    assert progress.seconds_left() == 30
    assert "trial 3 of 4" in screen(progress)


@pytest.mark.parametrize("terminal", [True, False])
def test_messages_are_lines_everywhere_and_trials_only_without_a_terminal(
    terminal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("study.progress.time.monotonic", lambda: 175.0)
    long = "deeplabv3plus/tu-tf_efficientnet_lite0/imagenet"
    progress = hearing(
        {"event": "message", "text": f"{long} {long}"},
        *(launch(long), start(long), end(long, "finished", **{"test/iou": 0.8768})),
        *(launch("b"), end("b", "failed", reason="no weights")),
        terminal=terminal,
    )
    lines = [
        f"[1:15] trial 1 of 4 started: {long}, seed 1",
        f"[1:15] trial 1 of 4 finished: {long}, seed 1, test IoU 0.877",
        "[1:15] trial 2 of 4 failed: model b, no weights",
    ]
    assert printed(progress) == [f"[1:15] {long} {long}", *([] if terminal else lines)]
