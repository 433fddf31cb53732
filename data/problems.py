"""A fault of a file in one sentence; files with the same fault share one."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from common.text import some

MAX_SINGLE = 3
"""Most files with one fault that have a sentence each."""


class FileError(ValueError):
    """A file cannot be used: its fault `what` (a verb phrase after the file's name), the `remedy`, and a `detail`."""

    def __init__(self, what: str, remedy: str, detail: str = "") -> None:
        super().__init__(what)
        self.what, self.remedy, self.detail = what, remedy, detail

    def of(self, file: Path) -> "Problem":
        return Problem(file, self.what, self.remedy, self.detail)


class DataError(ValueError):
    """All faults of a folder: `problems`, one sentence each, and as text one per line."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True)
class Problem:
    """`file` `what` (`detail`): `remedy`. Findings that differ in file and detail alone are of one kind."""

    file: Path
    what: str
    remedy: str
    detail: str = ""

    def __str__(self) -> str:
        detail = f" ({self.detail})" if self.detail else ""
        return f"{self.file} {self.what}{detail}: {self.remedy}."


def sentences(findings: Iterable[Problem | str]) -> list[str]:
    """One sentence for each finding, or for all of one kind in one folder; in the order of the first of each kind."""
    kinds: dict[object, list[Problem | str]] = defaultdict(list)
    for finding in findings:
        kind: object = finding
        if isinstance(finding, Problem):
            kind = (finding.file.parent, finding.what, finding.remedy)
        kinds[kind].append(finding)
    return [sentence for same in kinds.values() for sentence in _of_one_kind(same)]


def _of_one_kind(same: Sequence[Problem | str]) -> list[str]:
    files = [finding for finding in same if isinstance(finding, Problem)]
    if len(files) <= MAX_SINGLE:
        return list(dict.fromkeys(map(str, same)))
    first = files[0]
    named = some(": ".join(filter(None, (each.file.name, each.detail))) for each in files)
    return [f"{len(files)} files in {first.file.parent}: each {first.what} ({named}): {first.remedy}."]
