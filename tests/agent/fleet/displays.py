"""A board whose screen is a string."""

import io

from rich.console import Console

from agent.fleet.display import Display


def board(terminal: bool) -> Display:
    console = Console(file=io.StringIO(), width=110, force_terminal=terminal, color_system=None)
    made = Display("local/puzzle/s", expected=4, n_before=1, varied_parameters=["model", "seed"], console=console)
    made.add_agent(1, "GPU 0")
    return made


def said(made: Display) -> str:
    assert isinstance(made.console.file, io.StringIO)
    return made.console.file.getvalue()
