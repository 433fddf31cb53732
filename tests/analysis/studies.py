"""Hand-made studies in the shape that analysis.pull.study pulls."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.pull.masks import Mask, Predictions, image_scores, pool_scores, with_metrics
from analysis.pull.study import Study
from common.keys import METRICS, RULES

SIDE = 32
PREFIXES = ("test/", *(f"{rule}/test_" for rule in RULES))
MODELS = [
    ("unet_transposed", "none", "none"),
    ("unet_bilinear", "none", "none"),
    *(
        ("unet", b, w)
        for b, w in (("resnet18", "none"), ("mobilenet_v2", "none"), ("tu-tf_efficientnet_lite0", "imagenet"))
    ),
    *(
        ("deeplabv3plus", b, w)
        for b, w in (("resnet18", "none"), ("mobilenet_v2", "none"), ("tu-tf_efficientnet_lite0", "imagenet"))
    ),
]


def square(top: int, left: int, side: int, size: int = SIDE) -> Mask:
    mask = np.zeros((size, size), dtype=bool)
    mask[top : top + side, left : left + side] = True
    return mask


def predictions(shift: int, images: int = 4, size: int = SIDE) -> Predictions:
    """Truth: squares of half the size. Predictions: the same, `shift` pixels to the right (best_iou: one more down)."""
    truth = {f"image-{i}": square(4 + i, 6, size // 2, size) for i in range(images)}
    return Predictions(
        images={
            stem: np.where(mask[..., None], 200, 60).repeat(3, axis=2).astype(np.uint8) for stem, mask in truth.items()
        },
        truth=truth,
        masks={
            "best_loss": {stem: np.roll(mask, shift, axis=1) for stem, mask in truth.items()},
            "best_iou": {stem: np.roll(mask, (1, shift), axis=(0, 1)) for stem, mask in truth.items()},
        },
    )


def history(run_id: str, epochs: int = 20, best: int = 12, noise: float = 0.0) -> pd.DataFrame:
    """Curves that fall until epoch `best`; after it validation loss rises, training loss goes on falling."""
    epoch = np.arange(1, epochs + 1)
    train = 0.6 * 0.85**epoch + 0.01
    val = 0.65 * 0.85 ** np.minimum(epoch, best) + 0.03 + 0.01 * np.maximum(0, epoch - best) + noise
    return pd.DataFrame(
        {
            "run_id": run_id,
            "epoch": epoch,
            "train/loss": train,
            "val/loss": val,
            "train/iou": 1 - train,
            "val/iou": 1 - val,
            "seconds_per_epoch": 0.5,
        }
    )


def run(run_id: str, model: tuple[str, str, str], predicted: Predictions | None, **fields: Any) -> dict[str, Any]:
    """A run's row whose test metrics are those of its predictions."""
    architecture, backbone, weights = model
    rule = "best_iou" if backbone == "none" else "best_loss"
    row: dict[str, Any] = {
        "run_id": run_id,
        "path": f"lab/puzzle/{run_id}",
        "name": run_id,
        "state": "finished",
        "model": "/".join(part for part in model if part != "none"),
        "architecture": architecture,
        "backbone": backbone,
        "weights": weights,
        **{"width": 16, "augmentation": "light", "learning_rate": 1e-3, "batch_size": 2, "epochs": 20},
        **{"image_size": SIDE, "seed": 1, "split_seed": 0, "data_digest": "d1", "n_test": 4, "n_parameters": 1_900_000},
        **{"val/iou": 0.9, "val/loss": 0.1, "best_iou/epoch": 12, "best_loss/epoch": 12, "seconds/train": 30.0},
        "test/rule": rule,
    }
    if predicted is not None:
        for pooled in pool_scores(image_scores({run_id: predicted})).to_dict("records"):
            row |= {f"{pooled['checkpoint']}/test_{metric}": pooled[metric] for metric in METRICS}
        row |= {f"test/{metric}": row[f"{rule}/test_{metric}"] for metric in METRICS}
    return row | fields


def seen(made: Study, predicted: Mapping[str, Predictions]) -> Study:
    """The same study with these predictions and their scores."""
    return replace(made, predictions=predicted, scores=image_scores(predicted))


