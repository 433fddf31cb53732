"""Evidence in milliseconds: its error rates come from a few simulated studies. A real client beside a server."""

from collections.abc import Iterator

import pytest

from analysis.evidence import simulate
from tests.server import running
from tests.server.running import Client


@pytest.fixture(autouse=True)
def few_simulated_studies(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the rates are is tested in tests/bench; here they only have to be there."""
    monkeypatch.setattr(simulate, "STUDIES", 40)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("client")
    server = running.start(folder / "server")
    yield Client(server, folder)
    assert server.stop() == 0
