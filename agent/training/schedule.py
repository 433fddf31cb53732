"""The learning rate over the steps of a run, by torch's own schedulers."""

from torch.optim import Optimizer
from torch.optim.lr_scheduler import ConstantLR, CosineAnnealingLR, LinearLR, LRScheduler, SequentialLR

WARM_UP = 0.05
"""Share of a run's steps in which a cosine schedule climbs from `START` of the learning rate to all of it."""

START = 0.1


def build(name: str, optimizer: Optimizer, n_steps: int) -> LRScheduler:
    """The schedule that a configuration names, for a run of `n_steps`; `step()` it after each step of the optimizer.

    `cosine` warms up, then falls to 0 along half a cosine (Loshchilov & Hutter, arXiv 1608.03983, without restarts).
    """
    if name == "constant":
        return ConstantLR(optimizer, factor=1.0, total_iters=0)
    warm = max(1, round(WARM_UP * n_steps))
    climb = LinearLR(optimizer, start_factor=START, total_iters=warm)
    fall = CosineAnnealingLR(optimizer, T_max=max(1, n_steps - warm))
    return SequentialLR(optimizer, [climb, fall], milestones=[warm])
