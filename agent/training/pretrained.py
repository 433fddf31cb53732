"""Weights of a whole model, backbone and decoder, that an earlier run learned from drawings, as a W&B Artifact.

A run on `drawn:SEED:N` that begins with random weights logs its best ones as `drawn-MODEL` (sweeps/pretrain.yaml); runs
with `weights: drawn` use the latest version of it, and the lineage of both shows which.
"""

import tempfile
from pathlib import Path
from typing import Any

import wandb
from torch import nn
from wandb.errors import Error as ClientError
from wandb.sdk.lib.service.service_connection import WandbApiFailedError

from agent.config import SCRATCH_ARCHITECTURES, Config
from agent.lifecycle import checkpoints, state
from agent.lifecycle.torch_file import BadFile
from agent.training.models import weights
from agent.training.models.weights import WeightsError
from common.drawn_data import n_drawings

WEIGHTS_FILE = "weights.pt"


def artifact_name(config: Config) -> str:
    """One name per architecture and backbone, and per width if there is one."""
    own = f"width-{config.width}" if config.architecture in SCRATCH_ARCHITECTURES else config.backbone
    return f"drawn-{config.architecture}-{own}"


def makes_weights(config: Config) -> bool:
    """Whether the run makes such weights."""
    return config.weights == "none" and n_drawings(config.data) > 0


def log(run: wandb.Run, best: Path, config: Config, metadata: dict[str, Any]) -> wandb.Artifact:
    """Log the checkpoint `best` as the weights of the model; the upload goes on in the background."""
    artifact = wandb.Artifact(artifact_name(config), type="model", metadata=metadata)
    artifact.add_file(str(best), name=WEIGHTS_FILE, policy="immutable", skip_cache=True)
    return run.log_artifact(artifact)


def load_initial_weights(run: wandb.Run, model: nn.Module, config: Config) -> str:
    """Load the Artifact of `weights: drawn`, if set, into the model; returns the source of the weights in words.

    Raises:
        WeightsError: there is no server, no such Artifact, or it is of another model.
    """
    name = artifact_name(config)
    if config.weights != "drawn":
        return weights.source(config.backbone) if config.weights == "imagenet" else "none"
    if run.offline:
        raise WeightsError(f"weights drawn are the Artifact {name}, which needs a server: unset WANDB_MODE")
    try:
        artifact = run.use_artifact(f"{name}:latest", type="model")
        with tempfile.TemporaryDirectory(prefix="weights-") as folder:
            path = Path(artifact.get_entry(WEIGHTS_FILE).download(root=folder, skip_cache=True))
            learned, _ = checkpoints.load(path)
    except (ClientError, WandbApiFailedError, ValueError, KeyError, OSError, BadFile) as error:
        raise WeightsError(
            f"no weights drawn of {config.model}: {run.entity}/{run.project}/{name} cannot be had "
            f"({' '.join(str(error).split()).rstrip('.')}); make it with sweeps/pretrain.yaml in the same project"
        ) from None
    if reason := state.differences(learned, model):
        raise WeightsError(f"the weights in {name} do not fit {config.model}: {reason}")
    model.load_state_dict(learned)
    return f"artifact {name}:{artifact.version}"
