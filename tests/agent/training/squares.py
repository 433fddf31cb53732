"""Bright squares, learnt in seconds: a tiny data set and a model that is trained on it."""

import numpy as np
import torch
from torch import nn

from agent.training.loader import CPU, make_loader
from agent.training.loop import train_epoch
from agent.training.models.unet import UNet
from data.augment import Augmenter
from data.dataset import Pair


def squares(n: int, side: int = 32, seed: int = 0) -> tuple[Pair, ...]:
    """Bright squares on a dark noisy ground."""
    rng = np.random.default_rng(seed)
    pairs = []
    for number in range(n):
        mask = np.zeros((side, side), np.uint8)
        top, left = rng.integers(2, side // 2, 2)
        mask[top : top + side // 3, left : left + side // 3] = 1
        image = rng.integers(0, 90, (side, side, 3)) + mask[..., None] * 150
        pairs.append(Pair(f"square-{number}", image.astype(np.uint8), mask))
    return tuple(pairs)


def step(model: nn.Module, optimizer: torch.optim.Optimizer, pairs: tuple[Pair, ...], epoch: int = 1) -> float:
    """One epoch without augmentation; its loss."""
    same = Augmenter("none", 32, seed=1)
    return train_epoch(model, optimizer, make_loader(pairs, same, 2, 1, range(epoch, epoch + 1)))[0]


def trained(seed: int, epochs: int = 30, device: torch.device = CPU) -> tuple[UNet, list[float]]:
    torch.manual_seed(seed)
    model = UNet("transposed", width=4).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    augment = Augmenter("light", 32, seed)
    losses = [
        train_epoch(model, optimizer, make_loader(squares(6), augment, 2, seed, range(epoch, epoch + 1), device))[0]
        for epoch in range(1, epochs + 1)
    ]
    return model, losses
