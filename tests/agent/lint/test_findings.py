"""Each fault of a sweep is found on its line, with what is wrong and how to mend it."""

import importlib
import json
import re
import string
import subprocess
import sys
from pathlib import Path

import pytest

import agent.lint
from agent.lint import main
from agent.lint.finding import Rule
from tests.agent.lint.sweep_text import CLEAN, lint, with_line

FAULTS = [
    # line, its text, level, what, fix
    (
        11,
        "  patience: {values: [3, 50]}",
        "warning",
        "patience 50 ends no run",
        "write a smaller patience, or 0",
    ),
    (
        11,
        "  schedule: {value: cosin}",
        "error",
        "schedule is 'cosin', but must be one of constant, cosine",
        "",
    ),
    (11, "  folds: {value: 6}", "error", "folds is 6, so fold must be 1 to 6, not 0", "and list the folds"),
    (11, "  folds: {values: [0, 1]}", "error", "folds is 1, but must be 0 or at least 2", "write 2 or more"),
    (1, "", "error", "program is missing", "add `program: agent/train.py`"),
    (2, "", "error", "command is missing", 'command: ["${env}"'),
    (2, "command: [python, -m, agent.train]", "error", "command has no ${args}", 'command: ["${env}"'),
    (
        2,
        'command: [python, agent/train.py, "${args}"]',
        "error",
        "command starts agent/train.py as a file",
        "",
    ),
    (
        3,
        "method: gird",
        "error",
        "there is no method 'gird'; did you mean grid?",
        "write one of grid, random",
    ),
    (3, "methd: random", "error", "methd is no key of a sweep; did you mean method?", "use one of program"),
    (3, "search: random", "error", "search is no key of a sweep; did you mean method?", ""),
    (4, "run_cap: many", "error", "run_cap is 'many'", "write a whole number"),
    (4, "", "warning", "the sweep has no end", "add `run_cap:`"),
    (
        5,
        "metric: {name: val_iou, goal: maximize}",
        "error",
        "metric 'val_iou' is never logged; did you mean val/iou?",
        "",
    ),
    (5, "metric: {name: val/iou}", "error", "goal is missing", "add `goal: maximize`"),
    (
        5,
        "metric: {name: val/iou, goal: minimize}",
        "error",
        "goal minimize seeks the worst val/iou",
        "maximize",
    ),
    (
        5,
        "metric: {name: val/loss, goal: maximize}",
        "error",
        "goal maximize seeks the worst val/loss",
        "minimize",
    ),
    (5, "metric: {name: val/iou, goal: max}", "error", "there is no goal 'max'", "write maximize"),
    (5, "metric: {name: test/iou, goal: maximize}", "error", "metric test/iou is known only when", ""),
    (
        5,
        "metric: {name: test/iou, goal: maximize}",
        "warning",
        "metric test/iou is measured on the test",
        "val/iou",
    ),
    (5, "", "error", "metric is missing", "add `metric: {name: val/iou, goal: maximize}`"),
    (
        6,
        "early_stopping: {type: hyperband}",
        "error",
        "early_stopping is no key of a sweep; did you mean early_terminate?",
        "",
    ),
    (
        6,
        "early_terminate: {type: hyperband, min_iter: 5}",
        "warning",
        "Hyperband without `strict: true`",
        "add",
    ),
    (
        6,
        "early_terminate: {type: hyperband, min_iter: 45, strict: true}",
        "error",
        "Hyperband first looks after epoch 45, and no run has more than 45",
        "`min_iter: 5`",
    ),
    (
        6,
        "early_terminate: {type: hyperband, max_iter: 400, s: 1, strict: true}",
        "error",
        "Hyperband first looks after epoch 133",
        "`min_iter: 5`",
    ),
    (
        6,
        "early_terminate: {type: hyperband, strict: true}",
        "error",
        "early_terminate has neither min_iter nor max_iter and s",
        "",
    ),
    (
        6,
        "early_terminate: {type: hyperband, min_itr: 5, min_iter: 5, strict: true}",
        "error",
        "early_terminate has no key min_itr; did you mean min_iter?",
        "",
    ),
    (
        6,
        "early_terminate: {type: median, min_iter: 5, strict: true}",
        "error",
        "early_terminate has no type 'median'",
        "`type: hyperband`",
    ),
    (
        6,
        "early_terminate: {type: hyperband, min_iter: 0.5, strict: true}",
        "error",
        "min_iter is 0.5",
        "from 1 up",
    ),
    (
        8,
        "  arch: {value: unet_bilinear}",
        "error",
        "arch is no setting of agent.train; did you mean architecture?",
        "the settings are model",
    ),
    (
        8,
        "  architecture: {value: unet_bilinar}",
        "error",
        "architecture is 'unet_bilinar', but must be one of",
        "--help",
    ),
    (
        9,
        "  width: [8, 16]",
        "error",
        "width is [8, 16], not a specification",
        "write `width: {values: [8, 16]}`",
    ),
    (9, "  width: 8", "error", "width is 8, not a specification", "write `width: {value: 8}`"),
    (9, "  width: {values: [8, '16']}", "error", "width is the text '16', but must be a number", "write 16"),
    (9, "  width: {values: [8, 16.0]}", "error", "width is 16.0, but must be a whole number", "write 16"),
    (9, "  width: {values: [8, true]}", "error", "width is true, but must be a whole number", ""),
    (9, "  width: {values: 8}", "error", "values of width is 8, not a list", ""),
    (9, "  width: {values: [8, 8]}", "warning", "width lists a value twice", ""),
    (
        9,
        "  width: {valus: [8, 16]}",
        "error",
        "width has a key valus, which no parameter has; did you mean values?",
        "",
    ),
    (9, "  width: {min: 8.0, max: 16.0}", "error", "width is uniform, which draws fractions", "int_uniform"),
    (9, "  width: {min: 16, max: 8}", "error", "min 16 of width is above max 8", "exchange them"),
    (
        9,
        "  width: {distribution: int_unifrm, min: 8, max: 16}",
        "error",
        "width has no distribution 'int_unifrm'; did you mean int_uniform?",
        "",
    ),
    (
        9,
        "  width: {distribution: int_uniform, min: 8}",
        "error",
        "width is int_uniform and has no max",
        "add max",
    ),
    (9, "  width: {}", "error", "width has no values", ""),
    (
        9,
        "  width: {values: [8, 16], probabilities: [1.0]}",
        "error",
        "width has 2 values and not as many",
        "",
    ),
    (
        10,
        "  learning_rate: {values: [0.01, 1e-4]}",
        "error",
        "learning_rate is the text '1e-4', but must be a number",
        "write 1.0e-4",
    ),
    (
        10,
        "  learning_rate: {values: [1.0e4]}",
        "error",
        "learning_rate is the text '1.0e4', but must be",
        "write 1.0e+4",
    ),
    (
        10,
        "  learning_rate: {values: [fast]}",
        "error",
        "learning_rate is the text 'fast', but must be a number",
        "",
    ),
    (10, "  learning_rate: {value: 2}", "error", "learning_rate is 2, but must be above 0 and at most 1", ""),
    (
        10,
        "  learning_rate: {distribution: log_uniform, min: 0.0001, max: 0.01}",
        "error",
        "learning_rate is log_uniform, which takes exponents: it would draw from 1.0001 to 1.01005",
        "log_uniform_values",
    ),
    (
        10,
        "  learning_rate: {distribution: log_uniform_values, min: 0, max: 0.01}",
        "error",
        "min 0 of learning_rate has no logarithm",
        "above 0",
    ),
    (
        10,
        "  augmentation: {values: [light, off]}",
        "error",
        "augmentation is false, but must be text",
        "in quotes",
    ),
    (10, "  augmentation: {value: null}", "error", "augmentation is null, but must be text", "write none"),
    (
        10,
        "  augmentation: {min: 1, max: 3}",
        "error",
        "augmentation is text and cannot be int_uniform",
        "list",
    ),
    (10, "  data: {value: 7}", "error", "data is 7, but must be text", 'put it in quotes: "7"'),
    (
        11,
        "  image_size: {values: [64, 250]}",
        "error",
        "image_size is 250, but must be a multiple of 16",
        "write 256",
    ),
    (11, "  image_size: {min: 64, max: 128}", "error", "(and 59 more of its values are refused)", "`q: 16`"),
    (12, "  batch_size: {value: 1}", "warning", "batch_size is 1", "write 2 or more"),
    (
        5,
        "metric: {name: val_IoU, goal: maximize}",
        "error",
        "never logged; did you mean val/iou?",
        "name one of",
    ),
    (5, "metric: {name: best/val_iou, goal: maximize}", "error", "did you mean val/iou?", "name one of"),
    (5, "metric: {name: testiou, goal: maximize}", "error", "did you mean test/iou?", "name one of"),
    (5, "metric: val/iou", "error", "metric is 'val/iou', not a name and a goal", "{name: val/iou, goal:"),
    (
        6,
        "early_terminate: hyperband",
        "error",
        "early_terminate is 'hyperband', not a mapping",
        "{type: hyper",
    ),
    (
        6,
        "early_terminate: {type: hyperband, min_iter: 60, eta: 1, strict: true}",
        "error",
        "eta is 1",
        "above 1",
    ),
    (
        6,
        "scheduler: optuna",
        "error",
        "scheduler is 'optuna', not a mapping",
        "`scheduler: {engine: optuna}`",
    ),
    (
        9,
        "  width: {value: [8, 16]}",
        "error",
        "width is a list, but must be a single value",
        "`values: [8, 16]`",
    ),
    (9, "  width: {min: null, max: 8}", "error", "width is null, but must be a whole number", ""),
    (
        9,
        "  width: {distribution: q_uniform, min: 8, max: 16, q: 0}",
        "error",
        "q of width is 0",
        "above 0",
    ),
    (10, "  data: {value: null}", "error", "data is null, but must be text", "leave data out"),
    (13, "  repeats: {value: '3'}", "error", "repeats is the text '3', but must be a number", "write 3"),
    (
        10,
        "  data: {value: 2024-01-01}",
        "error",
        "data is 2024-01-01, but must be text",
        'put it in quotes: "2024',
    ),
    (13, "  width: {value: 8}", "error", "width stands here a second time", "remove one of the two"),
    (8, "  architecture: [", "error", "not YAML: ", "syntax"),
]


