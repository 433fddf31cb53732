"""Architectures by name. `build` makes every model of the study: (B, 3, H, W) images → (B, 2, H, W) logits."""

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import nn

from agent.training.models import smp
from agent.training.models.unet import UNet

T = TypeVar("T")

BUILDERS: dict[str, Callable[[int], nn.Module]] = {
    "unet_transposed": lambda width: UNet("transposed", width),
    "unet_bilinear": lambda width: UNet("bilinear", width),
}
"""The two U-Nets written here; they have a width and no backbone."""


def build(
    architecture: str, backbone: str = "none", weights: str = "none", width: int = 64, image_size: int = smp.PROBE_SIDE
) -> nn.Module:
    """The model that a configuration names, its new parameters drawn from torch's global generator.

    An SMP model is tried on images of `image_size` pixels: some of timm's backbones take a single size.

    Raises:
        smp.CombinationError: the architecture cannot be built on this backbone, or not run at this size.
        weights.WeightsError: ImageNet weights were asked for and cannot be had.
    """
    if architecture in BUILDERS:
        return BUILDERS[architecture](width)
    return smp.build(architecture, backbone, weights, image_size)


def without_memory(make: Callable[[], T]) -> T:
    """The value of `make` on torch's meta device, or with memory if something in it cannot live there.

    The global generator is left as it was.
    """
    with torch.random.fork_rng(devices=[]):
        try:
            with torch.device("meta"):
                return make()
        except (NotImplementedError, RuntimeError):
            return make()
