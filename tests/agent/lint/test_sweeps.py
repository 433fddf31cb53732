"""The sweeps of the project pass, cost what their README says, and the linter knows every key that is logged."""

import textwrap
from pathlib import Path

import pytest

from agent.lint import check, main
from agent.lint.price import NO_GPU
from common import cores

ROOT = Path(__file__).parents[3]
ENDS = ("says on a processor that has bfloat16:\n\n", "that two cores finish in a night at most:\n\n")
"""Ends of the sentences before the two lists of prices."""


@pytest.mark.timeout(900)
@pytest.mark.slow
def test_every_sweep_passes_and_costs_what_the_readme_says(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("PUZZLE_STEP_SECONDS", str(ROOT / "no such file"))
    page = (ROOT / "sweeps" / "README.md").read_text()
    whole, small = (textwrap.dedent(page.split(end, 1)[1].split("\n\n")[0]).splitlines() for end in ENDS)
    every = sorted(Path("sweeps").glob("*.yaml"))
    for flags, paths, quoted in (
        ({"avx512_bf16"}, every, whole),
        (set(), [path for path in every if any(str(path) in line for line in small)], [*small, NO_GPU]),
    ):
        monkeypatch.setattr(cores, "flags", lambda flags=flags: flags)
        assert main([str(path) for path in paths]) == 0
        assert capsys.readouterr().out.splitlines() == quoted


SPACE = """
def space(trial):
    return {"model": "unet_bilinear", "width": trial.suggest_int("width", 8, 10), SETTINGS}
"""
SWEEP = """\
program: agent/train.py
command: [python, -m, agent.train, "${args}"]
metric: {name: val/iou, goal: maximize}
run_cap: 10
scheduler: {engine: optuna, source: space.py, search_space: space}
"""


@pytest.mark.parametrize(
    ("program", "code", "error", "place"),
    [
        ("def space(trial) return", "F002", "SyntaxError", ", line 1"),
        ("import nowhere", "F002", "ModuleNotFoundError", ", line 1"),
        ("def space(trial):\n    return 1 / 0", "F002", "ZeroDivisionError", ", line 2"),
        ("def space(trial):\n    return 3", "F002", "TypeError: it returns 3", ""),
        ("def spice(trial):\n    return {}", "F001", "", ""),
        ("other = 1\n", "F001", "", ""),
    ],
)
def test_a_search_space_that_fails_is_a_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, code: str, error: str, place: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("space.py").write_text(program)
    Path("sweep.yaml").write_text(SWEEP)
    (finding,) = check(Path("sweep.yaml")).findings
    assert (finding.line, finding.severity, finding.code) == (5, "error", code)
    assert error in finding.message
    assert place in finding.fix


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ('"image_size": 64, "seed": trial.number', []),
        ('"image_size": 63, "seed": trial.number', [("F003", "image_size is 63")]),
        ('"image_sise": 64, "seed": trial.number', [("F003", "did you mean image_size")]),
        ('"image_size": 64, "epochs": "x"', [("F003", "epochs is the text 'x'")]),
        ('"image_size": 64', [("F004", "[('image_size', 64)")]),
    ],
)
def test_a_search_space_in_python_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: str, found: list[tuple[str, str]]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("space.py").write_text(SPACE.replace("SETTINGS", settings))
    Path("sweep.yaml").write_text(SWEEP)
    report = check(Path("sweep.yaml"))
    for finding, (code, part) in zip(report.findings, found, strict=True):
        assert finding.code == code
        assert part in finding.message, report.text()
    assert all(finding.line == 5 for finding in report.findings)


def test_a_search_space_that_is_not_there_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("sweep.yaml").write_text(SWEEP)
    assert "S006" in [each.code for each in check(Path("sweep.yaml")).findings]
