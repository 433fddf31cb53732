"""One server and one client folder for the directory, a machine of its own for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent.fleet.machine import Machine
from tests.server import running
from tests.server.running import Client


@pytest.fixture(scope="package")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    server = running.start(tmp_path_factory.mktemp("server") / "data")
    yield Client(server, tmp_path_factory.mktemp("client"))
    server.stop()


@pytest.fixture
def machine(client: Client, tmp_path: Path) -> Machine:
    return Machine(client, tmp_path)
