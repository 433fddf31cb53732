"""A board whose screen is a string."""

import io

from rich.console import Console

from agent.fleet.board import Board


def board(terminal: bool) -> Board:
    console = Console(file=io.StringIO(), width=110, force_terminal=terminal, color_system=None)
    made = Board("local/puzzle/s", expected=4, before=1, varied=["model", "seed"], console=console)
    made.place(1, "GPU 0")
    return made


def said(made: Board) -> str:
    assert isinstance(made.console.file, io.StringIO)
    return made.console.file.getvalue()
