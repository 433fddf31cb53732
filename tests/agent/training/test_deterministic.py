"""`deterministic: true`: what torch is told, and that training on a CPU gives equal bits with it as without."""

import os
from collections.abc import Iterator

import pytest
import torch

from agent.training.performance import make_deterministic
from tests.agent.training.squares import trained


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    yield
    make_deterministic(False)


def test_torch_is_told_to_be_deterministic_and_to_say_where_it_cannot() -> None:
    make_deterministic(True)
    assert torch.are_deterministic_algorithms_enabled()
    assert torch.is_deterministic_algorithms_warn_only_enabled()
    assert torch.backends.cudnn.deterministic
    assert not torch.backends.cudnn.benchmark
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    make_deterministic(False)
    assert not torch.are_deterministic_algorithms_enabled()
    assert not torch.backends.cudnn.deterministic


def test_a_setting_that_a_person_made_for_cublas_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")
    make_deterministic(True)
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":16:8"


def test_on_a_cpu_equal_seeds_give_equal_bits_with_and_without() -> None:
    plain, _ = trained(seed=1, epochs=2)
    make_deterministic(True)
    strict, _ = trained(seed=1, epochs=2)
    for one, other in zip(plain.state_dict().values(), strict.state_dict().values(), strict=True):
        assert torch.equal(one, other)
