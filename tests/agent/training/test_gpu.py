"""What only a GPU can show. The rest of the tests runs on it as well, by the fixture `device`."""

import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
import torch

from agent.config import parse
from agent.fleet import devices
from agent.lifecycle.failures import RunFailure, explain_errors
from agent.training import performance
from agent.training.loader import make_loader
from agent.training.loop import bce, train_epoch
from agent.training.models.unet import UNet
from data.augment import Augmenter
from tests.agent.training.squares import squares

GIB = 2**30


def batches(n: int, gpu: torch.device) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """n batches of 2 images, of one process that augments."""
    return islice(make_loader(squares(6), Augmenter("light", 32, 1), 2, 1, range(1, n + 1), gpu, workers=1), n)


@pytest.mark.filterwarnings("ignore:Synchronization debug mode")
def test_no_step_waits_for_the_gpu(gpu: torch.device) -> None:
    """The first epoch of a process may wait: it brings the mean and deviation of ImageNet to the GPU."""
    model = performance.to_device(UNet("transposed", width=4), gpu)
    optimizer = performance.adam(model, 1e-3)
    train_epoch(model, optimizer, batches(3, gpu), "bfloat16")

    def watched() -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        yield from batches(6, gpu)
        torch.cuda.set_sync_debug_mode("default")

    try:
        train_epoch(model, optimizer, watched(), "bfloat16", lambda: torch.cuda.set_sync_debug_mode("error"))
    finally:
        torch.cuda.set_sync_debug_mode("default")


def step(model: torch.nn.Module, images: int, side: int) -> None:
    device = next(model.parameters()).device
    logits = model(torch.zeros(images, 3, side, side, device=device))
    bce(logits, torch.zeros(images, side, side, device=device)).backward()


def test_when_memory_is_used_up_one_sentence_says_so(gpu: torch.device) -> None:
    """64 images of 512 pixels, which take more than the 2 GiB that the process may have."""
    config = parse(["--model=unet_bilinear", "--width=4", "--batch_size=64", "--image_size=512"])
    model = performance.to_device(UNet("bilinear", width=4), gpu)
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(2**31 / torch.cuda.get_device_properties(gpu).total_memory)
    try:
        with pytest.raises(RunFailure, match="out of memory on cuda: batch_size 64 at image_size 512"):
            with explain_errors(config, gpu, Path()):
                step(model, 64, 512)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_compiled_model_trains_as_the_model_itself_does(gpu: torch.device) -> None:
    losses = []
    for compiled in (False, True):
        torch.manual_seed(1)
        model = performance.to_device(UNet("transposed", width=4), gpu)
        with torch._dynamo.config.patch(suppress_errors=False):
            network = performance.compile_model(model) if compiled else model
        losses.append(train_epoch(network, performance.adam(model, 1e-3), batches(6, gpu), "bfloat16")[0])
    assert losses[1] == pytest.approx(losses[0], rel=0.02)


def test_a_trial_that_is_pinned_to_a_gpu_sees_that_one_only() -> None:
    ask = "import torch; print(torch.cuda.device_count(), torch.cuda.get_device_name(0))"
    listed = devices.list_gpus({})
    if not listed:
        pytest.skip("no GPU on this machine")
    for gpu in listed:
        env = {**os.environ, "CUDA_VISIBLE_DEVICES": gpu.visible}
        done = subprocess.run([sys.executable, "-c", ask], env=env, capture_output=True, text=True, check=True)
        assert done.stdout.startswith("1 ")
        assert gpu.name in done.stdout
