"""One fault or doubt in a sweep's YAML, and the rule that it breaks."""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "note", "warning"]


@dataclass(frozen=True, order=True)
class Finding:
    """A fault at a line (counted from 1), its reason and its remedy; `code` is the rule's."""

    line: int
    severity: Severity
    code: str
    message: str
    why: str
    fix: str

    def text(self, path: str) -> str:
        """Three lines; the first is `FILE:LINE: error: MESSAGE [CODE]`, as editors and compilers write it."""
        first = f"{path}:{self.line}: {self.severity}: {self.message} [{self.code}]"
        return f"{first}\n    why: {self.why}\n    fix: {self.fix}"


@dataclass(frozen=True)
class Rule:
    """A kind of finding; its texts are templates of `str.format`, and docs/lint.md lists its code."""

    code: str
    severity: Severity
    message: str
    why: str
    fix: str

    def at(self, line: int, /, **values: object) -> Finding:
        """The finding at a line, its texts filled in."""
        message, why, fix = (text.format(**values) for text in (self.message, self.why, self.fix))
        return Finding(line, self.severity, self.code, message, why, fix)
