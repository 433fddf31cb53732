"""The commands that a report gives make the studies that it says they make."""

import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from analysis.comparison.commands import other_training_sets_command, study_command
from common.environment import ROOT
from common.sweep_spec.distributions import listed_values
from study import plan

SWEEPS = [file for file in sorted((ROOT / "sweeps").glob("*.yaml")) if "parameters:" in file.read_text()]


def made_by(command: str, folder: Path) -> dict[str, Any]:
    """The sweep that `make study` sends for this command line, by the code that it starts."""
    words = dict(word.split("=", 1) for word in shlex.split(command)[2:])
    assert shlex.split(command)[:2] == ["make", "study"]
    number = {name: int(words[name]) if name in words else None for name in ("SIZE", "EPOCHS", "SEEDS")}
    sweep = ROOT / words.get("SWEEP", "sweeps/cpu.yaml")
    data = words.get("DATA", "drawn").replace("$$", "$")
    return plan.make_plan(sweep, folder, data, number["SIZE"], number["EPOCHS"], number["SEEDS"]).sweep


def values(sweep: Mapping[str, Any]) -> dict[str, list[str]]:
    return {name: sorted(map(str, listed_values(spec) or [])) for name, spec in sweep["parameters"].items()}


@pytest.mark.parametrize("file", SWEEPS, ids=lambda file: file.stem)
@pytest.mark.parametrize("changes", [{}, {"data": "/my $photos/a b", "image_size": 64, "epochs": 3}], ids=str)
def test_the_command_of_every_grid_makes_that_grid_again(file: Path, changes: dict[str, Any], tmp_path: Path) -> None:
    settings = yaml.safe_load(file.read_text())
    settings["parameters"] |= {name: {"value": value} for name, value in changes.items()}
    command = study_command({"s": settings})
    if settings["method"] != "grid" or command is None:
        assert command is None
        return
    if "SWEEP=sweep.yaml" in command:
        assert changes  # the file itself is always found
        return
    assert values(made_by(command, tmp_path)) == values(settings)


def test_more_seeds_and_epochs_are_asked_for_and_nothing_else_changes(tmp_path: Path) -> None:
    settings = yaml.safe_load((ROOT / "sweeps" / "cpu.yaml").read_text())
    command = study_command({"s": settings}, seeds=3, epochs=20)
    assert command == "make study EPOCHS=20 SEEDS=3"
    expected = values(settings) | {"seed": ["1", "2", "3"], "epochs": ["20"]}
    assert values(made_by(command, tmp_path)) == expected


def test_a_grid_of_ones_own_is_given_as_a_file_and_other_searches_have_no_command() -> None:
    own = yaml.safe_load((ROOT / "sweeps" / "cpu.yaml").read_text())
    own["parameters"]["learning_rate"] = {"values": [0.1, 0.01]}
    assert study_command({"s": own}) == "make study SWEEP=sweep.yaml"
    own["parameters"]["data"] = {"value": "/my/photos"}
    assert study_command({"s": own}, seeds=3) == "make study SWEEP=sweep.yaml DATA=/my/photos SEEDS=3"
    own["parameters"]["data"] = {"value": "photos"}
    assert study_command({"s": own}) == "make study SWEEP=sweep.yaml DATA=FOLDER", "the name in an exported study"
    assert study_command({"s": own, "t": own}) is None
    assert study_command({}) is None
    assert study_command({"s": own | {"method": "random"}}) is None


def test_a_grid_of_ones_own_is_found_among_the_studies_that_were_made(tmp_path: Path) -> None:
    own = yaml.safe_load((ROOT / "sweeps" / "cpu.yaml").read_text())
    own["parameters"]["learning_rate"] = {"values": [0.1, 0.01]}
    file = tmp_path / "mine" / "sweep.yaml"
    file.parent.mkdir()
    file.write_text(yaml.safe_dump(own))
    command = study_command({"s": own}, seeds=3, results=tmp_path)
    assert command is not None
    assert command.endswith("/mine/sweep.yaml SEEDS=3")
    assert values(made_by(command, tmp_path)) == values(own) | {"seed": ["1", "2", "3"]}


def test_several_training_sets_are_had_from_the_same_photographs(tmp_path: Path) -> None:
    own = yaml.safe_load((ROOT / "sweeps" / "cpu.yaml").read_text())
    own["parameters"]["data"] = {"value": "/my/photos"}
    sweep = made_by(other_training_sets_command({"s": own}), tmp_path)
    assert len(listed_values(sweep["parameters"]["fold"]) or []) >= 3
    assert values(sweep)["data"] == ["/my/photos"]
    assert re.fullmatch(
        r"make study SWEEP=sweeps/\S+ SIZE=\d+ EPOCHS=\d+",
        other_training_sets_command({"s": yaml.safe_load((ROOT / "sweeps" / "cpu.yaml").read_text())}),
    )
