"""One agent: asks the sweep for a trial, starts it, watches it, tells the server, and asks again.

It is a process with a single thread, forked from the fork server, so that it may fork in its turn.
"""

import contextlib
import dataclasses
import errno
import json
import os
import select
import signal
import socket
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from agent import events
from agent.fleet import crashes, journal, launch
from agent.fleet.journal import Claim, Trial
from agent.fleet.sweep_client import Sweep
from common.names import BadName
from common.parent import adopt_orphans
from common.retry import doubling, retry
from common.wandb_api import NotFound, RequestRefused, ServerUnavailable

HEARTBEAT_SECONDS = 5.0
"""Seconds between two heartbeats while a trial runs, as in the client's own agent."""

LONGEST_PAUSE = 30.0
MAX_KILLED = 3
"""Ends by SIGKILL after which a trial is given up: most likely the machine has too little memory for it."""

ORPHAN_SECONDS = 10.0
"""Time for orphans of a trial, such as the client's service, which still sends its last rows; then SIGKILL."""

KILL_AGAIN_SECONDS = 1.0
OPEN_STATES = ("pending", "running", "crashed", "preempting")
"""States of a run that nobody has brought to its end."""


@dataclass(frozen=True)
class FleetSettings:
    """Settings that all agents of a fleet share."""

    sweep: Sweep
    command: list[str] | None
    threads: int
    folder: Path
    logs: Path
    grace: float
    """Seconds from SIGTERM to SIGKILL of a trial that is asked to end."""
    warm: bool


