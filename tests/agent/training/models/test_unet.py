"""The U-Net against the figure of the paper."""

from typing import Literal

import pytest
import torch
from torch import Tensor, nn

from agent.training.models import unet
from agent.training.models.unet import UNet

Variant = Literal["transposed", "bilinear"]
VARIANTS: tuple[Variant, ...] = ("transposed", "bilinear")
DOWN = [(64, 512), (128, 256), (256, 128), (512, 64), (1024, 32)]
UP = [(512, 64), (256, 128), (128, 256), (64, 512)]


def feature_maps(model: UNet, image: Tensor) -> list[tuple[int, ...]]:
    """Shapes after every level, contracting path first."""
    shapes: list[tuple[int, ...]] = []

    def note(module: nn.Module, inputs: object, output: Tensor) -> None:
        shapes.append(tuple(output.shape))

    for level in [*model.down, *model.up]:
        level.register_forward_hook(note)
    model(image)
    return shapes


@pytest.mark.parametrize("variant", VARIANTS)
def test_feature_maps_are_those_of_the_paper_with_same_padding(variant: Variant) -> None:
    with torch.device("meta"):
        shapes = feature_maps(UNet(variant), torch.empty(1, 3, 512, 512))
    assert shapes == [(1, channels, side, side) for channels, side in DOWN + UP]


@pytest.mark.parametrize(("variant", "parameters"), [("transposed", 31_037_698), ("bilinear", 28_948_738)])
def test_parameter_counts_are_the_stated_ones(variant: Variant, parameters: int) -> None:
    with torch.device("meta"):
        assert sum(p.numel() for p in UNet(variant).parameters()) == parameters
    assert f"{parameters:,}" in str(unet.__doc__)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_two_probabilities_of_a_pixel_sum_to_one(variant: Variant) -> None:
    logits = UNet(variant, width=4)(torch.randn(2, 3, 48, 80))
    assert logits.shape == (2, 2, 48, 80)
    torch.testing.assert_close(logits.softmax(dim=1).sum(dim=1), torch.ones(2, 48, 80))


@pytest.mark.parametrize(("variant", "layer"), [("transposed", nn.ConvTranspose2d), ("bilinear", nn.Upsample)])
def test_a_variant_upsamples_its_own_way(variant: Variant, layer: type[nn.Module]) -> None:
    found = [m for m in UNet(variant, width=4).modules() if isinstance(m, (nn.ConvTranspose2d, nn.Upsample))]
    assert [type(m) for m in found] == [layer] * 4
    for each in found:
        if isinstance(each, nn.ConvTranspose2d):
            assert (each.kernel_size, each.stride) == ((2, 2), (2, 2))
        else:
            assert (each.mode, each.scale_factor) == ("bilinear", 2)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_parameter_gets_a_gradient(variant: Variant) -> None:
    model = UNet(variant, width=4)
    model(torch.randn(2, 3, 32, 32)).square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for n, p in model.named_parameters() if "bias" not in n)
