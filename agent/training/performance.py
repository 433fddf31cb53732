"""Settings that decide the speed of a run, and measures of its work."""

import os
import statistics
import time
from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils.flop_counter import FlopCounterMode

from agent.training.loop import Precision, memory_format
from common import cores

COMPILE_SECONDS = 90.0
"""Seconds that torch.compile takes on a GPU, forward and backward; a cautious estimate, not measured on one."""

COMPILE_SPEEDUP = 1.3
"""Training steps per second with torch.compile over without, on a GPU; a cautious estimate, not measured on one."""


def best_device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def make_deterministic(deterministic: bool) -> None:
    """Have torch take the deterministic implementation of every operation that has one, and warn of the others.

    Before the first use of a GPU: cuBLAS reads its setting then. A CPU is deterministic anyway.
    """
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(deterministic, warn_only=True)
    torch.backends.cudnn.deterministic = deterministic
    torch.backends.cudnn.benchmark = False


def device_name(device: torch.device) -> str:
    """`cpu`, or `cuda: ` and the card's name."""
    return "cpu" if device.type == "cpu" else f"cuda: {torch.cuda.get_device_name(device)}"


def choose_precision(setting: str, model: nn.Module) -> Precision:
    """The precision for this model on its device if the setting is `auto`; other settings stay.

    bfloat16 if the processor has it, but on a CPU not for backbones of depthwise convolutions: dense models are 1.3 to
    1.7 times as fast in it, most of those are slower (docs/runs.md).
    """
    if setting == "auto":
        device = next(model.parameters()).device
        pays = has_bfloat16(device) and (device.type == "cuda" or not has_depthwise(model))
        return "bfloat16" if pays else "float32"
    return "bfloat16" if setting == "bfloat16" else "float32"


def has_depthwise(model: nn.Module) -> bool:
    """Whether some convolution looks at each of its channels alone."""
    convolutions = (module for module in model.modules() if isinstance(module, nn.Conv2d))
    return any(module.groups == module.in_channels > 1 for module in convolutions)


def has_bfloat16(device: torch.device) -> bool:
    """Whether the processor multiplies bfloat16 itself; where it is emulated it is slower than float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return cores.multiply_bfloat16()


def to_device(model: nn.Module, device: torch.device) -> nn.Module:
    """The model on its device, its weights in the memory format that is fastest there."""
    moved: nn.Module = model.to(device=device, memory_format=memory_format(device))  # type: ignore[call-overload]
    return moved


def to_best_device(model: nn.Module, deterministic: bool) -> nn.Module:
    """The model ready to be trained on the fastest device of this machine."""
    make_deterministic(deterministic)
    return to_device(model, best_device())


def adam(model: nn.Module, learning_rate: float, weight_decay: float = 0.0) -> torch.optim.Adam:
    """Adam whose step is one kernel for all weights, on a CPU as well; with decoupled weight decay it is AdamW."""
    decoupled = weight_decay > 0
    return torch.optim.Adam(
        model.parameters(), learning_rate, weight_decay=weight_decay, decoupled_weight_decay=decoupled, fused=True
    )


def should_compile(steps_left: int, seconds_per_step: float, device_type: str, deterministic: bool = False) -> bool:
    """Whether torch.compile would save more of the rest of a run than it costs.

    Never on a CPU, where it is 1.1 times as fast after 75 s, nor in a run that is to be `deterministic`: a decision
    that depends on measured time makes equal configurations differ in the last bits.
    """
    saved = steps_left * seconds_per_step * (1 - 1 / COMPILE_SPEEDUP)
    return device_type == "cuda" and not deterministic and saved > COMPILE_SECONDS


def compile_model(model: nn.Module) -> nn.Module:
    """The same weights behind a compiled forward pass, or behind the old one if it cannot be compiled here.

    `model` itself stays uncompiled: evaluation and the BatchNorm check change its mode, and would compile it anew.
    The steps of a run have at most two sizes (`agent.training.loop.split_batches`): each is compiled for itself.
    """
    import torch._dynamo

    torch._dynamo.config.suppress_errors = True
    return cast(nn.Module, torch.compile(model, dynamic=False))


def n_macs(model: nn.Module, image_size: int) -> int:
    """Multiply-accumulates of convolutions and matrix products for one image, counted without computing any."""
    try:
        return _count(model, image_size, "meta")
    except (NotImplementedError, RuntimeError):
        return _count(model, image_size, str(next(model.parameters()).device))


@torch.no_grad()
def _count(model: nn.Module, image_size: int, device: str) -> int:
    tensors = {name: value.to(device) for name, value in model.state_dict().items()}
    image = torch.zeros(1, 3, image_size, image_size, device=device)
    was_training = model.training
    model.eval()
    try:
        with FlopCounterMode(display=False) as counter:
            functional_call(model, tensors, (image,))
    finally:
        model.train(was_training)
    return int(counter.get_total_flops()) // 2


@torch.no_grad()
def seconds_per_image(model: nn.Module, image: Tensor, clock: Callable[[], float] = time.perf_counter) -> float:
    """Median seconds of three inferences of one image (1, 3, H, W) after one unmeasured pass."""
    model.eval()
    seconds = []
    for _ in range(4):
        started = clock()
        model(image)
        if image.is_cuda:
            torch.cuda.synchronize(image.device)
        seconds.append(clock() - started)
    return statistics.median(seconds[1:])
