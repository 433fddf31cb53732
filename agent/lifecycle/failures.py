"""What makes a run stop for good, said in one sentence: diverged, out of memory, disk full.

`told` turns the errors of torch and the system into Failed, whose text becomes the `error` of the run's summary.
"""

import contextlib
import errno
import math
import multiprocessing
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import torch
from torch import nn

from agent.config import Config
from agent.lifecycle import memory
from agent.training import performance
from agent.training.loop import n_steps

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
GIB = 2**30

SECONDS = 120.0
"""What trying may take, at most."""

PARTS = (1, 0.75, 0.5, 0.25)
"""Of what was reckoned to fit, these parts are tried."""


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
    if n_train < 2 and (who := config.needs_two()):
        raise Failed(
            f"{who} needs at least 2 images in every training step, but {config.data} has {n_train} training image: "
            f"add images, or take the architecture unet at image_size 64 or more"
        )


@contextlib.contextmanager
def explain_errors(config: Config, model: nn.Module, n_train: int, folder: Path) -> Iterator[None]:
    """Raise Failed instead of an error that says memory or disk is used up; `folder` is the run's own.

    After that the model is not for use.
    """
    memory.forget_peak(next(model.parameters()).device)
    try:
        yield
    except (OSError, RuntimeError, MemoryError) as error:
        if memory.is_shortage(error):
            traceback.clear_frames(error.__traceback__)
            print(
                "agent.train: out of memory; trying which batch size and image size would fit",
                file=sys.stderr,
            )
            raise Failed(tried(config, model, n_train)) from error
        if isinstance(error, OSError) and error.errno in FULL:
            raise Failed(
                f"{error.filename or f'a file in {folder}'} could not be written ({error.strerror}); the checkpoints "
                f"before are still there: free some space, and go on with --resume {folder.name}"
            ) from error
        raise


def tried(config: Config, model: nn.Module, n_train: int) -> str:
    """What `shortage` says. On a CPU in a process of its own: after a refusal of memory oneDNN may crash."""
    device = next(model.parameters()).device
    if device.type != "cpu":
        return out_of_memory_message(config, model, n_train, memory.available_bytes(device))
    found = apart(
        partial(out_of_memory_message, config, model, n_train, memory.available_bytes(device)), SECONDS
    )
    return found or f"{_what(config, device)}; take fewer images per step, smaller images or a smaller model"


def apart(work: Callable[[], str], seconds: float) -> str:
    """What `work` returns in a forked process, with a single thread; empty where that does not end well, or in time."""
    context = multiprocessing.get_context("fork")
    receiving, sending = context.Pipe(duplex=False)

    def child() -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        torch.set_num_threads(1)
        with contextlib.suppress(RuntimeError, MemoryError):
            sending.send(work())

    process = context.Process(target=child, daemon=True)
    process.start()
    sending.close()
    with receiving, contextlib.suppress(EOFError):
        found = str(receiving.recv()) if receiving.poll(seconds) else ""
        process.kill()
        process.join()
        return found
    process.join()
    return ""


def out_of_memory_message(config: Config, model: nn.Module, n_train: int, limit: int) -> str:
    """What did not fit, and which batch size or image size does: reckoned from a measured peak, then tried."""
    side, images = config.image_size, largest_step(n_train, config.batch_size)
    what = _what(config, next(model.parameters()).device)
    precision = performance.precision_of(config.precision, model)
    need = memory.measure(model, min(2, images), side, precision)
    if need is None:
        return f"{what}; not even {min(2, images)} images of {memory.SMALLEST_SIDE} pixels fit: take a smaller model"
    most, widest = memory.would_fit(need, limit, images, side)
    most, widest = min(most, images - 1), min(widest, side - memory.SIDE_STEP)
    fewer = (batch_size_for(int(most * part), n_train) for part in PARTS)
    smaller = (int(widest * part) // memory.SIDE_STEP * memory.SIDE_STEP for part in PARTS)
    fits = partial(memory.fits, model, precision=precision)
    batch_size = next((b for b in fewer if b and fits(largest_step(n_train, b), side)), 0)
    image_size = next((s for s in smaller if s >= memory.SMALLEST_SIDE and fits(images, s)), 0)
    fitting = [f"batch_size {batch_size} at image_size {side}"] if batch_size else []
    fitting += [f"image_size {image_size} at batch_size {config.batch_size}"] if image_size else []
    return (
        f"{what} needs about {need.of(images, side) / GIB:.1f} GiB, of {limit / GIB:.1f} GiB that it can have; "
        f"from the measured peak, {' or '.join(fitting) or 'only a smaller model'} would fit"
    )


def _what(config: Config, device: torch.device) -> str:
    return f"out of memory on {device.type}: batch_size {config.batch_size} at image_size {config.image_size}"


def largest_step(n_train: int, batch_size: int) -> int:
    """Images in the largest step of an epoch."""
    return -(-n_train // n_steps(n_train, batch_size))


def batch_size_for(images: int, n_train: int) -> int:
    """The greatest batch size of which no step of an epoch has more images than that; 0 if there is none."""
    return next((size for size in range(images, 0, -1) if largest_step(n_train, size) <= images), 0)
