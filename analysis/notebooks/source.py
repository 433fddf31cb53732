"""The model in the notebooks: its source, and the sizes of its feature maps beside the paper's."""

from __future__ import annotations

import ast
from pathlib import Path

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


def levels(side: int = 512, width: int = 64) -> Markdown:
    """The output of each level of the U-Nets written here, channels × height × width, and that of figure 1."""
    down = [(side // 2**level, width * 2**level) for level in range(LEVELS)]
    ours = [*down, *reversed(down[:-1])]
    names = [f"down {level}" for level in range(1, LEVELS + 1)] + [f"up {level}" for level in range(LEVELS - 1, 0, -1)]
    rows = [
        f"| {name} | {channels} × {size} × {size} | {theirs} × {paper} × {paper} |"
        for name, (size, channels), (paper, theirs) in zip(names, ours, PAPER, strict=True)
    ]
    head = [f"| level | here, input 3 × {side} × {side} | figure 1, input 1 × 572 × 572 |", "|---|---|---|"]
    last = f"| head | 2 × {side} × {side} | 2 × 388 × 388 |"
    return Markdown("\n".join([*head, *rows, last]))