@dataclass(eq=False)
class Agent:
    number: int
    plan: FleetSettings
    env: dict[str, str]
    """Environment of its trials; pins them to a device."""
    events: int
    """File descriptor for its news, one JSON document per line."""
    wake: int = -1
    id: str = ""
    stopping: bool = False
    leaving: bool = False
    """The agent ends after its current trial."""
    streak: crashes.CrashStreak = field(default_factory=crashes.CrashStreak)
    """Crashes in a row under this agent; the supervisor counts those of all."""
    exit_codes: dict[int, int] = field(default_factory=dict)
    """Process id → exit code of every child that has ended."""

    def emit(self, state: str, **more: Any) -> None:
        line = json.dumps({"agent": self.number, "state": state, **more}) + "\n"
        with contextlib.suppress(BrokenPipeError):
            os.write(self.events, line.encode())

    def work(self) -> int:
        """Run trials until the sweep is over or a signal comes; the exit code of the process."""
        adopt_orphans()
        self.wake = self._handle_signals()
        try:
            while not self.stopping and not self.leaving:
                claim = self._claim_interrupted() or self._next_claim()
                if claim is None:
                    break
                self._run_trial(claim)
        except RequestRefused as error:
            self.emit("refused", reason=str(error))
            return 1
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            self.emit("refused", reason=f"no trial can go on: {where}{error.strerror or error}")
            return 1
        self.emit("done", over=not self.stopping and not self.leaving)
        return 0

    def _handle_signals(self) -> int:
        """Have every signal wake `_sleep`, and let in a SIGTERM that waited; returns the descriptor that it reads."""
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        os.set_blocking(writing, False)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)

        def stop(number: int, frame: object) -> None:
            self.stopping = True

        def leave(number: int, frame: object) -> None:
            self.leaving = True

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGUSR1, leave)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTERM,))
        return reading

    def _sleep(self, seconds: float) -> None:
        """Sleep at most `seconds`; shorter when a signal comes or a child ends."""
        select.select([self.wake], [], [], max(0.0, seconds))
        with contextlib.suppress(BlockingIOError):
            while os.read(self.wake, 512):
                pass

    def _claim_interrupted(self) -> Claim | None:
        """A trial that another fleet or agent could not finish, if the sweep has not given it to others."""
        while claim := journal.claim_interrupted(self.plan.folder):
            state = self._retry(lambda run=claim.trial.run: self.plan.sweep.fetch_run_state(run))
            if self.stopping:
                claim.release()
                return None
            if state in OPEN_STATES and claim.trial.killed < MAX_KILLED:
                self.id = claim.trial.agent
                return claim
            if state == "preempted":
                claim.postpone()
            else:
                claim.delete()
        return None

    def _retry(self, question: Any) -> Any:
        """The answer, however long the server is away; None when this agent has to stop meanwhile."""

        def report(error: Exception, pause: float) -> None:
            self.emit("away", reason=str(error), again=pause)

        def sleep(seconds: float) -> bool:
            self._sleep(seconds)
            return self.stopping

        try:
            return retry(question, ServerUnavailable, doubling(1.0, LONGEST_PAUSE), sleep, report)
        except ServerUnavailable:
            return None

    def _next_claim(self) -> Claim | None:
        """The next trial; None when there is none any more, or this agent has to stop."""
        idle = 0.5
        while not self.stopping and not self.leaving:
            commands = self._retry(self._next_commands)
            for command in commands or []:
                if command["type"] == "exit":
                    return None
                is_run = command["type"] in ("run", "resume")
                if is_run and (claim := journal.claim(self.plan.folder, self._trial(command))):
                    return claim
            self.emit("waiting", paused=self._is_paused())
            self._sleep(idle)
            idle = min(2 * idle, HEARTBEAT_SECONDS)
            if claim := self._claim_interrupted():
                return claim
        return None

    def _is_paused(self) -> bool:
        """Whether the sweep is paused, as far as its server answers."""
        with contextlib.suppress(ServerUnavailable, RequestRefused):
            sweep = self.plan.sweep.fetch()
            return sweep is not None and sweep["state"] == "PAUSED"
        return False

    def _trial(self, command: dict[str, Any]) -> Trial:
        try:
            return Trial(command["run_id"], command["args"], command.get("program"), self.id, threads=self.plan.threads)
        except BadName as error:
            raise RequestRefused(f"the server handed out no valid run: {error}") from None

    def _next_commands(self) -> list[dict[str, Any]]:
        if not self.id:
            self.id = self.plan.sweep.register(socket.gethostname())
        try:
            return self.plan.sweep.heartbeat(self.id, [], timeout=60)
        except NotFound:
            self.id = ""
            if self.plan.sweep.fetch() is None:
                raise
            return []

    def _run_trial(self, claim: Claim) -> None:
        """The trial from its start to its end. One that SIGKILL ends goes on at once, from its checkpoint."""
        while True:
            began = time.monotonic()
            pid, log = self._start(claim)
            was_stopped, code = self._watch(claim.trial, pid)
            self._end_children()
            killed = code == -signal.SIGKILL and not was_stopped
            if killed:
                claim.save(dataclasses.replace(claim.trial, killed=claim.trial.killed + 1))
            if not killed or self.stopping or claim.trial.killed >= MAX_KILLED:
                break
            self.emit("killed", run=claim.trial.run, times=claim.trial.killed)
        self._report(claim, code, was_stopped, log, time.monotonic() - began)

    def _start(self, claim: Claim) -> tuple[int, Path]:
        trial = claim.trial
        self.exit_codes.clear()
        log = self.plan.logs / f"{trial.run}.log"
        start = launch.make_start(
            self.plan.command, trial.program, trial.run, trial.args, self.env, trial.threads or self.plan.threads, log
        )
        progress = Path(start.env[events.EVENTS_VARIABLE])
        offset = progress.stat().st_size if progress.exists() else 0
        pid = launch.fork(start, self.plan.warm, claim.lock.fileno(), [self.events, self.wake])
        values = {name: each.get("value") for name, each in trial.args.items()}
        self.emit("trial", run=trial.run, log=str(log), values=values, progress=str(progress), offset=offset)
        return pid, log

    def _watch(self, trial: Trial, pid: int) -> tuple[bool, int]:
        """Wait for the trial's end: whether it was asked to end, and its exit code (minus the number of a signal)."""
        deadline: float | None = None
        next_beat, pause, away = time.monotonic(), HEARTBEAT_SECONDS, False
        while self._exit_code(pid) is None:
            now = time.monotonic()
            if self.stopping and deadline is None:
                deadline = self._terminate(pid)
            if deadline is not None and now >= deadline:
                self.emit("overdue", run=trial.run)
                launch.kill_family(os.getpid())
                deadline = now + KILL_AGAIN_SECONDS
            if now >= next_beat:
                try:
                    stop = self._heartbeat(trial)
                    pause = HEARTBEAT_SECONDS
                    if away:
                        self.emit("back")
                    away = False
                except ServerUnavailable as error:
                    stop, away, pause = False, True, min(2 * pause, LONGEST_PAUSE)
                    self.emit("away", reason=str(error), again=pause)
                if stop and deadline is None:
                    deadline = self._terminate(pid)
                next_beat = time.monotonic() + pause
            self._sleep(min(next_beat, deadline or next_beat) - time.monotonic())
        return deadline is not None, self.exit_codes.pop(pid)

    def _heartbeat(self, trial: Trial) -> bool:
        """Whether the sweep wants this trial to end. A sweep that is gone does not: the trial is finished first."""
        try:
            commands = self.plan.sweep.heartbeat(self.id, [trial.run], timeout=10)
        except RequestRefused:
            return False
        return any(
            command["type"] == "exit" or (command["type"] == "stop" and command.get("run_id") == trial.run)
            for command in commands
        )

    def _terminate(self, pid: int) -> float:
        """Send SIGTERM; the time of SIGKILL, by the monotonic clock."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        return time.monotonic() + self.plan.grace

    def _exit_code(self, pid: int) -> int | None:
        while True:
            try:
                child, status = os.waitpid(-1, os.WNOHANG)
            except OSError as error:
                if error.errno != errno.ECHILD:
                    raise
                break
            if child == 0:
                break
            self.exit_codes[child] = os.waitstatus_to_exitcode(status)
        return self.exit_codes.get(pid)

    def _end_children(self) -> None:
        """Wait for orphans of the trial, then kill them."""
        patient = time.monotonic() + min(ORPHAN_SECONDS, self.plan.grace)
        while psutil.Process().children() and time.monotonic() < patient:
            self._sleep(0.2)
            self._exit_code(-1)
        launch.kill_family(os.getpid())

    def _report(self, claim: Claim, code: int, was_stopped: bool, log: Path, seconds: float) -> None:
        """The end of the trial, for the journal and the readers of events."""
        run = claim.trial.run
        state = None if code == 0 else self._final_state(run)
        if code != 0 and state == "preempted":
            claim.postpone()
        elif code == 0 or not (self.stopping and state in (*OPEN_STATES, None)):
            claim.delete()
        else:
            claim.release()
        if code == 0 or state == "finished":
            self.streak.reset()
            self.emit("finished", run=run, seconds=seconds, log=str(log))
        elif state == "preempted" or self.stopping:
            self.emit("put off", run=run)
        elif was_stopped or state == "killed":
            self.emit("stopped", run=run, log=str(log))
        else:
            with log.open(errors="replace") as lines:
                text = crashes.reason(lines, code)
            self.leaving = self.leaving or self.streak.add(run, code, text)
            self.emit("crashed", run=run, code=code, reason=text, log=str(log))

    def _final_state(self, run: str) -> str | None:
        """State of a run whose trial ended badly; None if the server does not answer."""
        with contextlib.suppress(ServerUnavailable, RequestRefused):
            return self.plan.sweep.fetch_run_state(run)
        return None
