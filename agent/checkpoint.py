"""The best weights of a run by each rule: kept on disk while training, uploaded at the end, loaded again."""

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
import wandb
from torch import Tensor, nn

from agent.config import SCRATCH, Config

Rule = Literal["best_loss", "best_iou"]
RULES: tuple[Rule, ...] = ("best_loss", "best_iou")


def lab_rule(architecture: str) -> Rule:
    """Which checkpoint the lab tests: best validation IoU for the U-Nets from scratch, best validation loss for SMP."""
    return "best_iou" if architecture in SCRATCH else "best_loss"


@dataclass(frozen=True)
class Kept:
    """Where the best weights by one rule lie, and how they did on the validation images."""

    path: Path
    epoch: int
    val_loss: float
    val_iou: float

    def beaten_by(self, rule: Rule, val_loss: float, val_iou: float) -> bool:
        """A loss that is not a number is worse than any that is."""
        if rule == "best_iou":
            return val_iou > self.val_iou
        return val_loss < self.val_loss or (math.isnan(self.val_loss) and not math.isnan(val_loss))


class Keeper:
    """Keeps, in `folder`, one file per epoch that is the best by some rule, and no other."""

    def __init__(self, folder: Path, config: Config) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.config = config
        self.kept: dict[Rule, Kept] = {}

    def consider(self, model: nn.Module, epoch: int, val_loss: float, val_iou: float) -> None:
        """Save the weights if this epoch is the first or the best so far; ties go to the earlier epoch."""
        won = [r for r in RULES if r not in self.kept or self.kept[r].beaten_by(r, val_loss, val_iou)]
        if not won:
            return
        path = self.folder / f"epoch-{epoch:04d}.pt"
        save(path, model, self.config)
        self.kept.update(dict.fromkeys(won, Kept(path, epoch, val_loss, val_iou)))
        for other in self.folder.glob("epoch-*.pt"):
            if other not in {kept.path for kept in self.kept.values()}:
                other.unlink()


def save(path: Path, model: nn.Module, config: Config) -> None:
    """Write weights and config to `path` in one step: a crash leaves the old file or the new one."""
    unfinished = path.with_suffix(".unfinished")
    torch.save({"state_dict": model.state_dict(), "config": dataclasses.asdict(config)}, unfinished)
    unfinished.replace(path)


def load(path: Path) -> tuple[dict[str, Tensor], Config]:
    """State dict, on the CPU, and config of a checkpoint file; nothing in the file is executed."""
    content = torch.load(path, map_location="cpu", weights_only=True)
    return content["state_dict"], Config(**content["config"])


def upload(run: wandb.Run, keeper: Keeper, metadata: dict[str, Any]) -> None:
    """Log the kept files as the model Artifact of the run and wait until the server has it.

    Raises:
        ValueError: the server refused the Artifact.
    """
    artifact = wandb.Artifact(f"model-{run.id}", type="model", metadata=metadata)
    for path in sorted({kept.path for kept in keeper.kept.values()}):
        artifact.add_file(str(path), name=path.name, policy="immutable", skip_cache=True)
    logged = run.log_artifact(artifact, aliases=["best", "best-loss", "best-iou"])
    if not run.offline:
        logged.wait()
