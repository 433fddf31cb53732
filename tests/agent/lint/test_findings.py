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

HUGE = "1" + 400 * "0"
"""A whole number that no float can be."""

FAULTS = [
    # line, its text, code, part of the finding
    (11, "  patience: {values: [3, 50]}", "P032", "write a smaller patience, or 0"),
    (11, "  schedule: {value: cosin}", "P030", "schedule is 'cosin', but must be one of constant, cosine"),
    (11, "  folds: {value: 6}", "B001", "list the folds"),
    (11, "  folds: {values: [0, 1]}", "B001", "folds is 1, but must be 0 or at least 2"),
    (1, "", "C001", "add `program: agent/train.py`"),
    (2, "", "C011", 'command: ["${env}"'),
    (2, "command: [python, -m, agent.train]", "C016", 'command: ["${env}"'),
    (2, 'command: [python, agent/train.py, "${args}"]', "C014", ""),
    (3, "method: gird", "S003", "did you mean grid?"),
    (3, "methd: random", "S001", "did you mean method?"),
    (3, "search: random", "S001", "did you mean method?"),
    (4, "run_cap: many", "S007", ""),
    (4, "", "S008", "add `run_cap:`"),
    (5, "metric: {name: val_iou, goal: maximize}", "M003", "did you mean val/iou?"),
    (5, "metric: {name: val/iou}", "M006", "add `goal: maximize`"),
    (5, "metric: {name: val/iou, goal: minimize}", "M008", "maximize"),
    (5, "metric: {name: val/loss, goal: maximize}", "M008", "minimize"),
    (5, "metric: {name: val/iou, goal: max}", "M007", "write maximize"),
    (5, "metric: {name: test/iou, goal: maximize}", "M005", ""),
    (5, "metric: {name: test/iou, goal: maximize}", "M004", ""),
    (5, "", "M001", "add `metric: {name: val/iou, goal: maximize}`"),
    (6, "early_stopping: {type: hyperband}", "S001", "did you mean early_terminate?"),
    (6, "early_terminate: {type: hyperband, min_iter: 5}", "H004", ""),
    (6, "early_terminate: {type: hyperband, min_iter: 45, strict: true}", "H009", "`min_iter: 5`"),
    (6, "early_terminate: {type: hyperband, max_iter: 400, s: 1, strict: true}", "H009", "`min_iter: 5`"),
    (6, "early_terminate: {type: hyperband, strict: true}", "H006", ""),
    (6, "early_terminate: {type: hyperband, min_itr: 5, min_iter: 5, strict: true}", "H002", "did you mean min_iter?"),
    (6, "early_terminate: {type: median, min_iter: 5, strict: true}", "H003", "`type: hyperband`"),
    (6, "early_terminate: {type: hyperband, min_iter: 0.5, strict: true}", "H007", "from 1 up"),
    (6, "early_terminate: {type: hyperband, min_iter: 2.5, strict: true}", "H007", "whole number"),
    (6, "early_terminate: {type: hyperband, min_iter: 5, max_iter: 27, strict: true}", "H006", "max_iter and s"),
    (6, "early_terminate: {type: hyperband, min_iter: 5, strict: maybe}", "H011", "true or false"),
    (6, "early_terminate: {type: hyperband, max_iter: 2, s: 1, strict: true}", "H012", "raise max_iter"),
    (8, "  arch: {value: unet_bilinear}", "P001", "did you mean architecture?"),
    (8, "  architecture: {value: unet_bilinar}", "B001", ""),
    (9, "  width: [8, 16]", "P002", "write `width: {values: [8, 16]}`"),
    (9, "  width: 8", "P002", "write `width: {value: 8}`"),
    (9, "  width: {values: [8, '16']}", "T008", "write 16"),
    (9, "  width: {values: [8, 16.0]}", "T010", "write 16"),
    (9, "  width: {values: [8, true]}", "T009", ""),
    (9, "  width: {values: 8}", "P018", ""),
    (9, "  width: {values: [8, 8]}", "P019", ""),
    (9, "  width: {valus: [8, 16]}", "P004", "did you mean values?"),
    (9, "  width: {min: 8.0, max: 16.0}", "P029", ""),
    (9, "  width: {min: 16, max: 8}", "P021", ""),
    (9, "  width: {distribution: int_unifrm, min: 8, max: 16}", "P006", "did you mean int_uniform?"),
    (9, "  width: {distribution: int_uniform, min: 8}", "P007", ""),
    (9, "  width: {}", "P005", ""),
    (9, "  width: {values: [8, 16], probabilities: [1.0]}", "P011", ""),
    (10, "  learning_rate: {values: [0.01, 1e-4]}", "T007", "write 1.0e-4"),
    (10, "  learning_rate: {values: [1.0e4]}", "T007", "write 1.0e+4"),
    (10, "  learning_rate: {values: [fast]}", "T011", ""),
    (10, "  learning_rate: {value: 2}", "P030", ""),
    (10, "  learning_rate: {distribution: log_uniform, min: 0.0001, max: 0.01}", "P027", ""),
    (10, "  learning_rate: {distribution: log_uniform_values, min: 0, max: 0.01}", "P022", "above 0"),
    (10, "  augmentation: {values: [light, off]}", "T003", "in quotes"),
    (10, "  augmentation: {value: null}", "T005", "write none"),
    (10, "  augmentation: {min: 1, max: 3}", "P020", ""),
    (10, "  data: {value: 7}", "T006", 'put it in quotes: "7"'),
    (11, "  image_size: {values: [64, 250]}", "P031", "write 256"),
    (11, "  image_size: {min: 64, max: 128}", "P031", "`q: 16`"),
    (12, "  batch_size: {value: 1}", "B006", "write 2 or more"),
    (5, "metric: {name: val_IoU, goal: maximize}", "M003", "did you mean val/iou?"),
    (5, "metric: {name: best/val_iou, goal: maximize}", "M003", "did you mean val/iou?"),
    (5, "metric: {name: testiou, goal: maximize}", "M003", "did you mean test/iou?"),
    (5, "metric: val/iou", "M002", "{name: val/iou, goal:"),
    (6, "early_terminate: hyperband", "H001", "{type: hyper"),
    (6, "early_terminate: {type: hyperband, min_iter: 60, eta: 1, strict: true}", "H008", "above 1"),
    (6, "scheduler: optuna", "S004", "`scheduler: {engine: optuna}`"),
    (9, "  width: {value: [8, 16]}", "T002", "`values: [8, 16]`"),
    (9, "  width: {min: null, max: 8}", "T009", ""),
    (9, "  width: {distribution: q_uniform, min: 8, max: 16, q: 0}", "P025", "above 0"),
    (10, "  data: {value: null}", "T004", "leave data out"),
    (13, "  repeats: {value: '3'}", "T008", "write 3"),
    (10, "  data: {value: 2024-01-01}", "T006", 'put it in quotes: "2024'),
    (13, "  width: {value: 8}", "Y005", ""),
    (8, "  architecture: [", "Y002", ""),
    (
        13,
        "  seed: {distribution: int_uniform, min: 0, max: 18446744073709551616}",
        "P030",
        "at most 18446744073709551615",
    ),
    (13, f"  seed: {{min: 0, max: {HUGE}}}", "P024", "write a finite number"),
    (13, f"  score_size: {{value: {HUGE}}}", "P030", "at most 1000000"),
    (11, f"  image_size: {{value: {HUGE}}}", "P031", "write 16384"),
    (11, "  image_size: {distribution: q_uniform, min: 32, max: 1000000000000000000000, q: 16}", "P031", "16384"),
    (10, f"  learning_rate: {{value: {HUGE}}}", "T011", "such as 0.001"),
    (10, "  learning_rate: {distribution: q_uniform, min: 0.001, max: 0.1, q: 5.0e-324}", "P033", "a larger q"),
]


