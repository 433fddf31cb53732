"""SMP's architectures behind the factory, and the combinations that it refuses."""

import pytest
import torch
from segmentation_models_pytorch.encoders import encoders

from agent.training import models
from agent.training.models import smp
from agent.training.models.smp import CombinationError


@pytest.mark.parametrize("architecture", ["unet", "deeplabv3plus"])
@pytest.mark.parametrize("backbone", ["resnet18", "mobilenet_v2", "tu-tf_efficientnet_lite0"])
@pytest.mark.parametrize("side", [64, 80])
def test_the_models_of_the_study_give_two_logits_per_pixel(architecture: str, backbone: str, side: int) -> None:
    model = models.build(architecture, backbone)
    assert model(torch.zeros(2, 3, side, side)).shape == (2, 2, side, side)


def test_a_combination_that_cannot_work_is_refused_with_those_that_can() -> None:
    with pytest.raises(CombinationError) as refusal:
        models.build("deeplabv3plus", "vgg16")
    text = str(refusal.value)
    assert text.startswith("deeplabv3plus cannot be built on ")
    assert "'vgg16'" in text
    assert "dilated" in text
    assert "resnet18, resnet34" in text
    assert "vgg11" not in text


@pytest.mark.parametrize(
    ("architecture", "backbone", "words"),
    [("unet", "resnett18", r"Did you mean resnet18\?"), ("deeplabv3plus", "tu-convit_tiny", "tu-convit_tiny")],
    ids=["misspelt", "of timm, without an output stride"],
)
def test_a_backbone_that_is_not_there_or_does_not_work_is_refused(architecture: str, backbone: str, words: str) -> None:
    with pytest.raises(CombinationError, match=words):
        models.build(architecture, backbone)


@pytest.mark.parametrize(
    ("backbone", "size", "sentence"),
    [
        ("tu-swin_tiny_patch4_window7_224", 224, ""),
        ("tu-swin_tiny_patch4_window7_224", 64, "doesn't match model (224); it works at image_size 224"),
        ("tu-maxvit_rmlp_pico_rw_256", 256, ""),
        ("tu-nest_tiny", 224, "list index out of range"),
        ("tu-vit_tiny_patch16_224", 224, "Unsupported model downsampling pattern"),
        ("tu-resnet18.a1_in1k", 64, ""),
        ("tu-resnet18.bogus", 64, "Invalid pretrained tag (bogus)"),
        ("tu-hf-hub:timm/resnet18", 64, "no such backbone"),
        ("tu-local-dir:/etc", 64, "no such backbone"),
        ("tu-../../x", 64, "no such backbone"),
        ("tu-", 64, "no such backbone"),
        ("", 64, "no such backbone"),
    ],
)
def test_a_backbone_is_tried_at_the_size_of_the_images(backbone: str, size: int, sentence: str) -> None:
    reason = smp.failure_reason("unet", backbone, size)
    assert sentence in reason
    assert bool(sentence) == bool(reason)


def test_checking_a_combination_leaves_the_random_state_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    smp.failure_reason.cache_clear()
    smp.check("unet", "mit_b0")
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.slow
@pytest.mark.parametrize(("architecture", "working"), [("unet", 76), ("deeplabv3plus", 61)])
def test_the_list_of_working_backbones_is_what_building_one_of_each_encoder_class_shows(
    architecture: str, working: int
) -> None:
    """Whether an encoder can be dilated is written in its class, so the first of a class answers for all."""
    listed = [name for name in smp.working_backbones(architecture) if not name.startswith("tu-")]
    assert len(listed) == working
    classes: dict[object, list[str]] = {}
    for name in smp.native_backbones():
        classes.setdefault(encoders[name]["encoder"], []).append(name)
    for names in classes.values():
        works = not smp.failure_reason(architecture, names[0])
        assert [name in listed for name in names] == [works] * len(names)
