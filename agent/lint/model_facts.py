"""Facts about untrained models: whether they can be built, their size and their work. Remembered between calls.

A model is tried on torch's meta device, which takes milliseconds; to import torch and SMP takes seconds, and only
a model that was never asked about before pays them.
"""

import contextlib
import dataclasses
import functools
import hashlib
import importlib.metadata
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.config import Config
from agent.lifecycle import disk
from common.environment import CACHE, ROOT
from common.files import write_text

FACTS_FILE = CACHE / "lint-models.json"
MODELS_FOLDER = ROOT / "agent" / "training" / "models"

SIDE = 128
"""Pixels; work and memory are counted on an image of this side, or the only one that a model takes, and grow with the
area."""


@dataclass(frozen=True)
class Facts:
    """Facts about one model with two output channels, for one image of `SIDE` × `SIDE` pixels.

    `reason` says why it cannot be built and is empty if it can. `macs` are multiply-accumulates of a forward pass,
    `kept_bytes` the float32 tensors that a training step keeps for the backward pass, `buffers` the elements of the
    state dict that are not trained, `n_tensors` its entries. `imagenet` is the source of ImageNet weights: `package`,
    `hub`, or empty for none.
    """

    reason: str = ""
    n_parameters: int = 0
    buffers: int = 0
    n_tensors: int = 0
    macs: int = 0
    kept_bytes: int = 0
    imagenet: str = ""

    @property
    def checkpoint_bytes(self) -> int:
        return disk.checkpoint_bytes(self.n_parameters, self.buffers, self.n_tensors)

    def macs_at(self, image_size: int) -> float:
        """Multiply-accumulates of a forward pass of one image of that size."""
        return self.macs * image_size**2 / SIDE**2

    def training_bytes(self, image_size: int, batch_size: int) -> int:
        """Least memory of a training step in float32, bytes.

        Weights, gradients, Adam's two moments, and the tensors kept for the backward pass.
        """
        return 16 * self.n_parameters + self.kept_bytes * batch_size * image_size**2 // SIDE**2


def facts(config: Config) -> Facts:
    """The facts of the model that a configuration names, at its size."""
    return look_up(config.architecture, config.backbone, config.width, image_size=config.image_size)


@functools.cache
def look_up(
    architecture: str, backbone: str = "none", width: int = 64, cache: Path = FACTS_FILE, *, image_size: int = SIDE
) -> Facts:
    """The facts of a model, from the file `cache` if they are there, else by building it."""
    name = f"{architecture}/{backbone}" if backbone != "none" else f"{architecture}/{width}"
    if backbone.startswith("tu-"):  # some of timm's run at some sizes only; all others run at all
        name += f"/{image_size}"
    stamp = _stamp()
    content = _read(cache)
    if content.get("stamp") != stamp:
        content = {"stamp": stamp, "models": {}}
    if name not in content["models"]:
        content["models"][name] = dataclasses.asdict(probe(architecture, backbone, width, image_size))
        _write(cache, content)
    return Facts(**content["models"][name])


@functools.cache
def _stamp() -> str:
    """Changes when a library or our own models change."""
    versions = [importlib.metadata.version(name) for name in ("torch", "timm", "segmentation-models-pytorch")]
    code = [path.read_text() for path in sorted(MODELS_FOLDER.glob("*.py"))]
    return hashlib.sha256("\n".join([*versions, *code, Path(__file__).read_text()]).encode()).hexdigest()


def _read(cache: Path) -> dict[str, Any]:
    try:
        content = json.loads(cache.read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _write(cache: Path, content: dict[str, Any]) -> None:
    """Write the file in one step, if it can be; of two writers at once, the entries of the first are lost."""
    with contextlib.suppress(OSError):
        cache.parent.mkdir(parents=True, exist_ok=True)
        write_text(cache, json.dumps(content, indent=1))


def probe(architecture: str, backbone: str, width: int, image_size: int) -> Facts:
    """Build the model on the meta device, if it can live there, and count."""
    import torch

    from agent.training import models  # torch takes seconds to import
    from agent.training.models import smp  # torch takes seconds to import

    if architecture in models.BUILDERS:
        with torch.device("meta"):
            return count(models.BUILDERS[architecture](width))
    if reason := smp.failure_reason(architecture, backbone, image_size):
        return Facts(reason=reason)
    side = image_size if smp.failure_reason(architecture, backbone, SIDE) else SIDE
    facts = models.without_memory(lambda: count(models.build(architecture, backbone, image_size=image_size), side))
    return dataclasses.replace(facts, imagenet=_imagenet(backbone))


def count(model: Any, side: int = SIDE) -> Facts:
    """The facts of a model from images of `side` pixels, as if they had `SIDE`."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    device = next(model.parameters()).device
    n_parameters = sum(each.numel() for each in model.parameters())
    kept: dict[int, Any] = {}

    def keep(tensor: Any) -> Any:
        storage = tensor.untyped_storage()
        kept[storage._cdata] = storage
        return tensor

    images = torch.zeros(2, 3, side, side, device=device)
    own = {each.untyped_storage()._cdata for each in model.state_dict().values()}
    with FlopCounterMode(display=False) as flops, torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
        model(images)
    return Facts(
        n_parameters=n_parameters,
        buffers=sum(each.numel() for each in model.buffers()),
        n_tensors=len(model.state_dict()),
        macs=flops.get_total_flops() * SIDE**2 // (4 * side**2),
        kept_bytes=sum(each.nbytes() for name, each in kept.items() if name not in own) * SIDE**2 // (2 * side**2),
    )


def _imagenet(backbone: str) -> str:
    from agent.training.models import hub, weights  # torch takes seconds to import

    if backbone in weights.PACKAGED:
        return "package"
    return "hub" if backbone != "none" and hub.find_files(backbone) else ""
