"""Command lines name what is wrong with them."""

import argparse

import pytest

from common.cli import Parser, whole_number


@pytest.fixture
def parser() -> Parser:
    made = Parser(prog="tool")
    made.add_argument("--folder", required=True)
    made.add_argument("--jobs", type=whole_number(2), default=2)
    made.add_argument("names", nargs="*")
    return made


def test_a_line_is_parsed_as_argparse_would(parser: Parser) -> None:
    options = parser.parse_args(["--folder=a", "--jobs", "3", "x", "--", "--y"])
    assert (options.folder, options.jobs, options.names) == ("a", 3, ["x", "--y"])


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("--prt 1", "tool: there is no option --prt; see --help\n"),
        ("--folder a --fold b", "tool: there is no option --fold; see --help\n"),
        ("--fold=b", "tool: there is no option --fold; see --help\n"),
        ("", "tool: the following arguments are required: --folder\n"),
        ("--folder a --jobs two", "tool: argument --jobs: 'two' is not a whole number from 2 on\n"),
        ("--folder a --jobs 1", "tool: argument --jobs: '1' is not a whole number from 2 on\n"),
        ("--folder a --jobs ²", "tool: argument --jobs: '²' is not a whole number from 2 on\n"),
    ],
)
def test_what_is_wrong_is_one_line(
    parser: Parser, line: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        parser.parse_args(line.split())
    assert end.value.code == 2
    assert capsys.readouterr().err == sentence


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
