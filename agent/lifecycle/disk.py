"""Bytes of a run, known before it starts, and whether the disk has them.

torch is imported where a model is built: the linter prices models that it knows without.
"""

import functools
import shutil
from pathlib import Path

from agent.config import Config
from common.text import size

N_TEST = 4
"""Test images of the lab's split and of every drawn data set."""

KEPT = 2
"""Checkpoints in the model Artifact of a run, and masks per image in its predictions, at most."""

PER_TENSOR = 1000
"""Bytes around a tensor in a file of torch.save, at most: headers, alignment, its name."""


class DiskError(ValueError):
    """The run would not fit on the disk; the text says by how much."""


def bytes_of_run(config: Config, n_test: int = N_TEST) -> int:
    """What a finished run leaves on the server, at most: two checkpoints, and test images with masks, twice.

    Images are counted as if their PNGs were not compressed. Raises what `agent.training.models.build` raises.
    """
    return left_on_server(_weights(config), config.score_size, n_test)


def left_on_server(checkpoint: int, score_size: int, n_test: int) -> int:
    """Bytes of the Artifacts and media of a run whose checkpoints have `checkpoint` bytes each."""
    return KEPT * checkpoint + 2 * _pictures(score_size, n_test)


def checkpoint_bytes(n_parameters: int, n_buffers: int, n_tensors: int) -> int:
    """Size of a checkpoint file, at most; `n_buffers` counts values, `n_tensors` the entries of the state dict."""
    return 4 * (n_parameters + n_buffers) + n_tensors * PER_TENSOR


def disk_of_run(config: Config, n_test: int = N_TEST) -> int:
    """What a run needs on the disk while it is under way, at most: three checkpoints, and its state twice, since a file
    is only replaced when the next one is whole; then the predictions."""
    n_parameters, _, n_tensors = _size(_architecture(config))
    state = _weights(config) + 8 * n_parameters + 3 * n_tensors * PER_TENSOR + 20_000
    return 2 * state + 3 * _weights(config) + _pictures(config.score_size, n_test)


def check_free(folder: Path, n_bytes: int) -> None:
    """Raises DiskError: the disk has no room for so many bytes in the run's folder, those that it has included."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DiskError(f"{folder} cannot be made ({error.strerror}): name another folder in PUZZLE_RUNS") from None
    free = shutil.disk_usage(folder).free + sum(path.stat().st_size for path in folder.glob("*.pt"))
    if n_bytes > free:
        raise DiskError(
            f"the run needs up to {size(n_bytes)} in {folder}, but the disk has {size(free)} left: free some, or "
            f"name another folder in PUZZLE_RUNS"
        )


def _weights(config: Config) -> int:
    return checkpoint_bytes(*_size(_architecture(config)))


def _pictures(score_size: int, n_test: int) -> int:
    """The image in three channels; truth and the predictions in one."""
    return n_test * (3 + 1 + KEPT) * score_size**2


def _architecture(config: Config) -> tuple[str, str, int, int]:
    return config.architecture, config.backbone, config.width, config.image_size


@functools.cache
def _size(architecture: tuple[str, str, int, int]) -> tuple[int, int, int]:
    """Numbers of parameters, of values in buffers, and of tensors; the model is built without memory if it can be."""
    import torch

    from agent.training import models

    name, backbone, width, image_size = architecture
    with torch.random.fork_rng(devices=[]):
        try:
            with torch.device("meta"):
                model = models.build(name, backbone, width=width, image_size=image_size)
        except (NotImplementedError, RuntimeError):
            model = models.build(name, backbone, width=width, image_size=image_size)
    parameters, buffers = list(model.parameters()), list(model.buffers())
    return sum(p.numel() for p in parameters), sum(b.numel() for b in buffers), len(parameters + buffers)
