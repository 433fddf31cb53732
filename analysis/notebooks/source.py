"""The model in the notebooks: its source, and the sizes of its feature maps beside the paper's."""

from __future__ import annotations

import ast
from pathlib import Path

import pandas as pd
from IPython.display import Markdown

ROOT = Path(__file__).parents[2]
LEVELS = 5

PAPER = ((568, 64), (280, 128), (136, 256), (64, 512), (28, 1024), (52, 512), (100, 256), (196, 128), (388, 64))
"""Side and channels at the end of each level of figure 1 of Ronneberger, Fischer and Brox (arXiv 1505.04597), whose
input has 572 pixels: down four times, then up four times."""


def source(file: str, *names: str) -> Markdown:
    """The source of these classes and functions of a file of the project, as it is."""
    text = (ROOT / file).read_text()
    lines = text.splitlines()
    found = {
        node.name: "\n".join(lines[min([node.lineno, *(d.lineno for d in node.decorator_list)]) - 1 : node.end_lineno])
        for node in ast.parse(text).body
        if isinstance(node, ast.ClassDef | ast.FunctionDef)
    }
    code = "\n\n\n".join(found[name] for name in names)
    return Markdown(f"From `{file}`:\n\n```python\n{code}\n```")


def levels(runs: pd.DataFrame | None = None, side: int = 512, width: int = 64) -> Markdown:
    """The output of each level of the U-Nets written here, channels × height × width, and that of figure 1.

    A column for `side` and `width`, one for the paper, and one for each size at which U-Nets of `runs` were trained.
    """
    columns = [
        ["level", *(f"down {n}" for n in range(1, LEVELS + 1)), *(f"up {n}" for n in range(LEVELS - 1, 0, -1)), "head"],
        [f"here, input {shape(3, side)}", *shapes(side, width), shape(2, side)],
        [f"figure 1, input {shape(1, 572)}", *(shape(channels, size) for size, channels in PAPER), shape(2, 388)],
    ]
    columns += [[f"these runs, input {shape(3, at)}", *shapes(at, w), shape(2, at)] for at, w in trained(runs)]
    head, *rows = [f"| {' | '.join(cells)} |" for cells in zip(*columns, strict=True)]
    return Markdown("\n".join([head, "|" + "---|" * len(columns), *rows]))


def shape(channels: int, side: int) -> str:
    """Channels × height × width."""
    return f"{channels} × {side} × {side}"


def shapes(side: int, width: int) -> list[str]:
    """The output of each level, from the input's down and up again."""
    down = [shape(width * 2**level, side // 2**level) for level in range(LEVELS)]
    return [*down, *reversed(down[:-1])]


def trained(runs: pd.DataFrame | None) -> list[tuple[int, int]]:
    """Image size and width of the runs of the U-Nets written here, each pair once."""
    if runs is None or not {"image_size", "width"} <= set(runs):
        return []
    own = runs.loc[runs["backbone"] == "none", ["image_size", "width"]].dropna().astype(int)
    return sorted(set(own.itertuples(index=False, name=None)))
