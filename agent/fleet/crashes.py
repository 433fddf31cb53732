"""Equal crashes in a row: three of them are no bad luck."""

import re
import signal
from collections.abc import Iterable
from dataclasses import dataclass, field

MAX_IN_A_ROW = 3
NOISE = ("wandb:",)
"""Lines of the client while it closes a run that failed."""


def reason(lines: Iterable[str], code: int) -> str:
    """The last line of a trial that failed, else its signal or exit code."""
    output = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith(NOISE)]
    if code < 0:
        return f"ended by {signal.Signals(-code).name}" + (f" after: {output[-1]}" if output else "")
    return output[-1] if output else f"exit code {code}, without a word"


def normalize(text: str) -> str:
    """The reason without numbers, addresses, ids and paths."""
    text = re.sub(r"0x[0-9a-f]+|(?<!\w)[0-9a-f]{8,}(?!\w)", "#", text)
    text = re.sub(r"(?:/[\w.+-]+){2,}", "PATH", text)
    return re.sub(r"\d+(?:\.\d+)?(?:e[+-]?\d+)?", "#", text)


@dataclass
class CrashStreak:
    """Crashes since the last trial that went well. A run that is handed out again counts once."""

    runs: list[str] = field(default_factory=list)
    last: tuple[int, str] | None = None

    def reset(self) -> None:
        self.runs, self.last = [], None

    def add(self, run: str, code: int, text: str) -> bool:
        """True if this is the third in a row of the same kind."""
        kind = (code, normalize(text))
        if kind != self.last:
            self.runs, self.last = [], kind
        if run not in self.runs:
            self.runs.append(run)
        return len(self.runs) >= MAX_IN_A_ROW
