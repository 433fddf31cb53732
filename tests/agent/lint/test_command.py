"""The words of `command:` are read as `wandb agent` fills them in."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from wandb.sdk.launch.sweeps import utils

from agent.lint import Report
from agent.lint.command import Command
from tests.agent.lint.sweep_text import CLEAN, lint

WORDS = ["${env}", "${interpreter}", "-m", "agent.train", "${args}"]


def with_command(folder: Path, command: Any, program: str = "agent/train.py", **more: Any) -> Report:
    """The clean sweep with another command (None: without one), written as a person would, and further parameters."""
    sweep = yaml.safe_load(CLEAN) | {"program": program}
    sweep["parameters"] |= more
    del sweep["command"]
    line = {} if command is None else {"command": command}
    return lint(folder, yaml.safe_dump(line | sweep, sort_keys=False, default_flow_style=None))


def levels(report: Report) -> list[str]:
    return [each.severity for each in report.findings]


@pytest.mark.parametrize(
    ("command", "what"),
    [
        ([*WORDS, "--image_size=64 --epochs=1"], "'--image_size=64 --epochs=1' is one word"),
        ([*WORDS, "--data=photos --epochs=1"], "is one word"),
        ([*WORDS, "--gpus=4"], "agent.train has no flag gpus"),
        ([*WORDS, "--epoch", "4"], "agent.train has no flag epoch; did you mean epochs?"),
        ([*WORDS, "--resume=abc"], "agent.train has no flag resume"),
        ([*WORDS, "4"], "agent.train has no flag 4"),
        ([*WORDS, "-e=4"], "agent.train has no flag -e=4"),
        ([*WORDS, "--epochs"], "--epochs has no value"),
        ([*WORDS[:4], "--epochs", "${args}"], "--epochs has no value"),
        ([*WORDS, "--deterministic"], "--deterministic has no value"),
        ([*WORDS, "--epochs=four"], "--epochs is 'four', but must be a whole number"),
        ([*WORDS, "--image_size=100"], "image_size is 100, but must be a multiple of 16"),
        ([*WORDS, "--seed=1", "--seed", "2"], "--seed stands there twice"),
        (["${env}", "${args}"], "command starts no program"),
        (["${args}"], "command starts no program"),
        (["${interpreter}", "${args_json}"], "command starts no program"),
        (["-m", "agent.train", "${args}"], "command has no interpreter"),
        (["${env}", "-m", "agent.train", "${args}"], "command has no interpreter"),
        (["${env}", "A=1", "-m", "agent.train", "${args}"], "command has no interpreter"),
        (["A=1", "${interpreter}", "-m", "agent.train", "${args}"], "command begins with A=1"),
        (["${interpreter}", "agent.train", "${args}"], "command has no -m before agent.train"),
        (["${interpreter}", "-m agent.train", "${args}"], "command has '-m agent.train' as one word"),
        (["python -m agent.train", "${args}"], "command has 'python -m agent.train' as one word"),
        (["python", "./agent/train.py", "${args}"], "command starts agent/train.py as a file"),
        (["${interpreter}", "${program}", "${args}"], "command starts agent/train.py as a file"),
        (["${program}", "${args}"], "command starts agent/train.py as a file"),
        (["${interpreter}", "${args}", "-m", "agent.train"], "${args} stands before agent.train"),
        ([*WORDS[:4], "${args_json}"], "agent.train does not read ${args_json}"),
        ([*WORDS[:4], "${args_json_file}"], "agent.train does not read ${args_json_file}"),
        ([*WORDS[:4], "${args_no_hyphens}"], "agent.train does not read ${args_no_hyphens}"),
        ([*WORDS, "${argz}"], "W&B knows no ${argz}; did you mean ${args}?"),
        ([*WORDS, "${envvar:home}"], "W&B knows no ${envvar:home}"),
        ([*WORDS, "--data=${args_json_file}"], "has a macro within a word"),
        ("python -m agent.train ${args}", "command is no list of words"),
        ({"env": {"WANDB_MODE": "offline"}}, "command is no list of words"),
        (["${env}", "WANDB_MODE=offline", *WORDS[1:]], "command sets WANDB_MODE=offline"),
        (["${env}", "WANDB_MODE=dryrun", *WORDS[1:]], "command sets WANDB_MODE=dryrun"),
        (["${env}", "WANDB_DISABLED=true", *WORDS[1:]], "command sets WANDB_DISABLED=true"),
        (["bash", "-c", "WANDB_MODE=disabled python mine.py"], "command sets WANDB_MODE=disabled"),
        ([*WORDS[:4]], "command has no ${args}"),
        ([], "command is missing"),
        (None, "command is missing"),
    ],
)
def test_a_command_that_cannot_work_is_an_error(tmp_path: Path, command: Any, what: str) -> None:
    report = with_command(tmp_path, command)
    (found,) = [each for each in report.findings if what in each.message]
    assert found.severity == "error"
    assert report.cost is None


@pytest.mark.parametrize(
    "command",
    [
        ["nice", "python3.11", "-u", "-m", "agent.train", "${args}"],
        ["${env}", "OMP_NUM_THREADS=1", "${interpreter}", "-m", "agent.train", "${args_no_equals}"],
        ["${env}", "WANDB_MODE=online", *WORDS[1:]],
        ["torchrun", "-m", "agent.train", "${args_no_boolean_flags}", "--epochs", "45"],
        ["python", "-m", "agent.train", "--seed=3", "${args}", "--data=drawn:7"],
    ],
)
def test_a_command_that_works_is_only_priced(tmp_path: Path, command: list[str]) -> None:
    report = with_command(tmp_path, command)
    assert levels(report) == []
    assert report.cost is not None


@pytest.mark.parametrize(
    ("values", "word", "found"),
    [
        ({"values": [True, False]}, "${args_no_boolean_flags}", ["error"]),
        ({"value": True}, "${args_no_boolean_flags}", ["error"]),
        ({"value": False}, "${args_no_boolean_flags}", []),
        ({"value": True}, "${args}", []),
    ],
)
def test_a_boolean_needs_its_value(tmp_path: Path, values: Any, word: str, found: list[str]) -> None:
    assert levels(with_command(tmp_path, [*WORDS[:4], word], deterministic=values)) == found


@pytest.mark.parametrize(
    ("program", "command"),
    [
        ("other.py", None),
        ("other.py", ["${env}", "${interpreter}", "${program}", "${args}"]),
        ("other.py", ["${program}", "${args_json}"]),
        ("agent/train.py", ["python", "-m", "mine.agent.train", "${args}"]),
        ("agent/train.py", ["bash", "-c", 'python -m agent.train "$@"', "${args}"]),
    ],
)
def test_another_program_is_one_note(tmp_path: Path, program: str, command: Any) -> None:
    report = with_command(tmp_path, command, program, depth={"values": [1, 2]})
    assert levels(report) == ["note"]
    assert report.cost is None


def hours(report: Report) -> float:
    assert report.cost is not None
    return report.cost.prices[0].hours


def test_a_flag_of_the_command_is_priced_where_it_wins(tmp_path: Path) -> None:
    long, short = (hours(with_command(tmp_path, WORDS, epochs={"value": n})) for n in (45, 15))
    wins = with_command(tmp_path, [*WORDS, "--epochs=15"])
    loses = with_command(tmp_path, [*WORDS[:4], "--epochs=15", "${args}"])
    assert levels(wins) == levels(loses) == ["warning"]
    assert "--epochs=15 stands behind ${args} and wins over the parameter epochs" in wins.findings[0].message
    assert "so the parameter epochs wins" in loses.findings[0].message
    assert (hours(wins), hours(loses)) == (short, long)
    assert short < long
    assert wins.cost is not None
    assert wins.cost.n_runs == 8


def test_a_grid_has_as_many_runs_however_many_of_its_values_the_command_overrides(tmp_path: Path) -> None:
    text = CLEAN.replace("method: random\nrun_cap: 8", "method: grid").replace(
        "{distribution: log_uniform_values, min: 1.0e-4, max: 0.01}", "{value: 0.01}"
    )
    text += "  seed: {min: 1, max: 20000}\n"
    report = lint(tmp_path, text.replace('"${args}"]', '"${args}", --width=8]'))
    assert report.cost is not None
    assert report.cost.n_runs == 40_000


def test_a_variable_is_filled_in_as_the_client_does(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    words = ["a-${envvar:PLACE}-b", "${envvar:NOWHERE}"]
    monkeypatch.setenv("PLACE", "here")
    monkeypatch.delenv("NOWHERE", raising=False)
    assert Command(words).words == utils.create_sweep_command(list(words)) == ["a-here-b", "NOWHERE"]
    report = with_command(tmp_path, [*WORDS, "--data=${envvar:NOWHERE}"])
    assert [(each.severity, each.message) for each in report.findings] == [("warning", "NOWHERE is not set here")]
