"""The screen follows what the trials print."""

import io

import pytest
from rich.console import Console

from study.progress import Progress


def screen(progress: Progress) -> str:
    console = Console(file=io.StringIO(), width=100)
    console.print(progress.render())
    text = console.file.getvalue()  # type: ignore[attr-defined]
    return " ".join(text.split())


def hearing(terminal: bool = True, n_before: int = 0) -> Progress:
    console = Console(file=io.StringIO(), force_terminal=terminal, width=60)
    return Progress(n_trials=4, n_before=n_before, epochs=10, console=console, begun=100)


def test_a_trial_is_shown_with_number_name_epoch_and_iou() -> None:
    progress = hearing()
    progress.hear(1, "wandb: Tracking run with wandb version")
    progress.hear(1, "trial unet/resnet18/none, seed 1: 14,328,354 parameters; 10 training")
    progress.hear(1, "epoch 3/10  train loss 0.5  val loss 0.6  val IoU 0.7312  1.0 s")
    assert "trial 1 of 4 unet/resnet18/none, seed 1 epoch 3 of 10 val IoU 0.731" in screen(progress)
    assert "0 of 4 trials finished" in screen(progress)


def test_two_agents_are_told_apart() -> None:
    progress = hearing()
    for who, name in ((1, "a"), (2, "b")):
        progress.hear(who, f"trial {name}: x")
    progress.hear(2, "epoch 5/10 val IoU 0.5")
    progress.hear(1, "test IoU 0.9000 (best_iou checkpoint, epoch 2)")
    assert "a finished test IoU 0.900" in screen(progress)
    assert "b epoch 5 of 10 val IoU 0.500" in screen(progress)
    assert progress.finished == 1


def test_a_trial_whose_agent_went_on_without_a_result_has_failed() -> None:
    progress = hearing()
    progress.hear(1, "trial a: x")
    progress.hear(1, "trial b: x")
    assert "a failed" in screen(progress)
    assert progress.finished == 0


def test_why_a_trial_was_refused_is_kept_once() -> None:
    progress = hearing()
    for who in (1, 2, 1):
        progress.hear(who, "agent.train: unet needs a backbone, for instance resnet18")
    assert progress.reasons == ["unet needs a backbone, for instance resnet18"]


def test_without_a_terminal_going_on_is_told_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("study.progress.time.monotonic", lambda: 130.0)
    progress = hearing(terminal=False)
    progress.hear(1, "trial a, seed 1: x")
    progress.hear(1, "epoch 5/10 val IoU 0.5")
    progress.say()
    assert progress.console.file.getvalue().splitlines()[1:] == [  # type: ignore[attr-defined]
        "[0:30] trial 1 of 4: a, seed 1, epoch 5 of 10 val IoU 0.500",
        "[0:30] 0 of 4 trials finished, about 3:30 left",
    ]


def test_time_left_follows_from_the_epochs_done(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("study.progress.time.monotonic", lambda: now)
    progress = hearing(n_before=2)
    assert progress.seconds_left() is None
    progress.hear(1, "trial a: x")
    progress.hear(1, "epoch 5/10 val IoU 0.5")
    now = 110.0
    assert progress.seconds_left() == 30
    assert "trial 3 of 4" in screen(progress)


def test_without_a_terminal_events_are_lines_that_do_not_wrap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("study.progress.time.monotonic", lambda: 175.0)
    progress = hearing(terminal=False)
    name = "deeplabv3plus/tu-tf_efficientnet_lite0/imagenet, seed 1"
    progress.hear(1, f"trial {name}: x")
    progress.hear(1, "test IoU 0.8768 (best_loss checkpoint, epoch 9)")
    assert progress.console.file.getvalue().splitlines() == [  # type: ignore[attr-defined]
        f"[1:15] trial 1 of 4 started: {name}",
        f"[1:15] trial 1 of 4 finished: {name}, test IoU 0.877",
    ]
