"""A short run of the fuzzer; `python -m tests.server.fuzz` is the long one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.fuzz import World, fuzz
from tests.server.running import start

REQUESTS = 200
GROWTH = 30  # MiB


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder: Path = tmp_path_factory.mktemp("fuzz") / "folder"
    server = start(folder)
    world = World(server)
    yield world
    world.close()
    server.stop()


@pytest.mark.slow
def test_nothing_that_a_client_sends_is_answered_by_500_a_hang_a_strange_file_or_lasting_memory(world: World) -> None:
    fuzz(world, REQUESTS, seed=7)
    warm = world.resident()
    fuzz(world, REQUESTS, seed=8)
    assert world.sent >= 2 * REQUESTS
    assert world.answered > 0.1 * REQUESTS, "most operations must be meant seriously"
    assert world.resident() - warm < GROWTH


def test_the_fuzzer_notices_what_it_looks_for(world: World) -> None:
    (world.server.folder / "stray.txt").write_text("")
    (world.server.folder.parent / "outside.txt").write_text("")
    assert len(world.strange_files()) == 2
