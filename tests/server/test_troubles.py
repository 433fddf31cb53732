"""Troubles of the machine: a full disk, a folder that cannot be written, a clock that is set."""

import contextlib
import errno
import json
import os
import re
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.scheduler import scheduler
from server.scheduler.system_clock import ClockMonitor
from server.settings import Settings
from server.store import Store, projects, runs
from server.store.disk.disk_errors import FULL, READ_ONLY, explain, is_temporary
from tests.server.conftest import Clock
from tests.server.running import ROOT, Server, start

KB = 1024


@contextlib.contextmanager
def small_disk(place: Path, size: str) -> Iterator[Path]:
    """A file system of its own; skips the test where none can be mounted."""
    place.mkdir()
    if os.geteuid() != 0:
        pytest.skip("mounting needs root; the same is tested with a limit on file sizes")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("mounting is not allowed here; the same is tested with a limit on file sizes")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def post(server: Server, run: str, offset: int, rows: int = 100) -> tuple[int, bytes]:
    lines = [json.dumps({"_step": offset + i, "x": "y" * 100}) for i in range(rows)]
    body = {"files": {"wandb-history.jsonl": {"offset": offset, "content": lines}}}
    path = f"/files/local/full/{run}/file_stream"
    return server.post(path, json.dumps(body).encode(), Authorization=server.basic())


def open_run(server: Server, name: str, size: int = 0) -> tuple[int, str]:
    """`size`: bytes of its notes."""
    query = """mutation ($n: String, $t: String) {
        upsertBucket(input: {name: $n, notes: $t, modelName: "full", entityName: "local"}) { bucket { id } } }"""
    status, answer = server.graphql(query, n=name, t="x" * size)
    return status, json.dumps(answer)


def fill_up(server: Server) -> int:
    """Posts rows until the server refuses; returns how many it acknowledged."""
    stored = 0
    for _ in range(1000):
        status, body = post(server, "r", stored)
        if status != 200:
            assert (status, json.loads(body)["error"]) == (503, FULL)
            return stored
        stored += 100
    raise AssertionError("the disk never got full")


def stored_rows(server: Server) -> list[int]:
    query = """query { project(name: "full", entityName: "local") { run(name: "r") {
        history(minStep: 0, maxStep: 10000000) } } }"""
    _, answer = server.graphql(query)
    return [json.loads(line)["_step"] for line in answer["data"]["project"]["run"]["history"]]


def check(folder: Path) -> str:
    command = [sys.executable, "-m", "server", "check", "--dir", str(folder)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout


def goes_on(server: Server, stored: int) -> None:
    """The client's repetition succeeds once there is room, and no acknowledged row is missing or doubled."""
    assert post(server, "r", stored)[0] == 200
    assert stored_rows(server) == list(range(stored + 100))
    assert open_run(server, "late")[0] == 200
    folder = server.folder
    assert server.stop() == 0
    assert check(folder) == f"{folder} is whole\n"


def test_an_upload_to_a_full_disk_leaves_nothing_half_written(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "2m") as disk:
        server = start(disk / "folder")
        assert open_run(server, "r")[0] == 200
        query = """mutation { createRunFiles(input: {entityName: "local", projectName: "full", runName: "r",
            files: ["big.bin"]}) { files { uploadUrl } } }"""
        url = server.graphql(query)[1]["data"]["createRunFiles"]["files"][0]["uploadUrl"]
        status, body = server.send("PUT", url, bytes(3 << 20))
        assert (status, json.loads(body)["error"]) == (503, FULL)
        assert list((server.folder / "incoming").iterdir()) == []
        assert server.send("PUT", url, b"small")[0] == 200
        assert server.stop() == 0
        assert "is whole" in check(server.folder)


def test_where_no_file_may_grow_it_is_as_with_a_full_disk(tmp_path: Path) -> None:
    server = start(tmp_path / "folder")
    assert open_run(server, "r")[0] == 200
    _, hard = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
    limit = (server.folder / "wandb.sqlite-wal").stat().st_size + 300 * KB
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (limit, hard))
    stored = fill_up(server)
    assert stored > 0
    assert open_run(server, "late", 500 * KB)[0] == 503
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (hard, hard))
    goes_on(server, stored)
    log = (tmp_path / "folder.log").read_text()
    assert FULL in log
    assert "Traceback" not in log


