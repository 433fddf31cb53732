"""Facts, history rows, summary, metadata and console lines of a run, by the keys of docs/runs.md."""

from typing import Any

import torch
import wandb

from agent.config import Config
from agent.lifecycle.checkpoints import BestCheckpoints, Checkpoint
from agent.lifecycle.disk import bytes_on_disk, bytes_on_server
from agent.lifecycle.state import Row
from agent.training import performance
from agent.training.batchnorm import Validation
from agent.training.loop import Evaluation
from agent.training.material import Material, n_test_pixels
from agent.training.metrics import Counts, image_mean
from agent.training.models import weights
from common import keys
from common.keys import RULES, Rule
from common.text import size

LEARNED = {"imagenet": "ImageNet weights", "drawn": "weights learned from drawings"}


def facts(material: Material, config: Config, weights_source: str) -> dict[str, Any]:
    """Facts that follow from the configuration on this machine."""
    dataset, model = material.dataset, material.model
    learned = model.get_submodule("encoder" if config.weights == "imagenet" else "")
    deep = {"pixel_range": "{:g} to {:g}".format(*dataset.pixel_range)} if dataset.pixel_range else {}
    return deep | {
        "data_digest": dataset.digest,
        "test_digest": dataset.test_digest,
        "weights_source": weights_source,
        "weights_digest": "none" if config.weights == "none" else weights.digest(learned),
        "n_train": len(dataset.train),
        "n_val": len(dataset.val),
        "n_test": len(dataset.test),
        "n_parameters": sum(parameter.numel() for parameter in model.parameters()),
        "n_macs": material.n_macs,
        "device": performance.device_name(material.device),
        "n_threads": torch.get_num_threads(),
        "precision_used": material.precision,
    }


def define_metrics(run: wandb.Run) -> None:
    """Curves over the epoch; the summary keeps the best validation values, which `best_values` writes."""
    for key in keys.OF_TRAINING:
        run.define_metric(key, step_metric="epoch")
    for key in keys.OF_VALIDATION:
        run.define_metric(key, step_metric="epoch", summary="none")


def history_row(epoch: int, train_loss: float, train: Counts, val: Validation, seconds: float, of_steps: float) -> Row:
    """The row of one epoch of `seconds`, `of_steps` of them in training steps."""
    row = {
        "epoch": epoch,
        keys.TRAIN_LOSS: train_loss,
        keys.TRAIN_IOU: train.iou,
        keys.VAL_LOSS: val.evaluation.loss,
        keys.VAL_IOU: val.evaluation.pooled_counts.iou,
        keys.SECONDS_PER_EPOCH: seconds,
        keys.SECONDS_OF_STEPS: of_steps,
    }
    return row if val.gap is None else row | {keys.BN_GAP: val.gap}


def epoch_line(row: Row, epochs: int) -> str:
    """The row of an epoch for the console."""
    return (
        f"epoch {row['epoch']:.0f}/{epochs}  train loss {row[keys.TRAIN_LOSS]:.4f}  val loss {row[keys.VAL_LOSS]:.4f}  "
        f"val IoU {row[keys.VAL_IOU]:.4f}  {row[keys.SECONDS_PER_EPOCH]:.1f} s"
    )


def start_line(name: str | None, facts: dict[str, Any], material: Material, n_threads: int | None) -> str:
    """The first line on the console; `n_threads`: threads that a resumed run keeps, None for a new run."""
    config, model, n_pixels = material.config, material.model, n_test_pixels(material.dataset)
    return (
        f"trial {name}: {facts['n_parameters']:,} parameters; {facts['n_train']} training, "
        f"{facts['n_val']} validation and {facts['n_test']} test images at {config.image_size} pixels; "
        f"{material.device}, threads: {facts['n_threads']}{'' if n_threads is None else ' (as the run began)'}; "
        f"up to {size(bytes_on_disk(model, n_pixels))} on the disk, then "
        f"{size(bytes_on_server(model, n_pixels))} on the server"
        + (f"; {LEARNED[config.weights]} from {facts['weights_source']}" if config.weights in LEARNED else "")
    )


def repair_line(rule: Rule, kept: Checkpoint, n_images: int) -> str | None:
    """The line on a checkpoint whose BatchNorm was repaired with `n_images` training images; None if it was not."""
    if not kept.bn_repaired or kept.bn_gap is None:
        return None
    return (
        f"BatchNorm: with its running statistics the {rule} checkpoint (epoch {kept.epoch}) has validation IoU "
        f"{kept.val_iou - kept.bn_gap:.4f}; it is saved and tested with statistics recomputed on {n_images} "
        f"training images, {kept.val_iou:.4f}"
    )


def best_values(best: BestCheckpoints) -> dict[str, float]:
    rows: dict[str, float] = {
        keys.VAL_LOSS: best.kept["best_loss"].val_loss,
        keys.VAL_IOU: best.kept["best_iou"].val_iou,
    }
    for rule, kept in best.kept.items():
        values = {"epoch": kept.epoch, "bn_repaired": kept.bn_repaired, "bn_gap": kept.bn_gap}
        rows |= {keys.of_rule(rule, name): value for name, value in values.items() if value is not None}
    return rows


def test_summary(tested: dict[Rule, Evaluation], rule: Rule, kept: Checkpoint) -> dict[str, float | str]:
    """Test metrics under the keys of docs/runs.md; `kept` is the checkpoint of `rule`."""
    chosen = tested[rule]
    rows: dict[str, float | str] = {keys.TEST_RULE: rule, keys.BN_REPAIRED: kept.bn_repaired}
    rows |= {} if kept.bn_gap is None else {keys.BN_GAP: kept.bn_gap}
    rows |= {keys.test_metric(name): value for name, value in chosen.pooled_counts.scores().items()}
    rows |= {keys.image_mean(name): value for name, value in image_mean(chosen.counts).items()}
    for each in RULES:
        rows |= {
            keys.of_rule(each, f"test_{name}"): value for name, value in tested[each].pooled_counts.scores().items()
        }
    return rows


def model_metadata(best: BestCheckpoints, tested: dict[Rule, Evaluation]) -> dict[str, Any]:
    """Files and scores of the checkpoints, by rule."""
    return {"files": {rule: kept.path.name for rule, kept in best.kept.items()}} | {
        rule: {
            "epoch": kept.epoch,
            "val_loss": kept.val_loss,
            "val_iou": kept.val_iou,
            "bn_gap": kept.bn_gap,
            "bn_repaired": kept.bn_repaired,
            **{f"test_{name}": value for name, value in tested[rule].pooled_counts.scores().items()},
        }
        for rule, kept in best.kept.items()
    }