@pytest.mark.parametrize(("line", "text", "code", "part"), FAULTS, ids=lambda value: str(value)[:60])
def test_a_fault_is_found_on_its_line(tmp_path: Path, line: int, text: str, code: str, part: str) -> None:
    report = lint(tmp_path, with_line(line, text))
    found = [each for each in report.findings if each.code == code]
    assert found, report.text()
    assert part in f"{found[0].message}\n{found[0].fix}"
    if text and code != "Y002":
        assert found[0].line == line
    assert report.passes == all(each.severity == "warning" for each in report.findings)


def test_a_sweep_without_faults_is_only_priced(tmp_path: Path) -> None:
    report = lint(tmp_path, CLEAN)
    assert report.findings == ()
    assert report.cost is not None
    assert report.cost.n_runs == 8


@pytest.mark.parametrize(
    "text",
    [
        "  seed: {distribution: int_uniform, min: 0, max: 18446744073709551615}",
        "  weight_decay: {distribution: q_uniform, min: 0.001, max: 0.1, q: 1.0e-30}",
    ],
)
def test_values_without_number_are_no_fault(tmp_path: Path, text: str) -> None:
    report = lint(tmp_path, with_line(13, text))
    assert report.findings == ()
    assert report.cost is not None


OTHER_PROGRAM = CLEAN.replace("agent.train", "mine.train").replace("agent/train.py", "mine.py").replace("width", "x")


