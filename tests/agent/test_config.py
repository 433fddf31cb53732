"""Every wrong setting is one sentence that names the value, the rule and the way out."""

import dataclasses
import re
import subprocess
import sys

import pytest

from agent.config import SCRATCH_ARCHITECTURES, SMP_ARCHITECTURES, Config, ConfigError, from_settings, parse
from agent.training import models
from agent.training.models import smp


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--lr=0.1"], "unknown setting --lr=0.1; the settings are model, architecture, backbone, "),
        (["--epochs=1.5"], "argument --epochs: is '1.5', but must be a whole number"),
        (["--learning_rate=fast"], "argument --learning_rate: is 'fast', but must be a number"),
        (["--learning_rate=0"], "learning_rate is 0, but must be above 0 and at most 1"),
        (["--learning_rate=nan"], "learning_rate is nan, but must be above 0 and at most 1"),
        (["--epochs=0"], "epochs is 0, but must be at least 1"),
        (["--seed=-1"], "seed is -1, but must be at least 0"),
        (["--fold=-1"], "fold is -1, but must be at least 0"),
        (["--deterministic=yes"], "argument --deterministic: is 'yes', but must be true or false"),
        (["--folds=6"], "folds is 6, so fold must be 1 to 6, not 0"),
        (["--folds=2", "--fold=3"], "folds is 2, so fold must be 1 to 2, not 3"),
        (["--folds=1", "--fold=1"], "folds is 1, but must be 0 or at least 2"),
        (["--schedule=cosin"], "schedule is 'cosin', but must be one of constant, cosine (did you mean cosine?)"),
        (["--weight_decay=-1"], "weight_decay is -1, but must be from 0 to 1"),
        (["--patience=-1"], "patience is -1, but must be at least 0"),
        (["--score_size=16"], "score_size is 16, but must be at least 32"),
        (["--image_size=100"], "image_size is 100, but must be a multiple of 16 pixels, from 32 up: "),
        (["--data=drawn:1:0"], "data is 'drawn:1:0', but drawn photographs are drawn, drawn:SEED or drawn:SEED:N"),
        (["--data="], "data is empty, but must be a folder of photographs, or drawn, or drawn:SEED"),
        (["--augmentation=strng"], "augmentation is 'strng', but must be one of none, light, medium, strong (did"),
        (["--architecture=vnet"], "architecture is 'vnet', but must be one of unet_transposed, unet_bilinear, unet,"),
        (["--architecture=unet"], "unet needs a backbone, for instance resnet18"),
        (["--backbone=resnet18"], "unet_transposed is written from scratch"),
        (["--model=unet/resnet18/imagenet/x"], "has the form ARCHITECTURE[/BACKBONE[/WEIGHTS]]"),
        (["--model=unet/resnet18", "--backbone=resnet34"], "backbone resnet18, but backbone is resnet34"),
        (["--model=deeplabv3plus/resnet18", "--batch_size=1"], "batch_size is 1, but deeplabv3plus needs at least 2"),
        (["--model=unet/resnet18", "--batch_size=1", "--image_size=48"], "but unet at image_size 48 needs at least 2"),
    ],
)
def test_a_wrong_setting_is_named_with_its_rule(flags: list[str], sentence: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        parse(flags)
    assert sentence in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_the_shorthand_fills_three_fields() -> None:
    config = parse(["--model=unet/tu-tf_efficientnet_lite0/imagenet"])
    assert (config.architecture, config.backbone, config.weights) == ("unet", "tu-tf_efficientnet_lite0", "imagenet")


def test_a_config_without_shorthand_is_given_one() -> None:
    assert parse([]).model == "unet_transposed"
    assert parse(["--architecture=unet", "--backbone=resnet18"]).model == "unet/resnet18/none"


def test_flags_come_as_the_wandb_agent_writes_them() -> None:
    written = {"--learning_rate=1e-05": 1e-5, "--seed=3": 3, "--deterministic=True": True, "--fold=2": 2}
    meant = {flag[2:].partition("=")[0]: value for flag, value in written.items()}
    assert parse(list(written)) == from_settings(meant)
    assert not parse(["--deterministic=False"]).deterministic


def test_a_config_survives_being_written_as_a_dictionary() -> None:
    config = parse(["--model=deeplabv3plus/resnet18", "--epochs=3"])
    assert Config(**dataclasses.asdict(config)) == config


def test_a_config_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        parse([]).epochs = 3  # type: ignore[misc]


def test_the_architectures_of_the_config_are_those_of_the_factory() -> None:
    assert (*models.BUILDERS, *smp.ARCHITECTURES) == SCRATCH_ARCHITECTURES + SMP_ARCHITECTURES


def test_the_help_states_every_default_that_there_is() -> None:
    command = [sys.executable, "-m", "agent.config", "--help"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    stated = re.findall(r"\(default: (.*?)\)", " ".join(printed.split()))
    assert stated == [str(each.default) for each in dataclasses.fields(Config) if each.default != ""]
