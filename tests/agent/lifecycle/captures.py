"""What a run would save after an epoch, without a run."""

from typing import Any

import torch
from torch import Tensor, nn


def weights(epoch: int) -> dict[str, Tensor]:
    return {"w": torch.full((3,), float(epoch))}


def capture(epoch: int) -> dict[str, Any]:
    return {"model": weights(epoch), "optimizer": {}, "random": torch.get_rng_state(), "random_cuda": []}


class Model(nn.Module):
    """Takes these weights."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.zeros(3))
