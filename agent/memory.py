"""How much memory a training step takes, measured, and which batch and image size would fit into what there is.

The memory of a step is taken as fixed + per_pixel × images × side²: weights, gradients and Adam's moments do not depend
on the images, activations grow with their pixels. Convolution workspaces do not quite; MARGIN leaves room for them.
"""

import contextlib
import ctypes
import math
import resource
import sys
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from agent.loop import Precision, bce

MARGIN = 0.1
"""Part of the room beyond the fixed memory that is left free."""

SMALLEST_SIDE = 64
"""Pixels; below this a model that does not fit has no chance anyway."""

SIDE_STEP = 32
"""Image sizes are multiples of this many pixels."""

SIGNS = (
    "out of memory",
    "can't allocate memory",
    "not enough memory",
    "bad_alloc",
    "ALLOC_FAILED",
    "ALLOCATION_FAILED",
    "unable to find an engine to execute this computation",
    "could not create a primitive",
)
"""What torch writes into a RuntimeError when an allocation fails: CPU allocator, C++, cuBLAS, cuDNN (which may find no
room for the workspace of any algorithm), oneDNN."""


@dataclass(frozen=True)
class Need:
    """Bytes of a training step."""

    fixed: float
    per_pixel: float

    def of(self, images: int, side: int) -> float:
        """Bytes with so many images of side² pixels."""
        return self.fixed + self.per_pixel * images * side**2


def would_fit(need: Need, limit: float, images: int, side: int) -> tuple[int, int]:
    """Images per step of this side, and the side (pixels) for so many images, that fit into `limit` bytes.

    Each is 0 where nothing fits, and never more than what was asked.
    """
    room = (limit - need.fixed) * (1 - MARGIN)
    if room <= 0:
        return 0, 0
    most = math.floor(room / (need.per_pixel * side**2))
    widest = math.floor(math.sqrt(room / (need.per_pixel * images)) / SIDE_STEP) * SIDE_STEP
    return min(most, images), min(widest, side)


def is_shortage(error: BaseException) -> bool:
    """Whether an error says that memory could not be had, on a GPU or elsewhere."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in SIGNS)


def measure(model: nn.Module, images: int, side: int, precision: Precision = "float32") -> Need | None:
    """What a step with this model needs, from the peak of one with `images` images at the largest side that works.

    Halves `side` until a step fits; None if none does at SMALLEST_SIDE. Leaves the model without gradients and with
    other running statistics: for use when the run is over.
    """
    while side >= SMALLEST_SIDE:
        if found := _step(model, images, side, precision):
            before, top = found
            parameters = sum(each.nbytes for each in model.parameters())
            return Need(before + 3 * parameters, max(top - before - parameters, 1) / (images * side**2))
        side //= 2
    return None


def works(model: nn.Module, images: int, side: int, precision: Precision = "float32") -> bool:
    """Whether a step of that size does not run out of memory. Leaves the model as `measure` does."""
    return _step(model, images, side, precision) is not None


def _step(model: nn.Module, images: int, side: int, precision: Precision) -> tuple[int, int] | None:
    """Bytes in use before, and at the peak of, a forward and backward pass; None if memory fails it."""
    device = next(model.parameters()).device
    model.zero_grad(set_to_none=True)
    model.train()
    before = forget_peak(device)
    try:
        zeros = torch.zeros(images, 3, side, side, device=device)
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
            logits = model(zeros)
        bce(logits.float(), torch.zeros(images, side, side, dtype=torch.long, device=device)).backward()
    except (RuntimeError, MemoryError, AssertionError):  # some of timm's backbones assert their only size
        return None
    finally:
        model.zero_grad(set_to_none=True)
        if device.type == "cuda":
            torch.cuda.empty_cache()
    return before, peak(device)


def peak(device: torch.device) -> int:
    """Most bytes at once since `forget_peak`: allocated on a GPU, resident in the process elsewhere."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return _status("VmHWM") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MAXRSS_UNIT


def forget_peak(device: torch.device) -> int:
    """Begin to measure anew, where the system can; returns the bytes in use now.

    Without returning freed memory to the system first, a step that finds room in it would seem to need none.
    """
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return torch.cuda.memory_allocated(device)
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS") or peak(device)


_MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024


def _status(key: str) -> int:
    """A size in bytes from Linux' account of this process; 0 where there is none."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith(f"{key}:"):
                return int(line.split()[1]) * 1024
    return 0


def obtainable(device: torch.device) -> int:
    """Bytes that this process can have: on a GPU what is free or its own; elsewhere what it has had so far."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0] + torch.cuda.memory_reserved(device)
    return peak(device)
