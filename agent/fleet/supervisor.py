"""The fleet itself: starts the fork server, has it fork agents, shows their work, and stops everything."""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.live import Live

from agent.fleet import devices, launch
from agent.fleet.crashes import MAX_IN_A_ROW, CrashStreak
from agent.fleet.devices import Gpu
from agent.fleet.display import Display
from agent.fleet.packing import Packing
from agent.fleet.sweep_client import Sweep

ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    "NO_ALBUMENTATIONS_UPDATE": "1",
}
"""Variables that keep an import from starting threads: a process that has some cannot be forked safely."""

POLL_SECONDS = 0.25
MEASURE_SECONDS = 2.0
MAX_REPLACEMENTS = 10
"""Most restarts of agents and of the fork server after they died; the fleet then gives up."""


@dataclass(frozen=True)
class Place:
    """The device of one agent's trials, and the environment that pins them to it."""

    name: str
    env: dict[str, str]
    gpu: Gpu | None = None


@dataclass(eq=False)
class Fleet:
    sweep: Sweep
    command: list[str] | None
    places: list[Place]
    threads: int
    folder: Path
    logs: Path
    grace: float
    display: Display
    most_per_gpu: int | None = None
    """Most trials on a GPU under `--per-gpu auto`, where their memory decides; else None."""
    agents: dict[int, Place] = field(default_factory=dict)
    streak: CrashStreak = field(default_factory=CrashStreak)
    packings: dict[str, Packing] = field(default_factory=dict)
    failure: str = ""
    signals: list[int] = field(default_factory=list)
    """Signals so far."""
    n_signals_handled: int = 0
    """Number of them that were acted upon."""
    n_replacements: int = 0
    parent: "subprocess.Popen[bytes] | None" = None
    buffer: bytes = b""
    last_measurement: float = 0.0
    over: bool = False
    """An agent was told that the sweep has nothing more to do."""
    number: int = 0
    warming: bool = True
    """The fork server has started nothing yet."""

    def run(self) -> int:
        """Work until the sweep is done; 0 if every trial went well, 1 if not, 128 + n if signal n stopped it."""
        for gpu in {place.gpu for place in self.places if place.gpu} if self.most_per_gpu else ():
            if memory := devices.gpu_memory(gpu):
                self.packings[gpu.visible] = Packing(memory.total, memory.used, self.most_per_gpu or 1)
        with self._catch_signals(), self._live_display():
            try:
                self._launch(self.places)
                while self.agents:
                    self._poll()
                self._wait()
            finally:
                if self.parent and self.parent.poll() is None:
                    self.parent.kill()
        if self.failure:
            return 1
        if self.signals:
            return 128 + self.signals[0]
        return 1 if "crashed" in self.display.states.values() else 0

    @contextlib.contextmanager
    def _catch_signals(self) -> Iterator[None]:
        def note(number: int, frame: object) -> None:
            self.signals.append(number)

        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {number: signal.signal(number, note) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextlib.contextmanager
    def _live_display(self) -> Iterator[None]:
        if not self.display.is_live:
            yield
            return
        with Live(get_renderable=self.display.render, console=self.display.console, refresh_per_second=4):
            yield

    def _launch(self, places: list[Place]) -> None:
        """A new fork server, and the agents from it."""
        env = {
            **os.environ,
            **ONE_THREAD,
            "WANDB_BASE_URL": self.sweep.base_url,
            "WANDB_API_KEY": self.sweep.key,
            "WANDB_ENTITY": self.sweep.entity,
            "WANDB_PROJECT": self.sweep.project,
            "WANDB_SWEEP_ID": self.sweep.name,
        }
        env.pop("WANDB_SERVICE", None)
        with (self.logs / "fleet.log").open("ab") as log:
            self.parent = subprocess.Popen(
                [sys.executable, "-m", "agent.fleet.fork_server"],
                env=env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                bufsize=0,
                start_new_session=True,
            )
        shared = {"command": self.command, "threads": self.threads, "grace": self.grace}
        self._send({"sweep": asdict(self.sweep), **shared, "folder": str(self.folder), "logs": str(self.logs)})
        self.warming = True
        for place in places:
            self._start(place)

    def _send(self, order: dict[str, Any]) -> None:
        assert self.parent is not None
        assert self.parent.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.parent.stdin.write((json.dumps(order) + "\n").encode())

    def _start(self, place: Place) -> None:
        self.number += 1
        self.agents[self.number] = place
        self.display.add_agent(self.number, place.name)
        self._send({"start": self.number, "env": place.env})

    def _poll(self) -> None:
        """Read the events of the last quarter of a second."""
        assert self.parent is not None
        assert self.parent.stdout is not None
        ready, _, _ = select.select([self.parent.stdout], [], [], POLL_SECONDS)
        if ready:
            chunk = os.read(self.parent.stdout.fileno(), 65536)
            *lines, self.buffer = (self.buffer + chunk).split(b"\n")
            for line in lines:
                self._handle(json.loads(line))
            if not chunk:
                self._handle_parent_exit()
        self.display.poll()
        if self.display.reader_gone and not self.signals:
            self.signals.append(signal.SIGHUP)
        self._measure()
        if len(self.signals) > self.n_signals_handled:
            self.n_signals_handled = len(self.signals)
            self._stop()
        if self.n_signals_handled > 1:
            self._kill()

    def _handle(self, news: dict[str, Any]) -> None:
        if "importing" in news:
            self.display.warm_up(news["importing"], news["number"], news["of"])
            return
        self.warming = False
        if "warm" in news:
            self.display.message(f"warm after {news['warm']:.1f} s: trials start without importing anything")
            self.display.note = ""
        elif "cold" in news:
            self.display.message(f"no warm start, each trial is a plain process: {news['cold']}")
            self.display.note = ""
        elif news["state"] == "gone":
            self._handle_agent_exit(news["agent"], news["code"])
        elif news["state"] == "refused":
            self._fail(news["reason"])
        else:
            self.display.handle(news["agent"], news)
            self.over = self.over or news.get("over", False)
            if news["state"] == "finished":
                self.streak.reset()
            elif news["state"] == "crashed" and self.streak.add(news["run"], news["code"], news["reason"]):
                self._fail(
                    f"{MAX_IN_A_ROW} trials in a row failed in the same way, so the fleet stops: {news['reason']}"
                )

    def _fail(self, reason: str) -> None:
        if not self.failure:
            self.failure = reason
            self._stop()

    def _stop(self) -> None:
        """Have the trials end; at the second signal, or before any has begun, kill everything."""
        how = f"trials save and end; Ctrl-C again kills them, and so does the fleet after {self.grace:.0f} s"
        if self.warming:
            how = "no trial has begun"
        elif self.n_signals_handled > 1:
            how = "killing everything"
        self.display.note = f"stopping: {how}"
        self.display.message(self.display.note)
        self._send({"stop": True})
        if self.warming:
            self._kill()

    def _kill(self) -> None:
        """Kill everything, the fork server last: until then it adopts the orphans of its agents."""
        if self.parent and self.parent.poll() is None:
            launch.kill_family(self.parent.pid)
            self.parent.kill()

    def _handle_agent_exit(self, number: int, code: int) -> None:
        """Replace an agent that was killed; the new one takes up its trial."""
        place = self.agents.pop(number)
        self.display.remove_agent(number)
        if code == 0 or self.signals or self.failure:
            return
        self.n_replacements += 1
        if self.n_replacements > MAX_REPLACEMENTS:
            log = self.logs / "fleet.log"
            self._fail(f"agents have died {self.n_replacements} times, the last with code {code}; see {log}")
            return
        self.display.message(f"agent {number} died (code {code}); another takes its place")
        self._start(place)

    def _handle_parent_exit(self) -> None:
        """Replace a dead fork server: its agents get SIGTERM and put their trials off; new ones go on with them."""
        assert self.parent is not None
        code = self.parent.wait()
        places = list(self.agents.values())
        for number in list(self.agents):
            del self.agents[number]
            self.display.remove_agent(number)
        if self.signals or self.failure:
            return
        self.n_replacements += 1
        if self.n_replacements > MAX_REPLACEMENTS or code == 1:
            self._fail(f"the fork server died (code {code}); see {self.logs / 'fleet.log'}")
            return
        self.display.message(f"the fork server died (code {code}); starting another")
        self.buffer = b""
        self._launch(places)

    def _measure(self) -> None:
        """Let one more agent onto a GPU that has room, or ask one to leave."""
        if not self.packings or self.signals or self.over or time.monotonic() < self.last_measurement + MEASURE_SECONDS:
            return
        self.last_measurement = time.monotonic()
        for visible, packing in self.packings.items():
            here = {n: p for n, p in self.agents.items() if p.gpu and p.gpu.visible == visible}
            lines = [self.display.lines[number] for number in here]
            gpu = next((place.gpu for place in here.values()), None)
            memory = devices.gpu_memory(gpu) if gpu else None
            if memory is None:
                continue
            packing.measure(memory.used, sum(bool(line.run) for line in lines))
            if len(here) < packing.max_trials() and all(line.n_epochs >= 2 for line in lines):
                self._start(next(iter(here.values())))
            elif len(here) > packing.max_trials():
                self._send({"leave": max(here)})

    def _wait(self) -> None:
        """Wait for the fork server, which ends after all its children."""
        assert self.parent is not None
        assert self.parent.stdin is not None
        self.parent.stdin.close()
        while True:
            try:
                self.parent.wait(timeout=POLL_SECONDS)
                break
            except subprocess.TimeoutExpired:
                if len(self.signals) > 1:
                    self._kill()
        assert self.parent.stdout is not None
        self.parent.stdout.close()