def noisy(seeds: int = 3, folds: tuple[int, ...] = (0,), models: int = 3, gap: float = 0.01) -> Study:
    """Models that differ by `gap` in the part of pixels they get wrong, with noise of seeds and of images.

    Pictures are 32²; every fold has other test images and other noise.
    """
    rng = np.random.default_rng(0)
    rows, predicted = [], {}
    for fold in folds:
        truth = {f"image-{fold}-{i}": square(4 + i, 6, 16) for i in range(4)}
        images = {stem: np.zeros((SIDE, SIDE, 3), np.uint8) for stem in truth}
        hard = {stem: rng.normal(0, 0.002) for stem in truth}
        for i, model in enumerate(MODELS[2 : 2 + models]):
            for seed in range(seeds):
                part = 0.01 + gap * i + rng.normal(0, 0.001)
                wrong = {stem: mask ^ (rng.random(mask.shape) < part + hard[stem]) for stem, mask in truth.items()}
                run_id = f"m{i}f{fold}s{seed}"
                predicted[run_id] = Predictions(images, truth, {"best_loss": wrong, "best_iou": wrong})
                rows.append(run(run_id, model, predicted[run_id], seed=seed, fold=fold))
    curves = [history(row["run_id"]) for row in rows]
    return Study(pd.DataFrame(rows), pd.concat(curves, ignore_index=True), image_scores(predicted), predicted)


def numbers(text: str | None) -> list[float]:
    """All numbers of a sentence, in order; a minus is a sign only before the first digit of a word."""
    return [float(number) for number in re.findall(r"(?<![\w.])[-+]?\d+(?:\.\d+)?", text or "")]


def study(seeds: int = 1, models: list[tuple[str, str, str]] = MODELS) -> Study:
    """Every model with `seeds` runs; predictions of model i are i pixels off, seeds differ in validation loss."""
    predicted = {f"r{i}s{s}": predictions(shift=i) for i in range(len(models)) for s in range(seeds)}
    rows = [
        run(f"r{i}s{s}", model, predicted[f"r{i}s{s}"], seed=s) for i, model in enumerate(models) for s in range(seeds)
    ]
    curves = [history(row["run_id"], noise=0.02 * row["seed"]) for row in rows]
    return Study(pd.DataFrame(rows), pd.concat(curves, ignore_index=True), image_scores(predicted), predicted)


def scored(values: Mapping[tuple[int, int, int], npt.NDArray[np.float64]], **fields: Any) -> Study:
    """IoU of every test image by (number of the model, fold, seed): counts of 10,000 pixels each, any pictures.

    Images of a fold are the same for all models; `fields` are columns of all runs.
    """
    counted = [
        {"run_id": f"m{number}f{fold}s{seed}", "checkpoint": rule, "image": f"i{fold}-{image}", "boundary_iou": iou}
        | {"tp": round(10_000 * iou), "fp": 0, "fn": 10_000 - round(10_000 * iou), "tn": 10_000}
        for (number, fold, seed), ious in values.items()
        for rule in RULES
        for image, iou in enumerate(ious)
    ]
    scores = with_metrics(pd.DataFrame(counted))
    means = pool_scores(scores).drop_duplicates("run_id").set_index("run_id")[list(METRICS)]
    rows = []
    for number, fold, seed in values:
        run_id = f"m{number}f{fold}s{seed}"
        metrics = {f"{prefix}{name}": means[name][run_id] for prefix in PREFIXES for name in METRICS}
        model = ("unet", f"backbone{number:02d}", "none")
        rows.append(run(run_id, model, None, seed=seed, fold=fold, n_train=10, **{**metrics, **fields}))
    small, pictures = square(1, 1, 2, 4), {}
    for row, ious in zip(rows, values.values(), strict=True):
        names = [f"i{row['fold']}-{image}" for image in range(len(ious))]
        masks = dict.fromkeys(names, small)
        images = dict.fromkeys(names, np.zeros((4, 4, 3), np.uint8))
        pictures[row["run_id"]] = Predictions(images, masks, dict.fromkeys(RULES, masks))
    curves = pd.concat([history(row["run_id"]) for row in rows], ignore_index=True)
    return Study(pd.DataFrame(rows), curves, scores, pictures)