@pytest.mark.parametrize(("line", "text", "level", "what", "fix"), FAULTS, ids=lambda value: str(value)[:60])
def test_a_fault_is_found_on_its_line(
    tmp_path: Path, line: int, text: str, level: str, what: str, fix: str
) -> None:
    report = lint(tmp_path, with_line(line, text))
    found = [each for each in report.findings if what in each.message]
    assert found, report.text()
    assert found[0].severity == level
    assert fix in found[0].fix
    if text and "YAML" not in what:
        assert found[0].line == line, report.text()
    assert report.passes == all(each.severity == "warning" for each in report.findings)


def test_a_sweep_without_faults_is_only_priced(tmp_path: Path) -> None:
    report = lint(tmp_path, CLEAN)
    assert report.findings == ()
    assert report.cost is not None
    assert report.cost.n_runs == 8


@pytest.mark.parametrize("text", ["", "- a\n", "just text\n"])
def test_a_file_that_is_no_sweep_is_one_finding(tmp_path: Path, text: str) -> None:
    (finding,) = lint(tmp_path, text).findings
    assert finding.message == "not a sweep"


def test_an_anchor_that_contains_itself_is_one_finding(tmp_path: Path) -> None:
    (finding,) = lint(tmp_path, with_line(9, "  width: &w {values: [*w]}")).findings
    assert finding.message == "an anchor (&) stands for something that contains it (*)"


