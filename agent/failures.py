"""What makes a run stop for good, said in one sentence: diverged, out of memory, disk full.

`told` turns the errors of torch and the system into Failed, whose text becomes the `error` of the run's summary.
"""

import contextlib
import errno
import math
import traceback
from collections.abc import Iterator

from torch import nn

from agent import memory
from agent.config import Config
from agent.loop import n_steps

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
GIB = 2**30


class Failed(RuntimeError):
    """The run cannot go on; the text says why and what to change."""


def check_finite(config: Config, epoch: int, train_loss: float, val_loss: float) -> None:
    """Raise Failed if a loss of this epoch is not a number, or infinite."""
    for name, loss in (("training", train_loss), ("validation", val_loss)):
        if not math.isfinite(loss):
            way_out = (
                ""
                if config.precision == "float32"
                else f", or take precision float32 instead of {config.precision}"
            )
            raise Failed(
                f"{name} loss is {loss} in epoch {epoch}: the weights have diverged; "
                f"lower learning_rate (it is {config.learning_rate:g}){way_out}"
            )


def check_batches(config: Config, n_train: int) -> None:
    """Raise Failed if a training step would have one image where the architecture forbids it."""
    if config.architecture == "deeplabv3plus" and n_train < 2:
        raise Failed(
            f"deeplabv3plus needs at least 2 images in every training step, but {config.data} has {n_train} "
            f"training image: add images, or take the architecture unet"
        )


@contextlib.contextmanager
def told(config: Config, model: nn.Module, n_train: int) -> Iterator[None]:
    """Raise Failed instead of an error that says memory or disk is used up. The model is not for use after that."""
    try:
        yield
    except (OSError, RuntimeError, MemoryError) as error:
        if memory.is_shortage(error):
            traceback.clear_frames(error.__traceback__)
            raise Failed(shortage(config, model, n_train)) from error
        if isinstance(error, OSError) and error.errno in FULL:
            raise Failed(
                f"the disk is full: the checkpoint could not be written to {error.filename or 'the folder of the run'} "
                f"({error.strerror}); the one before is still there. Free some space and go on with --resume"
            ) from error
        raise


def shortage(config: Config, model: nn.Module, n_train: int) -> str:
    """What did not fit, and which batch size or image size would, from the measured peak of a smaller step."""
    device, side = next(model.parameters()).device, config.image_size
    limit = memory.obtainable(device)
    images = largest_step(n_train, config.batch_size)
    what = f"out of memory on {device.type}: batch_size {config.batch_size} at image_size {side}"
    need = memory.measure(model, min(2, images), side)
    if need is None:
        return f"{what}; not even {min(2, images)} images of {memory.SMALLEST_SIDE} pixels fit: take a smaller model"
    most, widest = memory.would_fit(need, limit, images, side)
    sizes = [size for size in range(1, config.batch_size) if largest_step(n_train, size) <= most]
    fitting = [f"batch_size {max(sizes)} at image_size {side}"] if sizes else []
    fitting += (
        [f"image_size {widest} at batch_size {config.batch_size}"]
        if memory.SMALLEST_SIDE <= widest < side
        else []
    )
    return (
        f"{what} needs about {need.of(images, side) / GIB:.1f} GiB, of {limit / GIB:.1f} GiB that it can have; "
        f"from the measured peak, {' or '.join(fitting) or 'only a smaller model'} would fit"
    )


def largest_step(n_train: int, batch_size: int) -> int:
    """Images in the largest step of an epoch."""
    return -(-n_train // n_steps(n_train, batch_size))
