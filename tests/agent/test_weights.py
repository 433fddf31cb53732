"""ImageNet weights that come inside a package."""

import importlib
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import timm
import torch
from sklearn.datasets import load_sample_image
from timm.data.imagenet_info import ImageNetInfo
from torch import nn

from agent import models
from agent.models import weights
from agent.models.weights import PACKAGED, WeightsError

LITE0 = "tu-tf_efficientnet_lite0"


def packaged_state() -> dict[str, torch.Tensor]:
    package, locator = PACKAGED[LITE0]
    path = Path(getattr(importlib.import_module(package), locator).get_model_file_path())
    return weights.timm_names(torch.load(path, weights_only=True))


@pytest.fixture(scope="module")
def classifier() -> nn.Module:
    """timm's own Lite0 with the packaged weights: the independent implementation."""
    model = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    model.load_state_dict(packaged_state(), strict=True)
    return model.eval()


def photograph(name: str) -> torch.Tensor:
    """The middle of a photograph that scikit-learn ships, (1, 3, 224, 224), normalised as Lite0 was trained."""
    square = np.ascontiguousarray(load_sample_image(name)[20:404, 120:504])
    pixels = torch.from_numpy(cv2.resize(square, (224, 224), interpolation=cv2.INTER_AREA))
    return pixels.permute(2, 0, 1)[None].float() / 127.5 - 1


def test_every_key_fits_and_the_encoder_equals_timms_own(classifier: nn.Module) -> None:
    ours = models.build("unet", LITE0, "imagenet").get_submodule("encoder").eval()
    state = ours.state_dict()
    theirs = {f"model.{name}": value for name, value in classifier.state_dict().items()}
    assert set(state) < set(theirs)
    assert all(torch.equal(value, theirs[name]) for name, value in state.items())


@pytest.mark.parametrize(("name", "label"), [("china.jpg", "palace"), ("flower.jpg", "daisy")])
def test_the_packaged_weights_recognise_a_photograph(classifier: nn.Module, name: str, label: str) -> None:
    with torch.no_grad():
        top = int(classifier(photograph(name)).argmax())
    assert ImageNetInfo().index_to_description(top) == label


def test_a_package_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, PACKAGED[LITE0][0], None)
    with pytest.raises(
        WeightsError, match=r"which is not installed: run `make setup`, or set weights to none"
    ):
        models.build("unet", LITE0, "imagenet")


def test_a_hub_that_cannot_be_reached_is_one_sentence() -> None:
    def unreachable() -> nn.Module:
        raise OSError("[Errno -2] Name or service not known\nmore lines")

    with pytest.raises(WeightsError) as refusal:
        weights.from_hub(unreachable, "resnet18")
    assert "no ImageNet weights for resnet18" in str(refusal.value)
    assert LITE0 in str(refusal.value)
    assert "\n" not in str(refusal.value)
