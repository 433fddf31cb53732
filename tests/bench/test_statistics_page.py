"""docs/statistics.md says what the benches print, and no figure besides."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from bench import evidence, intervals, reachable, rise, unequal
from bench.truth import __main__ as truth

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "statistics.md").read_text()
GOALS = {"0.05", "0.93", "0.97", "0.8", "0.64", "0.005", "0.010", "0.3", "0.02"}
"""What is promised, and the deviations that are simulated."""


def printed(command: Callable[[list[str]], int], capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines of a command that hold figures."""
    assert command([]) == 0
    return [line for line in capsys.readouterr().out.splitlines() if re.search(r"\d", line)]


@pytest.mark.parametrize(
    "command",
    [
        evidence.main,
        intervals.main,
        reachable.main,
        pytest.param(rise.main, marks=pytest.mark.slow),
        pytest.param(unequal.main, marks=pytest.mark.slow),
        pytest.param(truth.main, marks=pytest.mark.slow),
    ],
    ids=["evidence", "intervals", "reachable", "rise", "unequal", "truth"],
)
def test_every_line_of_the_benches_is_on_the_page(
    command: Callable[[list[str]], int], capsys: pytest.CaptureFixture[str]
) -> None:
    lines = printed(command, capsys)
    assert len(lines) > 5
    assert [line for line in lines if line not in PAGE.splitlines()] == []


def test_every_figure_of_the_text_is_a_cell_of_a_table() -> None:
    lines = PAGE.splitlines()
    cells = {number for line in lines if line.startswith("|") for number in re.findall(r"\d+\.\d+", line)}
    text = {number for line in lines if not line.startswith("|") for number in re.findall(r"\d+\.\d+", line)}
    assert text - GOALS <= cells
