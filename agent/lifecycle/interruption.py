"""Signals and stops that end a run before its time, between two steps; `train.end_early` acts on them."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

STOP = "stop"
"""Reason of a run's end that its server asked for, for instance because Hyperband found it hopeless."""

EXIT_CODES = {"SIGINT": 130, "SIGTERM": 143}
"""Exit codes of a run that can be resumed, by signal, as a shell gives them."""


class Interrupted(Exception):
    """The run has to end now; the text is the name of the signal, or `STOP`."""


class Interruption:
    """A request to end the run, kept until the end of the step."""

    reason = ""

    def request(self, reason: str) -> None:
        self.reason = self.reason or reason

    def check(self) -> None:
        """Raise Interrupted if the run was asked to end."""
        if self.reason:
            raise Interrupted(self.reason)

    @contextlib.contextmanager
    def translate_worker_exit(self) -> Iterator[None]:
        """The end of a worker by SIGTERM is the interruption of the run, and no failure.

        Slurm and Kubernetes signal all processes of a job, those that augment too.
        """
        try:
            yield
        except RuntimeError as error:
            if "DataLoader worker" not in str(error):
                raise
            if "by signal: Terminated" in str(error):
                self.request("SIGTERM")
            self.check()
            raise

    def receive(self, number: int, frame: FrameType | None) -> None:
        """A signal handler; a second Ctrl-C ends the run at once. SIGTERM comes twice if fleet and Slurm send it."""
        if self.reason and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.request(signal.Signals(number).name)


@contextlib.contextmanager
def catch_signals() -> Iterator[Interruption]:
    """Note SIGTERM and SIGINT instead of obeying them until the end of the block; in the main thread only."""
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return
    before = {number: signal.signal(number, interruption.receive) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def on_client_death(folder: Path, interruption: Interruption) -> Iterator[None]:
    """End the process, its state on the disk, when the client's service dies within the block, or at a second Ctrl-C.

    Slurm signals every process of a job that it ends, that service as well, and a machine short of memory may kill
    it. Then the server cannot be told and the run cannot be closed.
    """
    try:
        yield
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        print(f"agent.train: ended; go on with python -m agent.train --resume {folder.name}", flush=True)
        os._exit(EXIT_CODES["SIGINT"])
    except ConnectionError as error:
        code = EXIT_CODES.get(interruption.reason, 1)
        why = interruption.reason if code > 1 else f"the W&B client's process is gone ({error})"
        with contextlib.suppress(ConnectionError):
            print(
                f"agent.train: {why}; the state stays in {folder}; go on with python -m agent.train --resume "
                f"{folder.name}",
                flush=True,
            )
        os._exit(code)
