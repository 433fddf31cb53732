"""One epoch of training and one evaluation of a split; tensors in, counts and losses out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from agent.metrics import Counts, count
from data.puzzle import Pair

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

Image = NDArray[np.uint8]


class Augment(Protocol):
    """Image (H, W, 3) and mask (H, W) of the image with this index, as they look in this epoch."""

    def __call__(self, image: Image, mask: Image, epoch: int, index: int) -> tuple[Image, Image]: ...


@dataclass(frozen=True)
class Evaluation:
    """Loss (mean over pixels), counts per image and predicted masks (N, H, W) in {0, 1} of one split."""

    loss: float
    counts: tuple[Counts, ...]
    predictions: NDArray[np.uint8]

    @property
    def pooled(self) -> Counts:
        return sum(self.counts, Counts())


def bce(logits: Tensor, masks: Tensor) -> Tensor:
    """Pixel-wise binary cross-entropy on the softmax output, mean over pixels.

    Logits (B, 2, H, W) and masks (B, H, W) in {0, 1} → scalar. With p = softmax(logits)[:, 1], the second
    probability is 1 - p, so the BCE of p, -y log p - (1 - y) log(1 - p), picks the log-probability of the true
    class: it is the cross-entropy of the two classes. That is computed from the logits through log-softmax,
    which stays finite where p rounds to 0 or 1 and log p would not.
    """
    return F.cross_entropy(logits, masks.long())


def to_tensors(
    images: Sequence[Image], masks: Sequence[Image], device: torch.device
) -> tuple[Tensor, Tensor]:
    """Images → (B, 3, H, W) float32, normalised as ImageNet is; masks → (B, H, W) int64."""
    stacked = torch.from_numpy(np.stack(images)).to(device).permute(0, 3, 1, 2).float().div_(255)
    mean = torch.tensor(IMAGENET_MEAN, device=device).view(1, 3, 1, 1)
    std = torch.tensor(IMAGENET_STD, device=device).view(1, 3, 1, 1)
    truth = torch.from_numpy(np.stack(masks)).to(device).long()
    return (stacked - mean) / std, truth


def batches(n: int, batch_size: int, order: np.random.Generator | None = None) -> list[NDArray[np.int64]]:
    """A random order of n images cut into batches as even as they can be, at most one image above `batch_size`.

    Without a generator they stay in order. Every image comes once, and no batch has a single image unless
    `batch_size` or n is 1: the BatchNorm of a 1×1 feature map, as in DeepLabV3+, cannot be computed from one.
    """
    n_batches = -(-n // batch_size)
    if batch_size > 1:
        n_batches = min(n_batches, max(1, n // 2))
    return np.array_split(order.permutation(n) if order else np.arange(n), n_batches)


def train_epoch(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    pairs: Sequence[Pair],
    augment: Augment,
    epoch: int,
    batch_size: int,
    seed: int,
) -> tuple[float, Counts]:
    """One pass over the training images; loss (mean over pixels) and pooled counts in training mode."""
    model.train()
    device = next(model.parameters()).device
    loss_sum = torch.zeros((), device=device)
    counts = Counts()
    for batch in batches(len(pairs), batch_size, np.random.default_rng([seed, epoch])):
        drawn = [augment(pairs[i].image, pairs[i].mask, epoch, int(i)) for i in batch]
        images, masks = to_tensors([image for image, _ in drawn], [mask for _, mask in drawn], device)
        logits = model(images)
        loss = bce(logits, masks)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        loss_sum += loss.detach() * len(batch)
        counts += count(logits.detach().argmax(dim=1).cpu().numpy(), masks.cpu().numpy())
    return float(loss_sum) / len(pairs), counts


@torch.no_grad()
def evaluate(model: nn.Module, pairs: Sequence[Pair], batch_size: int) -> Evaluation:
    """Score a split in evaluation mode, in float32."""
    model.eval()
    device = next(model.parameters()).device
    loss_sum = 0.0
    predictions: list[Image] = []
    for start in range(0, len(pairs), batch_size):
        batch = pairs[start : start + batch_size]
        images, masks = to_tensors([p.image for p in batch], [p.mask for p in batch], device)
        logits = model(images)
        loss_sum += float(bce(logits, masks)) * len(batch)
        predictions.extend(logits.argmax(dim=1).to(torch.uint8).cpu().numpy())
    counts = tuple(count(p, pair.mask) for p, pair in zip(predictions, pairs, strict=True))
    return Evaluation(loss_sum / len(pairs), counts, np.stack(predictions))
