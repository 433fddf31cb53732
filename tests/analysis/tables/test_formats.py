import re
import xml.etree.ElementTree as ET

import pytest

from analysis.tables.formats import html, latex, markdown, terminal, tex
from analysis.tables.sheets import Sheet

NASTY = "a|b & c_1 <script> 100% #1 {x} ~^\\ $5 *z*"
SHEET = Sheet(
    "A & B <caption>", {"model": [NASTY, "U-Net"], "IoU": ["0.980", "0.970"], "cost": ["−0.010", ""]}, [True, False]
)


def test_html_is_well_formed_escaped_and_says_what_its_headings_head() -> None:
    tree = ET.fromstring(html(SHEET))
    assert tree.findtext("caption") == SHEET.caption
    assert [head.get("scope") for head in tree.iter("th")] == ["col"] * 3 + ["row"] * 2
    assert [cell.text for cell in tree.iter("td")] == ["0.980", "−0.010", "0.970", None]
    assert tree.findtext("tbody/tr/th/strong") == NASTY
    assert tree.findall("tbody/tr")[1].findtext("th") == "U-Net"


def test_markdown_cells_do_not_end_where_a_text_has_a_bar() -> None:
    lines = markdown(SHEET).splitlines()
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {4}
    assert lines[2].startswith("| **a\\|b")
    assert "**" not in lines[3]


def test_latex_is_booktabs_with_as_many_cells_in_each_line_as_columns() -> None:
    text = latex(SHEET, "x")
    assert re.findall(r"\\(begin|end)\{(\w+)\}", text) == [
        *(("begin", "table"), ("begin", "threeparttable"), ("begin", "tabular"), ("end", "tabular")),
        *(("end", "threeparttable"), ("end", "table")),
    ]
    assert text.index(r"\toprule") < text.index(r"\midrule") < text.index(r"\bottomrule")
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert [len(re.findall(r"(?<!\\)&", row)) for row in rows] == [2, 2, 2]
    assert r"\begin{tabular}{lrr}" in text
    assert rows[1].strip().startswith(r"\textbf{")
    assert r"\caption{A \& B \textless{}caption\textgreater{}}" in text
    assert braces_are_balanced(text)


def braces_are_balanced(text: str) -> bool:
    depth = 0
    for sign in re.sub(r"\\[{}]", "", text):
        depth += {"{": 1, "}": -1}.get(sign, 0)
        if depth < 0:
            return False
    return depth == 0


@pytest.mark.parametrize("sign", "&%$#_{}")
def test_what_latex_would_take_for_a_command_is_escaped(sign: str) -> None:
    assert tex(f"a{sign}b") == f"a\\{sign}b"


def test_latex_prints_signs_outside_ascii_as_commands() -> None:
    assert tex("0.1 – 0.2 ± 3 × −1 \\ ~").isascii()


def test_the_terminal_marks_what_stands_out_without_colour() -> None:
    text = terminal({"model": ["A", "B"], "IoU": ["1", "0"]}, [True, False])
    assert re.search(r"^ \*A +1$", text, re.MULTILINE)
    assert re.search(r"^ B +0$", text, re.MULTILINE)
    assert "\x1b[1m" in terminal({"model": ["A"]}, [True], colour=True)


def test_brackets_in_a_name_are_no_markup_for_the_terminal() -> None:
    assert "[red]x" in terminal({"model": ["[red]x"]}, [False])
