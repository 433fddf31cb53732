"""Models that cannot be built are found before they are trained, and what can be is written as YAML."""

from pathlib import Path

import pytest

from tests.agent.lint.sweep_text import CLEAN, lint

CROSSED = CLEAN.replace(
    "  architecture: {value: unet_bilinear}\n",
    "  architecture: {values: [unet, deeplabv3plus, unet_bilinear]}\n  backbone: {values: [resnet18, vgg11, none]}\n",
)
"""Nine pairs: unet goes with two backbones, DeepLabV3+ with one, the U-Net from scratch with none."""

GOOD = ["unet/resnet18/none", "unet/vgg11/none", "deeplabv3plus/resnet18/none", "unet_bilinear"]


def test_pairs_that_cannot_be_built_are_found_and_the_others_listed(tmp_path: Path) -> None:
    report = lint(tmp_path, CROSSED)
    found = [(each.line, each.code, each.message.split()[0]) for each in report.findings if each.severity == "error"]
    names = ("deeplabv3plus", "unet", "unet_bilinear")
    assert found == [*((8, "B001", name) for name in names), (9, "B002", "deeplabv3plus")]
    assert list(report.buildable) == GOOD
    assert not report.passes


def test_the_equivalent_sweep_has_only_valid_pairs(tmp_path: Path) -> None:
    wrong = lint(tmp_path, CROSSED)
    head, _, rest = CROSSED.partition("  architecture:")
    yaml = "\n".join(wrong.text().partition("  model:\n")[2].splitlines())
    mended = head + "  model:\n" + yaml + "\n" + rest.partition("none]}\n")[2]
    report = lint(tmp_path, mended)
    assert report.findings == ()
    assert mended.count("      - ") == len(GOOD)


def test_one_model_that_cannot_be_built_is_found_on_its_line(tmp_path: Path) -> None:
    text = CLEAN.replace(
        "  architecture: {value: unet_bilinear}",
        "  model:\n    values:\n      - unet/resnet18\n      - deeplabv3plus/vgg11",
    )
    (finding,) = lint(tmp_path, text).findings
    assert (finding.line, finding.code) == (11, "B002")
    assert "vgg11 ('VGG'" in finding.message
    assert "1 of the 2 combinations" in finding.why
    assert finding.fix == "take it out"


@pytest.mark.parametrize(("n", "refused"), [(3, True), (6, False)])
def test_a_model_that_needs_two_training_images_is_refused_where_there_is_one(
    tmp_path: Path, n: int, refused: bool
) -> None:
    for kind in ("images", "masks"):
        (tmp_path / "photographs" / kind).mkdir(parents=True)
        for number in range(n):
            (tmp_path / "photographs" / kind / f"{number}.png").touch()
    models = "  model: {values: [deeplabv3plus/resnet18, unet/resnet18, unet_bilinear]}"
    data = f"  data: {{value: {tmp_path / 'photographs'}}}"
    text = CLEAN.replace("  architecture: {value: unet_bilinear}", f"{models}\n{data}")
    findings = [each for each in lint(tmp_path, text).findings if each.severity == "error"]
    assert [each.code for each in findings] == ["B003"] * refused
    assert all(str(tmp_path / "photographs") in each.message for each in findings)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("resnett18", "write resnet18"),
        ("ResNet_18", "write resnet18"),
        ("efficientnet-lite0", "write tu-tf_efficientnet_lite0"),
        ("zzz", "choose others; "),
    ],
)
def test_a_misspelt_backbone_is_an_error_that_names_the_nearest(tmp_path: Path, written: str, meant: str) -> None:
    text = CLEAN.replace("architecture: {value: unet_bilinear}", f"model: {{value: unet/{written}}}")
    (finding,) = lint(tmp_path, text).findings
    assert finding.code == "B002"
    assert f"on {written} (" in finding.message
    assert finding.fix.startswith(meant)


def test_deeplabv3plus_with_batches_of_one_is_found_at_the_batch_size(tmp_path: Path) -> None:
    text = CLEAN.replace("architecture: {value: unet_bilinear}", "model: {value: deeplabv3plus/resnet18}")
    (finding,) = lint(tmp_path, text.replace("batch_size: {value: 2}", "batch_size: {value: 1}")).findings
    assert (finding.line, finding.code) == (12, "B001")
    assert finding.fix == "write 2 or more"


def test_imagenet_weights_are_an_error_where_there_are_none_and_a_warning_where_a_network_is_needed(
    tmp_path: Path,
) -> None:
    def weights(backbone: str) -> list[tuple[str, str]]:
        text = CLEAN.replace("architecture: {value: unet_bilinear}", f"model: {{value: unet/{backbone}/imagenet}}")
        return [(each.severity, each.code) for each in lint(tmp_path, text).findings]

    assert weights("tu-tf_efficientnet_lite0") == []
    assert weights("resnet18") == [("warning", "B005")]
    assert weights("tu-test_vit") != []


def test_a_backbone_of_one_size_is_tried_at_the_sizes_of_the_sweep(tmp_path: Path) -> None:
    """512 pixels, the default, are not asked about where the sweep says otherwise."""
    model = "tu-maxvit_rmlp_pico_rw_256"
    text = CLEAN.replace("  architecture: {value: unet_bilinear}", f"  model: {{value: unet/{model}}}")
    lines = [line for line in text.splitlines() if "image_size" not in line]
    at = [f"{chr(10).join(lines)}\n  image_size: {{values: {sizes}}}\n" for sizes in ("[256]", "[256, 144]")]
    assert not [each for each in lint(tmp_path, at[0]).findings if each.severity == "error"]
    (finding,) = (each for each in lint(tmp_path, at[1]).findings if each.severity == "error")
    assert finding.code == "B002"
    assert "; it works at image_size 256)" in finding.message
    assert "1 of the 2 combinations" in finding.why
