"""The sweeps of the project pass, cost what their README says, and the linter knows every key that is logged."""

import textwrap
from pathlib import Path

import pytest

from agent.lint import check, main
from common import cores

ROOT = Path(__file__).parents[3]


@pytest.mark.timeout(900)
@pytest.mark.slow
def test_every_sweep_passes_and_costs_what_the_readme_says(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("PUZZLE_STEP_SECONDS", str(ROOT / "no such file"))
    monkeypatch.setattr(cores, "flags", lambda: {"avx512_bf16"})
    assert main([str(path) for path in sorted(Path("sweeps").glob("*.yaml"))]) == 0
    printed = capsys.readouterr().out
    page = (ROOT / "sweeps" / "README.md").read_text()
    quoted = page.split("`python -m agent.lint sweeps/*.yaml` says:\n\n")[1].split("\n\n")[0]
    assert printed == textwrap.dedent(quoted) + "\n"


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
    ("code", "what", "fix"),
    [
        ("def space(trial) return", "space.py raises SyntaxError: expected ':'", "mend the file, line 1"),
        ("import nowhere", "space.py raises ModuleNotFoundError: No module named 'nowhere'", "mend the file, line 1"),
        ("def space(trial):\n    return 1 / 0", "space.py raises ZeroDivisionError: division", "mend the file, line 2"),
        ("def space(trial):\n    return 3", "space.py raises TypeError: it returns 3, not a", "mend the file"),
        ("def spice(trial):\n    return {}", "space.py has no function space with one", "mend its name"),
    ],
)
def test_a_search_space_that_fails_is_a_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, what: str, fix: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("space.py").write_text(code)
    Path("sweep.yaml").write_text(SWEEP)
    (finding,) = check(Path("sweep.yaml")).findings
    assert (finding.line, finding.severity) == (5, "error")
    assert finding.message.startswith(what)
    assert finding.fix.startswith(fix)


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ('"image_size": 64, "seed": trial.number', []),
        ('"image_size": 63, "seed": trial.number', ["image_size is 63, but must be a multiple of 16"]),
        ('"image_sise": 64, "seed": trial.number', ["image_sise is no setting of agent.train; did you mean image"]),
        ('"image_size": 64, "epochs": "x"', ["epochs is the text 'x', but must be a whole number"]),
        ('"image_size": 64', ["it repeats [('image_size', 64)"]),
    ],
)
def test_a_search_space_in_python_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: str, found: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("space.py").write_text(SPACE.replace("SETTINGS", settings))
    Path("sweep.yaml").write_text(SWEEP)
    report = check(Path("sweep.yaml"))
    for finding, what in zip(report.findings, found, strict=True):
        assert what in finding.message, report.text()
    assert all(finding.line == 5 for finding in report.findings)


def test_a_search_space_that_is_not_there_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("sweep.yaml").write_text(SWEEP)
    assert "source 'space.py' is no file seen from here" in [
        each.message for each in check(Path("sweep.yaml")).findings
    ]
    Path("space.py").write_text("other = 1\n")
    (finding,) = check(Path("sweep.yaml")).findings
    assert finding.message == "space.py has no function space with one argument, the trial"
