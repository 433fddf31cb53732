"""One configuration of one run, as a value: `python -m agent.config FLAGS` prints it, or its fault.

A field has the same name as its flag, its key in a sweep and its column in a table.
"""

import argparse
import dataclasses
import difflib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from common.drawn_data import parse_drawn
from common.keys import STRENGTHS
from common.text import is_utf8
from data.splits import SplitError, check_fold

SCRATCH_ARCHITECTURES = ("unet_transposed", "unet_bilinear")
SMP_ARCHITECTURES = ("unet", "deeplabv3plus")
PRECISIONS = ("float32", "bfloat16", "auto")
WEIGHTS = ("none", "imagenet", "drawn")
SCHEDULES = ("constant", "cosine")
BOOLEANS = {"true": True, "false": False}
MODEL_FIELDS = ("architecture", "backbone", "weights")
MOST = 1_000_000
"""The largest value of whole numbers, but for seeds and image_size."""
MAX_SEED = 2**64 - 1
"""The largest seed that torch takes."""
MAX_IMAGE_SIZE = 16_384
"""Pixels: OpenCV turns no image with a side of 2¹⁵, and nobody has the memory to train on one."""


class ConfigError(ValueError):
    """A setting is wrong; the text names it, its value, the rule, and the allowed values."""


def setting(default: Any, help: str) -> Any:
    return field(default=default, metadata={"help": help})


@dataclass(frozen=True)
class Config:
    """Every setting of a run.

    Raises:
        ConfigError: when made with a value that is not allowed.
    """

    model: str = setting(
        "", "ARCHITECTURE[/BACKBONE[/WEIGHTS]], which fills the next three: compare models by this one"
    )
    architecture: str = setting(
        "unet_transposed",
        f"one of {', '.join(SCRATCH_ARCHITECTURES + SMP_ARCHITECTURES)}; deeplabv3plus predicts a quarter of the "
        "resolution, which costs it most on small images",
    )
    backbone: str = setting(
        "none", "an SMP encoder such as resnet18, a small one for tens of images; none for the U-Nets written here"
    )
    weights: str = setting(
        "none",
        f"one of {', '.join(WEIGHTS)}: random, of the backbone, or learned from drawings; "
        "take imagenet for few photographs: EfficientNet Lite 0 to 2 have it here, others from a hub or a cache of it",
    )
    width: int = setting(
        64, "channels of the first level of the U-Nets written here: the paper's 64; 16 is cheap enough for a CPU"
    )
    augmentation: str = setting(
        "light", f"one of {', '.join(STRENGTHS)}; stronger if validation loss rises while training loss falls"
    )
    learning_rate: float = setting(
        1e-3, "Adam's step size, the largest of its schedule; lower it if the loss jumps, search it on a log scale"
    )
    schedule: str = setting(
        "constant",
        f"of the learning rate: one of {', '.join(SCHEDULES)}; cosine where training is long enough to settle",
    )
    weight_decay: float = setting(
        0.0, "part of each weight that a step of learning_rate 1 takes off (AdamW); try 0.01 if a model overfits"
    )
    batch_size: int = setting(2, "images per step; small for tens of images: more steps from the same visits")
    epochs: int = setting(
        50, "epochs, each of `repeats` visits to the training images and one validation; 20 show overfitting"
    )
    repeats: int = setting(
        1,
        "visits to the training images in an epoch, augmented anew each time; 4 to 8 for ten images, or validation "
        "takes long",
    )
    patience: int = setting(
        0, "end after so many epochs without a better val/loss or val/iou, 0 never; 10 saves time in a search"
    )
    image_size: int = setting(
        512,
        "side of the square that a model sees, pixels, a multiple of 16; cost grows with its square, and a small "
        "one limits IoU by the coarse outline",
    )
    score_size: int = setting(
        1024, "scores are taken at a photograph's own size, its longest side at most this; one value for all runs"
    )
    seed: int = setting(1, "the one source of randomness of the run; at least 3 for a verdict on training again")
    data: str = setting("drawn", "a folder of photographs and masks, or drawn, drawn:SEED, drawn:SEED:N")
    precision: str = setting(
        "float32",
        f"of training: one of {', '.join(PRECISIONS)}; auto is the fastest that is as good on this machine, "
        "float32 compares across machines",
    )
    split_seed: int = setting(
        0, "seed of random splits: every fold, and a folder without a split of its own; the same for all models"
    )
    folds: int = setting(
        0,
        "K: cross-validation, in which every image is tested in one fold of 1 to K; 5 or 6 for tens of images, 0 none",
    )
    fold: int = setting(
        0, "0: the folder's own split; else number of the fold (sweep over all), or without folds of the re-split"
    )
    deterministic: bool = setting(
        False,
        "on a GPU, equal settings give equal bits where torch can, slower; for hunting a difference, not for sweeps",
    )

    def __post_init__(self) -> None:
        check_choice("architecture", self.architecture, SCRATCH_ARCHITECTURES + SMP_ARCHITECTURES)
        check_choice("weights", self.weights, WEIGHTS)
        check_choice("augmentation", self.augmentation, STRENGTHS)
        check_choice("precision", self.precision, PRECISIONS)
        check_choice("schedule", self.schedule, SCHEDULES)
        for name in ("width", "epochs", "repeats", "batch_size"):
            check_range(name, getattr(self, name), 1, MOST)
        for name in ("fold", "folds", "patience"):
            check_range(name, getattr(self, name), 0, MOST)
        for name in ("seed", "split_seed"):
            check_range(name, getattr(self, name), 0, MAX_SEED)
        check_range("score_size", self.score_size, 32, MOST)
        if not 0 < self.learning_rate <= 1:
            raise ConfigError(f"learning_rate is {self.learning_rate:g}, but must be above 0 and at most 1")
        if not 0 <= self.weight_decay <= 1:
            raise ConfigError(f"weight_decay is {self.weight_decay:g}, but must be from 0 to 1")
        try:
            check_fold(self.fold, self.folds)
        except SplitError as error:
            raise ConfigError(str(error)) from None
        if self.image_size < 32 or self.image_size % 16:
            raise ConfigError(
                f"image_size is {self.image_size}, but must be a multiple of 16 pixels, from 32 up: "
                f"the deepest feature maps have a 16th and a 32nd of that side"
            )
        check_range("image_size", self.image_size, 32, MAX_IMAGE_SIZE)
        try:
            parse_drawn(self.data)
        except ValueError as error:
            raise ConfigError(str(error)) from None
        if not is_utf8(self.data):
            raise ConfigError(f"data is {self.data!a}, but must be UTF-8: rename the folder")
        if not self.data:
            raise ConfigError("data is empty, but must be a folder of photographs, or drawn, or drawn:SEED")
        if self.architecture in SCRATCH_ARCHITECTURES and (self.backbone != "none" or self.weights == "imagenet"):
            raise ConfigError(
                f"{self.architecture} is written from scratch and has no backbone and no ImageNet weights: leave both "
                f"at none (they are {self.backbone} and {self.weights}), or take architecture "
                f"{' or '.join(SMP_ARCHITECTURES)}"
            )
        if self.architecture in SMP_ARCHITECTURES and self.backbone == "none":
            raise ConfigError(f"{self.architecture} needs a backbone, for instance resnet18")
        if self.batch_size == 1 and (who := self.needs_two()):
            raise ConfigError(f"batch_size is 1, but {who} needs at least 2 images in every training step")

    def needs_two(self) -> str:
        """Name of a model that cannot train on one image: its BatchNorm would see one value a channel. Else empty.

        DeepLabV3+ averages a feature map to 1×1; the deepest one of SMP's U-Net is 1×1 below 64 pixels.
        """
        if self.architecture == "deeplabv3plus":
            return self.architecture
        return f"unet at image_size {self.image_size}" if self.architecture == "unet" and self.image_size < 64 else ""


