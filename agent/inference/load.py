"""A trained model to use: from a checkpoint file, or from the model Artifact of a run."""

import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import wandb
from torch import Tensor, nn
from wandb.errors import Error as ClientError
from wandb.sdk.lib.service.service_connection import WandbApiFailedError

from agent.config import Config
from agent.lifecycle import checkpoints, state
from agent.lifecycle.checkpoints import CHECKPOINT_FILE
from agent.lifecycle.torch_file import BadFile
from agent.training import models
from agent.training.loop import IMAGENET_MEAN, IMAGENET_STD, foreground
from agent.training.models.smp import CombinationError
from common.environment import private_wandb
from common.keys import RULES, Rule
from common.names import BadName, check_name
from common.wandb_api import CLOUD, BadAddress, ServerUnavailable, check_answers, server_address
from data.pixels import Range

ARTIFACT = re.compile(r"(?P<path>[^/:]+/[^/:]+/[^/:]+)(:(?P<alias>[^/:]+))?")


class ModelError(ValueError):
    """A model cannot be had; the text has its name, the reason and the remedy."""


@dataclass(frozen=True)
class TrainedModel:
    """Weights on the CPU, their configuration, their origin in words, and their range of pixels.

    `pixel_range` holds the two values that became 0 and 255 in training images of more than 8 bits.
    """

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
        return self.logits(images).sigmoid()

    def logits(self, images: Tensor) -> Tensor:
        """Logits of the foreground (B, S, S); 0 is a probability of 0.5."""
        return foreground(self.model((images - self.mean) / self.std))


def find(name: str, rule: Rule | None = None, environ: Mapping[str, str] = os.environ) -> TrainedModel:
    """The model that `name` means: a checkpoint file, or an Artifact ENTITY/PROJECT/model-RUN_ID[:ALIAS].

    An Artifact holds the best weights by each rule: `rule` chooses, else the alias `best-loss` or `best-iou`, else the
    rule by which the lab tests this architecture (docs/runs.md).

    Raises:
        ModelError: no such file or Artifact, no key, no server, or a file that is no checkpoint.
    """
    path = Path(name)
    if not name or "\0" in name:
        raise ModelError(f"{name!r} is no name of a file")
    if path.is_dir():
        inside = ", ".join(sorted(each.name for each in path.glob("*.pt"))) or "it has none"
        raise ModelError(f"{name} is a folder: name one checkpoint file in it ({inside})")
    if path.exists():
        if rule:
            raise ModelError(f"--rule chooses among the files of an Artifact, but {name} is a file: leave it out")
        return _load(path, name)
    matched = ARTIFACT.fullmatch(name)
    if not matched or path.suffix == ".pt" or path.is_symlink():
        raise ModelError(
            f"{name} is no file, and no Artifact either: give a checkpoint such as epoch-0012.pt, "
            f"or ENTITY/PROJECT/model-RUN_ID:best"
        )
    _check_names(matched["path"], ("entity", "project", "Artifact"))
    with tempfile.TemporaryDirectory(prefix="model-") as folder:
        return _from_artifact(matched["path"], matched["alias"] or "best", rule, environ, Path(folder))


def expand_name(name: str, environ: Mapping[str, str] = os.environ) -> list[str]:
    """Names for `find`: the name itself, or of ENTITY/PROJECT/SWEEP/MODEL the Artifacts of all finished runs.

    Raises:
        ModelError: no such sweep, or no finished run of that model in it.
    """
    parts = name.split("/")
    if Path(name).exists() or len(parts) < 4 or ":" in name or Path(name).suffix == ".pt":
        return [name]
    path, model = "/".join(parts[:3]), "/".join(parts[3:])
    _check_names(path, ("entity", "project", "sweep"))
    with tempfile.TemporaryDirectory(prefix="model-") as folder:
        base_url, key = _login(environ)
        _keep_out_of_home(Path(folder))
        try:
            runs = list(wandb.Api(overrides={"base_url": base_url}, api_key=key).sweep(path).runs)
        except (ClientError, WandbApiFailedError, ValueError, TimeoutError) as error:
            raise ModelError(f"the sweep {path} cannot be read from {base_url}: {error}") from error
    finished = [run for run in runs if run.state == "finished"]
    own = [f"{'/'.join(parts[:2])}/model-{run.id}:best" for run in finished if run.config.get("model") == model]
    if not own:
        names = ", ".join(sorted({str(run.config.get("model")) for run in finished})) or "none at all"
        raise ModelError(f"the sweep {path} has no finished run of {model}; it has {names}")
    return sorted(own)


