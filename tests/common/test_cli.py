"""Command lines name what is wrong with them."""

import argparse
import io
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from common.cli import Parser, exit_code, need_temporary_folder, number, whole_number
from common.environment import ROOT


@pytest.fixture
def parser() -> Parser:
    made = Parser(prog="tool")
    made.add_argument("--folder", required=True)
    made.add_argument("--jobs", type=whole_number(2), default=2)
    made.add_argument("--share", type=number(0, 1))
    made.add_argument("--hours", type=number(0))
    made.add_argument("--step", type=number(above=0))
    made.add_argument("names", nargs="*")
    return made


def test_a_line_is_parsed_as_argparse_would(parser: Parser) -> None:
    options = parser.parse_args(["--folder=a", "--jobs", "3", "x", "--", "--y"])
    assert (options.folder, options.jobs, options.names) == ("a", 3, ["x", "--y"])
    assert parser.parse_args(["--folder", "a", "--share", "1", "--step", "1e-9"]).share == 1


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--prt 1", "there is no option --prt;"),
        ("--folder a --fold b", "there is no option --fold;"),
        ("--fold=b", "there is no option --fold;"),
        ("", "the following arguments are required: --folder"),
        ("--folder a --jobs two", "argument --jobs: 'two' is not a whole number from 2 on"),
        ("--folder a --jobs 1", "argument --jobs: '1' is"),
        ("--folder a --jobs ²", "argument --jobs: '²' is"),
        *((f"--folder a --share {text}", f"argument --share: '{text}' is") for text in ("1.2", "-0.1", "98%", "nan")),
        ("--folder a --hours inf", "argument --hours: 'inf' is not a number from 0 on"),
        ("--folder a --step 0", "argument --step: '0' is not a number above 0"),
    ],
)
def test_what_is_wrong_is_one_line(parser: Parser, line: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        parser.parse_args(line.split())
    assert end.value.code == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith(f"tool: {words}")


def test_the_rest_of_a_line_is_another_commands(capsys: pytest.CaptureFixture[str]) -> None:
    outer = Parser(prog="outer")
    outer.add_argument("command", choices=["run"])
    outer.add_argument("rest", nargs=argparse.REMAINDER)
    assert outer.parse_args(["run", "--its-own", "1"]).rest == ["--its-own", "1"]


def test_a_command_below_another_has_options_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    outer = Parser(prog="outer")
    below = outer.add_subparsers(dest="command", required=True).add_parser("add")
    below.add_argument("--folder")
    assert outer.parse_args(["add", "--folder", "a"]).folder == "a"
    with pytest.raises(SystemExit):
        outer.parse_args(["add", "--fold", "a"])
    assert capsys.readouterr().err == "outer: unrecognized arguments: --fold a\n"


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
def test_any_name_can_be_printed(parser: Parser, encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    written = {name: io.BytesIO() for name in ("stdout", "stderr")}
    for name, buffer in written.items():
        monkeypatch.setattr(sys, name, io.TextIOWrapper(buffer, encoding))
    parser.parse_args(["--folder=a"])
    for stream in (sys.stdout, sys.stderr):
        print("ü \udcfc", file=stream, flush=True)
    expected = "ü ".encode(encoding) + b"\\udcfc\n"
    assert [buffer.getvalue() for buffer in written.values()] == [expected, expected]


class Refused(ValueError):
    pass


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (None, 0, ""),
        (Refused("no"), 2, "tool: no\n"),
        (OSError("full"), 1, "tool: full\n"),
        (KeyboardInterrupt(), 130, "tool: interrupted\n"),
    ],
)
def test_an_error_that_has_a_code_is_one_line(
    error: BaseException | None, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def command() -> int:
        if error:
            raise error
        return 0

    assert exit_code("tool", command, {Refused: 2, OSError: 1, ValueError: 3}) == code
    assert capsys.readouterr().err == said


def test_an_error_without_a_code_is_a_fault() -> None:
    with pytest.raises(ZeroDivisionError):
        exit_code("tool", lambda: 1 // 0, {OSError: 1})


@pytest.mark.parametrize(
    ("command", "imported"),
    [
        ("study", "wandb"),
        ("analysis", "pandas"),
        ("analysis", "matplotlib"),
        ("analysis.figures", "matplotlib"),
        ("server", "uvicorn"),
        ("data", "numpy"),
        ("agent.train", "torch"),
    ],
)
def test_ctrl_c_while_a_command_imports_is_one_line(command: str, imported: str, tmp_path: Path) -> None:
    (tmp_path / f"{imported}.py").write_text("import signal\nprint('importing', flush=True)\nsignal.pause()\n")
    words = [sys.executable, "-m", command]
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    started = subprocess.Popen(words, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert started.stdout is not None
    assert started.stdout.readline() == "importing\n"
    started.send_signal(signal.SIGINT)
    assert started.communicate(timeout=60)[1] == f"{command}: ended before it began\n"
    assert started.returncode == 130


def test_without_a_folder_for_temporary_files_a_command_ends_before_its_imports(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/nowhere"])
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "study"])
    need_temporary_folder()
    monkeypatch.setattr(sys, "argv", ["-m"])
    with pytest.raises(SystemExit, match="1"):
        need_temporary_folder()
    sentence = "study: no folder takes temporary files: free some disk, or name a folder in TMPDIR\n"
    assert capsys.readouterr().err == sentence
