"""Progress of the trials of a study, from the events of `agent.fleet`, shown while they run."""

import threading
import time
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from common import keys
from common.text import clock


@dataclass
class Row:
    """One trial."""

    number: int
    name: str
    epochs: int
    epoch: int = 0
    step: str = ""
    """Its place in the epoch that it is in, if that takes long."""
    val_iou: float | None = None
    test_iou: float | None = None
    state: str = ""
    """End of the trial; empty while it goes on."""

    @property
    def share(self) -> float:
        """Share of its epochs that are done."""
        return 1.0 if self.state == "finished" else self.epoch / max(self.epochs, 1)

    def state_and_iou(self) -> tuple[str, str]:
        """State of the trial, or its epoch, and its IoU."""
        if self.test_iou is not None:
            return self.state, f"test IoU {self.test_iou:.3f}"
        iou = f"val IoU {self.val_iou:.3f}" if self.val_iou is not None else ""
        return self.state or self.step or f"epoch {self.epoch} of {self.epochs}", iou


@dataclass
class Progress:
    """State of a study: `handle` takes an event of the fleet; `render` draws it."""

    n_trials: int
    n_before: int
    """Trials that an earlier start of the study has finished."""
    epochs: int
    console: Console
    started: float = field(default_factory=time.monotonic)
    rows: dict[str, Row] = field(default_factory=dict)
    """Run → its row."""
    reasons: list[str] = field(default_factory=list)
    """Reasons of failures of trials or of the fleet, each once."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def handle(self, event: dict[str, Any]) -> None:
        with self.lock:
            line = self._update(event)
        # Outside the lock: the screen, which is being drawn while it waits for a line, asks for it.
        if line and (event["event"] == "message" or not self.console.is_terminal):
            self._print(line)

    def _update(self, event: dict[str, Any]) -> str:
        """The line to print for the event; on a terminal the rows show it."""
        kind, run = event["event"], event.get("run", "")
        if (reason := event.get("reason")) and reason not in self.reasons:
            self.reasons.append(reason)
        if kind == "message":
            return str(event["text"])
        if kind == "launch":
            row = Row(self.n_before + len(self.rows) + 1, event["name"], self.epochs)
            self.rows.setdefault(run, row).state = ""
        elif kind == "start":
            row = self.rows[run]
            row.name = event["name"]
            return f"trial {row.number} of {self.n_trials} started: {row.name}"
        elif kind == "epoch":
            row = self.rows[run]
            row.epoch, row.epochs, row.val_iou, row.step = event["epoch"], event["epochs"], event[keys.VAL_IOU], ""
        elif kind == "step":
            place = f"epoch {event['epoch']} of {event['epochs']}, step {event['step']} of {event['steps']}"
            self.rows[run].step = place
        elif kind == "end":
            row = self.rows[run]
            row.state, row.test_iou = event["state"], event.get(keys.TEST_IOU)
            result = reason or row.state_and_iou()[1]
            return f"trial {row.number} of {self.n_trials} {row.state}: {row.name}, {result}".rstrip(", ")
        return ""

    def _print(self, line: str) -> None:
        self.console.print(
            f"[{clock(time.monotonic() - self.started)}] {line}", markup=False, highlight=False, soft_wrap=True
        )

    def print_lines(self) -> None:
        """Print, without a terminal, one line for each trial that is going on, and the time left."""
        if self.console.is_terminal:
            return
        with self.lock:
            lines = [
                f"trial {row.number} of {self.n_trials}: {row.name}, {' '.join(row.state_and_iou())}".rstrip()
                for row in self.rows.values()
                if not row.state
            ]
            left = self.seconds_left()
            if left is not None:
                lines.append(f"{self.n_finished} of {self.n_trials} trials finished, about {clock(left)} left")
        for line in lines:
            self._print(line)

    @property
    def n_finished(self) -> int:
        return self.n_before + sum(row.state == "finished" for row in self.rows.values())

    def seconds_left(self) -> float | None:
        """Seconds left by the share of all epochs that is done; None before the first one."""
        done = sum(row.epoch for row in self.rows.values())
        total = (self.n_trials - self.n_before) * self.epochs
        if not done:
            return None
        return (time.monotonic() - self.started) * max(0, total - done) / done

    def render(self) -> RenderableType:
        with self.lock:
            rows = Table.grid(padding=(0, 2))
            for row in self.rows.values():
                colour = {"": "", "finished": "green"}.get(row.state, "red")
                texts = (Text(each, colour) for each in row.state_and_iou())
                rows.add_row(f"trial {row.number} of {self.n_trials}", row.name, *texts)
            left = self.seconds_left()
            bar = Table.grid(padding=(0, 2))
            done = self.n_before + sum(row.share for row in self.rows.values())
            bar.add_row(
                ProgressBar(total=self.n_trials, completed=done, width=30),
                f"{self.n_finished} of {self.n_trials} trials finished",
                f"{clock(time.monotonic() - self.started)} so far",
                f"about {clock(left)} left" if left is not None else "",
            )
            return Group(rows, bar)
