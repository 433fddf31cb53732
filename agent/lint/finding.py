"""One thing that is wrong, or doubtful, in a sweep's YAML."""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "note", "warning"]


@dataclass(frozen=True, order=True)
class Finding:
    """What is wrong at a line (counted from 1), why that matters, and how to mend it."""

    line: int
    severity: Severity
    message: str
    why: str
    fix: str

    def text(self, path: str) -> str:
        """Three lines; the first is `FILE:LINE: error: WHAT`, as editors and compilers write it."""
        return (
            f"{path}:{self.line}: {self.severity}: {self.message}\n    why: {self.why}\n    fix: {self.fix}"
        )


def error(line: int, what: str, why: str, fix: str) -> Finding:
    return Finding(line, "error", what, why, fix)


def note(line: int, what: str, why: str, fix: str) -> Finding:
    return Finding(line, "note", what, why, fix)


def warning(line: int, what: str, why: str, fix: str) -> Finding:
    return Finding(line, "warning", what, why, fix)
