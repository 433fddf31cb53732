"""Progress of agents and trials: live lines on a terminal, a line per event elsewhere, JSON lines for programs."""

import os
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from agent import events
from agent.events import Reader
from common import keys
from common.text import clock

SAY_EVERY_SECONDS = 60.0
WARM_UP_EVERY_SECONDS = 5.0
END_STATES = {"finished": "finished", "stopped": "stopped early", "crashed": "failed", "put off": "put off"}
"""End of a trial → its word on the console."""

WAITING, PAUSED = "waiting for a run", "the sweep is paused"


@dataclass
class AgentLine:
    """The line of one agent and its trial."""

    place: str
    state: str = "starting"
    run: str = ""
    name: str = ""
    began: float = 0.0
    progress: Reader | None = None
    epoch: dict[str, Any] = field(default_factory=dict)
    """The trial's last event `epoch`."""
    step: dict[str, Any] = field(default_factory=dict)
    """Its last event `step` since then."""
    test_iou: float | None = None
    stopped: bool = False
    """The server ended it: Hyperband, say, or a person in the browser; the exit code is 0 all the same."""
    reason: str = ""
    note: str = ""

    @property
    def n_epochs(self) -> int:
        return int(self.epoch.get("epoch", 0))

    def progress_text(self) -> str:
        """Epoch, step in a long one, and validation IoU of the trial; empty before its first news."""
        now = self.step or self.epoch
        parts = [f"epoch {now['epoch']} of {now['epochs']}"] if now else []
        parts += [f"step {now['step']} of {now['steps']}"] if self.step else []
        parts += [f"val IoU {self.epoch[keys.VAL_IOU]:.3f}"] if self.epoch else []
        return ", ".join(parts)

    def update(self, event: dict[str, Any]) -> None:
        """Take in an event of the trial."""
        kind = event["event"]
        if kind == "start":
            self.name = event["name"]
        elif kind == "epoch":
            self.epoch, self.step = event, {}
        elif kind == "step":
            self.step = event
        elif kind == "result":
            self.test_iou = event[keys.TEST_IOU]
        elif kind == "stopped":
            self.stopped = True
        elif kind == "error":
            self.reason = event["reason"]


