"""Number of trials side by side: on a GPU by their measured memory, on a CPU by cores and memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from common import cores

CPU_TRIAL_BYTES = 2**30
"""Memory of a small trial on a CPU, without the part it shares with the others."""

MAX_FILL = 0.9
"""The share of a GPU's memory that trials may fill: the next one may need more than those before."""


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
    """Largest measured share of one trial, bytes."""

    def measure(self, used: int, n_trials: int) -> None:
        """Take in a measurement: `used` bytes of the device while `n_trials` train on it."""
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
    """Threads of each trial: OMP_NUM_THREADS if it is set, else its share of the cores."""
    return cores.omp_threads(environ) or max(1, cores.available() // n_trials)
