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
    ("flags", "fault", "rule"),
    [
        (["--lr=0.1"], "unknown setting --lr=0.1", "model, architecture, backbone, "),
        (["--epochs=1.5"], "--epochs: is '1.5'", "whole number"),
        (["--learning_rate=fast"], "--learning_rate: is 'fast'", "a number"),
        (["--learning_rate=0"], "learning_rate is 0", "at most 1"),
        (["--learning_rate=nan"], "learning_rate is nan", "above 0"),
        (["--epochs=0"], "epochs is 0", "at least 1"),
        (["--seed=-1"], "seed is -1", "at least 0"),
        ([f"--seed={2**64}"], f"seed is {2**64}", f"at most {2**64 - 1}"),
        *(([f"--{name}={10**20}"], f"{name} is {10**20}", "at most 1000000") for name in ("repeats", "width")),
        (["--image_size=1000000"], "image_size is 1000000", "at most 16384"),
        (["--data=\udcfc"], "data is '\\udcfc'", "must be UTF-8: rename"),
        (["--fold=-1"], "fold is -1", "at least 0"),
        (["--deterministic=yes"], "--deterministic: is 'yes'", "true or false"),
        (["--folds=6"], "folds is 6", "1 to 6, not 0"),
        (["--folds=2", "--fold=3"], "folds is 2", "1 to 2, not 3"),
        (["--folds=1", "--fold=1"], "folds is 1", "0 or at least 2"),
        (["--schedule=cosin"], "schedule is 'cosin'", "constant, cosine (did you mean cosine?)"),
        (["--weight_decay=-1"], "weight_decay is -1", "from 0 to 1"),
        (["--patience=-1"], "patience is -1", "at least 0"),
        (["--score_size=16"], "score_size is 16", "at least 32"),
        (["--image_size=100"], "image_size is 100", "multiple of 16 pixels, from 32"),
        (["--data=drawn:1:0"], "data is 'drawn:1:0'", "drawn, drawn:SEED or drawn:SEED:N"),
        (["--data="], "data is empty", "drawn:SEED"),
        (["--augmentation=strng"], "augmentation is 'strng'", "none, light, medium, strong (did"),
        (["--architecture=vnet"], "architecture is 'vnet'", "unet_transposed, unet_bilinear, unet,"),
        (["--architecture=unet"], "unet needs a backbone", "resnet18"),
        (["--backbone=resnet18"], "unet_transposed is written from scratch", "none"),
        (["--model=unet/resnet18/imagenet/x"], "unet/resnet18/imagenet/x", "ARCHITECTURE[/BACKBONE[/WEIGHTS]]"),
        (["--model=unet/resnet18", "--backbone=resnet34"], "backbone resnet18", "backbone is resnet34"),
        (["--model=deeplabv3plus/resnet18", "--batch_size=1"], "batch_size is 1", "deeplabv3plus needs at least 2"),
        (["--model=unet/resnet18", "--batch_size=1", "--image_size=48"], "image_size 48", "at least 2"),
    ],
)
def test_a_wrong_setting_is_named_with_its_rule(flags: list[str], fault: str, rule: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        parse(flags)
    assert fault in str(refusal.value)
    assert rule in str(refusal.value).partition(fault)[2]
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
