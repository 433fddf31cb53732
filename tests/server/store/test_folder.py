"""Looking after a folder: check, gc, backup, restore, old formats."""

import json
import os
import re
import shutil
import sqlite3
from pathlib import Path

import pytest

from server.__main__ import main
from server.store import Row, Store, StoreError, api_key, artifacts, collections, files, runs, streams
from server.store.disk import blobs
from server.store.folder import garbage, migration
from server.store.folder.maintenance import maintenance_lock, open_read_only, open_read_write
from tests.server.conftest import Clock, Refuse
from tests.server.content import add_project
from tests.server.running import Server

Captured = pytest.CaptureFixture[str]
DAY = 86_400.0


@pytest.fixture
def folder(filled: Path, tmp_path: Path) -> Path:
    """Content that `fill` writes: 3 runs with 2 files each, 2 versions with a file and a manifest each, so 10 blobs."""
    return Path(shutil.copytree(filled, tmp_path / "folder"))


def blob_files(folder: Path) -> list[Path]:
    return sorted(path for path in (folder / "blobs").rglob("*") if path.is_file())


def check(folder: Path, capsys: Captured) -> tuple[int, list[str]]:
    capsys.readouterr()
    code = main(["check", "--dir", str(folder)])
    return code, capsys.readouterr().out.splitlines()


def change(folder: Path, sql: str, *arguments: object) -> None:
    db = sqlite3.connect(folder / "wandb.sqlite", isolation_level=None)
    db.execute("PRAGMA foreign_keys = OFF")
    db.execute(sql, arguments)
    db.close()


def test_a_store_leaves_the_address_of_a_server_in_its_place(tmp_path: Path) -> None:
    """The folder was deleted while a server worked in it, and another server made a new one there."""
    old = Store(tmp_path / "folder")
    old.write_address("http://127.0.0.1:1")
    shutil.rmtree(tmp_path / "folder")
    new = Store(tmp_path / "folder")
    new.write_address("http://127.0.0.1:2")
    old.close()
    assert (tmp_path / "folder" / "address").read_text() == "http://127.0.0.1:2\n"
    new.close()
    assert not (tmp_path / "folder" / "address").exists()


def test_a_folder_that_is_whole_passes(folder: Path, capsys: Captured) -> None:
    assert check(folder, capsys) == (0, [f"{folder} is whole"])


def test_check_finds_each_kind_of_damage_and_says_one_line_about_it(folder: Path, capsys: Captured) -> None:
    missing, longer, other = blob_files(folder)[:3]
    missing.unlink()
    longer.write_bytes(longer.read_bytes() + b"x")
    other.write_bytes(bytes(len(other.read_bytes())))
    stranger = folder / "blobs" / "zz" / "stranger"
    stranger.parent.mkdir()
    stranger.write_bytes(b"x")
    change(folder, "DELETE FROM memberships WHERE version = 1")
    change(folder, "UPDATE runs SET project_id = 99 WHERE name = 'shot'")
    code, found = check(folder, capsys)
    assert code == 1
    patterns = [
        r"database: row \d+ of runs .* projects",
        r"artifact 2 \(collection 1\) .* no version",
        r"alias latest of collection 1 ",
        r"alias newest of collection 1 ",
        rf"blob {missing.name} is missing",
        rf"blob {longer.name} has \d+ bytes",
        rf"blob {other.name} has another content",
        r"file blobs/zz/stranger is an orphan: `gc`",
    ]
    assert len(found) == len(patterns)
    for pattern in patterns:
        assert any(re.match(pattern, line) for line in found), (pattern, found)


