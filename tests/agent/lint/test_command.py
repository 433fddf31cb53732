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
    ("code", "command"),
    [
        ("C024", [*WORDS, "--image_size=64 --epochs=1"]),
        ("C024", [*WORDS, "--data=photos --epochs=1"]),
        ("C022", [*WORDS, "--gpus=4"]),
        ("C022", [*WORDS, "--epoch", "4"]),
        ("C022", [*WORDS, "--resume=abc"]),
        ("C022", [*WORDS, "4"]),
        ("C022", [*WORDS, "-e=4"]),
        ("C023", [*WORDS, "--epochs"]),
        ("C023", [*WORDS[:4], "--epochs", "${args}"]),
        ("C023", [*WORDS, "--deterministic"]),
        ("C025", [*WORDS, "--epochs=four"]),
        ("P031", [*WORDS, "--image_size=100"]),
        ("C021", [*WORDS, "--seed=1", "--seed", "2"]),
        ("C007", ["${env}", "${args}"]),
        ("C007", ["${args}"]),
        ("C007", ["${interpreter}", "${args_json}"]),
        ("C010", ["-m", "agent.train", "${args}"]),
        ("C010", ["${env}", "-m", "agent.train", "${args}"]),
        ("C010", ["${env}", "A=1", "-m", "agent.train", "${args}"]),
        ("C008", ["A=1", "${interpreter}", "-m", "agent.train", "${args}"]),
        ("C012", ["${interpreter}", "agent.train", "${args}"]),
        ("C013", ["${interpreter}", "-m agent.train", "${args}"]),
        ("C013", ["python -m agent.train", "${args}"]),
        ("C014", ["python", "./agent/train.py", "${args}"]),
        ("C014", ["${interpreter}", "${program}", "${args}"]),
        ("C014", ["${program}", "${args}"]),
        ("C017", ["${interpreter}", "${args}", "-m", "agent.train"]),
        ("C015", [*WORDS[:4], "${args_json}"]),
        ("C015", [*WORDS[:4], "${args_json_file}"]),
        ("C015", [*WORDS[:4], "${args_no_hyphens}"]),
        ("C005", [*WORDS, "${argz}"]),
        ("C005", [*WORDS, "${envvar:home}"]),
        ("C006", [*WORDS, "--data=${args_json_file}"]),
        ("C002", "python -m agent.train ${args}"),
        ("C002", {"env": {"WANDB_MODE": "offline"}}),
        ("C003", ["${env}", "WANDB_MODE=offline", *WORDS[1:]]),
        ("C003", ["${env}", "WANDB_MODE=dryrun", *WORDS[1:]]),
        ("C003", ["${env}", "WANDB_DISABLED=true", *WORDS[1:]]),
        ("C003", ["bash", "-c", "WANDB_MODE=disabled python mine.py"]),
        ("C016", [*WORDS[:4]]),
        ("C011", []),
        ("C011", None),
    ],
)
def test_a_command_that_cannot_work_is_an_error(tmp_path: Path, code: str, command: Any) -> None:
    report = with_command(tmp_path, command)
    (found,) = [each for each in report.findings if each.code == code]
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
    assert [[each.code for each in report.findings] for report in (wins, loses)] == [["C026"], ["C027"]]
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
    assert [(each.severity, each.code) for each in report.findings] == [("warning", "C004")]
