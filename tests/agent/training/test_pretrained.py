"""Weights that learned from drawings: who makes them, who takes them, and what is said where there are none."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from agent.config import Config, parse
from agent.lifecycle import checkpoints
from agent.training import models, pretrained
from agent.training.models.weights import WeightsError


def config(*flags: str) -> Config:
    return parse(["--width=2", "--image_size=32", *flags])


class Run(SimpleNamespace):
    """A run whose project has the file `weights` as its Artifact `has`."""

    def use_artifact(self, name: str, type: str) -> Any:
        if name != f"{self.has}:latest":
            raise ValueError(f"artifact {name} not found.")
        entry = SimpleNamespace(download=lambda root, skip_cache: str(self.weights))
        return SimpleNamespace(version="v3", get_entry=lambda path: entry)


def run(weights: Path, has: str = "drawn-unet_bilinear-width-2", offline: bool = False) -> Any:
    return Run(entity="e", project="p", offline=offline, has=has, weights=weights)


def learned(folder: Path, width: int = 2) -> tuple[torch.nn.Module, Path]:
    model = models.build("unet_bilinear", width=width)
    checkpoints.save(folder / "w.pt", model.state_dict(), config("--model=unet_bilinear"))
    return model, folder / "w.pt"


def test_a_model_begins_with_the_weights_of_the_artifact(tmp_path: Path) -> None:
    theirs, file = learned(tmp_path)
    ours = models.build("unet_bilinear", width=2)
    taken = pretrained.load_initial_weights(run(file), ours, config("--model=unet_bilinear/none/drawn"))
    assert taken == "artifact drawn-unet_bilinear-width-2:v3"
    for name, value in ours.state_dict().items():
        assert torch.equal(value, theirs.state_dict()[name]), name
    assert pretrained.load_initial_weights(run(file), ours, config("--model=unet_bilinear")) == "none"


@pytest.mark.parametrize(
    ("how", "width", "sentence"),
    [
        ({"offline": True}, 2, "drawn-unet_bilinear-width-2, which needs a server"),
        ({"has": "other"}, 2, r"e/p/drawn-unet_bilinear-width-2 cannot .* sweeps/pretrain.yaml"),
        ({}, 4, "drawn-unet_bilinear-width-2 do not fit .* of another shape"),
    ],
)
def test_weights_that_cannot_be_had_are_one_sentence(
    how: dict[str, Any], width: int, sentence: str, tmp_path: Path
) -> None:
    _, file = learned(tmp_path, width)
    model = models.build("unet_bilinear", width=2)
    with pytest.raises(WeightsError, match=sentence):
        pretrained.load_initial_weights(run(file, **how), model, config("--model=unet_bilinear/none/drawn"))


@pytest.mark.parametrize(
    ("flags", "name", "makes"),
    [
        (["--model=unet/resnet18", "--data=drawn:1:20"], "drawn-unet-resnet18", True),
        (["--model=unet/resnet18/drawn", "--data=drawn:1:20"], "drawn-unet-resnet18", False),
        (["--model=unet_transposed", "--data=drawn:1:20"], "drawn-unet_transposed-width-2", True),
        (["--model=unet_transposed", "--data=drawn:1"], "drawn-unet_transposed-width-2", False),
    ],
)
def test_a_run_on_many_drawings_makes_weights(flags: list[str], name: str, makes: bool) -> None:
    assert pretrained.artifact_name(config(*flags)) == name
    assert pretrained.makes_weights(config(*flags)) == makes
