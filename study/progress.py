"""What the trials of a study are doing, read from the lines they print, and shown while it happens."""

import re
import threading
import time
from dataclasses import dataclass, field

from rich.console import Console, Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from common.text import clock

STARTED = re.compile(r"^trial (?P<name>.+?): ")
EPOCH = re.compile(r"^epoch (?P<epoch>\d+)/(?P<epochs>\d+) .*val IoU (?P<iou>[\d.]+)")
REFUSED = re.compile(r"^agent\.train: (?P<reason>.+)")
TESTED = re.compile(r"^test IoU (?P<iou>[\d.]+)")


@dataclass
class Trial:
    number: int
    name: str
    epochs: int
    epoch: int = 0
    val_iou: float | None = None
    test_iou: float | None = None


@dataclass
class Progress:
    """State of a study: `hear` takes a line that agent number `who` printed; `render` draws it."""

    n_trials: int
    n_before: int
    """Trials that an earlier start of the study has finished."""
    epochs: int
    console: Console
    begun: float = field(default_factory=time.monotonic)
    trials: list[Trial] = field(default_factory=list)
    current: dict[int, Trial] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)
    """Why trials were refused, in their own words, each once."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def hear(self, who: int, line: str) -> None:
        with self.lock:
            if match := STARTED.match(line):
                trial = Trial(self.n_before + len(self.trials) + 1, match["name"], self.epochs)
                self.trials.append(trial)
                self.current[who] = trial
                self._tell(f"trial {trial.number} of {self.n_trials} started: {trial.name}")
            elif match := REFUSED.match(line):
                if match["reason"] not in self.reasons:
                    self.reasons.append(match["reason"])
            elif who not in self.current:
                return
            elif match := EPOCH.match(line):
                trial = self.current[who]
                trial.epoch, trial.epochs, trial.val_iou = (
                    int(match["epoch"]),
                    int(match["epochs"]),
                    float(match["iou"]),
                )
            elif match := TESTED.match(line):
                trial = self.current.pop(who)
                trial.test_iou = float(match["iou"])
                self._tell(
                    f"trial {trial.number} of {self.n_trials} finished: {trial.name}, test IoU {trial.test_iou:.3f}"
                )

    def _tell(self, line: str) -> None:
        """Without a terminal, events are printed as they happen."""
        if not self.console.is_terminal:
            print(f"[{clock(time.monotonic() - self.begun)}] {line}", file=self.console.file, flush=True)

    def say(self) -> None:
        """Without a terminal: one line for each trial that is going on, and the time left."""
        if self.console.is_terminal:
            return
        with self.lock:
            for trial in self.current.values():
                epoch, iou = _state(trial, self.current)
                self._tell(f"trial {trial.number} of {self.n_trials}: {trial.name}, {epoch} {iou}".rstrip())
            left = self.seconds_left()
            if left is not None:
                self._tell(f"{self.finished} of {self.n_trials} trials finished, about {clock(left)} left")

    @property
    def finished(self) -> int:
        return self.n_before + sum(trial.test_iou is not None for trial in self.trials)

    def seconds_left(self) -> float | None:
        """From the share of all epochs that is done; None before the first one."""
        done = sum(trial.epoch for trial in self.trials)
        total = (self.n_trials - self.n_before) * self.epochs
        if not done:
            return None
        return (time.monotonic() - self.begun) * max(0, total - done) / done

    def render(self) -> RenderableType:
        with self.lock:
            rows = Table.grid(padding=(0, 2))
            for trial in self.trials:
                rows.add_row(
                    f"trial {trial.number} of {self.n_trials}", trial.name, *_state(trial, self.current)
                )
            left = self.seconds_left()
            bar = Table.grid(padding=(0, 2))
            bar.add_row(
                ProgressBar(total=self.n_trials, completed=self._trials_done(), width=30),
                f"{self.finished} of {self.n_trials} trials finished",
                f"{clock(time.monotonic() - self.begun)} so far",
                f"about {clock(left)} left" if left is not None else "",
            )
            return Group(rows, bar)

    def _trials_done(self) -> float:
        return self.n_before + sum(
            1.0 if trial.test_iou is not None else trial.epoch / max(trial.epochs, 1) for trial in self.trials
        )


def _state(trial: Trial, current: dict[int, Trial]) -> tuple[Text, Text]:
    if trial.test_iou is not None:
        return Text("finished", "green"), Text(f"test IoU {trial.test_iou:.3f}", "green")
    if trial not in current.values():
        return Text("failed", "red"), Text("")
    iou = f"val IoU {trial.val_iou:.3f}" if trial.val_iou is not None else ""
    return Text(f"epoch {trial.epoch} of {trial.epochs}"), Text(iou)
