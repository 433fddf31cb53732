"""Bytes of a run, known before it starts, and whether the disk has them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from common.text import size

if TYPE_CHECKING:  # the linter, which has no need of torch, prices a run's Artifacts
    from torch import nn

N_TEST = 4
"""Test images of the lab's split and of every drawn data set."""

MAX_CHECKPOINTS = 2
"""Checkpoints in the model Artifact of a run, and masks per image in its predictions, at most."""

BYTES_PER_TENSOR = 1000
"""Bytes around a tensor in a file of torch.save, at most: headers, alignment, its name."""


class DiskError(ValueError):
    """The run would not fit on the disk; the text says by how much."""


def bytes_on_server(model: nn.Module, n_pixels: int) -> int:
    """Bytes of a finished run on the server, at most: two checkpoints, and test images with masks, twice.

    The test images have `n_pixels` together, at the size of the scores; they are counted as if their PNGs were not
    compressed.
    """
    return artifact_bytes(checkpoint_bytes(*_count(model)), n_pixels)


def artifact_bytes(checkpoint: int, n_pixels: int) -> int:
    """Bytes of the Artifacts and media of a run whose checkpoints have `checkpoint` bytes each."""
    return MAX_CHECKPOINTS * checkpoint + 2 * _pictures(n_pixels)


def checkpoint_bytes(n_parameters: int, n_buffers: int, n_tensors: int) -> int:
    """Size of a checkpoint file, at most; `n_buffers` counts values, `n_tensors` the entries of the state dict."""
    return 4 * (n_parameters + n_buffers) + n_tensors * BYTES_PER_TENSOR


def bytes_on_disk(model: nn.Module, n_pixels: int) -> int:
    """Bytes of a run under way on the disk, at most.

    Three checkpoints, and its state twice, since a file is only replaced when the next one is whole; then the
    predictions.
    """
    n_parameters, n_buffers, n_tensors = _count(model)
    checkpoint = checkpoint_bytes(n_parameters, n_buffers, n_tensors)
    state = checkpoint + 8 * n_parameters + 3 * n_tensors * BYTES_PER_TENSOR + 20_000
    return 2 * state + 3 * checkpoint + _pictures(n_pixels)


def check_free(folder: Path, model: nn.Module, n_pixels: int) -> None:
    """Raises DiskError: the disk has no room for the run in `folder`; its own files there count as free."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DiskError(f"{folder} cannot be made ({error.strerror}): name another folder in PUZZLE_RUNS") from None
    n_bytes = bytes_on_disk(model, n_pixels)
    free = shutil.disk_usage(folder).free + sum(path.stat().st_size for path in folder.glob("*.pt"))
    if n_bytes > free:
        raise DiskError(
            f"the run needs up to {size(n_bytes)} in {folder}, but the disk has {size(free)} left: free some, or "
            f"name another folder in PUZZLE_RUNS"
        )


def _pictures(n_pixels: int) -> int:
    """The images in three channels; truth and the predictions in one."""
    return (3 + 1 + MAX_CHECKPOINTS) * n_pixels


def _count(model: nn.Module) -> tuple[int, int, int]:
    """Numbers of parameters, of values in buffers, and of tensors."""
    parameters, buffers = list(model.parameters()), list(model.buffers())
    return sum(p.numel() for p in parameters), sum(b.numel() for b in buffers), len(parameters + buffers)
