"""GPUs and memory of a machine.

CUDA_VISIBLE_DEVICES holds, and nothing here touches a GPU.
"""

import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

DRIVER = Path("/dev/nvidiactl")
"""Device file of a usable GPU; /proc would show the driver of the machine even in containers without one."""

MEBIBYTE = 2**20


class DeviceError(Exception):
    """The devices cannot be used as asked; the text is one sentence."""


@dataclass(frozen=True)
class Gpu:
    """A GPU that CUDA would see, or a MIG slice of one."""

    visible: str
    """The value of CUDA_VISIBLE_DEVICES for a process that shall see only this one."""
    name: str
    index: str
    """Index of the board, for nvidia-smi."""


@dataclass(frozen=True)
class Memory:
    used: int
    total: int
    """Bytes, like `used`."""


def list_gpus(environ: Mapping[str, str]) -> list[Gpu]:
    """The GPUs that CUDA_VISIBLE_DEVICES leaves, in its order; all of them if it is not set.

    Raises:
        DeviceError: it names one that is not there, or there is a driver without nvidia-smi.
    """
    visible = environ.get("CUDA_VISIBLE_DEVICES")
    if visible == "":
        return []
    gpus = _parse(_smi("-L"))
    if not gpus and DRIVER.exists():
        raise DeviceError(
            f"{DRIVER} says that there is a GPU, but `nvidia-smi -L` lists none: put it on the PATH, or set "
            f"CUDA_VISIBLE_DEVICES to nothing to train on the CPU"
        )
    return gpus if visible is None else _select(gpus, visible)


def _parse(printed: str) -> list[Gpu]:
    """GPUs in the output of `nvidia-smi -L`; a board that is cut into MIG slices counts as its slices."""
    gpus: list[Gpu] = []
    whole: dict[str, int] = {}
    for line in printed.splitlines():
        board = re.match(r"GPU (\d+): (.+) \(UUID: (GPU-[\w-]+)\)", line)
        piece = re.match(r"\s+(MIG .+?)\s+Device\s+\d+: \(UUID: (MIG-[^)]+)\)", line)
        if board:
            whole[board[1]] = len(gpus)
            gpus.append(Gpu(board[3], board[2], board[1]))
        elif piece and gpus:
            index = gpus[-1].index
            if index in whole:
                del gpus[whole.pop(index)]
            gpus.append(Gpu(piece[2], piece[1], index))
    return gpus


def _select(gpus: Sequence[Gpu], visible: str) -> list[Gpu]:
    """GPUs of CUDA_VISIBLE_DEVICES as CUDA reads it: indices or beginnings of UUIDs, up to -1 or an empty entry."""
    chosen: list[Gpu] = []
    for entry in (each.strip() for each in visible.split(",")):
        if entry in ("", "-1", "NoDevFiles"):
            break
        match = [g for g in gpus if entry == g.index or (not entry.isdigit() and g.visible.startswith(entry))]
        if not match:
            there = ", ".join(f"{g.index} ({g.name})" for g in gpus) or "none"
            raise DeviceError(f"CUDA_VISIBLE_DEVICES names {entry}, but nvidia-smi lists: {there}")
        chosen.append(match[0])
    return chosen


def gpu_memory(gpu: Gpu) -> Memory | None:
    """Memory of the GPU's board in bytes; None for a MIG slice, or if nvidia-smi does not report it."""
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


def free_main_memory() -> int:
    """Bytes of main memory that processes can still get."""
    return int(psutil.virtual_memory().available)
