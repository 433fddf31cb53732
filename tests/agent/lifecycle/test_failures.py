"""What makes a run stop for good is said in one sentence that names the way out."""

import errno
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from agent.config import parse
from agent.lifecycle import failures, memory
from agent.lifecycle.failures import (
    GIB,
    Failed,
    batch_size_for,
    check_batches,
    check_finite,
    explain_errors,
    largest_step,
    out_of_memory_message,
)
from agent.lifecycle.memory import PeakMemory, is_shortage, would_fit
from agent.training.loop import bce
from agent.training.models.unet import UNet

CONFIG = parse(["--width=4", "--learning_rate=0.5", "--batch_size=16", "--image_size=160"])
CPU = torch.device("cpu")
GPU_SHORTAGE = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
CPU_SHORTAGE = RuntimeError(
    "DefaultCPUAllocator: can't allocate memory: you tried to allocate 134217728 bytes."
)


@pytest.mark.parametrize(
    ("train_loss", "val_loss", "found"),
    [
        (float("nan"), 0.5, "training loss is nan"),
        (float("inf"), float("nan"), "training loss is inf"),
        (0.5, float("nan"), "validation loss is nan"),
    ],
)
def test_a_loss_that_is_no_number_names_epoch_and_learning_rate(
    train_loss: float, val_loss: float, found: str
) -> None:
    with pytest.raises(Failed) as raised:
        check_finite(CONFIG, 7, train_loss, val_loss)
    assert (
        str(raised.value) == f"{found} in epoch 7: the weights have diverged; lower learning_rate (it is 0.5)"
    )


def test_finite_losses_pass() -> None:
    check_finite(CONFIG, 7, 1e30, 0.0)


def test_a_divergence_in_bfloat16_names_the_other_way_out() -> None:
    config = parse(["--precision=bfloat16"])
    with pytest.raises(Failed, match="or take precision float32 instead of bfloat16"):
        check_finite(config, 1, float("nan"), 0.5)


@pytest.mark.parametrize(
    "flags", [["--model=deeplabv3plus/resnet18"], ["--model=unet/resnet18", "--image_size=32"]]
)
def test_a_model_that_cannot_train_on_one_image_is_refused_and_on_two_is_not(flags: list[str]) -> None:
    config = parse([*flags, "--data=/photographs"])
    with pytest.raises(
        Failed, match=r"at least 2 images in every training step, but /photographs has 1 training"
    ):
        check_batches(config, 1)
    check_batches(config, 2)
    check_batches(CONFIG, 1)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_names_the_folder_and_how_to_go_on(code: int) -> None:
    with (
        pytest.raises(Failed) as raised,
        explain_errors(CONFIG, UNet("bilinear", 4), 10, Path("/runs/abc123")),
    ):
        raise OSError(code, "No space left on device")
    assert str(raised.value) == (
        "a file in /runs/abc123 could not be written (No space left on device); the checkpoints before are still "
        "there: free some space, and go on with --resume abc123"
    )


def test_a_full_disk_elsewhere_names_the_file() -> None:
    with pytest.raises(Failed, match=r"^/tmp/media/image\.png could not be written \(No space left"):
        with explain_errors(CONFIG, UNet("bilinear", 4), 10, Path("/runs/abc123")):
            raise OSError(errno.ENOSPC, "No space left on device", "/tmp/media/image.png")


@pytest.mark.parametrize(
    "error", [OSError(errno.EACCES, "denied"), RuntimeError("shapes differ"), KeyError("x")]
)
def test_other_errors_stay_what_they_are(error: Exception) -> None:
    with pytest.raises(type(error)) as raised, explain_errors(CONFIG, UNet("bilinear", 4), 10, Path()):
        raise error
    assert raised.value is error