@dataclass
class Display:
    """Lines of all agents: `handle` takes in news of one, `render` draws all."""

    sweep: str
    expected: int | None
    n_before: int
    """Trials that the sweep had before this fleet."""
    varied_parameters: list[str]
    """Parameters that tell the trials apart."""
    console: Console
    program: IO[str] | None = None
    """Stream of JSON lines for a program; None: people read the console."""
    lines: dict[int, AgentLine] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    """Run → its last end under an agent of this fleet."""
    began: float = field(default_factory=time.monotonic)
    last_line: float = field(default_factory=time.monotonic)
    note: str = ""
    reader_gone: bool = False
    """The program at the other end of the stream is gone."""

    @property
    def is_live(self) -> bool:
        return self.program is None and self.console.is_terminal

    def add_agent(self, number: int, name: str) -> None:
        self.lines[number] = AgentLine(name)

    def remove_agent(self, number: int) -> None:
        del self.lines[number]

    def emit(self, event: str, text: str, **values: Any) -> None:
        """One event: a line of JSON for a program, else its text, above the lines of the agents on a terminal."""
        if self.program:
            self._write(events.document(event, **values, text=text))
            return
        self.console.print(
            f"[{clock(time.monotonic() - self.began)}] {text}", markup=False, highlight=False, soft_wrap=True
        )

    def _write(self, document: str) -> None:
        assert self.program
        try:
            print(document, end="", file=self.program, flush=True)
        except BrokenPipeError:
            self.reader_gone = True
            with Path(os.devnull).open("w") as nothing:
                os.dup2(nothing.fileno(), self.program.fileno())

    def message(self, text: str) -> None:
        self.emit("message", text)

    def warm_up(self, name: str, number: int, of: int) -> None:
        """Show that an import of the fork server begins."""
        self.note = f"warming up: importing {name}, {number} of {of}"
        if number == 1:
            self.message(f"warming up: {of} imports, once for all trials")
        elif not self.is_live and time.monotonic() - self.last_line > WARM_UP_EVERY_SECONDS:
            self.last_line = time.monotonic()
            self.message(self.note)

    def handle(self, number: int, news: dict[str, Any]) -> None:
        line, state = self.lines[number], news["state"]
        if state == "away" and line.state != "away":
            self.message(f"agent {number}: {news['reason']}; it keeps trying")
        if state == "away":
            line.note = f"server away, again in {news['again']:.0f} s"
            if not line.run:
                line.state = "away"
            return
        if line.note and (state in ("back", "waiting") or (state == "trial" and not line.run)):  # it has answered
            self.message(f"agent {number}: the server is back")
            line.note = ""
        if state == "back":
            return
        if state == "trial":
            self._launch(number, line, news)
        elif state in END_STATES:
            self._end(number, line, news)
        elif state == "overdue":
            self.message(f"agent {number}: {line.name or line.run} did not end in time and is killed")
        elif state == "killed":
            self.message(
                f"agent {number}: {line.name or line.run} was ended by SIGKILL; it goes on from its checkpoint"
            )
        elif state == "waiting":
            self._wait(line, PAUSED if news["paused"] else WAITING)
        else:
            line.state = state

    def _wait(self, line: AgentLine, state: str) -> None:
        """Take in why an agent has no trial; the first that finds the sweep paused says so for all."""
        if state == PAUSED and not any(each.state == PAUSED for each in self.lines.values()):
            self.message(f"{PAUSED}; it hands out runs after `wandb sweep --resume {self.sweep}`")
        line.state = state

    def _launch(self, number: int, line: AgentLine, news: dict[str, Any]) -> None:
        run, values = news["run"], news["values"]
        name = ", ".join(f"{key} {values[key]}" for key in self.varied_parameters if key in values)
        progress = Reader(Path(news["progress"]), news["offset"])
        self.lines[number] = AgentLine(line.place, "training", run, name, time.monotonic(), progress)
        self.emit(
            "launch",
            f"agent {number} on {line.place}: started {run} ({name})",
            **{"agent": number, "run": run, "name": name, "config": values, "log": news["log"]},
        )

    def _end(self, number: int, line: AgentLine, news: dict[str, Any]) -> None:
        self._read_events(line)
        state = "stopped" if line.stopped else news["state"]
        self.states[line.run] = state
        seconds = time.monotonic() - line.began
        reason = line.reason or news.get("reason", "")
        text = {
            "finished": f"finished in {clock(seconds)}"
            + (f", test IoU {line.test_iou:.3f}" if line.test_iou is not None else ""),
            "stopped": f"stopped by the sweep after {clock(seconds)}",
            "put off": "put off; it goes on later from what it has saved",
            "crashed": f"failed: {reason}; see {news.get('log', '')}",
        }[state]
        values = {"run": line.run, "state": END_STATES[state], "seconds": round(seconds, 3)}
        values |= {"reason": reason} if reason else {}
        values |= {} if line.test_iou is None else {keys.TEST_IOU: line.test_iou}
        self.emit("end", f"agent {number}: {line.name or line.run} {text}", **values)
        self.lines[number] = AgentLine(line.place, "asking")

    def _read_events(self, line: AgentLine) -> None:
        for event in line.progress.read() if line.progress else ():
            line.update(event)
            if self.program:
                self._write(events.document(**event | {"run": line.run}))

    def poll(self) -> None:
        """Read the trials' events; without a terminal, print everybody's progress now and then."""
        for line in self.lines.values():
            self._read_events(line)
        now = time.monotonic()
        if not self.is_live and not self.program and now - self.last_line > SAY_EVERY_SECONDS:
            self.last_line = now
            for number, line in self.lines.items():
                if line.run:
                    progress = line.progress_text() or "starting"
                    self.message(f"agent {number}: {line.name}, {progress} {line.note}".rstrip())
                elif line.state in (WAITING, PAUSED):
                    self.message(f"agent {number}: {line.state}")

    def summary(self) -> str:
        return self.count_ends() + ("" if self.n_remaining is None else f", {self.n_remaining} to go")

    def count_ends(self) -> str:
        """Numbers of runs by their end, in words."""
        counts = Counter(END_STATES[state] for state in self.states.values())
        return ", ".join(f"{n} {state}" for state, n in counts.items()) or "no trial over yet"

    @property
    def n_remaining(self) -> int | None:
        """Number of runs still to come; None if it is unknown."""
        over = sum(state != "put off" for state in self.states.values())
        return None if self.expected is None else max(0, self.expected - self.n_before - over)

    def render(self) -> RenderableType:
        table = Table.grid(padding=(0, 2))
        for _ in range(5):
            table.add_column(no_wrap=True, overflow="ellipsis")
        for number, line in sorted(self.lines.items()):
            took = clock(time.monotonic() - line.began) if line.run else ""
            state = Text(line.progress_text() or line.state, "green" if line.progress_text() else "dim")
            state = Text(line.note, "yellow") if line.note else state
            table.add_row(f"agent {number}", line.place, took, state, line.name)
        foot = Text(f"{self.sweep}: {self.summary()}, {clock(time.monotonic() - self.began)} so far", "bold")
        return Group(table, foot, *([Text(self.note, "yellow")] if self.note else []))
