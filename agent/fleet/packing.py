"""How many trials share a GPU, from the memory that they are seen to take. Pure: what is measured comes in as values.

The memory of the device is read while trials run on it, so CUDA's own share and PyTorch's cache count. A first trial
runs alone until its second epoch; each one more is let in when the largest share so far would fit once more.
"""

from dataclasses import dataclass

MAX_FILL = 0.9
"""The share of the memory that trials may fill: the next one may need more than those before."""


@dataclass
class Packing:
    """One GPU: its `total` bytes, those used `before` the fleet came, and the `most` trials that cores allow."""

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
        """How many trials fit, from 1 up; 1 before anything was measured."""
        if self.per_trial <= 0:
            return 1
        fit = (int(self.total * MAX_FILL) - self.before) // self.per_trial
        return max(1, min(self.most, fit))
