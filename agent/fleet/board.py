"""What the agents do, from their news and from what their trials print: a line each on a terminal, else events."""

import re
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from common.text import clock

STARTED = re.compile(r"^trial (?P<name>.+?): ")
EPOCH = re.compile(r"^epoch (?P<epoch>\d+)/(?P<epochs>\d+) .*val IoU (?P<iou>[\d.]+)")
ENDED = "agent.train: ended because the server asked for it"
"""Hyperband, say, or a person in the browser; the exit code is 0 all the same."""

TESTED = re.compile(r"^test IoU (?P<iou>[\d.]+)")
SAY_EVERY_SECONDS = 60.0
WARM_UP_EVERY_SECONDS = 5.0
WORDS = {"crashed": "failed", "stopped": "stopped early"}


@dataclass
class Line:
    """One agent."""

    place: str
    state: str = "starting"
    run: str = ""
    name: str = ""
    progress: str = ""
    result: str = ""
    note: str = ""
    epoch: int = 0
    stopped: bool = False
    began: float = 0.0
    log: Path | None = None
    read: int = 0
    """Bytes of the log that were looked at."""

    def follow(self) -> None:
        """Look at what the trial has printed since the last time."""
        if self.log is None:
            return
        try:
            with self.log.open("rb") as file:
                file.seek(self.read)
                new = file.read()
        except OSError:
            return
        whole = new[: new.rfind(b"\n") + 1]
        self.read += len(whole)
        for line in whole.decode(errors="replace").splitlines():
            if match := STARTED.match(line):
                self.name = match["name"]
            elif match := EPOCH.match(line):
                self.epoch = int(match["epoch"])
                self.progress = (
                    f"epoch {match['epoch']} of {match['epochs']}, val IoU {float(match['iou']):.3f}"
                )
            elif match := TESTED.match(line):
                self.result = f"test IoU {float(match['iou']):.3f}"
            elif line == ENDED:
                self.stopped = True


@dataclass
class Board:
    """`hear` takes a piece of news of an agent, `render` draws all of them."""

    sweep: str
    expected: int | None
    before: int
    """Trials that the sweep had before this fleet."""
    varied: list[str]
    """Parameters that tell the trials apart."""
    console: Console
    lines: dict[int, Line] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    """Run → how it ended the last time that an agent of this fleet had it."""
    began: float = field(default_factory=time.monotonic)
    said: float = field(default_factory=time.monotonic)
    note: str = ""

    def place(self, number: int, name: str) -> None:
        self.lines[number] = Line(name)

    def leave(self, number: int) -> None:
        del self.lines[number]

    def tell(self, text: str) -> None:
        """One line of news, above the lines of the agents on a terminal."""
        self.console.print(
            f"[{clock(time.monotonic() - self.began)}] {text}", markup=False, highlight=False, soft_wrap=True
        )

    def warm_up(self, name: str, number: int, of: int) -> None:
        """One import of the warm parent begins."""
        self.note = f"warming up: importing {name}, {number} of {of}"
        if number == 1:
            self.tell(f"warming up: {of} imports, once for all trials")
        elif not self.console.is_terminal and time.monotonic() - self.said > WARM_UP_EVERY_SECONDS:
            self.said = time.monotonic()
            self.tell(self.note)

    def hear(self, number: int, news: dict[str, Any]) -> None:
        line, state = self.lines[number], news["state"]
        if state == "away" and line.state != "away":
            self.tell(f"agent {number}: {news['reason']}; it keeps trying")
        if state == "away":
            line.note = f"server away, again in {news['again']:.0f} s"
            if not line.run:
                line.state = "away"
            return
        if line.note:
            self.tell(f"agent {number}: the server is back")
            line.note = ""
        if state == "back":
            return
        if state == "trial":
            self._trial(number, line, news)
        elif state in ("finished", "stopped", "crashed", "put off"):
            self._over(number, line, news)
        elif state == "overdue":
            self.tell(f"agent {number}: {line.name or line.run} did not end in time and is killed")
        elif state == "killed":
            self.tell(
                f"agent {number}: {line.name or line.run} was ended by SIGKILL; it goes on from its checkpoint"
            )
        else:
            line.state = state

    def _trial(self, number: int, line: Line, news: dict[str, Any]) -> None:
        log = Path(news["log"])
        start = log.stat().st_size if log.exists() and line.log != log else line.read
        values = news["values"]
        name = ", ".join(f"{key} {values[key]}" for key in self.varied if key in values)
        self.lines[number] = Line(
            line.place, "training", news["run"], name, log=log, read=start, began=time.monotonic()
        )
        self.tell(f"agent {number} on {line.place}: started {news['run']} ({name})")

    def _over(self, number: int, line: Line, news: dict[str, Any]) -> None:
        line.follow()
        state = "stopped" if line.stopped else news["state"]
        self.states[line.run] = state
        took = clock(time.monotonic() - line.began)
        text = {
            "finished": f"finished in {took}" + (f", {line.result}" if line.result else ""),
            "stopped": f"stopped by the sweep after {took}",
            "put off": "saved and put off; it will go on later",
            "crashed": f"failed: {news.get('reason', '')}; see {news.get('log', '')}",
        }[state]
        self.tell(f"agent {number}: {line.name or line.run} {text}")
        self.lines[number] = Line(line.place, "asking")

    def follow(self) -> None:
        """Read along; without a terminal, say how far everybody is, now and then."""
        for line in self.lines.values():
            line.follow()
        now = time.monotonic()
        if not self.console.is_terminal and now - self.said > SAY_EVERY_SECONDS:
            self.said = now
            for number, line in self.lines.items():
                if line.run:
                    self.tell(
                        f"agent {number}: {line.name}, {line.progress or 'starting'} {line.note}".rstrip()
                    )

    def summary(self) -> str:
        return self.done() + ("" if self.left is None else f", {self.left} to go")

    def done(self) -> str:
        """How many runs ended in which way."""
        counts = Counter(WORDS.get(state, state) for state in self.states.values())
        return ", ".join(f"{n} {state}" for state, n in counts.items()) or "no trial over yet"

    @property
    def left(self) -> int | None:
        """Runs that are still to come, as far as this fleet can know."""
        over = sum(state != "put off" for state in self.states.values())
        return None if self.expected is None else max(0, self.expected - self.before - over)

    def render(self) -> RenderableType:
        table = Table.grid(padding=(0, 2))
        for _ in range(5):
            table.add_column(no_wrap=True, overflow="ellipsis")
        for number, line in sorted(self.lines.items()):
            took = clock(time.monotonic() - line.began) if line.run else ""
            state = Text(line.progress or line.state, "green" if line.progress else "dim")
            state = Text(line.note, "yellow") if line.note else state
            table.add_row(f"agent {number}", line.place, took, state, line.name)
        foot = Text(f"{self.sweep}: {self.summary()}, {clock(time.monotonic() - self.began)} so far", "bold")
        return Group(table, foot, *([Text(self.note, "yellow")] if self.note else []))
