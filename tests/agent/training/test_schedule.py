"""The learning rate over the steps of a run."""

import math

import pytest
import torch

from agent.training import schedule
from agent.training.performance import adam


def rates(name: str, n: int) -> list[float]:
    """The rate of each step of a run with a learning rate of 1."""
    optimizer = adam(torch.nn.Linear(1, 1), 1.0)
    built = schedule.build(name, optimizer, n)
    used = []
    for _ in range(n):
        used.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        built.step()
    return used


def test_a_constant_schedule_changes_nothing() -> None:
    assert rates("constant", 5) == [1.0] * 5


def test_a_cosine_schedule_climbs_in_a_twentieth_of_the_steps_and_ends_near_0() -> None:
    found = rates("cosine", 100)
    assert found[:6] == pytest.approx([0.1, 0.28, 0.46, 0.64, 0.82, 1.0])
    assert found[5:] == pytest.approx([(1 + math.cos(math.pi * step / 95)) / 2 for step in range(95)])


@pytest.mark.parametrize("n", [1, 2, 3])
def test_the_shortest_runs_have_a_schedule_too(n: int) -> None:
    assert all(0 < rate <= 1 for rate in rates("cosine", n))


def test_weight_decay_is_that_of_adamw_and_0_is_adam() -> None:
    def stepped(optimizer: torch.optim.Optimizer, weight: torch.nn.Linear) -> torch.Tensor:
        torch.nn.init.constant_(weight.weight, 0.5)
        weight(torch.ones(1, 3)).sum().backward()
        optimizer.step()
        return weight.weight.detach()

    ours, theirs = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
    decayed = torch.optim.AdamW(theirs.parameters(), 0.1, weight_decay=0.02)
    assert torch.allclose(stepped(adam(ours, 0.1, 0.02), ours), stepped(decayed, theirs))
    plain = torch.optim.Adam(theirs.parameters(), 0.1)
    assert torch.allclose(stepped(adam(ours, 0.1), ours), stepped(plain, theirs))
