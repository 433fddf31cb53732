"""The search space of sweeps/everything.yaml, define-by-run, for `wandb sweep-scheduler` with Optuna.

W&B's YAML varies every key with every other. A function can say more: only models that can be built, a width only for
the U-Nets that have one, and as many images per step as fit into memory. The scheduler loads this file by its path,
so it imports nothing of ours.
"""

from typing import Any

import optuna

MEMORY_GB = 8.0
"""Memory of the smallest GPU that every suggestion shall fit on, in units of 10⁹ bytes."""

KEPT_MB: dict[str, float] = {
    "unet_transposed": 85.8,
    "unet_bilinear": 101.5,
    "unet/resnet18/none": 21.0,
    "unet/resnet34/none": 24.3,
    "unet/resnet50/none": 43.6,
    "unet/mobilenet_v2/none": 38.4,
    "unet/efficientnet-b0/none": 43.7,
    "unet/vgg11_bn/none": 41.7,
    "unet/densenet121/none": 57.9,
    "unet/tu-tf_efficientnet_lite0/none": 38.6,
    "unet/tu-tf_efficientnet_lite0/imagenet": 38.6,
    "unet/tu-tf_efficientnet_lite1/imagenet": 46.2,
    "unet/tu-tf_efficientnet_lite2/imagenet": 47.9,
    "deeplabv3plus/resnet18/none": 14.8,
    "deeplabv3plus/resnet34/none": 18.5,
    "deeplabv3plus/resnet50/none": 39.8,
    "deeplabv3plus/mobilenet_v2/none": 37.7,
    "deeplabv3plus/efficientnet-b0/none": 43.2,
    "deeplabv3plus/tu-tf_efficientnet_lite0/none": 38.5,
    "deeplabv3plus/tu-tf_efficientnet_lite0/imagenet": 38.5,
    "deeplabv3plus/tu-tf_efficientnet_lite1/imagenet": 47.6,
    "deeplabv3plus/tu-tf_efficientnet_lite2/imagenet": 49.9,
}
"""Every model of the search, with the megabytes that a training step keeps of an image of 128 × 128 pixels.

Counted by `agent.lint.model_facts`, the U-Nets from scratch at a width of 64; a test compares.
"""

FULL_WIDTH = 64
WIDTHS = (16, 32, FULL_WIDTH)
AUGMENTATIONS = ("none", "light", "medium", "strong")
SIZES = (128, 512)
SIZE_STEP = 128
LEAST_IMAGES, MOST_IMAGES = 2, 10
"""Images per step. DeepLabV3+ needs two; the lab has ten training images."""

WEIGHTS_GB = 0.6
"""Weights, gradients and Adam's moments of the largest model, 16 bytes for each of 37 million parameters."""

EPOCHS = 90
DATA = "drawn"
"""The data that the best model is searched for: drawn photographs, or a folder of your own."""


def space(trial: optuna.Trial) -> dict[str, Any]:
    """One configuration.

    The names of the suggestions are keys of the configuration: after a restart the scheduler finds the values of
    finished runs by them. If all suggestions are those of an earlier trial, the seed is the next one, so that no
    configuration comes twice.
    """
    model = trial.suggest_categorical("model", tuple(KEPT_MB))
    kept = KEPT_MB[model]
    if "/" not in model:
        width = trial.suggest_categorical("width", WIDTHS)
        kept *= width / FULL_WIDTH
    image_size = trial.suggest_int("image_size", *SIZES, step=SIZE_STEP)
    trial.suggest_int("batch_size", LEAST_IMAGES, most_images(kept, image_size), step=2)
    trial.suggest_categorical("augmentation", AUGMENTATIONS)
    trial.suggest_float("learning_rate", 5e-5, 5e-3, log=True)
    fixed = {"epochs": EPOCHS, "precision": "auto", "data": DATA}
    return {**trial.params, **fixed, "seed": 1 + repetitions(trial)}


def most_images(kept_mb: float, image_size: int) -> int:
    """Images per step that fit into `MEMORY_GB`, an even number from 2 to 10."""
    per_image = kept_mb * (image_size / 128) ** 2 / 1000
    fitting = int((MEMORY_GB - WEIGHTS_GB) / per_image) // 2 * 2
    return max(LEAST_IMAGES, min(MOST_IMAGES, fitting))


def repetitions(trial: optuna.Trial) -> int:
    """Earlier trials of the study with the same parameters."""
    others = trial.study.get_trials(deepcopy=False)
    return sum(other.number < trial.number and other.params == trial.params for other in others)


def study(sweep: Any, seed: int | None = None) -> optuna.Study:
    """The study for a sweep: a tree Parzen estimator, and a pruner that ends runs below the median.

    `constant_liar` keeps runs that go on at the same time apart. The seed is free, for the scheduler makes the study
    anew whenever it is started and would otherwise begin with the same suggestions again.
    """
    goal = (sweep.config.get("metric") or {}).get("goal", "minimize")
    sampler = optuna.samplers.TPESampler(n_startup_trials=24, constant_liar=True, seed=seed)
    pruner = optuna.pruners.MedianPruner(n_startup_trials=24, n_warmup_steps=EPOCHS // 3)
    return optuna.create_study(direction=goal, sampler=sampler, pruner=pruner)