def check_choice(name: str, value: object, allowed: Sequence[str]) -> None:
    if value not in allowed:
        near = difflib.get_close_matches(str(value), allowed, n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise ConfigError(f"{name} is {value!r}, but must be one of {', '.join(allowed)}{hint}")


def check_range(name: str, value: int, least: int, most: int) -> None:
    if value < least:
        raise ConfigError(f"{name} is {value}, but must be at least {least}")
    if value > most:
        raise ConfigError(f"{name} is {value}, but must be at most {most}")


def from_settings(settings: Mapping[str, Any]) -> Config:
    """A Config from settings given by name, the shorthand `model` spelled out.

    Raises:
        ConfigError: a value is not allowed, or `model` contradicts a setting it fills.
    """
    filled = dict(settings)
    if settings.get("model"):
        parts = str(settings["model"]).split("/")
        if len(parts) > len(MODEL_FIELDS):
            raise ConfigError(f"model is {settings['model']!r}, but has the form ARCHITECTURE[/BACKBONE[/WEIGHTS]]")
        for name, part in zip(MODEL_FIELDS, parts, strict=False):
            if settings.get(name, part) != part:
                raise ConfigError(f"model {settings['model']} says {name} {part}, but {name} is {settings[name]}")
            filled[name] = part
    config = Config(**filled)
    if config.model:
        return config
    names = (
        [config.architecture]
        if config.architecture in SCRATCH_ARCHITECTURES and config.weights == "none"
        else [getattr(config, f) for f in MODEL_FIELDS]
    )
    return dataclasses.replace(config, model="/".join(names))


class Parser(argparse.ArgumentParser):
    """argparse, but a wrong flag is one sentence."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError(message)


def parse(arguments: Sequence[str]) -> Config:
    """A Config from flags `--learning_rate 1e-3` or `--learning_rate=0.001`, as `wandb agent` writes them.

    Raises:
        ConfigError: an unknown flag, a value of the wrong type, or one that is not allowed.
    """
    parser = Parser(
        prog="python -m agent.train",
        description="Train, test and record one configuration as one W&B run.",
        epilog="`agent.train --resume RUN_ID` goes on with a run that was interrupted.",
        allow_abbrev=False,
    )
    for each in dataclasses.fields(Config):
        parser.add_argument(
            f"--{each.name}",
            type=value_parser(each.name, each.type),
            default=argparse.SUPPRESS,
            metavar=str(getattr(each.type, "__name__", "VALUE")).upper(),
            help=each.metadata["help"] + (f" (default: {each.default})" if each.default != "" else ""),
        )
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        names = [each.name for each in dataclasses.fields(Config)]
        raise ConfigError(f"unknown setting {unknown[0]}; the settings are {', '.join(names)}")
    return from_settings(vars(options))


def value_parser(name: str, kind: Any) -> Any:
    """A function from the text of a flag to its value; it raises ArgumentTypeError."""

    def read(text: str) -> Any:
        try:
            return BOOLEANS[text.lower()] if kind is bool else kind(text)
        except (KeyError, ValueError):
            what = {int: "a whole number", float: "a number", bool: "true or false"}[kind]
            raise argparse.ArgumentTypeError(f"is {text!r}, but must be {what}") from None

    return read


def main() -> int:
    """Exit code 0 and the configuration as JSON, or 2 and one sentence."""
    try:
        print(json.dumps(dataclasses.asdict(parse(sys.argv[1:])), indent=1))
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
