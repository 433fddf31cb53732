"""BatchNorm check: whether running statistics fit the images, when to recompute them, and validation with the better.

In evaluation mode BatchNorm uses running statistics, an exponential average over training steps. With the momentum
0.01 of some encoders (SMP's own EfficientNets) more than a third of their initial values is left after a hundred steps,
which ten images give in twenty epochs, and a model that trains well predicts nonsense. Remedy: recompute them from the
training images (PreciseBN in Wu & Johnson, "Rethinking 'Batch' in BatchNorm", arXiv 2105.07576;
`torch.optim.swa_utils.update_bn` does so after averaging weights). Training goes on with the running statistics it had.

All images pass at once, however small the batches of training are. Each layer then sees its input normalised by the
statistics of all of them, as in evaluation; in batches of two it sees something else, the more so the deeper it lies.
docs/runs.md compares both by IoU.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from agent.lifecycle.failures import is_out_of_memory
from agent.training.loop import Evaluation, evaluate, n_steps, to_tensors
from data.dataset import Pair

MAX_GAP = 0.02
"""Gain of IoU on the validation images above which recomputed statistics replace the running ones."""

CHECK_EVERY = 5
"""Epochs after which a model that was healthy is examined again, whatever its score."""

MAX_IMAGES = 64
"""Most training images that statistics are taken from, evenly spread: every pixel of a feature map is a sample."""

MAX_AT_ONCE = 16
"""Most images that pass together when statistics are recomputed."""

Statistics = dict[str, Tensor]
"""State dict entries of BatchNorm buffers: running_mean (C,), running_var (C,), num_batches_tracked ()."""


@dataclass(frozen=True)
class Validation:
    """Scores of an epoch on the validation images.

    `evaluation` is that of the weights as they are to be saved: with `statistics` in place of the running ones, unless
    these are empty. `gap` is IoU(recomputed) − IoU(running), None if only the running ones were tried.
    """

    evaluation: Evaluation
    gap: float | None = None
    statistics: Statistics = field(default_factory=dict)

    @property
    def is_repaired(self) -> bool:
        return bool(self.statistics)


def validate(
    model: nn.Module,
    train: Sequence[Pair],
    val: Sequence[Pair],
    batch_size: int,
    past_ious: Sequence[float],
    past_gaps: Sequence[float | None],
    would_keep: Callable[[Evaluation], bool],
    at_once: int = MAX_AT_ONCE,
) -> Validation:
    """Score an epoch with running statistics and, if they are due, with recomputed ones; the model stays as it was.

    `past_ious`, `past_gaps` are those of the epochs before; `would_keep` says of the score with running statistics
    whether it would make a checkpoint; `at_once` is that of `recompute_statistics`. Without BatchNorm, or with a frozen
    one, a model is scored once.
    """
    running = evaluate(model, val, batch_size)
    fall = max(past_ious, default=0) - running.pooled_counts.iou
    if not batchnorm_layers(model) or not should_recompute(past_gaps, would_keep(running), fall):
        return Validation(running)
    statistics = recompute_statistics(model, train, at_once)
    with with_statistics(model, statistics):
        repaired = evaluate(model, val, batch_size)
    gap = repaired.pooled_counts.iou - running.pooled_counts.iou
    return Validation(repaired, gap, statistics) if gap > MAX_GAP else Validation(running, gap)


def should_recompute(past_gaps: Sequence[float | None], candidate: bool, fall: float) -> bool:
    """Whether to recompute: for candidate checkpoints, after a wide gap, after a fall of IoU, and every few epochs.

    `fall` is the best IoU so far minus that with running statistics: these may be the reason of a wide one.
    """
    gaps = [gap for gap in past_gaps[-CHECK_EVERY + 1 :] if gap is not None]
    return candidate or not gaps or max(gaps[-1], fall) > MAX_GAP


def batchnorm_layers(model: nn.Module) -> dict[str, _BatchNorm]:
    """The BatchNorm layers, by name, whose running statistics training updates; frozen ones are not among them.

    A frozen layer stays in evaluation mode when the model is told to train.
    """
    modes = {module: module.training for module in model.modules()}
    model.train()
    layers = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, _BatchNorm) and module.training and module.running_mean is not None
    }
    for module, mode in modes.items():
        module.training = mode
    return layers


def recompute_statistics(model: nn.Module, pairs: Sequence[Pair], at_once: int = MAX_AT_ONCE) -> Statistics:
    """BatchNorm statistics of the images as they are, MAX_IMAGES of them, from as many at once as possible.

    Up to `at_once` images these are the statistics that the model itself has on them in evaluation mode. More come in
    even batches, fewer at once if memory does not hold so many. One forward pass per image; equal weights and images
    give equal bits. Raises torch's error if not even two images fit.
    """
    pairs = sample(pairs)
    try:
        return recompute(model, even_batches(model, pairs, at_once))
    except (RuntimeError, MemoryError) as error:
        fewer = min(at_once, len(pairs)) // 2
        if fewer < 2 or not is_out_of_memory(error):
            raise
    return recompute_statistics(model, pairs, fewer)


def sample(pairs: Sequence[Pair]) -> Sequence[Pair]:
    """The training images that statistics are taken from: all up to MAX_IMAGES, else so many, evenly spread."""
    return pairs[:: n_steps(len(pairs), MAX_IMAGES)]


@torch.no_grad()
def recompute(model: nn.Module, images: Iterable[Tensor]) -> Statistics:
    """BatchNorm statistics as the cumulative average over batches of images, each (B, 3, H, W).

    All else runs in evaluation mode, so no random numbers are drawn. The model comes back as it was, bit by bit.
    Each batch counts the same. Raises ValueError, as torch does: a batch of one image on a 1×1 feature map.
    """
    layers = batchnorm_layers(model)
    modes = {module: module.training for module in model.modules()}
    momenta = {layer: layer.momentum for layer in layers.values()}
    with with_statistics(model, _buffers(layers)):
        try:
            model.eval()
            for layer in layers.values():
                layer.reset_running_stats()
                layer.momentum, layer.training = None, True
            for batch in images:
                model(batch)
            return {name: value.clone() for name, value in _buffers(layers).items()}
        finally:
            for module, mode in modes.items():
                module.training = mode
            for layer, momentum in momenta.items():
                layer.momentum = momentum


@contextlib.contextmanager
def with_statistics(model: nn.Module, statistics: Statistics) -> Iterator[None]:
    """Put other statistics into the model until the end of the block."""
    buffers = dict(model.named_buffers())
    before = {name: buffers[name].clone() for name in statistics}
    try:
        for name, value in statistics.items():
            buffers[name].copy_(value)
        yield
    finally:
        for name, value in before.items():
            buffers[name].copy_(value)


def _buffers(layers: dict[str, _BatchNorm]) -> Statistics:
    return {
        f"{name}.{key}": value for name, layer in layers.items() for key, value in layer.named_buffers(recurse=False)
    }


def even_batches(model: nn.Module, pairs: Sequence[Pair], at_once: int) -> Iterator[Tensor]:
    """The images of `pairs` as they are, (B, 3, H, W) each, in even batches of `at_once` at most, but none alone."""
    device = next(model.parameters()).device
    for part in np.array_split(np.arange(len(pairs)), n_steps(len(pairs), at_once)):
        yield to_tensors([pairs[i].image for i in part], [pairs[i].mask for i in part], device)[0]