@pytest.mark.parametrize(
    ("text", "line", "code", "severity"),
    [
        *((text, 1, "Y003", "error") for text in ("", "- a\n", "just text\n")),
        (with_line(9, "  width: &w {values: [*w]}"), 1, "Y004", "error"),
        (with_line(3, "method: grid"), 10, "P017", "error"),
        (with_line(13, "  epochs: {values: [4, 45]}"), 6, "H010", "warning"),
        (OTHER_PROGRAM, 2, "C009", "note"),
        (with_line(10, "  learning_rate:\n    values:\n      - 0.01\n      - 1e-4"), 13, "T007", "error"),
    ],
    ids=["empty", "list", "text", "contains itself", "grid of a range", "bands", "another program", "list entry"],
)
def test_a_fault_elsewhere_than_on_the_changed_line_is_one_finding(
    tmp_path: Path, text: str, line: int, code: str, severity: str
) -> None:
    report = lint(tmp_path, text)
    assert [(each.line, each.code, each.severity) for each in report.findings] == [(line, code, severity)]
    assert report.passes == (severity != "error")


def test_logarithms_of_exponents_are_left_alone(tmp_path: Path) -> None:
    line = "  learning_rate: {distribution: log_uniform, min: -9.2, max: -4.6}"
    assert lint(tmp_path, with_line(10, line)).findings == ()


def test_errors_make_the_exit_code_1_and_warnings_do_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    doubtful, wrong = tmp_path / "doubtful.yaml", tmp_path / "wrong.yaml"
    doubtful.write_text(with_line(4, ""))
    wrong.write_text(with_line(1, ""))
    assert main([str(doubtful)]) == 0
    assert main([str(doubtful), str(wrong), str(tmp_path / "none.yaml")]) == 1
    printed = capsys.readouterr()
    assert re.search(rf"^{re.escape(str(wrong))}:1: error: .* \[C001\]\n    why: ", printed.out, re.MULTILINE)
    assert "none.yaml:1: error: " in printed.out
    assert "[Y001]" in printed.out
    assert "2 of 3" in printed.err


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
    assert finding["message"].startswith("image_size is 250, ")


def test_a_model_that_was_looked_at_before_needs_no_torch(tmp_path: Path) -> None:
    file = tmp_path / "sweep.yaml"
    file.write_text(CLEAN)
    assert main([str(file)]) == 0
    code = f"import sys; from agent.lint import main; main([{str(file)!r}]); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def rules() -> dict[str, Rule]:
    """Every rule of the linter by its code; the first where two share one."""
    folder = Path(agent.lint.__file__).parent
    files = [file.relative_to(folder).with_suffix("") for file in sorted(folder.rglob("[a-z]*.py"))]
    modules = [importlib.import_module(".".join(("agent", "lint", *file.parts))) for file in files]
    found: dict[str, Rule] = {}
    for rule in (each for module in modules for each in vars(module).values() if isinstance(each, Rule)):
        found.setdefault(rule.code, rule)
    return dict(sorted(found.items()))


def row(rule: Rule) -> str:
    """Of the page: the template, with names for what is filled in."""
    fields = {text for _, text, _, _ in string.Formatter().parse(rule.message) if text}
    shown = re.sub(r"(?<!\{)\{(\w+)[^}]*\}", r"{\1}", rule.message)
    message = shown.format(**{name: "" if name == "near" else name.upper().replace("_", " ") for name in fields})
    return f"| {rule.code} | {rule.severity} | {message} |"


def test_the_page_lists_every_rule() -> None:
    page = (Path(agent.lint.__file__).parents[2] / "docs" / "lint.md").read_text()
    listed = [line for line in page.splitlines() if re.match(r"\| [A-Z]\d{3} ", line)]
    assert sorted(listed) == sorted(map(row, rules().values()))
