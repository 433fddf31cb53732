"""What a run says about itself: facts, history rows, summary, metadata, console lines, by the keys of docs/runs.md."""

from typing import Any

import torch
import wandb
from torch import nn

from agent import speed
from agent.checkpoint import RULES, Keeper, Rule
from agent.config import Config
from agent.loop import Evaluation
from agent.metrics import Counts, image_mean
from agent.state import Row
from data.puzzle import Dataset


def facts(dataset: Dataset, model: nn.Module, config: Config, device: torch.device) -> dict[str, Any]:
    """What the configuration turned out to mean."""
    return {
        "data_digest": dataset.digest,
        "n_train": len(dataset.train),
        "n_val": len(dataset.val),
        "n_test": len(dataset.test),
        "n_parameters": sum(parameter.numel() for parameter in model.parameters()),
        "n_macs": speed.n_macs(model, config.image_size),
        "device": speed.device_name(device),
        "precision_used": speed.precision_of(config.precision, device),
    }


def define_metrics(run: wandb.Run) -> None:
    """Curves over the epoch; the summary keeps the best validation values, which `best_so_far` writes."""
    for key in ("train/loss", "train/iou", "seconds_per_epoch"):
        run.define_metric(key, step_metric="epoch")
    for key in ("val/loss", "val/iou"):
        run.define_metric(key, step_metric="epoch", summary="none")


def history_row(epoch: int, train_loss: float, train: Counts, val: Evaluation, seconds: float) -> Row:
    """The row of one epoch."""
    return {
        "epoch": epoch,
        "train/loss": train_loss,
        "train/iou": train.iou,
        "val/loss": val.loss,
        "val/iou": val.pooled.iou,
        "seconds_per_epoch": seconds,
    }


def epoch_line(row: Row, epochs: int) -> str:
    """What the console shows of a row."""
    return (
        f"epoch {row['epoch']:.0f}/{epochs}  train loss {row['train/loss']:.4f}  val loss {row['val/loss']:.4f}  "
        f"val IoU {row['val/iou']:.4f}  {row['seconds_per_epoch']:.1f} s"
    )


def start_line(name: str | None, known: dict[str, Any], config: Config, device: object) -> str:
    return (
        f"trial {name}: {known['n_parameters']:,} parameters; {known['n_train']} training, "
        f"{known['n_val']} validation and {known['n_test']} test images at {config.image_size} pixels; {device}"
    )


def best_so_far(keeper: Keeper) -> dict[str, float]:
    return {
        "val/loss": keeper.kept["best_loss"].val_loss,
        "val/iou": keeper.kept["best_iou"].val_iou,
        "best_loss/epoch": keeper.kept["best_loss"].epoch,
        "best_iou/epoch": keeper.kept["best_iou"].epoch,
    }


def test_summary(tested: dict[Rule, Evaluation], rule: Rule) -> dict[str, float | str]:
    """Test metrics under the keys of docs/runs.md."""
    chosen = tested[rule]
    rows: dict[str, float | str] = {"test/rule": rule}
    rows |= {f"test/{name}": value for name, value in chosen.pooled.scores().items()}
    rows |= {f"test/image_mean_{name}": value for name, value in image_mean(chosen.counts).items()}
    for each in RULES:
        rows |= {f"{each}/test_{name}": value for name, value in tested[each].pooled.scores().items()}
    return rows


def model_metadata(keeper: Keeper, tested: dict[Rule, Evaluation]) -> dict[str, Any]:
    """Which file is which, and how each did."""
    return {"files": {rule: kept.path.name for rule, kept in keeper.kept.items()}} | {
        rule: {
            "epoch": kept.epoch,
            "val_loss": kept.val_loss,
            "val_iou": kept.val_iou,
            **{f"test_{name}": value for name, value in tested[rule].pooled.scores().items()},
        }
        for rule, kept in keeper.kept.items()
    }