def test_check_finds_pages_that_are_overwritten(folder: Path, capsys: Captured) -> None:
    database = folder / "wandb.sqlite"
    content = bytearray(database.read_bytes())
    size = 4096
    for page in range(len(content) // size // 2, len(content) // size):
        content[page * size + 100 : page * size + 300] = b"\xff" * 200
    database.write_bytes(content)
    capsys.readouterr()
    code = main(["check", "--dir", str(folder)])
    said = capsys.readouterr()
    assert code == 1
    assert "database" in said.out + said.err
    assert "Traceback" not in said.err


def test_check_reads_the_folder_of_a_running_server(server: Server, capsys: Captured) -> None:
    assert main(["check", "--dir", str(server.folder)]) == 0, capsys.readouterr().out


def gc(folder: Path, capsys: Captured) -> str:
    capsys.readouterr()
    assert main(["gc", "--dir", str(folder)]) == 0
    return capsys.readouterr().out


def test_gc_frees_nothing_that_is_referred_to(folder: Path, capsys: Captured) -> None:
    before = blob_files(folder)
    assert "0 files" in gc(folder, capsys)
    assert blob_files(folder) == before


def test_gc_frees_the_files_of_deleted_runs_and_artifacts_and_says_how_much(folder: Path, capsys: Captured) -> None:
    store = Store(folder)
    with store.write() as db:
        shot = runs.find_by_path(db, "lab", "pieces", "shot")
        assert shot is not None
        runs.delete(db, shot["id"])
        artifacts.delete(db, 1, True, 9.0)
    said = gc(folder, capsys)
    assert len(blob_files(folder)) == 10 - 4, "two files of the run, one of the artifact, and its manifest are gone"
    assert said.startswith("freed ")
    assert ": 4 files;" in said
    store.close()
    assert check(folder, capsys)[0] == 0


def test_gc_makes_the_database_smaller_when_no_server_runs(folder: Path, capsys: Captured) -> None:
    store = Store(folder)
    with store.write() as db:
        for row in runs.get_many(db, [1, 2, 3]):
            runs.delete(db, row["id"])
    store.close()
    before = (folder / "wandb.sqlite").stat().st_size
    assert "kB" in gc(folder, capsys)
    assert (folder / "wandb.sqlite").stat().st_size < 0.7 * before
    assert check(folder, capsys)[0] == 0


def pending(store: Store, clock: Clock) -> Row:
    with store.write() as db:
        collection = collections.ensure(db, add_project(db), "m", "model", collections.SEQUENCE, clock())
        columns = {"digest": "d", "digest_algorithm": "MANIFEST_MD5", "client_id": "c"}
        return artifacts.create(db, collection, clock(), deduplicate=True, wanted_aliases=[], **columns)


def test_gc_keeps_what_an_unfinished_upload_may_still_need_until_it_is_given_up(store: Store, clock: Clock) -> None:
    with store.write() as db:
        blobs.record(db, store.blobs.add(b"from long ago"), clock(), "lab")
        known = store.blobs.add(b"announced")
        blobs.record(db, known, clock(), "lab")
    clock.now += DAY
    pending(store, clock)
    clock.now += 60
    with store.write() as db:
        blobs.record(db, store.blobs.add(b"uploaded"), clock(), "lab")
        assert blobs.claim(db, known.md5, clock())
    with open_read_write(store.folder) as db:
        assert garbage.collect(db, store.folder, clock()).files == 1
        assert sorted(path.read_bytes() for path in blob_files(store.folder)) == [b"announced", b"uploaded"]
        freed = garbage.collect(db, store.folder, clock() + 9 * DAY)
    assert (freed.files, freed.artifacts) == (2, 1)
    assert blob_files(store.folder) == []


def test_a_second_gc_or_backup_is_refused_with_one_sentence(folder: Path, refuse: Refuse) -> None:
    with maintenance_lock(folder):
        assert "Another gc or backup" in refuse("gc", "--dir", folder)


def test_a_blob_whose_transaction_never_ended_is_gone_after_the_next_start(tmp_path: Path) -> None:
    store = Store(tmp_path)
    body = store.blobs.receive()
    body.write(b"placed, then killed")
    body.seal()
    body.place()
    assert len(blob_files(tmp_path)) == 1
    store.close()
    Store(tmp_path).close()
    assert blob_files(tmp_path) == []
    assert list((tmp_path / "incoming").iterdir()) == []


def test_a_backup_of_a_folder_in_use_becomes_the_same_folder_again(
    folder: Path, tmp_path: Path, capsys: Captured
) -> None:
    key = api_key(folder)
    store = Store(folder)
    assert main(["backup", "--dir", str(folder), "--to", str(tmp_path / "all.tar")]) == 0
    assert "the database and 10 files" in capsys.readouterr().out
    with store.write() as db:
        runs.delete(db, 1)
    store.close()
    assert (tmp_path / "all.tar").stat().st_mode & 0o777 == 0o600
    assert main(["restore", str(tmp_path / "all.tar"), "--dir", str(tmp_path / "again")]) == 0
    assert check(tmp_path / "again", capsys)[0] == 0
    assert api_key(tmp_path / "again") == key
    again = Store(tmp_path / "again")
    assert streams.count(again.db, "history", 1) == 2500, "as it was at the moment of the backup"
    assert [file["name"] for file in files.of_run(again.db, 1)] == ["config.yaml", "media/a b.txt"]
    again.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again", "all.tar", "folder"]


def test_a_backup_writes_over_nothing_and_one_that_is_not_there_leaves_no_folder(
    folder: Path, tmp_path: Path, refuse: Refuse
) -> None:
    whole = str(tmp_path / "whole.tar")
    assert main(["backup", "--dir", str(folder), "--to", whole]) == 0
    assert "exists already" in refuse("backup", "--dir", folder, "--to", whole)
    (tmp_path / "other").mkdir()
    assert "is not a server's folder" in refuse("backup", "--dir", tmp_path / "other", "--to", tmp_path / "no.tar")
    assert list((tmp_path / "other").iterdir()) == []
    assert main(["backup", "--dir", str(folder), "--to", str(tmp_path / "made" / "for" / "it.tar")]) == 0
    shutil.rmtree(tmp_path / "made")
    said = refuse("backup", "--dir", folder, "--to", f"{whole}/below.tar")
    assert f"{whole}/below.tar cannot be written" in said
    assert "is not empty" in refuse("restore", whole, "--dir", folder)
    assert "There is no file" in refuse("restore", tmp_path / "none.tar", "--dir", tmp_path / "made")
    assert not (tmp_path / "made").exists()


def shape(database: Path) -> list[tuple[str, str]]:
    """Tables and indices without white space, comments and the order of their making."""
    db = sqlite3.connect(database)
    rows = db.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name").fetchall()
    db.close()
    return [(name, re.sub(r"\s+", "", re.sub(r"--.*", "", sql))) for name, sql in rows]


def columns(database: Path) -> dict[str, list[str]]:
    db = sqlite3.connect(database)
    names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    found = {name: sorted(row[1] for row in db.execute(f"PRAGMA table_info({name})")) for name in names}
    db.close()
    return found


def test_a_folder_of_the_first_format_is_brought_forward_with_all_it_has(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    db = sqlite3.connect(old / "wandb.sqlite")
    db.executescript((Path(__file__).parent / "fixtures" / "schema_1.sql").read_text())
    db.execute("INSERT INTO projects VALUES (1, 'lab', 'old', NULL, 1.0)")
    db.execute(
        """INSERT INTO runs (id, project_id, name, display_name, username, state, created_at, heartbeat_at,
        config, summary) VALUES (1, 1, 'r', 'r', 'local', 'finished', 1.0, 1.0,
        '{"lr": {"value": 0.5}, "opt": {"value": {"wd": null}}}', '{"loss": NaN}')"""
    )
    db.execute("INSERT INTO history VALUES (1, 0, 0, '{\"x\": 1}')")
    db.execute("INSERT INTO blobs VALUES ('aa', 'm==', 1, 0)")
    db.execute("INSERT INTO run_files VALUES (1, 1, 'f', 'aa', 0)")
    db.execute("INSERT INTO run_values VALUES (1, 'config', 'lr', 0.5)")
    db.execute("INSERT INTO collections VALUES (1, 1, 'c', 'model', 'ArtifactSequence', NULL, 1, 1.0, 1.0)")
    db.execute("PRAGMA user_version = 1")
    db.commit()
    db.close()
    store = Store(old)
    assert [kind["name"] for kind in collections.types(store.db, 1)] == ["model"]
    assert streams.contents(store.db, "history", 1) == ['{"x": 1}']
    for where in ({"config.lr": 0.5}, {"config.opt": {"wd": None}}, {"summary_metrics.loss": {"$exists": True}}):
        assert runs.ids(store.db, 1, json.dumps(where)) == [1]
    assert [blobs.by_md5(store.db, "m==", [who]) is not None for who in ("lab", "carl")] == [True, False], "brought"
    assert migration.format_version(store.db) == migration.FORMAT
    assert store.db.execute("PRAGMA foreign_key_check").fetchall() == []
    assert store.db.execute("PRAGMA foreign_keys").fetchone() == {"foreign_keys": 1}
    with store.write() as db:
        runs.delete(db, 1)
        assert runs.insert(db, 1, "newer", "running", 2.0) == 2
    store.close()
    Store(new).close()
    assert columns(old / "wandb.sqlite") == columns(new / "wandb.sqlite")
    indices = [{name for name, sql in shape(f / "wandb.sqlite") if "INDEX" in sql} for f in (old, new)]
    assert indices[0] == indices[1]


def test_a_step_that_fails_leaves_the_folder_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Store(tmp_path).close()
    before = shape(tmp_path / "wandb.sqlite")
    broken = tmp_path / "broken.sql"
    broken.write_text("CREATE TABLE half (x); SELECT * FROM nowhere;")
    monkeypatch.setattr(migration, "STEPS", migration.STEPS | {migration.FORMAT + 1: broken})
    monkeypatch.setattr(migration, "FORMAT", migration.FORMAT + 1)
    with pytest.raises(StoreError, match="cannot be used"):
        Store(tmp_path)
    assert shape(tmp_path / "wandb.sqlite") == before


def test_commands_refuse_a_newer_folder_and_a_strange_one(tmp_path: Path, refuse: Refuse) -> None:
    Store(tmp_path / "newer").close()
    change(tmp_path / "newer", "PRAGMA user_version = 99")
    for command in ("check", "gc"):
        assert "newer server" in refuse(command, "--dir", tmp_path / "newer")
        assert "not a server's folder" in refuse(command, "--dir", tmp_path / "nothing")


def test_a_folder_that_cannot_be_written_can_still_be_checked_and_backed_up(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK and real(path, mode))
    before = sorted(path.name for path in folder.iterdir())
    assert check(folder, capsys)[0] == 0
    assert main(["backup", "--dir", str(folder), "--to", str(tmp_path / "b.tar")]) == 0
    assert sorted(path.name for path in folder.iterdir()) == before, "nothing was written beside it"
    with open_read_only(folder) as db:
        assert json.loads(runs.by_id(db, 1)["tags"]) == ["a"]


def test_nothing_that_stands_in_blobs_stops_a_command(folder: Path, tmp_path: Path, capsys: Captured) -> None:
    inside, elsewhere = folder / "blobs" / blob_files(folder)[0].parent.name, tmp_path / "elsewhere"
    elsewhere.write_text("mine")
    (inside / "dangling").symlink_to(tmp_path / "nowhere")
    (inside / "link").symlink_to(elsewhere)
    (inside / "loop").symlink_to(inside / "loop")
    (folder / "blobs" / "stray").symlink_to(tmp_path / "nowhere")
    os.mkfifo(inside / "pipe")
    (inside / os.fsdecode(b"no utf-8 \xff\n")).touch()
    (inside / "foreign" / "deep").mkdir(parents=True)
    (inside / "foreign" / "mine.txt").touch()
    code, found = check(folder, capsys)
    assert code == 1
    assert sum("is an orphan" in line for line in found) == 6
    [foreign] = [line for line in found if "foreign" in line]
    assert foreign.startswith(f"folder blobs/{inside.name}/foreign ")
    assert foreign.endswith("move it away")
    assert len(found) == 7
    assert main(["backup", "--dir", str(folder), "--to", str(tmp_path / "all.tar")]) == 0
    assert main(["export", "lab/pieces", "--dir", str(folder), "--out", str(tmp_path / "out")]) == 0
    capsys.readouterr()
    assert main(["gc", "--dir", str(folder)]) == 1
    said = capsys.readouterr()
    assert ": 6 files" in said.out
    assert said.err.startswith(f"server: {folder}: blobs/{inside.name}/foreign (Is a directory)")
    assert said.err.count("\n") == 1
    assert (inside / "foreign" / "mine.txt").exists()
    assert elsewhere.read_text() == "mine"
    assert len(check(folder, capsys)[1]) == 1
    assert main(["restore", str(tmp_path / "all.tar"), "--dir", str(tmp_path / "again")]) == 0
    assert check(tmp_path / "again", capsys)[0] == 0


@pytest.mark.parametrize("kind", ["dangling", "pipe", "folder"])
def test_a_blob_that_became_something_else_is_told_and_never_waited_for(
    folder: Path, tmp_path: Path, capsys: Captured, refuse: Refuse, kind: str
) -> None:
    blob = blob_files(folder)[0]
    blob.unlink()
    if kind == "dangling":
        blob.symlink_to("nowhere")
    elif kind == "pipe":
        os.mkfifo(blob)
    else:
        blob.mkdir()
    code, [line] = check(folder, capsys)
    assert code == 1
    assert line.startswith(f"blob {blob.name} {'is missing' if kind == 'dangling' else 'cannot be read'}")
    assert main(["gc", "--dir", str(folder)]) == 0
    assert f"blob {blob.name} of {folder} cannot" in refuse("backup", "--dir", folder, "--to", tmp_path / "all.tar")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder"]


@pytest.mark.parametrize(
    "name", ["notes.txt", "incoming/kept", "blobs/ab/picture", "site/index.html", "wandb.sqlite-wal"]
)
def test_a_folder_of_somebody_else_is_refused_and_left_as_it_is(tmp_path: Path, name: str, refuse: Refuse) -> None:
    theirs = tmp_path / "theirs" / name
    theirs.parent.mkdir(parents=True)
    theirs.write_text("kept")
    for path in (theirs, *theirs.parents[: name.count("/") + 1]):
        path.chmod(0o755)
    said = refuse("--port", "0", "--dir", tmp_path / "theirs")
    assert f"it has '{name.split('/')[0]}', but no wandb.sqlite" in said
    found = [tmp_path / "theirs", *(tmp_path / "theirs").rglob("*")]
    assert len(found) == 2 + name.count("/")
    assert {path.stat().st_mode & 0o777 for path in found} == {0o755}
    assert theirs.read_text() == "kept"


def test_a_folder_that_a_start_left_unfinished_or_that_was_made_ready_for_one_is_taken(tmp_path: Path) -> None:
    for name in ("lock", "api-key", ".api-key.1.unfinished", "team-key", "server.log", ".gitkeep"):
        (tmp_path / name).touch()
    for name in ("blobs/ab", "incoming", "lost+found"):
        (tmp_path / name).mkdir(parents=True)
    Store(tmp_path).close()
    assert (tmp_path / "wandb.sqlite").exists()


@pytest.mark.parametrize("command", [[], ["check"], ["gc"], ["restore", "x"], ["user", "list"]])
def test_an_empty_dir_is_refused(command: list[str], capsys: Captured) -> None:
    with pytest.raises(SystemExit):
        main([*command, "--dir", ""])
    assert "--dir: it is empty: name a folder" in capsys.readouterr().err