def test_logarithms_of_exponents_are_left_alone(tmp_path: Path) -> None:
    line = "  learning_rate: {distribution: log_uniform, min: -9.2, max: -4.6}"
    assert lint(tmp_path, with_line(10, line)).findings == ()


def test_a_grid_cannot_go_through_a_distribution(tmp_path: Path) -> None:
    (finding,) = lint(tmp_path, with_line(3, "method: grid")).findings
    assert finding.line == 10
    assert finding.message == "learning_rate is log_uniform_values, which a grid cannot go through"


def test_hyperband_that_comes_too_late_for_some_runs_is_doubtful(tmp_path: Path) -> None:
    (finding,) = lint(tmp_path, with_line(13, "  epochs: {values: [4, 45]}")).findings
    assert (finding.line, finding.severity) == (6, "warning")
    assert finding.message == "Hyperband first looks after epoch 5, and some runs have only 4"


def test_the_line_of_a_value_is_that_of_the_list_entry(tmp_path: Path) -> None:
    text = with_line(10, "  learning_rate:\n    values:\n      - 0.01\n      - 1e-4")
    (finding,) = lint(tmp_path, text).findings
    assert finding.line == 13


def test_a_sweep_of_another_program_is_checked_without_its_parameters(tmp_path: Path) -> None:
    text = (
        CLEAN.replace("agent.train", "mine.train")
        .replace("agent/train.py", "mine.py")
        .replace("width", "depth")
    )
    report = lint(tmp_path, text)
    assert report.passes
    assert [each.message for each in report.findings] == ["command does not start agent.train"]


