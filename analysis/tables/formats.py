"""A sheet as Markdown, LaTeX or HTML, or for a terminal: every text escaped for its format."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from io import StringIO

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text
from tabulate import tabulate

from analysis.tables.sheets import LEFT, PROSE, Sheet
from common.text import TERMINAL_WIDTH

LATEX_SIGNS = {
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    **{"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}"},
    **{"–": "--", "−": "$-$", "×": r"$\times$", "≥": r"$\ge$", "±": r"$\pm$", "§": r"\S{}"},
    **{"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "`": r"\textasciigrave{}"},
}


def markdown(sheet: Sheet) -> str:
    """GitHub's Markdown table; rows of `bold` are bold, a bar in a text does not end its cell."""
    rows = [
        [f"**{cell}**" if bold and number < 1 else cell for number, cell in enumerate(map(escape_cell, row))]
        for row, bold in zip(sheet.rows, sheet.bold, strict=True)
    ]
    align = ["left" if title in LEFT else "right" for title in sheet.columns]
    return tabulate(rows, headers=list(sheet.columns), tablefmt="pipe", disable_numparse=True, colalign=align)


def escape_cell(text: str) -> str:
    """A text for a cell of a Markdown table."""
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ").replace("*", "\\*")


def latex(sheet: Sheet, label: str, notes: Sequence[str] = ()) -> str:
    """A `table` for LaTeX with the packages booktabs and threeparttable; rows of `bold` are bold, notes stand below."""
    align = "".join("l" if title in LEFT else "r" for title in sheet.columns)
    lines = [latex_row(sheet.columns, False)] + [
        latex_row(row, bold) for row, bold in zip(sheet.rows, sheet.bold, strict=True)
    ]
    below = [r"    \begin{tablenotes}\footnotesize", *(rf"      \item {tex(note)}" for note in notes)]
    return "\n".join(
        [
            *(r"\begin{table}", r"  \centering", r"  \begin{threeparttable}"),
            *(rf"    \caption{{{tex(sheet.caption)}}}", rf"    \label{{tab:{label}}}"),
            *(rf"    \begin{{tabular}}{{{align}}}", r"    \toprule", lines[0], r"    \midrule"),
            *(*lines[1:], r"    \bottomrule", r"    \end{tabular}"),
            *((*below, r"    \end{tablenotes}") if notes else ()),
            *(r"  \end{threeparttable}", r"\end{table}", ""),
        ]
    )


def latex_row(cells: Iterable[str], bold: bool) -> str:
    """One line of a tabular; of a bold one the first cell is bold."""
    written = [tex(cell) for cell in cells]
    if bold:
        written[0] = rf"\textbf{{{written[0]}}}"
    return "    " + " & ".join(written) + r" \\"


def tex(text: str) -> str:
    """A text as LaTeX prints it."""
    return "".join(LATEX_SIGNS.get(sign, sign) for sign in text)


def html(sheet: Sheet) -> str:
    """A `table` with a caption and with scopes of headings, for screen readers; everything escaped."""
    heads = "".join(f'<th scope="col"{side(title)}>{escape(title)}</th>' for title in sheet.columns)
    body = [html_row(list(sheet.columns), row, bold) for row, bold in zip(sheet.rows, sheet.bold, strict=True)]
    caption = f"<caption>{escape(sheet.caption)}</caption>"
    return "\n".join(["<table>", caption, f"<thead><tr>{heads}</tr></thead>", "<tbody>", *body, "</tbody>", "</table>"])


def html_text(text: str) -> str:
    """A sentence, escaped, with text between backticks as code."""
    return re.sub("`([^`]+)`", r"<code>\1</code>", escape(text))


def html_row(titles: Sequence[str], row: Sequence[str], bold: bool) -> str:
    """One row; its first cell is its heading, in `strong` if the row stands out."""
    name = f"<strong>{escape(row[0])}</strong>" if bold else escape(row[0])
    cells = "".join(f"<td{side(title)}>{escape(cell)}</td>" for title, cell in zip(titles[1:], row[1:], strict=True))
    return f'<tr><th scope="row">{name}</th>{cells}</tr>'


def side(title: str) -> str:
    """The class that sets a column of numbers to the right, and one of prose in lines."""
    if title in PROSE:
        return ' class="prose"'
    return "" if title in LEFT else ' class="number"'


def terminal(columns: Mapping[str, Sequence[str]], bold: Sequence[bool], *, colour: bool = False) -> str:
    """The columns for a terminal, at most `TERMINAL_WIDTH` wide: the first is broken into lines if it is too long.

    A row that stands out begins with `*`, and is bold if the terminal shows `colour`.
    """
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 0, 0, 0))
    for number, title in enumerate(columns):
        grid.add_column(title, justify="left" if title in LEFT else "right", no_wrap=number > 0)
    for row, stands_out in zip(zip(*columns.values(), strict=True), bold, strict=True):
        first = f"*{row[0]}" if stands_out else row[0]
        grid.add_row(*map(Text, (first, *row[1:])), style="bold" if stands_out else "")
    page = Console(
        width=TERMINAL_WIDTH, file=StringIO(), color_system="standard" if colour else None, force_terminal=colour
    )
    with page.capture() as body:
        page.print(grid)
    return "\n".join(line.rstrip() for line in body.get().splitlines()).strip("\n")
