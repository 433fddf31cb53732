"""SMP's U-Net and DeepLabV3+ behind one door, with combinations that cannot work refused before training."""

import difflib
import functools
import warnings

import segmentation_models_pytorch
import torch
from torch import nn

from agent.models import weights as imagenet

ARCHITECTURES: dict[str, type[nn.Module]] = {
    "unet": segmentation_models_pytorch.Unet,
    "deeplabv3plus": segmentation_models_pytorch.DeepLabV3Plus,
}

UNDILATABLE = ("vgg", "densenet", "inceptionresnetv2", "inceptionv4", "xception")
"""Beginnings of the names of SMP's native encoders that cannot be dilated, as DeepLabV3+ needs."""

PROBE_SIDE = 64
"""Pixels; the smallest side at which every architecture here has a feature map left at its deepest level."""


BUILD_ERRORS = (
    KeyError,
    NotImplementedError,
    RuntimeError,
    TypeError,
    ValueError,
    AttributeError,
    AssertionError,
)
"""What SMP and timm raise for models that cannot be built; `why_not` puts it in words."""


class CombinationError(ValueError):
    """The architecture cannot be built on the backbone; the text lists those on which it can."""


def build(architecture: str, backbone: str, weights: str) -> nn.Module:
    """An SMP model with 2 output channels.

    Raises:
        CombinationError: the backbone is unknown, or does not work with this architecture.
        imagenet.WeightsError: ImageNet weights cannot be had.
    """
    check(architecture, backbone)
    if weights == "none":
        return _construct(architecture, backbone)
    return imagenet.load(lambda pretrained: _construct(architecture, backbone, pretrained), backbone)


def _construct(architecture: str, backbone: str, pretrained: bool = False) -> nn.Module:
    named = True if backbone.startswith("tu-") else "imagenet"
    return ARCHITECTURES[architecture](
        encoder_name=backbone, encoder_weights=named if pretrained else None, in_channels=3, classes=2
    )


def check(architecture: str, backbone: str) -> None:
    """Build and run the combination on torch's meta device, which costs milliseconds and no memory
    (a few encoders cannot live there and are built for real).

    Raises:
        CombinationError: with the backbones that do work.
    """
    if reason := why_not(architecture, backbone):
        working = working_backbones(architecture)
        near = difflib.get_close_matches(backbone, working, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise CombinationError(
            f"{architecture} cannot be built on backbone {backbone!r} ({reason}).{hint} "
            f"It can be built on: {', '.join(working)}; and on many of timm's under the name tu-NAME"
        )


@functools.cache
def why_not(architecture: str, backbone: str) -> str:
    """The reason why the combination fails, in one line; empty if it works."""
    if not backbone.startswith("tu-") and backbone not in native_backbones():
        return "no such backbone"
    reason = _attempt(architecture, backbone, "meta")
    return _attempt(architecture, backbone, "cpu") if "meta tensors" in reason else reason


def _attempt(architecture: str, backbone: str, device: str) -> str:
    random_state = torch.get_rng_state()
    try:
        with torch.device(device), torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _construct(architecture, backbone)(torch.zeros(2, 3, PROBE_SIDE, PROBE_SIDE))
    except BUILD_ERRORS as error:
        return " ".join(str(error).split())[:160] or type(error).__name__
    finally:
        torch.set_rng_state(random_state)
    return ""


def native_backbones() -> tuple[str, ...]:
    """The encoders that SMP itself defines (timm's come as `tu-NAME`)."""
    return tuple(segmentation_models_pytorch.encoders.get_encoder_names())


def working_backbones(architecture: str) -> tuple[str, ...]:
    """Backbones with packaged weights, and SMP's native ones, on which the architecture can be built."""
    names = [*imagenet.PACKAGED, *native_backbones()]
    undilatable = UNDILATABLE if architecture == "deeplabv3plus" else ()
    return tuple(name for name in names if not name.startswith(undilatable))