def test_errors_make_the_exit_code_1_and_warnings_do_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    doubtful, wrong = tmp_path / "doubtful.yaml", tmp_path / "wrong.yaml"
    doubtful.write_text(with_line(4, ""))
    wrong.write_text(with_line(1, ""))
    assert main([str(doubtful)]) == 0
    assert main([str(doubtful), str(wrong), str(tmp_path / "none.yaml")]) == 1
    printed = capsys.readouterr()
    assert f"{wrong}:1: error: program is missing [C001]\n    why: " in printed.out
    assert "none.yaml:1: error: the file cannot be read: No such file or directory [Y001]" in printed.out
    assert printed.err == "agent.lint: 2 of 3 files have errors\n"


def test_machines_get_findings_and_price_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, wrong = tmp_path / "good.yaml", tmp_path / "wrong.yaml"
    good.write_text(CLEAN)
    wrong.write_text(with_line(11, "  image_size: {value: 250}"))
    assert main(["--json", str(good), str(wrong)]) == 1
    clean, faulty = json.loads(capsys.readouterr().out)
    assert (clean["file"], clean["passes"], clean["findings"]) == (str(good), True, [])
    assert clean["price"]["n_runs"] == 8
    assert clean["price"]["text"].startswith("8 runs: ")
    assert (faulty["passes"], faulty["price"]) == (False, None)
    (finding,) = faulty["findings"]
    place = {name: finding[name] for name in ("code", "line", "severity", "key", "fix")}
    assert place == {"code": "P031", "line": 11, "severity": "error", "key": "image_size", "fix": "write 256"}
    assert finding["message"].startswith("image_size is 250, but must be a multiple of 16")


def test_a_model_that_was_looked_at_before_needs_no_torch(tmp_path: Path) -> None:
    file = tmp_path / "sweep.yaml"
    file.write_text(CLEAN)
    assert main([str(file)]) == 0
    code = f"import sys; from agent.lint import main; main([{str(file)!r}]); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def rules() -> dict[str, Rule]:
    """Every rule of the linter by its code; the first where two share one."""
    folder = Path(agent.lint.__file__).parent
    modules = [
        importlib.import_module(f"agent.lint.{file.stem}") for file in sorted(folder.glob("[a-z]*.py"))
    ]
    found: dict[str, Rule] = {}
    for rule in (each for module in modules for each in vars(module).values() if isinstance(each, Rule)):
        found.setdefault(rule.code, rule)
    return dict(sorted(found.items()))


def row(rule: Rule) -> str:
    """Of the page: the template, with names for what is filled in."""
    fields = {text for _, text, _, _ in string.Formatter().parse(rule.message) if text}
    shown = re.sub(r"(?<!\{)\{(\w+)[^}]*\}", r"{\1}", rule.message)
    message = shown.format(
        **{name: "" if name == "near" else name.upper().replace("_", " ") for name in fields}
    )
    return f"| {rule.code} | {rule.severity} | {message} |"


def test_the_page_lists_every_rule() -> None:
    page = (Path(agent.lint.__file__).parents[2] / "docs" / "lint.md").read_text()
    listed = [line for line in page.splitlines() if re.match(r"\| [A-Z]\d{3} ", line)]
    assert sorted(listed) == sorted(map(row, rules().values()))