def refused(folder: Path) -> str:
    """The message of a server that cannot start."""
    command = [sys.executable, "-m", "server", "--port", "0", "--dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 1, done.stdout
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def test_a_start_on_a_full_disk_is_refused_with_one_sentence(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "256k") as disk:
        (disk / "ballast").write_bytes(bytes(240 * KB))
        assert FULL in refused(disk / "folder")


def test_a_folder_that_is_mounted_read_only_is_refused_with_one_sentence(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "4m") as disk:
        Store(disk / "folder").close()
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        assert re.search(r"\(Read-only file system\).* --dir", refused(disk / "folder"))
        assert check(disk / "folder") == f"{disk / 'folder'} is whole\n", "reading it still works"


def test_a_commit_that_fails_leaves_nothing_behind_for_the_next_one(store: Store) -> None:
    """A deferred constraint fails at COMMIT, as a full disk can: the next transaction must be one of its own."""
    with store.write() as db:
        db.execute("CREATE TABLE late (id REFERENCES projects DEFERRABLE INITIALLY DEFERRED)")
    with pytest.raises(sqlite3.IntegrityError), store.write() as db:
        db.execute("INSERT INTO late VALUES (99)")
    with store.write() as db:
        projects.ensure(db, "lab", "p", 1.0)
    other = sqlite3.connect(store.folder / "wandb.sqlite")
    assert other.execute("SELECT name FROM projects").fetchall() == [("p",)]
    assert other.execute("SELECT * FROM late").fetchall() == []
    other.close()


@pytest.mark.parametrize(
    ("error", "sentence", "later"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), FULL, True),
        (OSError(errno.EROFS, "Read-only file system"), READ_ONLY, True),
        (FileNotFoundError(errno.ENOENT, "No such file"), "the disk failed: No such file", False),
        (sqlite3.OperationalError("no such column: x"), "the database failed: no such column: x", False),
    ],
)
def test_only_what_a_person_can_mend_is_worth_repeating(
    error: OSError | sqlite3.Error, sentence: str, later: bool
) -> None:
    assert (explain(error), is_temporary(error)) == (sentence, later)


def test_a_clock_that_is_set_is_noticed_once_and_one_that_runs_is_not(clock: Clock) -> None:
    steady = Clock()
    watch = ClockMonitor(clock, steady)
    for wall, running, step in ((5.0, 5.0, 0.0), (3600.0, 5.0, 3595.0), (5.0, 5.0, 0.0), (-7200.0, 5.0, -7205.0)):
        clock.now += wall
        steady.now += running
        assert watch.step() == pytest.approx(step)


@pytest.mark.parametrize("jump", [3600.0, -3600.0])
def test_a_run_is_not_called_crashed_because_the_clock_was_set(store: Store, clock: Clock, jump: float) -> None:
    settings = Settings(api_key="k" * 40, crash_after=90.0)
    with store.write() as db:
        project, _ = projects.ensure(db, "lab", "p", clock())
        run_id = runs.insert(db, project["id"], "r", "running", clock())
        runs.touch(db, runs.by_id(db, run_id), clock())
    clock.now += 200
    with store.write() as db:
        runs.touch(db, runs.by_id(db, run_id), clock())
    clock.now += jump
    scheduler.reset_silence(store)
    for seconds, state in ((80, "running"), (80, "crashed")):
        clock.now += seconds
        scheduler.end_silent_runs(store, settings)
        assert runs.by_id(store.db, run_id)["state"] == state
