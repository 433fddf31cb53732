"""One server for the whole directory, a client in a folder of its own per module, and a store with its own clock."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from server.__main__ import main
from server.access.signatures import Signer
from server.graphql import Context
from server.settings import Settings
from server.store import Store
from server.store.users import ADMIN
from tests.server.running import Client, Server, start
from tests.server.sample_project import fill

Refuse = Callable[..., str]


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[Store]:
    opened = Store(tmp_path / "store", clock)
    yield opened
    opened.close()


@pytest.fixture
def context(store: Store) -> Context:
    return Context(store, Settings(api_key="k" * 40), Signer("secret"), "http://127.0.0.1:1", ADMIN)


@pytest.fixture
def refuse(capsys: pytest.CaptureFixture[str]) -> Refuse:
    """Runs a command that must fail with exit status 1 and one sentence; returns the sentence."""

    def run(*words: object) -> str:
        capsys.readouterr()
        assert main(list(map(str, words))) == 1
        said = capsys.readouterr().err
        assert said.startswith("server: ")
        assert said.count("\n") == 1
        return said

    return run


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `fill` writes; whoever changes it takes `source`, a copy."""
    folder = tmp_path_factory.mktemp("filled") / "folder"
    opened = Store(folder)
    with opened.write() as db:
        fill(opened, db)
    opened.close()
    return folder


@pytest.fixture
def source(filled: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(filled, tmp_path / "source"))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = start(tmp_path_factory.mktemp("server") / "folder")
    yield running
    running.stop()


@pytest.fixture(scope="module")
def client(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Client:
    return Client(server, tmp_path_factory.mktemp("client"))
