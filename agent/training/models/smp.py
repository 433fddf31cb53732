"""SMP's U-Net and DeepLabV3+ behind one door, with combinations that cannot work refused before training."""

import contextlib
import difflib
import functools
import warnings

import segmentation_models_pytorch
import timm
import torch
from torch import nn

from agent.training.models import weights as imagenet

ARCHITECTURES: dict[str, type[nn.Module]] = {
    "unet": segmentation_models_pytorch.Unet,
    "deeplabv3plus": segmentation_models_pytorch.DeepLabV3Plus,
}

UNDILATABLE = ("vgg", "densenet", "inceptionresnetv2", "inceptionv4", "xception")
"""Beginnings of the names of SMP's native encoders that cannot be dilated, as DeepLabV3+ needs."""

TIMM = "tu-"
"""Beginning of SMP's names of timm's backbones."""

UNKNOWN = "no such backbone"

PROBE_SIDE = 64
"""Smallest side in pixels at which every architecture here has a feature map left at its deepest level."""


class CombinationError(ValueError):
    """The architecture cannot be built on the backbone, or not run; the text lists working backbones."""


def build(architecture: str, backbone: str, weights: str, image_size: int = PROBE_SIDE) -> nn.Module:
    """An SMP model with 2 output channels, for images of `image_size` pixels.

    Raises:
        CombinationError: the backbone is unknown, or does not work with this architecture or size.
        imagenet.WeightsError: ImageNet weights cannot be had.
    """
    check(architecture, backbone, image_size)
    if weights == "none":
        return _construct(architecture, backbone)
    return imagenet.load(lambda pretrained: _construct(architecture, backbone, pretrained), backbone)


def _construct(architecture: str, backbone: str, pretrained: bool = False) -> nn.Module:
    named = True if backbone.startswith(TIMM) else "imagenet"
    return ARCHITECTURES[architecture](
        encoder_name=backbone, encoder_weights=named if pretrained else None, in_channels=3, classes=2
    )


def check(architecture: str, backbone: str, image_size: int = PROBE_SIDE) -> None:
    """Build and run the combination on torch's meta device: milliseconds, no memory.

    A few encoders cannot live there and are built for real.

    Raises:
        CombinationError: with the backbones that do work.
    """
    if reason := failure_reason(architecture, backbone, image_size):
        working = working_backbones(architecture)
        names = [*working, *(f"{TIMM}{name}" for name in timm.list_models())]
        near = difflib.get_close_matches(backbone, names, n=1) if reason == UNKNOWN else []
        hint = f" Did you mean {near[0]}?" if near else ""
        raise CombinationError(
            f"{architecture} cannot be built on backbone {backbone!r} ({reason}).{hint} "
            f"It can be built on: {', '.join(working)}; and on many of timm's under the name {TIMM}NAME"
        )


@functools.cache
def failure_reason(architecture: str, backbone: str, image_size: int = PROBE_SIDE) -> str:
    """The reason why the combination fails at a size, in one line; empty if it works."""
    if not _exists(backbone):
        return UNKNOWN
    reason = _attempt(architecture, backbone, image_size)
    if reason and (size := _own_size(backbone)) and not _attempt(architecture, backbone, size):
        return f"{reason}; it works at image_size {size}"
    return reason


def _exists(backbone: str) -> bool:
    """Whether the backbone exists; timm would look up an unknown name on the model hub, or take it for a folder."""
    if backbone.startswith(TIMM):
        return timm.is_model(backbone.removeprefix(TIMM))
    return backbone in native_backbones()


def _own_size(backbone: str) -> int:
    """Side in pixels of the images that a backbone of timm was made for; 0 if a run cannot have them."""
    with contextlib.suppress(RuntimeError):  # no such pretrained tag
        settings = timm.models.get_pretrained_cfg(backbone.removeprefix(TIMM))
        return settings.input_size[1] if settings and settings.input_size[1] % 16 == 0 else 0
    return 0


@functools.cache
def _attempt(architecture: str, backbone: str, side: int) -> str:
    """Error with images of `side` pixels; empty if they give logits of that size."""
    reason = _failure(architecture, backbone, side, "meta")
    if "meta tensor" not in reason:
        return reason
    return _failure(architecture, backbone, side if backbone.startswith(TIMM) else PROBE_SIDE, "cpu")


def _failure(architecture: str, backbone: str, side: int, device: str) -> str:
    random_state = torch.get_rng_state()
    try:
        with torch.device(device), torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            logits = _construct(architecture, backbone)(torch.zeros(2, 3, side, side))
    except Exception as error:  # a thousand backbones, each with its own errors
        return " ".join(str(error).split())[:160].rstrip(".") or type(error).__name__
    finally:
        torch.set_rng_state(random_state)
    wanted = (2, 2, side, side)
    return "" if logits.shape == wanted else f"its logits have the shape {tuple(logits.shape)}, not {wanted}"


def native_backbones() -> tuple[str, ...]:
    """The encoders that SMP itself defines (timm's come as `tu-NAME`)."""
    return tuple(segmentation_models_pytorch.encoders.get_encoder_names())


def working_backbones(architecture: str) -> tuple[str, ...]:
    """Backbones with packaged weights, and SMP's native ones, on which the architecture can be built."""
    names = [*imagenet.PACKAGED, *native_backbones()]
    undilatable = UNDILATABLE if architecture == "deeplabv3plus" else ()
    return tuple(name for name in names if not name.startswith(undilatable))
