"""What makes a run stop for good is said in one sentence that names the way out."""

import errno
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from agent.config import parse
from agent.lifecycle.failures import RunFailure, check_finite, explain_errors, is_out_of_memory
from agent.training import models
from agent.training.material import check_batches, prepare

CONFIG = parse(["--width=4", "--learning_rate=0.5", "--batch_size=16", "--image_size=160"])
CPU = torch.device("cpu")
GPU_SHORTAGE = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
CPU_SHORTAGE = RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 134217728 bytes.")


@pytest.mark.parametrize(
    ("train_loss", "val_loss", "found"),
    [
        (float("nan"), 0.5, "training loss is nan"),
        (float("inf"), float("nan"), "training loss is inf"),
        (0.5, float("nan"), "validation loss is nan"),
    ],
)
def test_a_loss_that_is_no_number_names_epoch_and_learning_rate(train_loss: float, val_loss: float, found: str) -> None:
    with pytest.raises(RunFailure, match=rf"{found} in epoch 7: .*learning_rate .*0\.5"):
        check_finite(CONFIG, 7, train_loss, val_loss)


def test_finite_losses_pass() -> None:
    check_finite(CONFIG, 7, 1e30, 0.0)


def test_a_divergence_in_bfloat16_names_the_other_way_out() -> None:
    config = parse(["--precision=bfloat16"])
    with pytest.raises(RunFailure, match="float32"):
        check_finite(config, 1, float("nan"), 0.5)


@pytest.mark.parametrize("flags", [["--model=deeplabv3plus/resnet18"], ["--model=unet/resnet18", "--image_size=32"]])
def test_a_model_that_cannot_train_on_one_image_is_refused_and_on_two_is_not(flags: list[str]) -> None:
    config = parse([*flags, "--data=/photographs"])
    with pytest.raises(RunFailure, match=r"at least 2 images .* /photographs has 1 "):
        check_batches(config, 1)
    check_batches(config, 2)
    check_batches(CONFIG, 1)


def test_a_model_without_room_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def build(*words: object, **options: object) -> torch.nn.Module:
        if torch.empty(0).is_meta:
            return torch.nn.Linear(1, 1)
        raise CPU_SHORTAGE

    monkeypatch.setattr(models, "build", build)
    config = parse(["--data=drawn", "--image_size=32", "--score_size=32"])
    with pytest.raises(RunFailure, match=r"^out of memory on .*; take .* a smaller model$"):
        prepare(config, tmp_path)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_names_the_folder_and_how_to_go_on(code: int, tmp_path: Path) -> None:
    """Without a state nothing is there to go on with."""
    said = []
    for _ in range(2):
        with pytest.raises(RunFailure) as raised, explain_errors(CONFIG, CPU, tmp_path / "abc123"):
            raise OSError(code, "No space left on device")
        said.append(str(raised.value))
        (tmp_path / "abc123").mkdir(exist_ok=True)
        (tmp_path / "abc123" / "state.pt").touch()
    assert all(text.startswith(f"a file in {tmp_path}/abc123 could not be written (No space") for text in said)
    assert said[0].endswith("nothing was saved before: free some space, and start the run again")
    assert said[1].endswith("are still there: free some space, and go on with --resume abc123")


def test_a_full_disk_elsewhere_names_the_file() -> None:
    with pytest.raises(RunFailure, match=r"^/tmp/media/image\.png could not be written \(No space left"):
        with explain_errors(CONFIG, CPU, Path("/runs/abc123")):
            raise OSError(errno.ENOSPC, "No space left on device", "/tmp/media/image.png")


@pytest.mark.parametrize("error", [OSError(errno.EACCES, "denied"), RuntimeError("shapes differ"), KeyError("x")])
def test_other_errors_stay_what_they_are(error: Exception) -> None:
    with pytest.raises(type(error)) as raised, explain_errors(CONFIG, CPU, Path()):
        raise error
    assert raised.value is error


def test_what_torch_says_when_memory_is_used_up_is_known() -> None:
    assert is_out_of_memory(GPU_SHORTAGE)
    assert is_out_of_memory(RuntimeError(CPU_SHORTAGE))
    assert is_out_of_memory(RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"))
    assert is_out_of_memory(RuntimeError("GET was unable to find an engine to execute this computation"))
    assert is_out_of_memory(MemoryError())
    assert not is_out_of_memory(RuntimeError("expected scalar type Long"))


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
    assert is_out_of_memory({"RuntimeError": RuntimeError, "MemoryError": MemoryError}[kind](text)), printed


@pytest.mark.parametrize("error", [GPU_SHORTAGE, CPU_SHORTAGE, MemoryError()])
def test_when_memory_is_used_up_what_did_not_fit_and_the_way_out_are_named(error: Exception) -> None:
    with pytest.raises(RunFailure) as raised, explain_errors(CONFIG, CPU, Path()):
        raise error
    assert str(raised.value).startswith("out of memory on cpu: batch_size 16 at image_size 160 ")
    assert "unet_transposed" in str(raised.value)
