"""Choices for speed, and figures of work."""

import functools
from pathlib import Path

import pytest
import torch
from torch import nn
from torch._dynamo.testing import CompileCounter

from agent.training import batchnorm, performance
from agent.training.loader import make_loader
from agent.training.loop import to_device, train_epoch
from agent.training.models.unet import UNet
from agent.training.performance import COMPILE_SECONDS, COMPILE_SPEEDUP, choose_precision, n_macs, should_compile
from common import cores
from data.augment import Augmenter
from tests.agent.training.squares import squares

CPU, GPU = torch.device("cpu"), torch.device("cuda")
DENSE, DEPTHWISE = nn.Conv2d(4, 4, 1), nn.Sequential(nn.Conv2d(4, 4, 3, groups=4))


@pytest.mark.parametrize(
    ("flags", "expected"),
    [("fpu avx2 avx512f", "float32"), ("fpu avx512_bf16", "bfloat16"), ("amx_bf16", "bfloat16"), ("", "float32")],
)
def test_auto_is_bfloat16_where_the_processor_has_it(
    flags: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "cpuinfo"
    path.write_text(f"processor\t: 0\nflags\t\t: {flags}\nprocessor\t: 1\nflags\t\t: other\n")
    found = cores.flags(path)
    monkeypatch.setattr(cores, "flags", lambda: found)
    assert choose_precision("auto", DENSE) == expected
    assert choose_precision("float32", DENSE) == "float32"
    assert choose_precision("bfloat16", DENSE) == "bfloat16"
    assert choose_precision("auto", DEPTHWISE) == "float32"


def test_a_processor_that_tells_no_flags_has_none(tmp_path: Path) -> None:
    assert cores.flags(tmp_path / "nothing") == frozenset()


@pytest.mark.parametrize("has", [True, False])
def test_a_gpu_that_only_emulates_bfloat16_does_not_have_it(has: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: has and not including_emulation)
    assert performance.has_bfloat16(GPU) == has


def test_compiling_pays_when_the_rest_of_the_run_is_long_enough() -> None:
    """At 0.1 s per step, 1 - 1/1.3 of it is saved: 90 s are worth 3,900 steps."""
    worth = COMPILE_SECONDS / (0.1 * (1 - 1 / COMPILE_SPEEDUP))
    assert round(worth) == 3900
    assert not should_compile(3890, 0.1, "cuda")
    assert should_compile(3910, 0.1, "cuda")
    assert not should_compile(10**9, 0.1, "cpu")
    assert not should_compile(10**9, 0.1, "cuda", deterministic=True)


def test_multiply_accumulates_are_counted_by_hand(device: torch.device) -> None:
    """3×3 on 3 → 8 channels at 16² and 1×1 on 8 → 2: 16² · (27 · 8 + 8 · 2)."""
    model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.Dropout(), nn.Conv2d(8, 2, 1))
    model.to(device)
    random_state, buffers = torch.get_rng_state(), {k: v.clone() for k, v in model.state_dict().items()}
    assert n_macs(model, 16) == 16**2 * (27 * 8 + 8 * 2)
    assert model.training
    assert torch.equal(torch.get_rng_state(), random_state)
    assert all(torch.equal(value, buffers[name]) for name, value in model.state_dict().items())


def test_a_model_that_cannot_live_without_memory_is_counted_on_its_device(device: torch.device) -> None:
    class Reads(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images * float(images.sum() + 1) @ torch.ones(8, 8, device=images.device)

    model = nn.Sequential(nn.Conv2d(3, 1, 1), Reads()).to(device)
    assert n_macs(model, 8) == 8 * 8 * 3 + 8 * 8 * 8


def test_the_seconds_of_an_image_are_the_median_without_the_first(device: torch.device) -> None:
    ticks = iter([0.0, 9.0, 10.0, 10.5, 11.0, 11.2, 12.0, 15.0])
    model, image = nn.Conv2d(3, 2, 1).to(device), torch.zeros(1, 3, 8, 8, device=device)
    assert performance.seconds_per_image(model, image, lambda: next(ticks)) == 0.5


def test_bfloat16_changes_the_forward_pass_and_nothing_else(device: torch.device) -> None:
    images = torch.randint(0, 256, (2, 32, 32, 3), dtype=torch.uint8)
    masks = torch.randint(0, 2, (2, 32, 32), dtype=torch.uint8)
    torch.manual_seed(1)
    model = performance.to_device(UNet("transposed", width=4), device)
    optimizer = performance.adam(model, 1e-3)
    seen = []
    model.head.register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))  # type: ignore[union-attr]
    loss, _ = train_epoch(model, optimizer, [(images, masks)], "bfloat16")
    assert seen == [torch.bfloat16]
    assert loss == pytest.approx(loss)
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    moments = optimizer.state_dict()["state"][0]
    assert moments["exp_avg"].dtype == torch.float32


@pytest.mark.parametrize("bfloat16", [False, True])
def test_images_weights_and_logits_keep_the_memory_format_of_the_device(
    device: torch.device, bfloat16: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cores, "multiply_bfloat16", lambda: bfloat16)
    last = bfloat16 or device.type == "cuda"
    expected, other = [torch.channels_last, torch.contiguous_format][:: 1 if last else -1]
    torch.manual_seed(1)
    model = performance.to_device(UNet("transposed", width=4), device)
    assert next(model.parameters()).device.type == device.type
    images, _ = to_device(torch.randint(0, 256, (2, 32, 32, 3)), torch.zeros(2, 32, 32), device)
    logits = model(images)
    weight = next(p for p in model.parameters() if p.dim() == 4 and p.shape[1] > 1)
    for tensor in (images, weight, logits):
        assert tensor.is_contiguous(memory_format=expected)
        assert not tensor.is_contiguous(memory_format=other)


def test_a_compiled_model_trains_the_weights_of_the_one_that_is_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    class Wrapper(nn.Module):
        def __init__(self, model: nn.Module, dynamic: bool) -> None:
            super().__init__()
            self._orig_mod = model

    monkeypatch.setattr(torch, "compile", Wrapper)
    model = UNet("bilinear", 4)
    keys = list(model.state_dict())
    with torch._dynamo.config.patch(suppress_errors=False):
        wrapped = performance.compile_model(model)
        assert torch._dynamo.config.suppress_errors, "what cannot be compiled goes on uncompiled"
    assert next(wrapped.parameters()) is next(model.parameters())
    assert list(model.state_dict()) == keys


def test_each_size_of_a_step_is_compiled_once_and_validation_in_between_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Five images in steps of 3 and 2. What is compiled runs as it is: code for a CPU would take a minute."""
    graphs = CompileCounter()
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend=graphs))
    layers = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 2, 1)
    model = performance.to_device(nn.Sequential(*layers), CPU)
    with torch._dynamo.config.patch(suppress_errors=False):
        network = performance.compile_model(model)
    optimizer = performance.adam(model, 1e-3)
    for epoch in (1, 2):
        batches = make_loader(squares(5), Augmenter("none", 32, 1), 2, 1, range(epoch, epoch + 1))
        train_epoch(network, optimizer, batches, "bfloat16")
        batchnorm.validate(model, squares(5), squares(3), 2, [], [], lambda running: True)
        assert graphs.frame_count == 2