def build(saved: TrainedModel, device: torch.device) -> Predictor:
    """The model in evaluation mode on a device.

    Raises:
        ModelError: the weights do not fit the architecture that their configuration names.
    """
    config = saved.config
    try:
        with torch.device("meta"):
            reason = state.differences(saved.state, _model(config))
    except (NotImplementedError, RuntimeError):
        reason = ""  # it cannot live on the meta device; the real one will tell
    except CombinationError as error:
        reason = str(error)
    if reason:
        raise ModelError(f"the weights of {saved.source} do not fit {config.model}: {reason}")
    try:
        model = _model(config)
        model.load_state_dict(saved.state)
        return Predictor(model).to(device).eval()
    except (RuntimeError, NotImplementedError, MemoryError, CombinationError) as error:
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise ModelError(f"{saved.source} cannot be loaded as {config.model}: {reason}") from error


def _model(config: Config) -> nn.Module:
    return models.build(config.architecture, config.backbone, "none", config.width, config.image_size)


def _load(path: Path, source: str) -> TrainedModel:
    try:
        weights, config = checkpoints.load(path)
        pixel_range = checkpoints.load_pixel_range(path)
    except BadFile as error:
        raise ModelError(f"{source} {error}: give a checkpoint such as epoch-0012.pt") from None
    bad = [name for name, each in weights.items() if each.is_floating_point() and not _is_finite(each)]
    if bad:
        raise ModelError(
            f"{source} has weights that are NaN or infinite ({len(bad)} of {len(weights)} tensors, first {bad[0]}): "
            f"its training diverged; take another checkpoint"
        )
    return TrainedModel(weights, config, source, pixel_range)


def _is_finite(weights: Tensor) -> bool:
    """Whether all values are finite; True for tensors without plain values, such as sparse ones (`build` refuses)."""
    return weights.is_meta or weights.layout is not torch.strided or bool(weights.isfinite().all())


def _from_artifact(path: str, alias: str, rule: Rule | None, environ: Mapping[str, str], folder: Path) -> TrainedModel:
    base_url, key = _login(environ)
    _keep_out_of_home(folder)
    try:
        artifact = wandb.Api(overrides={"base_url": base_url}, api_key=key).artifact(f"{path}:{alias}")
        rule_name = rule or _rule(alias, artifact.metadata)
        file = _file(artifact.metadata, rule_name, f"{path}:{alias}")
        entry = artifact.get_entry(file)
        if entry.ref is not None:
            raise ModelError(f"{path}:{alias} only refers to {entry.ref}: log the file itself")
        local = entry.download(root=str(folder), skip_cache=True)
    except (ClientError, WandbApiFailedError, ValueError, KeyError, OSError, TimeoutError) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(f"{path}:{alias} cannot be fetched from {base_url}: {error}") from error
    return _load(Path(local), f"{path}:{artifact.version}/{file} ({rule_name})")


def _login(environ: Mapping[str, str]) -> tuple[str, str]:
    """Address and key of a server that answers. Raises ModelError."""
    try:
        base_url = server_address(environ.get("WANDB_BASE_URL") or CLOUD)
    except BadAddress as error:
        raise ModelError(f"WANDB_BASE_URL: {error}") from None
    key = environ.get("WANDB_API_KEY")
    if not key:
        raise ModelError(f"no key for {base_url}: set WANDB_API_KEY (and WANDB_BASE_URL unless it is the W&B cloud)")
    try:
        check_answers(base_url)
    except ServerUnavailable as error:
        raise ModelError(str(error)) from None
    return base_url, key


def _check_names(path: str, kinds: Sequence[str]) -> None:
    try:
        for kind, part in zip(kinds, path.split("/"), strict=True):
            check_name(kind, part)
    except BadName as error:
        raise ModelError(str(error)) from None


def _rule(alias: str, metadata: Mapping[str, Any]) -> str:
    named = alias.replace("-", "_")
    return named if named in RULES else str(metadata.get("rule", ""))


def _file(metadata: Mapping[str, Any], rule: str, name: str) -> str:
    files = metadata.get("files")
    if not isinstance(files, dict) or not CHECKPOINT_FILE.fullmatch(str(files.get(rule))):
        raise ModelError(
            f"{name} is no model Artifact of agent.train: its metadata name no file for {rule or 'a rule'}"
        )
    return str(files[rule])


def _keep_out_of_home(folder: Path) -> None:
    """Keep the client away from the person's own settings, to read or to write: only the environment's key counts."""
    for name, value in (private_wandb(folder) | {"WANDB_SILENT": "true"}).items():
        os.environ.setdefault(name, value)
