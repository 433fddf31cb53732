"""The best weights of a run by each rule: kept on disk while training, uploaded at the end, loaded again."""

import dataclasses
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import wandb
from torch import Tensor

from agent.config import SCRATCH_ARCHITECTURES, Config
from agent.lifecycle import torch_file
from agent.lifecycle.torch_file import BadFile
from common.keys import RULES, Rule
from data.pixels import Range

CHECKPOINT_FILE = re.compile(r"epoch-\d{4,}\.pt")
"""Names of checkpoint files."""


def lab_rule(architecture: str) -> Rule:
    """Rule of the lab's test checkpoint: best validation IoU for the U-Nets from scratch, validation loss for SMP."""
    return "best_iou" if architecture in SCRATCH_ARCHITECTURES else "best_loss"


@dataclass(frozen=True)
class Checkpoint:
    """File of the best weights by one rule, and their scores on the validation images.

    `bn_gap` and `bn_repaired` are results of `agent.training.batchnorm`; `bn_gap` is None without BatchNorm.
    """

    path: Path
    epoch: int
    val_loss: float
    val_iou: float
    bn_gap: float | None = None
    bn_repaired: bool = False

    def is_improved_by(self, rule: Rule, val_loss: float, val_iou: float) -> bool:
        """Whether scores of a later epoch are better by `rule`; NaN is the worst loss."""
        if rule == "best_iou":
            return val_iou > self.val_iou
        return val_loss < self.val_loss or (math.isnan(self.val_loss) and not math.isnan(val_loss))


class BestCheckpoints:
    """The epochs that are the best by some rule so far; their weights are the only ones kept in `folder`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.kept: dict[Rule, Checkpoint] = {}

    def improved_rules(self, val_loss: float, val_iou: float) -> list[Rule]:
        """The rules by which these scores are the first or the best so far; ties go to the earlier epoch."""
        return [r for r in RULES if r not in self.kept or self.kept[r].is_improved_by(r, val_loss, val_iou)]

    def update(
        self, epoch: int, val_loss: float, val_iou: float, bn_gap: float | None = None, bn_repaired: bool = False
    ) -> Path | None:
        """File for the weights of this epoch; None if they are no improvement by any rule."""
        improved = self.improved_rules(val_loss, val_iou)
        path = self.folder / f"epoch-{epoch:04d}.pt"
        self.kept.update(dict.fromkeys(improved, Checkpoint(path, epoch, val_loss, val_iou, bn_gap, bn_repaired)))
        return path if improved else None


def prune(folder: Path, kept: Iterable[Path]) -> None:
    """Delete the weights of all other epochs from `folder`, and files half written by a crash."""
    spared = set(kept)
    for path in (*folder.glob("epoch-*.pt"), *folder.glob("*.unfinished")):
        if path not in spared and not path.is_dir():
            path.unlink()


def save(path: Path, weights: Mapping[str, Tensor], config: Config, pixel_range: Range | None = None) -> None:
    """Write weights, config and the `pixel_range` of the training images to `path`; see `torch_file.write`."""
    content = {"state_dict": dict(weights), "config": dataclasses.asdict(config), "pixel_range": pixel_range}
    torch_file.write(path, content)


def load(path: Path) -> tuple[dict[str, Tensor], Config]:
    """State dict, on the CPU, and config of a checkpoint file; nothing in the file is executed.

    Raises BadFile: it cannot be read, or is no checkpoint of agent.train.
    """
    content = torch_file.read(path)
    if not isinstance(content, dict) or not {"state_dict", "config"} <= content.keys():
        raise BadFile("is no checkpoint of agent.train: it has no state_dict with a config beside it")
    weights = content["state_dict"]
    if not isinstance(weights, dict) or not all(isinstance(each, Tensor) for each in weights.values()):
        raise BadFile("is no checkpoint of agent.train: its state_dict holds more than tensors")
    try:
        return weights, Config(**content["config"])
    except (TypeError, ValueError) as error:
        raise BadFile(f"has a config of another version ({error})") from None


def load_pixel_range(path: Path) -> Range | None:
    """The pixel values that became 0 and 255 in the training images of a checkpoint; None if they had 8 bits.

    Raises BadFile: it cannot be read, or has a range that is none.
    """
    content = torch_file.read(path)
    try:
        low_and_high = content.get("pixel_range")
        return low_and_high and (float(low_and_high[0]), float(low_and_high[1]))
    except (AttributeError, TypeError, ValueError, IndexError):
        raise BadFile("has a pixel_range that is none") from None


def log(run: wandb.Run, best: BestCheckpoints, metadata: dict[str, Any]) -> wandb.Artifact:
    """Log the kept files as the model Artifact of the run; the upload goes on in the background."""
    artifact = wandb.Artifact(f"model-{run.id}", type="model", metadata=metadata)
    for path in sorted({kept.path for kept in best.kept.values()}):
        artifact.add_file(str(path), name=path.name, policy="immutable", skip_cache=True)
    return run.log_artifact(artifact, aliases=["best", "best-loss", "best-iou"])
