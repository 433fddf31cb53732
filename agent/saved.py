"""A trained model to use: from a checkpoint file, or from the model Artifact of a run."""

import os
import pickle
import re
import tempfile
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import wandb
from torch import Tensor, nn
from wandb.errors import Error as ClientError
from wandb.sdk.lib.service.service_connection import WandbApiFailedError

from agent import checkpoint, models
from agent.checkpoint import RULES, Rule
from agent.config import Config, ConfigError
from agent.loop import IMAGENET_MEAN, IMAGENET_STD
from agent.models.smp import CombinationError
from data.pixels import Range

CLOUD = "https://api.wandb.ai"
ARTIFACT = re.compile(r"(?P<path>[^/:]+/[^/:]+/[^/:]+)(:(?P<alias>[^/:]+))?")
NOT_A_CHECKPOINT = (pickle.UnpicklingError, RuntimeError, EOFError, KeyError, TypeError, ConfigError)


class ModelError(ValueError):
    """The model cannot be had; the text says which, why, and what to do."""


@dataclass(frozen=True)
class Saved:
    """Weights on the CPU, the configuration they were trained with, where they come from, in words, and what became 0
    and 255 in the training images, if these had more than 8 bits."""

    state: dict[str, Tensor]
    config: Config
    source: str
    pixel_range: Range | None = None


class Predictor(nn.Module):
    """RGB images (B, 3, S, S) from 0 to 1 → probability of foreground (B, S, S); S is the model's `image_size`."""

    mean: Tensor
    std: Tensor

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.model((images - self.mean) / self.std)
        return logits.softmax(dim=1)[:, 1]


def find(name: str, rule: Rule | None = None, environ: Mapping[str, str] = os.environ) -> Saved:
    """The model that `name` means: a checkpoint file, or an Artifact ENTITY/PROJECT/model-RUN_ID[:ALIAS].

    An Artifact holds the best weights by each rule: `rule` chooses, else the alias `best-loss` or `best-iou`, else the
    rule by which the lab tests this architecture (docs/runs.md).

    Raises:
        ModelError: no such file or Artifact, no key, no server, or a file that is no checkpoint.
    """
    path = Path(name)
    if path.is_dir():
        inside = ", ".join(sorted(each.name for each in path.glob("*.pt"))) or "it has none"
        raise ModelError(f"{name} is a folder: name one checkpoint file in it ({inside})")
    if path.exists():
        if rule:
            raise ModelError(
                f"--rule chooses among the files of an Artifact, but {name} is a file: leave it out"
            )
        return _load(path, name)
    matched = ARTIFACT.fullmatch(name)
    if not matched or path.suffix == ".pt":
        raise ModelError(
            f"{name} is no file, and no Artifact either: give a checkpoint such as epoch-0012.pt, "
            f"or ENTITY/PROJECT/model-RUN_ID:best"
        )
    with tempfile.TemporaryDirectory(prefix="model-") as folder:
        return _from_artifact(matched["path"], matched["alias"] or "best", rule, environ, Path(folder))


def build(saved: Saved, device: torch.device) -> Predictor:
    """The model in evaluation mode on a device.

    Raises:
        ModelError: the weights do not fit the architecture that their configuration names.
    """
    config = saved.config
    try:
        model = models.build(config.architecture, config.backbone, "none", config.width)
        model.load_state_dict(saved.state)
    except (RuntimeError, CombinationError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ModelError(f"the weights of {saved.source} do not fit {config.model}: {reason}") from error
    return Predictor(model).to(device).eval()


def _load(path: Path, source: str) -> Saved:
    try:
        state, config = checkpoint.load(path)
        pixel_range = checkpoint.load_pixel_range(path)
    except OSError as error:
        raise ModelError(f"{source} cannot be read: {error.strerror or error}") from error
    except NOT_A_CHECKPOINT as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".:")
        raise ModelError(
            f"{source} is no checkpoint of agent.train, or one of another version ({reason:.160}): train it anew"
        ) from error
    return Saved(state, config, source, pixel_range)


def _from_artifact(
    path: str, alias: str, rule: Rule | None, environ: Mapping[str, str], folder: Path
) -> Saved:
    base_url, key = environ.get("WANDB_BASE_URL", CLOUD).rstrip("/"), environ.get("WANDB_API_KEY")
    if not key:
        raise ModelError(
            f"no key for {base_url}: set WANDB_API_KEY (and WANDB_BASE_URL unless it is the W&B cloud)"
        )
    _check_server(base_url)
    _keep_out_of_home(folder)
    try:
        artifact = wandb.Api(overrides={"base_url": base_url}, api_key=key).artifact(f"{path}:{alias}")
        wanted = rule or _rule(alias, artifact.metadata)
        file = _file(artifact.metadata, wanted, f"{path}:{alias}")
        local = artifact.get_entry(file).download(root=str(folder), skip_cache=True)
    except (ClientError, WandbApiFailedError, ValueError, KeyError, OSError, TimeoutError) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(f"{path}:{alias} cannot be fetched from {base_url}: {error}") from error
    return _load(Path(local), f"{path}:{artifact.version}/{file} ({wanted})")


def _rule(alias: str, metadata: Mapping[str, Any]) -> str:
    named = alias.replace("-", "_")
    return named if named in RULES else str(metadata.get("rule", ""))


def _file(metadata: Mapping[str, Any], rule: str, name: str) -> str:
    files = metadata.get("files")
    if not isinstance(files, dict) or rule not in files:
        raise ModelError(
            f"{name} is no model Artifact of agent.train: its metadata name no file for {rule or 'a rule'}"
        )
    return str(files[rule])


def _check_server(base_url: str, timeout: float = 10.0) -> None:
    try:
        urllib.request.urlopen(base_url, timeout=timeout).close()
    except urllib.error.HTTPError as error:
        error.close()
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise ModelError(
            f"no server answers at {base_url} ({reason}): start the embedded one with `make serve`, or correct "
            f"WANDB_BASE_URL"
        ) from error


def _keep_out_of_home(folder: Path) -> None:
    """Only the environment's key counts: the client neither reads the person's own settings nor writes beside them."""
    for name in ("WANDB_CACHE_DIR", "WANDB_DATA_DIR", "WANDB_DIR", "WANDB_CONFIG_DIR", "WANDB_ARTIFACT_DIR"):
        os.environ.setdefault(name, str(folder))
    os.environ.setdefault("NETRC", str(folder / "netrc"))
    os.environ.setdefault("WANDB_SILENT", "true")
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