def test_what_torch_says_when_memory_is_used_up_is_known() -> None:
    assert is_shortage(GPU_SHORTAGE)
    assert is_shortage(RuntimeError(CPU_SHORTAGE))
    assert is_shortage(RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"))
    assert is_shortage(RuntimeError("GET was unable to find an engine to execute this computation"))
    assert is_shortage(MemoryError())
    assert not is_shortage(RuntimeError("expected scalar type Long"))


@pytest.mark.parametrize(
    ("limit", "images", "side"),
    [
        (1_000 + 64_000, 0, 32),
        (1_000 + 100_000 / 0.9 + 1, 1, 64),
        (1_000 + 1_000_000 / 0.9 + 1, 10, 192),
        (1_000 + 9_000_000, 16, 256),
        (500, 0, 0),
    ],
)
def test_what_would_fit_is_counted_by_hand(limit: float, images: int, side: int) -> None:
    """An image of 256² pixels takes 100,000 bytes; 16 of 32² 25,000, of 64² 100,000, of 192² 900,000."""
    need = PeakMemory(1_000, 100_000 / 256**2)
    assert need.of(16, 256) == 1_601_000
    assert would_fit(need, limit, 16, 256) == (images, side)


def test_the_largest_step_of_an_epoch_may_have_one_image_more_than_the_batch_size() -> None:
    assert [largest_step(n, 2) for n in (1, 2, 5, 10)] == [1, 2, 3, 2]
    assert largest_step(10, 16) == 10
    assert [batch_size_for(images, 5) for images in range(6)] == [0, 1, 1, 3, 4, 5]


def step(model: UNet, images: int, side: int) -> None:
    bce(model(torch.zeros(images, 3, side, side)), torch.zeros(images, side, side)).backward()
    model.zero_grad(set_to_none=True)


REFUSED = """
import resource, torch
convolve, image = torch.nn.Conv2d(3, 64, 3), torch.zeros(16, 3, 160, 160)
pages = int(open("/proc/self/statm").read().split()[0])
resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 2**24, resource.RLIM_INFINITY))
try:
    convolve(image)
except (RuntimeError, MemoryError) as error:
    print(type(error).__name__, error)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux' account of a process")
def test_the_error_of_an_allocation_that_the_system_refuses_is_known() -> None:
    """In a process of its own: oneDNN may crash when it is used again after a refusal."""
    printed = subprocess.run([sys.executable, "-c", REFUSED], capture_output=True, text=True, check=True)
    kind, _, text = printed.stdout.strip().partition(" ")
    assert is_shortage({"RuntimeError": RuntimeError, "MemoryError": MemoryError}[kind](text)), printed


class Limited(UNet):
    """Runs out of memory, as torch says it, with more than `most` pixels in a batch."""

    most = 6 * 160**2

    def forward(self, x: Tensor) -> Tensor:
        if x[:, 0].numel() > self.most:
            raise RuntimeError(CPU_SHORTAGE)
        return super().forward(x)


def test_when_memory_is_used_up_a_batch_size_and_an_image_size_that_fit_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The process may have what a step with 6 images took; measured is one with 2."""
    model = Limited("transposed", 8)
    step(model, 6, 160)
    memory.forget_peak(CPU)
    step(model, 6, 160)
    had = memory.peak(CPU)
    monkeypatch.setattr(memory, "available_bytes", lambda device: had)
    with pytest.raises(Failed) as raised, explain_errors(CONFIG, model, 64, Path()):
        step(model, 16, 160)
    found = re.fullmatch(
        r"out of memory on cpu: batch_size 16 at image_size 160 needs about \d+\.\d GiB, of \d+\.\d GiB that it can "
        r"have; from the measured peak, batch_size (\d+) at image_size 160 or image_size (\d+) at batch_size 16 "
        r"would fit",
        str(raised.value),
    )
    assert found, raised.value
    assert 3 <= int(found[1]) <= 6
    assert int(found[2]) in (64, 96)


def test_what_would_fit_is_tried_in_the_precision_of_training(monkeypatch: pytest.MonkeyPatch) -> None:
    model, seen, asked = UNet("bilinear", 4), [], []
    model.register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    assert memory.fits(model, 1, 64, "bfloat16")
    assert memory.fits(model, 1, 64)
    assert seen == [torch.bfloat16, torch.float32]
    monkeypatch.setattr(memory, "measure", lambda *given: asked.append(given))
    out_of_memory_message(parse(["--precision=bfloat16"]), model, 10, limit=GIB)
    assert [given[1:] for given in asked] == [(2, 512, "bfloat16")]


def test_a_model_for_which_nothing_fits_is_said_to_be_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "measure", lambda *_: None)
    with pytest.raises(Failed, match="not even 2 images of 64 pixels fit: take a smaller model"):
        with explain_errors(CONFIG, UNet("bilinear", 4), 10, Path()):
            raise GPU_SHORTAGE


def dies(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def hangs(*_: object) -> None:
    signal.pause()


@pytest.mark.parametrize("behaviour", [dies, hangs])
def test_trying_what_would_fit_may_die_or_hang_and_the_run_still_says_what_did_not(
    behaviour: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "measure", behaviour)
    monkeypatch.setattr(failures, "SECONDS", 0.5)
    expected = (
        "out of memory on cpu: batch_size 16 at image_size 160; take fewer images per step, smaller images or"
    )
    with pytest.raises(Failed, match=expected), explain_errors(CONFIG, UNet("bilinear", 4), 10, Path()):
        raise GPU_SHORTAGE
