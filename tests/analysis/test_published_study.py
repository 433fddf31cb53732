"""docs/study: what is published is made again from it, to the digit."""

from pathlib import Path

import pytest

from analysis import table
from analysis.comparison.comparison import compare
from analysis.pull.study import pull

ROOT = Path(__file__).resolve().parents[2]
IN_README = ("cpu", "lab")
"""Studies whose tables stand in README; those of others stand in docs/study/README.md."""
MANY = 12
"""Models above which a page shows the answer without the table."""


@pytest.mark.parametrize("folder", sorted(path.parent for path in (ROOT / "docs/study").glob("*/study.json")), ids=str)
def test_the_published_answers_and_tables_are_those_of_the_folders(folder: Path) -> None:
    made = compare(pull([str(folder)]))
    printed = table.terminal(made)
    end = "n: runs" if len(made.table) <= MANY else "\n\n"
    shown = printed[: printed.index(end)].rstrip().splitlines()
    block = "\n".join(f"    {line}".rstrip() for line in shown)
    page = ROOT / ("README.md" if folder.name in IN_README else "docs/study/README.md")
    assert block in page.read_text()
