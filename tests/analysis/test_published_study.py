"""docs/study: what is published is made again from it, to the digit."""

from pathlib import Path

import pytest

from analysis import table
from analysis.comparison.comparison import compare
from analysis.pull.study import pull

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("folder", sorted(path.parent for path in (ROOT / "docs/study").glob("*/study.json")), ids=str)
def test_the_answers_and_tables_of_the_readme_are_those_of_the_folders(folder: Path) -> None:
    printed = table.terminal(compare(pull([str(folder)]))).splitlines()
    last = next(i for i, line in enumerate(printed) if line.startswith("n: runs"))
    readme = [line.rstrip() for line in (ROOT / "README.md").read_text().splitlines()]
    assert [line for line in printed[:last] if f"    {line}".rstrip() not in [*readme, ""]] == []
