"""Processor cores that a run, or a machine full of runs, may use, and their extensions."""

import functools
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import psutil


def available() -> int:
    """Cores for this process: no mere hyperthreads, within its affinity and its container's quota.

    In a Slurm job not more than it was given, bound to them or not.
    """
    # Here, since it takes a third of a second, and a trial with OMP_NUM_THREADS never asks.
    from joblib import cpu_count

    here = min(int(cpu_count()), psutil.cpu_count(logical=False) or sys.maxsize)
    text = os.environ.get("SLURM_CPUS_ON_NODE", "")
    return min(here, int(text)) if text.isdecimal() and int(text) else here


def omp_threads(environ: Mapping[str, str]) -> int | None:
    """OMP_NUM_THREADS, the first number of a list such as `4,2`; None if it has none."""
    text = environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return int(text) if text.isdecimal() and int(text) else None


def threads(environ: Mapping[str, str]) -> int:
    """Threads of a run: OMP_NUM_THREADS, else all cores that it may use."""
    return omp_threads(environ) or available()


def multiply_bfloat16() -> bool:
    """Whether the cores multiply bfloat16 themselves; if it is emulated it is slower than float32."""
    return bool({"avx512_bf16", "amx_bf16"} & flags())


@functools.cache
def flags(path: Path = Path("/proc/cpuinfo")) -> frozenset[str]:
    """The extensions of the first core, as Linux names them; empty elsewhere."""
    if not path.exists():
        return frozenset()
    lines = (line.partition(":")[2] for line in path.read_text().splitlines() if line.startswith("flags"))
    return frozenset(next(lines, "").split())
