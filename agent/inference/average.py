"""Averages of predictions: over the eight symmetries of the square, and over several models."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agent.inference.load import Predictor
from agent.training.loop import resize
from data import pixels

Pixels = NDArray[np.uint8]

SYMMETRIES = tuple((turns, mirrored) for turns in range(4) for mirrored in (False, True))
"""Number of quarter turns, and whether the square is mirrored before them."""

EPS = 1e-6
"""Least distance of a mean probability from 0 and 1; a nearer one is moved there."""


@dataclass(frozen=True)
class Member:
    """A model, and the side in pixels of the squares that it sees."""

    predictor: Predictor
    side: int


@torch.inference_mode()
def logits_of(members: Sequence[Member], photographs: Sequence[Pixels], tta: bool = False) -> list[Tensor]:
    """Photographs (H, W, 3) of any sizes → logits of the foreground (H, W) at those sizes.

    Each model sees squares, as in training; its logits are brought to the photograph's size, as in the test of a run.
    Of several models, and with `tta` of the eight symmetries, the mean of the probabilities counts.
    """
    of_members = [_of_member(member, photographs, tta) for member in members]
    return [
        each[0] if len(each) == 1 else torch.stack(each).sigmoid().mean(dim=0).logit(EPS)
        for each in zip(*of_members, strict=True)
    ]


def binarize(logits: Tensor, threshold: float = 0.5) -> Pixels:
    """The mask (H, W): 1 where the probability of foreground is above the threshold."""
    mask = logits > math.log(threshold / (1 - threshold))
    return np.asarray(mask.to(torch.uint8).cpu().numpy())


def expected_iou(logits: Tensor, mask: Pixels) -> float:
    """Expected IoU (0 to 1) of the mask (H, W) if the probabilities (H, W) are calibrated; 0 for an empty mask.

    Σ p in the mask over its pixels and Σ p outside it: it ranks photographs by the certainty of the model.
    """
    probabilities = logits.double().sigmoid().cpu().numpy()
    inside = mask.astype(bool)
    outside = float(probabilities[~inside].sum())
    return float(probabilities[inside].sum()) / (int(inside.sum()) + outside) if inside.any() else 0.0


def _of_member(member: Member, photographs: Sequence[Pixels], tta: bool) -> list[Tensor]:
    squares = np.stack([pixels.to_square(photograph, member.side) for photograph in photographs])
    images = torch.from_numpy(squares).to(member.predictor.mean.device).permute(0, 3, 1, 2).float().div(255)
    logits = _over_symmetries(member.predictor, images) if tta else member.predictor.logits(images)
    return [resize(each, *photograph.shape[:2]) for each, photograph in zip(logits, photographs, strict=True)]


def _over_symmetries(predictor: Predictor, images: Tensor) -> Tensor:
    """Images (B, 3, S, S) → the logit of the mean probability (B, S, S), each turned back to its image's position."""
    total = torch.zeros_like(images[:, 0])
    for turns, mirrored in SYMMETRIES:
        turned = torch.rot90(images.flip(3) if mirrored else images, turns, (2, 3))
        back = torch.rot90(predictor.logits(turned).sigmoid(), -turns, (1, 2))
        total += back.flip(2) if mirrored else back
    return (total / len(SYMMETRIES)).logit(EPS)
