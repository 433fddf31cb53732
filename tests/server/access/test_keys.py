"""Keys and secrets: whole or not at all, checked when read, nobody else's to read."""

import base64
import contextlib
import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.access.authentication import recognise
from server.settings import Settings
from server.store import Store, StoreError, api_key, users
from server.store.users import KEY
from tests.server.conftest import Refuse
from tests.server.running import ROOT, start
from tests.server.sample_project import fill

KEYS = [b"", b"\n", b"local-", b"k" * 39, b"\0" * 64, b"\xff" * 64, b"k" * 20 + b"\n" + b"k" * 20, b"a b" * 20]


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.parametrize("content", KEYS)
def test_a_key_file_without_a_key_ends_the_start_with_one_sentence(
    tmp_path: Path, content: bytes, refuse: Refuse
) -> None:
    (tmp_path / "api-key").write_bytes(content)
    assert f"{tmp_path}/api-key holds" in refuse("--port", "0", "--dir", tmp_path)
    assert (tmp_path / "api-key").read_bytes() == content


def test_a_key_that_did_not_get_to_the_disk_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="disk is full"):
        api_key(tmp_path)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    (tmp_path / ".api-key.1.unfinished").write_text("loc")  # of a server that was killed
    key = api_key(tmp_path)
    assert KEY.fullmatch(key)
    assert api_key(tmp_path) == key
    assert [(path.name, path.stat().st_mode & 0o777) for path in tmp_path.iterdir()] == [("api-key", 0o600)]


def test_a_key_file_that_is_a_folder_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "api-key").mkdir()
    with pytest.raises(StoreError, match="cannot be used"):
        api_key(tmp_path)


HEADERS = [None, "", "Basic", "Basic " + base64.b64encode(b"api:").decode(), "Bearer ", "Bearer", "Basic !!", "x y"]


@pytest.mark.parametrize("header", HEADERS)
def test_no_key_is_nobodys_key(store: Store, header: str | None) -> None:
    with store.write() as db:
        db.execute("INSERT INTO users (name, key_hash, created_at) VALUES ('eve', ?, 0)", (users.hash_key(""),))
    assert recognise(store, Settings(api_key=""), header) is None


def test_a_secret_that_is_none_is_made_anew(store: Store) -> None:
    for broken in ("", "0", "x" * 64):
        with store.write() as db:
            db.execute("INSERT OR REPLACE INTO meta VALUES ('s', ?)", (broken,))
        assert store.secret("s") not in ("", broken)
    assert store.secret("s") == store.secret("s")


def readable_by_others(*folders: Path) -> list[str]:
    paths = [path for folder in folders for path in (folder, *folder.rglob("*"))]
    return [str(path) for path in paths if path.stat().st_mode & 0o077]


@pytest.mark.usefixtures("open_umask")
def test_all_that_a_server_and_its_commands_write_is_their_owners_alone(tmp_path: Path) -> None:
    old = tmp_path / "old"
    with contextlib.closing(Store(old)) as store, store.write() as db:
        fill(store, db)  # under the umask of this test
    assert len(readable_by_others(old)) > 20, "a folder as an older server left it"
    for folder in (old, tmp_path / "new"):
        server = start(folder)
        server.open_run("p", "r")
        [url] = server.upload_urls("p", "r", "a")
        assert server.send("PUT", url, b"a body")[0] == 200
        assert (folder / "wandb.sqlite-wal").exists()
        assert readable_by_others(folder) == []
        assert server.stop() == 0
        assert readable_by_others(folder) == []
    words = (
        ("backup", "--dir", str(old), "--to", str(tmp_path / "all.tar")),
        ("restore", str(tmp_path / "all.tar"), "--dir", str(tmp_path / "again")),
        ("export", "lab/pieces", "--dir", str(old), "--out", str(tmp_path / "out")),
    )
    for command in words:
        subprocess.run([sys.executable, "-m", "server", *command], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    assert readable_by_others(tmp_path / "again", tmp_path / "out", tmp_path / "all.tar") == []


@pytest.mark.usefixtures("open_umask")
def test_what_is_not_the_servers_is_left_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    Store(tmp_path).close()
    (tmp_path / "blobs").rmdir()
    mine = tmp_path / "mine" / "open.txt"
    mine.parent.mkdir()
    mine.touch()
    (tmp_path / "blobs").symlink_to(mine.parent)
    Store(tmp_path).close()
    assert [path.stat().st_mode & 0o777 for path in (tmp_path, mine.parent, mine)] == [0o777, 0o777, 0o666]
