"""How the tests are dealt out to the workers of `pytest --numprocesses 2 --dist loadfile`, and what sees a GPU."""

import os
from pathlib import Path

import hypothesis
import pytest

hypothesis.settings.load_profile("ci")  # the same examples everywhere, on every day

HAS_GPU = Path("/dev/nvidiactl").exists()


def pytest_sessionstart(session: pytest.Session) -> None:
    """Programs that tests start see no GPU, the tests themselves do.

    What is promised of whole runs bit by bit, and of processes side by side, is promised for a CPU.
    """
    if HAS_GPU:
        import torch

        if torch.cuda.is_available():
            torch.cuda.init()  # reads CUDA_VISIBLE_DEVICES, once
        os.environ["CUDA_VISIBLE_DEVICES"] = ""


@pytest.fixture(autouse=True)
def on_the_cpu_unless_asked(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only tests with one of the fixtures of tests/agent/conftest.py use the GPU."""
    if HAS_GPU and not {"device", "gpu"} & set(request.fixturenames):
        import torch

        monkeypatch.setattr("agent.training.performance.best_device", lambda: torch.device("cpu"))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Files with slow tests come first, so that none is left for the end. In one process the order stays as written.

    A file stays in one piece, at one worker: what its tests share (a server, a client's program) is made once.
    """
    if hasattr(config, "workerinput"):
        slow: set[Path] = {item.path for item in items if item.get_closest_marker("slow")}
        items.sort(key=lambda item: item.path not in slow)
