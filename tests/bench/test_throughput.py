"""What the benchmark of the data path counts."""

from collections.abc import Callable, Iterable, Iterator

import pytest
import torch

from agent.training.loader import AHEAD, MOST_WORKERS
from bench import throughput
from bench.throughput import Trial


class Counting(Trial):
    """Trains nothing; `log` has what was asked for: steps, and `timed` before those that count."""

    def __init__(self, device: str) -> None:
        self.device = torch.device(device)
        self.log: list[object] = []

    steps = 3

    def batches(self, epochs: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        self.log.append(epochs)
        nothing = torch.empty(0)
        return iter([(nothing, nothing)] * (epochs * self.steps))

    def train(self, batches: Iterable[object], precision: object = None) -> None:
        self.log.append(len(list(batches)))

    def seconds(self, work: Callable[[], object]) -> float:
        self.log.append("timed")
        work()
        return 1.0


def test_on_a_cpu_an_epoch_is_compared_with_an_epoch() -> None:
    trial = Counting("cpu")
    assert throughput.fed(trial, 2) == [1, 1]
    assert trial.log == [3, 3, *["timed", 3] * 4]


def test_on_a_gpu_what_workers_had_ready_does_not_count() -> None:
    trial = Counting("cuda")
    assert throughput.fed(trial, 2) == [1, 1]
    part = 50 * 3
    waiting = MOST_WORKERS * AHEAD
    visits = 1 + -(-2 * (part + waiting) // 3)
    assert trial.log == [visits, 3, *["timed", part, waiting, "timed", part] * 2]


def test_what_one_process_augments_is_told_for_every_strength(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a clock on which 10 images take a second each time."""
    ticks = (tick for pair in zip(range(99), range(1, 99), strict=False) for tick in pair)
    monkeypatch.setattr("time.process_time", lambda: next(ticks))
    rows = list(throughput.augmented(32, 4, 1))
    assert rows == [f"| {each} | 10 | 10 to 10 | 1 |" for each in ("none", "light", "medium", "strong")]
