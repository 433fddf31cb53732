"""GPUs and cores of a machine, and how many trials they carry side by side.

CUDA_VISIBLE_DEVICES holds, and nothing here touches a GPU.
"""

import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from common import cores

DRIVER = Path("/dev/nvidiactl")
"""Is there where a GPU can be used; /proc shows the driver of a machine in containers that were given none as well."""

MEBIBYTE = 2**20
CPU_TRIAL_BYTES = 2**30
"""Memory of a small trial on a CPU, beyond what it shares with the others."""

MAX_FILL = 0.9
"""The share of a GPU's memory that trials may fill: the next one may need more than those before."""


class DeviceError(Exception):
    """The devices cannot be used as asked; the text is one sentence."""


@dataclass(frozen=True)
class Gpu:
    """One that CUDA would see, or a MIG slice of one."""

    visible: str
    """The value of CUDA_VISIBLE_DEVICES for a process that shall see only this one."""
    name: str
    index: str
    """That of the board, for nvidia-smi."""


@dataclass(frozen=True)
class Memory:
    used: int
    total: int
    """Both in bytes."""


def list_gpus(environ: Mapping[str, str]) -> list[Gpu]:
    """The GPUs that CUDA_VISIBLE_DEVICES leaves, in its order; all of them if it is not set.

    Raises:
        DeviceError: it names one that is not there, or there is a driver without nvidia-smi.
    """
    wanted = environ.get("CUDA_VISIBLE_DEVICES")
    if wanted == "":
        return []
    listed = _parse(_smi("-L"))
    if not listed and DRIVER.exists():
        raise DeviceError(
            f"{DRIVER} says that there is a GPU, but `nvidia-smi -L` lists none: put it on the PATH, or set "
            f"CUDA_VISIBLE_DEVICES to nothing to train on the CPU"
        )
    return listed if wanted is None else _select(listed, wanted)


def _parse(printed: str) -> list[Gpu]:
    """`nvidia-smi -L`; a board that is cut into MIG slices counts as its slices."""
    found: list[Gpu] = []
    whole: dict[str, int] = {}
    for line in printed.splitlines():
        board = re.match(r"GPU (\d+): (.+) \(UUID: (GPU-[\w-]+)\)", line)
        piece = re.match(r"\s+(MIG .+?)\s+Device\s+\d+: \(UUID: (MIG-[^)]+)\)", line)
        if board:
            whole[board[1]] = len(found)
            found.append(Gpu(board[3], board[2], board[1]))
        elif piece and found:
            index = found[-1].index
            if index in whole:
                del found[whole.pop(index)]
            found.append(Gpu(piece[2], piece[1], index))
    return found


def _select(listed: Sequence[Gpu], wanted: str) -> list[Gpu]:
    """As CUDA reads it: indices or beginnings of UUIDs, and everything after -1 or an empty entry is invisible."""
    chosen: list[Gpu] = []
    for entry in (each.strip() for each in wanted.split(",")):
        if entry in ("", "-1", "NoDevFiles"):
            break
        match = [g for g in listed if entry == g.index or (not entry.isdigit() and g.visible.startswith(entry))]
        if not match:
            there = ", ".join(f"{g.index} ({g.name})" for g in listed) or "none"
            raise DeviceError(f"CUDA_VISIBLE_DEVICES names {entry}, but nvidia-smi lists: {there}")
        chosen.append(match[0])
    return chosen


def gpu_memory(gpu: Gpu) -> Memory | None:
    """Of its board, as nvidia-smi reports it; None where it does not, and for a MIG slice."""
    if gpu.visible.startswith("MIG-"):
        return None
    printed = _smi("-i", gpu.index, "--query-gpu=memory.used,memory.total", "--format=csv,noheader,nounits")
    numbers = re.findall(r"\d+", printed)
    return Memory(int(numbers[0]) * MEBIBYTE, int(numbers[1]) * MEBIBYTE) if len(numbers) == 2 else None


def _smi(*arguments: str) -> str:
    program = shutil.which("nvidia-smi")
    if program is None:
        return ""
    try:
        done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


@dataclass
class Packing:
    """One GPU: its `total` bytes, those used `before` the fleet came, and the `most` trials that cores allow.

    The memory of the device is read while trials run on it, so CUDA's own share and PyTorch's cache count. A first
    trial runs alone until its second epoch; each one more is let in when the largest share so far would fit once more.
    """

    total: int
    before: int
    most: int
    per_trial: int = 0
    """The largest share of one trial that was seen, bytes."""

    def measure(self, used: int, n_trials: int) -> None:
        """`used` bytes of the device while `n_trials` train on it."""
        if n_trials:
            self.per_trial = max(self.per_trial, (used - self.before) // n_trials)

    def max_trials(self) -> int:
        """Trials that fit, from 1 up; 1 before the first measurement."""
        if self.per_trial <= 0:
            return 1
        fit = (int(self.total * MAX_FILL) - self.before) // self.per_trial
        return max(1, min(self.most, fit))


def parallel_trials(n_cores: int, n_trials: int | None, free_bytes: int, put_off: Sequence[int] = ()) -> int:
    """Trials at once on a CPU: as many as there are cores, trials left, and places in memory.

    One thread each is best: two trials with a thread each do 1.45 times the work of one with two. `put_off` are the
    threads of trials that go on, each with its own, so that together they may leave room for fewer.
    """
    most = n_cores if n_trials is None else min(n_cores, n_trials)
    n = max(1, min(most, free_bytes // CPU_TRIAL_BYTES))
    while n > 1 and sum(sorted([*put_off, *[n_cores // n] * n], reverse=True)[:n]) > n_cores:
        n -= 1
    return n


def threads_per_trial(environ: Mapping[str, str], n_trials: int) -> int:
    """Of each trial: OMP_NUM_THREADS if it is set, else its share of the cores."""
    return cores.omp_threads(environ) or max(1, cores.available() // n_trials)


def free_main_memory() -> int:
    """Bytes of main memory that processes can still get."""
    return int(psutil.virtual_memory().available)
