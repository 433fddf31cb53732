"""The fork server: imports everything that a trial needs, once, and forks the agents.

The supervisor starts `python -m agent.fleet.fork_server`. It reads one JSON document per line: first the plan, then
`{"start": NUMBER, "env": {…}}`, `{"leave": NUMBER}`, `{"stop": true}`. It writes one per line: those of the agents,
`{"agent": NUMBER, "state": "gone", …}`, and its own `{"importing": NAME, …}`, `{"warm": SECONDS}`, `{"cold": REASON}`.
When its input ends, because the supervisor was killed, it stops everything and ends.

It has one thread when it forks, and has never touched a GPU: a forked process could use neither a thread pool nor a
CUDA context of its parent. It checks both; if either fails, it starts trials as plain processes.
"""

import contextlib
import gc
import importlib
import json
import math
import os
import select
import signal
import sys
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from agent.fleet import launch
from agent.fleet.agent import ORPHAN_SECONDS, Agent, FleetSettings
from agent.fleet.sweep_client import Sweep
from common.parent import adopt_orphans, end_with_parent

TRIAL_IMPORTS = (
    *("torch", "torchvision", "timm", "segmentation_models_pytorch", "albumentations", "wandb"),
    *("agent.train", "pandas", "pyarrow", "PIL.Image", "wandb.apis.public", "wandb.sdk.launch", "requests"),
    *("wandb.sdk.launch.inputs.internal", "wandb.sdk.artifacts._internal_artifact", "torch.utils.serialization"),
    *("cloudpickle", "multiprocessing.pool", "multiprocessing.queues", "multiprocessing.synchronize"),
)
"""Imports of every trial; the lazy ones of the client alone would take it a second."""

AGENT_IMPORTS = ("wandb.sdk.launch.sweeps.utils", "wandb.sdk.lib.config_util", "encodings.idna")


@dataclass(eq=False)
class ForkServer:
    plan: FleetSettings
    events: int
    agents: dict[int, int] = field(default_factory=dict)
    """Process id → number."""
    buffer: bytes = b""
    stopping: bool = False
    deadline: float = math.inf
    """Latest end of everything, by the monotonic clock."""

    def serve(self, wake: int) -> None:
        """Work until the order to stop, then until everything has ended."""
        while not self.stopping or psutil.Process().children():
            ready, _, _ = select.select([0, wake] if self.deadline == math.inf else [wake], [], [], 1.0)
            with contextlib.suppress(BlockingIOError):
                while os.read(wake, 512):
                    pass
            if 0 in ready and not self._read():
                self._end()
            self._reap()
            if time.monotonic() > self.deadline:
                launch.kill_family(os.getpid())

    def _end(self) -> None:
        """End after the supervisor is gone: agents end their trials; orphans of dead agents get less time."""
        self._signal_all(signal.SIGTERM)
        last = min(ORPHAN_SECONDS, self.plan.grace)
        self.stopping = True
        self.deadline = time.monotonic() + last + (self.plan.grace + ORPHAN_SECONDS if self.agents else 0)

    def _read(self) -> bool:
        """Obey the orders in the input; False at its end."""
        chunk = os.read(0, 65536)
        *lines, self.buffer = (self.buffer + chunk).split(b"\n")
        for line in lines:
            self._obey(json.loads(line))
        return bool(chunk)

    def _obey(self, order: dict[str, Any]) -> None:
        if "start" in order and not self.stopping:
            self._start(order["start"], order["env"])
        elif "leave" in order:
            self._signal_all(signal.SIGUSR1, order["leave"])
        elif "stop" in order:
            self._signal_all(signal.SIGTERM)
            self.stopping = True

    def _start(self, number: int, env: dict[str, str]) -> None:
        parent = os.getpid()
        # A SIGTERM in the first moments waits until the agent can note it: here it is ignored.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM,))
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                end_with_parent(signal.SIGTERM, parent)
                nothing = os.open(os.devnull, os.O_RDONLY)
                os.dup2(nothing, 0)
                code = Agent(number, self.plan, {**os.environ, **env}, self.events).work()
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(code)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        self.agents[pid] = number

    def _reap(self) -> None:
        """Reap children that have ended: agents, and orphans of trials."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    break
                if pid in self.agents:
                    code = os.waitstatus_to_exitcode(status)
                    emit(self.events, agent=self.agents.pop(pid), state="gone", code=code)

    def _signal_all(self, number: int, agent: int | None = None) -> None:
        for pid, each in self.agents.items():
            if agent in (None, each):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)


def emit(events: int, **news: Any) -> None:
    with contextlib.suppress(BrokenPipeError):
        os.write(events, (json.dumps(news) + "\n").encode())


def main() -> int:
    events = os.dup(1)
    os.dup2(2, 1)
    adopt_orphans()
    # Slurm sends SIGTERM to every process of a job; only the supervisor acts on it.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    settings = json.loads(_line())
    is_train = launch.starts_train(settings["command"])
    began = time.monotonic()
    imports = (*AGENT_IMPORTS, *(TRIAL_IMPORTS if is_train else ()))
    for n, name in enumerate(imports, 1):
        emit(events, importing=name, number=n, of=len(imports))
        importlib.import_module(name)
    unsafe = _why_not_fork() if is_train else "its command is not python -m agent.train"
    sweep = Sweep(**settings["sweep"])
    folders = {name: Path(settings[name]) for name in ("folder", "logs")}
    plan = FleetSettings(
        sweep, settings["command"], settings["threads"], **folders, grace=settings["grace"], warm=unsafe is None
    )
    parent = ForkServer(plan, events)
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    emit(events, **({"warm": time.monotonic() - began} if unsafe is None else {"cold": unsafe}))
    parent.serve(reading)
    return 0


def _line() -> bytes:
    """The first line of the input, and not a byte more: the rest is read as it comes."""
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            sys.exit(1)
        line += byte
    return line


def _why_not_fork() -> str | None:
    """The reason against forking trials from here, or None."""
    from PIL import Image

    Image.init()
    torch = sys.modules["torch"]
    if torch.cuda.is_initialized() or _holds_gpu():
        return "an import has touched the GPU"
    n_threads = psutil.Process().num_threads()
    if n_threads > 1:
        return f"an import has started {n_threads - 1} threads"
    gc.collect()
    gc.freeze()
    return None


def _holds_gpu(open_files: Path = Path("/proc/self/fd")) -> bool:
    """Whether this process has a device of the driver open, as after counting GPUs: no fork can use them then."""
    links = open_files.iterdir() if open_files.is_dir() else ()
    return any(os.path.realpath(each).startswith("/dev/nvidia") for each in links)


if __name__ == "__main__":
    sys.exit(main())
