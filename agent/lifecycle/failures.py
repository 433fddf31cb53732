"""Failures that end a run for good, each in one sentence: diverged, out of memory, disk full."""

import contextlib
import errno
import math
from collections.abc import Iterator
from pathlib import Path

import cv2
import torch

from agent.config import Config
from agent.lifecycle.state import STATE_FILE
from data import pixels

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

OUT_OF_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "not enough memory",
    "bad_alloc",
    "ALLOC_FAILED",
    "ALLOCATION_FAILED",
    "unable to find an engine to execute this computation",
    "could not create a primitive",
)
"""Parts of torch's RuntimeError when an allocation fails: CPU allocator, C++, cuBLAS, cuDNN (which may find no
room for the workspace of any algorithm), oneDNN."""


class RunFailure(RuntimeError):
    """The run cannot go on; the text has the reason and the remedy."""


def check_finite(config: Config, epoch: int, train_loss: float, val_loss: float) -> None:
    """Raise RunFailure if a loss of this epoch is not a number, or infinite."""
    for name, loss in (("training", train_loss), ("validation", val_loss)):
        if not math.isfinite(loss):
            way_out = (
                "" if config.precision == "float32" else f", or take precision float32 instead of {config.precision}"
            )
            raise RunFailure(
                f"{name} loss is {loss} in epoch {epoch}: the weights have diverged; "
                f"lower learning_rate (it is {config.learning_rate:g}){way_out}"
            )


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory could not be had, on a GPU or elsewhere."""
    if isinstance(error, torch.OutOfMemoryError) or pixels.is_out_of_memory(error):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in OUT_OF_MEMORY)


@contextlib.contextmanager
def explain_errors(config: Config, device: torch.device, folder: Path) -> Iterator[None]:
    """Raise RunFailure instead of an error that says memory or disk is used up; `folder` is the run's own."""
    try:
        yield
    except (OSError, RuntimeError, MemoryError, cv2.error) as error:
        if is_out_of_memory(error):
            raise RunFailure(
                f"out of memory on {device.type}: batch_size {config.batch_size} at image_size {config.image_size} "
                f"with {config.model}; take fewer images per step, smaller images or a smaller model"
            ) from error
        if isinstance(error, OSError) and error.errno in DISK_FULL:
            way_out = "nothing was saved before: free some space, and start the run again"
            if (folder / STATE_FILE).exists():
                way_out = f"the epochs before are still there: free some space, and go on with --resume {folder.name}"
            raise RunFailure(
                f"{error.filename or f'a file in {folder}'} could not be written ({error.strerror}); {way_out}"
            ) from error
        raise
