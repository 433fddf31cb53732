"""The devices that tests of the parts run on, the CPU and a GPU where there is one; a real client beside a server."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.server import running
from tests.server.running import Client

if TYPE_CHECKING:
    import torch


@pytest.fixture(scope="module", params=["cpu", "cuda"])
def device(request: pytest.FixtureRequest) -> "Iterator[torch.device]":
    """Each in turn, as `agent.training.performance.best_device` names it.

    A GPU is told to be deterministic, so that equal settings give equal bits on both; where it cannot, torch warns, and
    the test fails.
    """
    import torch

    from agent.training.performance import make_deterministic

    if request.param == "cpu":
        yield torch.device("cpu")
        return
    if not torch.cuda.is_available():
        pytest.skip("no GPU on this machine")
    make_deterministic(True)
    yield torch.device("cuda")
    make_deterministic(False)


@pytest.fixture
def gpu() -> "torch.device":
    """As a run has it that is not deterministic."""
    import torch

    if not torch.cuda.is_available():
        pytest.skip("no GPU on this machine")
    return torch.device("cuda")


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    """The real client in a folder of its own, and a server of its own."""
    server = running.start(tmp_path / "server")
    (tmp_path / "client").mkdir()
    yield Client(server, tmp_path / "client")
    server.stop()
