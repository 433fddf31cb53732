"""A board that writes into a text."""

import io
from pathlib import Path

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


def begin(made: Board, log: Path, run: str = "r1") -> None:
    values = {"seed": 2, "model": "unet/resnet18", "epochs": 9}
    made.hear(1, {"state": "trial", "run": run, "log": str(log), "values": values})
