"""An answer leaves only after a sync that began after its commit, and one sync serves all who wait."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.store import Store, projects
from server.store.disk.durability import Durability


class Disk:
    """Stands in for `os.fdatasync`: each call waits until the test lets it end."""

    def __init__(self) -> None:
        self.begun, self.may_end = threading.Semaphore(0), threading.Semaphore(0)
        self.calls = 0

    def __call__(self, descriptor: int) -> None:
        self.calls += 1
        self.begun.release()
        assert self.may_end.acquire(timeout=10)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    made = Disk()
    monkeypatch.setattr(os, "fdatasync", made)
    return made


@pytest.fixture
def durability(tmp_path: Path) -> Iterator[Durability]:
    (tmp_path / "log").touch()
    made = Durability(tmp_path / "log")
    yield made
    made.close()


def waiting(durability: Durability, done: list[str], name: str) -> threading.Thread:
    def run() -> None:
        durability.wait()
        done.append(name)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def until_committed(durability: Durability, n: int) -> None:
    end = time.monotonic() + 10
    while durability._committed < n:
        assert time.monotonic() < end


def test_who_comes_during_a_sync_waits_for_the_next_one_and_shares_it(durability: Durability, disk: Disk) -> None:
    done: list[str] = []
    first = waiting(durability, done, "first")
    assert disk.begun.acquire(timeout=10)
    late = [waiting(durability, done, f"late {i}") for i in range(5)]
    until_committed(durability, 6)
    disk.may_end.release()
    first.join(10)
    assert done == ["first"]
    assert disk.begun.acquire(timeout=10)
    assert done == ["first"], "the first sync began before they had committed"
    disk.may_end.release()
    for thread in late:
        thread.join(10)
    assert len(done) == 6
    assert disk.calls == 2


def test_after_a_sync_that_failed_nothing_is_acknowledged_any_more(
    durability: Durability, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fdatasync", fail)
        with pytest.raises(OSError, match="Input/output"):
            durability.wait()
    with pytest.raises(OSError, match="Input/output"):
        durability.wait()


def test_a_transaction_ends_with_a_sync(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    monkeypatch.setattr(os, "fdatasync", lambda number: synced.append(str(Path(f"/proc/self/fd/{number}").readlink())))
    with store.write() as db:
        projects.ensure(db, "lab", "p", 1.0)
        with store.write() as inner:
            projects.ensure(inner, "lab", "q", 1.0)
        assert synced == []
    assert synced == [str(store.folder / "wandb.sqlite-wal")]
