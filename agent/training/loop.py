"""One epoch of training and one evaluation of a split; tensors in, counts and losses out."""

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from agent.training.metrics import Counts, count
from common import cores
from data.dataset import Pair

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

Image = NDArray[np.uint8]
Precision = Literal["float32", "bfloat16"]


class Augment(Protocol):
    """Image (H, W, 3) and mask (H, W) of the image with this index, as they look at this visit, from 1."""

    def __call__(self, image: Image, mask: Image, visit: int, index: int) -> tuple[Image, Image]: ...


@dataclass(frozen=True)
class Evaluation:
    """Loss, counts and predicted masks of the images of one split, each at the size of its `truth`.

    The loss is the mean over an image's pixels, then over images; a mask is (H, W) in {0, 1}.
    """

    loss: float
    counts: tuple[Counts, ...]
    predictions: tuple[Image, ...]

    @property
    def pooled_counts(self) -> Counts:
        return sum(self.counts, Counts())


def bce(logits: Tensor, masks: Tensor) -> Tensor:
    """Pixel-wise binary cross-entropy on the softmax output, mean over pixels.

    Logits (B, 2, H, W) and masks (B, H, W) in {0, 1} → scalar. With p = softmax(logits)[:, 1], the second
    probability is 1 - p, so the BCE of p, -y log p - (1 - y) log(1 - p), picks the log-probability of the true
    class: it is the cross-entropy of the two classes. That is computed from the logits through log-softmax,
    which stays finite where p rounds to 0 or 1 and log p would not. The mean is an operation of its own: on a GPU,
    that inside of `F.cross_entropy` adds in no fixed order (torch.use_deterministic_algorithms).
    """
    return F.cross_entropy(logits, masks.long(), reduction="none").mean()


def to_tensors(images: Sequence[Image], masks: Sequence[Image], device: torch.device) -> tuple[Tensor, Tensor]:
    """Images → (B, 3, H, W) float32, normalised as ImageNet is; masks → (B, H, W) int64."""
    return to_device(torch.from_numpy(np.stack(images)), torch.from_numpy(np.stack(masks)), device)


def to_device(images: Tensor, masks: Tensor, device: torch.device) -> tuple[Tensor, Tensor]:
    """uint8 images (B, H, W, 3) → (B, 3, H, W) float32, normalised as ImageNet is; masks → int64.

    The images have the device's memory format. Tensors in pinned memory travel to a GPU without holding up the program.
    """
    pixels = images.to(device, non_blocking=True).permute(0, 3, 1, 2).float().div_(255)
    mean, std = _imagenet(device)
    normalised = ((pixels - mean) / std).contiguous(memory_format=memory_format(device))
    return normalised, masks.to(device, non_blocking=True).long()


def memory_format(device: torch.device) -> torch.memory_format:
    """The order of numbers in images and weights that is fastest in training (docs/runs.md).

    channels_last; but contiguous on a CPU without bfloat16, where the backward pass of convolutions is slow in it.
    """
    slow = device.type == "cpu" and not cores.multiply_bfloat16()
    return torch.contiguous_format if slow else torch.channels_last


@functools.cache
def _imagenet(device: torch.device) -> tuple[Tensor, Tensor]:
    """Mean and deviation (1, 3, 1, 1); made once: a copy from ordinary memory would make the program wait for a GPU."""
    mean, std = torch.tensor([IMAGENET_MEAN, IMAGENET_STD], device=device).view(2, 1, 3, 1, 1)
    return mean, std


def split_batches(n: int, batch_size: int, order: np.random.Generator) -> list[NDArray[np.int64]]:
    """A random order of n images cut into batches as even as they can be, at most one image above `batch_size`.

    Every image comes once, and no batch has a single image unless `batch_size` or n is 1: the BatchNorm of a
    1×1 feature map, as in DeepLabV3+, cannot be computed from one.
    """
    return np.array_split(order.permutation(n), n_steps(n, batch_size))


def n_steps(n: int, batch_size: int) -> int:
    """Steps of one visit to n images."""
    steps = -(-n // batch_size)
    return min(steps, max(1, n // 2)) if batch_size > 1 else steps


def train_epoch(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    batches: Iterable[tuple[Tensor, Tensor]],
    precision: Precision = "float32",
    before_step: Callable[[], None] = lambda: None,
    after_step: Callable[[], None] = lambda: None,
) -> tuple[float, Counts]:
    """One step per batch, as the loader gives them; loss (mean over pixels) and pooled counts in training mode.

    With bfloat16 the forward pass runs under autocast; weights, gradients, loss and optimizer stay float32. Sums stay
    on the device until the end, so no step waits for a GPU. `before_step` may raise to end the epoch; `after_step`
    moves the learning rate.
    """
    model.train()
    device = next(model.parameters()).device
    loss_sum = torch.zeros((), device=device)
    pixels = torch.zeros(4, dtype=torch.long, device=device)
    n = 0
    for raw_images, raw_masks in batches:
        before_step()
        images, masks = to_device(raw_images, raw_masks, device)
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
            logits = model(images)
        loss = bce(logits.float(), masks)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        after_step()
        loss_sum += loss.detach() * len(images)
        pixels += confusion(logits.detach().argmax(dim=1), masks)
        n += len(images)
    return float(loss_sum) / n, Counts(*pixels.tolist())


def confusion(predicted: Tensor, truth: Tensor) -> Tensor:
    """Pixels (4,) of masks in {0, 1}: true and false positives, false and true negatives; nothing leaves the device."""
    p, t = predicted.bool(), truth.bool()
    return torch.stack([(p & t).sum(), (p & ~t).sum(), (~p & t).sum(), (~p & ~t).sum()])


def foreground(logits: Tensor) -> Tensor:
    """Logits (B, 2, H, W) of two classes → those of the foreground alone (B, H, W), whose sigmoid is its softmax."""
    return logits[:, 1] - logits[:, 0]


def resize(values: Tensor, height: int, width: int) -> Tensor:
    """Values (H, W) of a square, such as logits, at the size of its photograph.

    A larger square is averaged, as its photograph was when it became that.
    """
    shrinks = height < values.shape[0] or width < values.shape[1]
    larger = F.interpolate(values[None, None], (height, width), mode="bilinear", antialias=shrinks)
    return larger[0, 0]


@torch.no_grad()
def evaluate(model: nn.Module, pairs: Sequence[Pair], batch_size: int) -> Evaluation:
    """Score a split in evaluation mode, in float32 whatever the precision of training.

    A model sees the square; its logits are brought to the size of the truth, and compared and counted there.
    """
    model.eval()
    device = next(model.parameters()).device
    loss_sum = torch.zeros((), dtype=torch.float64, device=device)
    predictions = []
    for start in range(0, len(pairs), batch_size):
        batch = pairs[start : start + batch_size]
        images, _ = to_tensors([p.image for p in batch], [p.mask for p in batch], device)
        for pair, square in zip(batch, foreground(model(images)), strict=True):
            logits = resize(square, *pair.truth.shape)
            truth = torch.from_numpy(pair.truth).to(device).float()
            loss_sum += F.binary_cross_entropy_with_logits(logits, truth).double()
            predictions.append((logits > 0).to(torch.uint8).cpu().numpy())
    counts = tuple(count(p, pair.truth) for p, pair in zip(predictions, pairs, strict=True))
    return Evaluation(float(loss_sum) / len(pairs), counts, tuple(predictions))
