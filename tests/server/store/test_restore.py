"""Files that `restore` takes for a backup; nothing is left of those that it refuses."""

import gzip
import io
import shutil
import sqlite3
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from server.__main__ import main
from server.store import NotFound, api_key
from server.store.disk import blobs
from tests.server.running import start

Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def backup(filled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("backup")
    shutil.copytree(filled, place / "folder")
    api_key(place / "folder")
    assert main(["backup", "--dir", str(place / "folder"), "--to", str(place / "whole.tar")]) == 0
    return place / "whole.tar"


def refused(source: Path, capsys: Captured) -> str:
    """The sentence; the folder, which was there and empty, is as it was."""
    folder = source.parent / "restored"
    folder.mkdir(exist_ok=True)
    capsys.readouterr()
    assert main(["restore", str(source), "--dir", str(folder)]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.startswith("server: ")
    assert list(folder.iterdir()) == []
    folder.rmdir()
    assert main(["restore", str(source), "--dir", str(folder)]) == 1
    assert not folder.exists()
    assert [path for path in source.parent.iterdir() if path.suffix != ".tar"] == []
    return said


def changed(backup: Path, place: Path, change: Callable[[Path], object]) -> Path:
    """The backup again, of what `change` made of its folder."""
    inside, target = place / "inside", place / "changed.tar"
    with tarfile.open(backup) as archive:
        archive.extractall(inside, filter="data")
    change(inside)
    with tarfile.open(target, "w") as archive:
        for name in ("api-key", "blobs", "wandb.sqlite"):
            for path in sorted([inside / name, *(inside / name).rglob("*")]):
                if path.is_file():
                    archive.add(path, str(path.relative_to(inside)))
    shutil.rmtree(inside)
    return target


def sql(text: str) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        db = sqlite3.connect(folder / "wandb.sqlite")
        db.executescript(f"PRAGMA foreign_keys = OFF; {text}")
        db.close()

    return change


def first_blob(change: Callable[[Path], object]) -> Callable[[Path], object]:
    return lambda folder: change(next(path for path in (folder / "blobs").rglob("*") if path.is_file())) and None


POINT = "UPDATE {0} SET sha256 = '/etc/hostname' WHERE sha256 = (SELECT min(sha256) FROM blobs);"
BLOBS = "".join(
    POINT.format(table) for table in ("run_files", "manifests", "artifact_entries", "blob_entities", "blobs")
)
DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "a digest that is a path": (sql(BLOBS), "'/etc/hostname' has no digest"),
    "a row whose digest is a path": (sql("UPDATE run_files SET sha256 = '../../api-key';"), "is gone"),
    "a newer format": (sql("PRAGMA user_version = 99;"), "newer server"),
    "no format": (sql("PRAGMA user_version = 0;"), "is not a backup"),
    "a table too few": (sql("DROP TABLE history;"), "of this server: history.content"),
    "a trigger": (sql("CREATE TRIGGER t AFTER INSERT ON meta BEGIN DELETE FROM users; END;"), "of this server: t, "),
    "a view": (sql("CREATE VIEW v AS SELECT 1;"), "of this server: v, "),
    "a row whose parent is gone": (sql("DELETE FROM projects;"), "is gone"),
    "no database": (lambda folder: (folder / "wandb.sqlite").unlink(), "the database is missing"),
    "a text as database": (lambda folder: (folder / "wandb.sqlite").write_text("hello " * 999), "is not a backup"),
    "an empty database": (lambda folder: (folder / "wandb.sqlite").write_bytes(b""), "is not a backup"),
    "half a database": (
        lambda folder: (folder / "wandb.sqlite").write_bytes((folder / "wandb.sqlite").read_bytes()[:50_000]),
        "",
    ),
    "a key that is none": (lambda folder: (folder / "api-key").write_text("\n"), "holds no key"),
    "a blob too few": (first_blob(Path.unlink), "is missing"),
    "a blob with other bytes": (first_blob(lambda path: path.write_bytes(b"x")), "bytes instead of"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_backup_is_checked_before_it_becomes_a_folder(
    backup: Path, tmp_path: Path, damage: str, capsys: Captured
) -> None:
    change, sentence = DAMAGE[damage]
    assert sentence in refused(changed(backup, tmp_path, change), capsys)


def test_a_backup_that_is_whole_serves(backup: Path, tmp_path: Path) -> None:
    again = changed(backup, tmp_path, lambda folder: None)
    assert main(["restore", str(again), "--dir", str(tmp_path / "a" / "b")]) == 0
    assert sorted(path.name for path in (tmp_path / "a" / "b").iterdir()) == ["api-key", "blobs", "wandb.sqlite"]


def member(name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = len(content), kind, link
    return info


STRANGE = {
    "a path that leaves": member("../outside"),
    "an absolute path": member("/tmp/outside"),
    "a path through a blob's": member("blobs/aa/../../outside"),
    "a link": member("api-key", kind=tarfile.SYMTYPE, link="wandb.sqlite"),
    "a link out": member("wandb.sqlite", kind=tarfile.SYMTYPE, link="/etc/passwd"),
    "a hard link": member("api-key", kind=tarfile.LNKTYPE, link="wandb.sqlite"),
    "a device": member("api-key", kind=tarfile.CHRTYPE),
    "a pipe": member("api-key", kind=tarfile.FIFOTYPE),
    "a folder": member("blobs", kind=tarfile.DIRTYPE),
    "a line break": member("a\nb"),
}


@pytest.mark.parametrize("strange", STRANGE)
def test_what_no_backup_holds_is_refused(backup: Path, tmp_path: Path, strange: str, capsys: Captured) -> None:
    target = tmp_path / "strange.tar"
    with tarfile.open(target, "w") as archive:
        archive.addfile(STRANGE[strange], io.BytesIO())
    assert "not a backup of a server" in refused(target, capsys)


def test_what_is_twice_in_a_backup_is_refused(tmp_path: Path, capsys: Captured) -> None:
    with tarfile.open(tmp_path / "twice.tar", "w") as archive:
        for _ in range(2):
            archive.addfile(member("api-key", b"k" * 40), io.BytesIO(b"k" * 40))
    assert "it has api-key twice" in refused(tmp_path / "twice.tar", capsys)


def test_other_files_are_no_backups(backup: Path, tmp_path: Path, capsys: Captured) -> None:
    whole = backup.read_bytes()
    with zipfile.ZipFile(tmp_path / "zip.tar", "w") as archive:
        archive.writestr("wandb.sqlite", b"x")
    contents = {"empty": b"", "zeros": bytes(10_240), "text": b"hello", "packed": gzip.compress(whole)}
    contents |= {f"cut{n}": whole[:n] for n in (1, 511, 512, 513, 5000, len(whole) // 2, len(whole) - 20_000)}
    contents |= {f"bent{n}": whole[:n] + b"\xff\xfe\x80" + whole[n + 3 :] for n in (0, 100, 124, 136, 148, 156, 257)}
    for name, content in contents.items():
        (tmp_path / f"{name}.tar").write_bytes(content)
    for path in sorted(tmp_path.iterdir()):
        refused(path, capsys)


def test_a_folder_that_another_hand_wrote_serves_no_file_of_the_machine(backup: Path, tmp_path: Path) -> None:
    """Not even where no restore looked at it."""
    folder = tmp_path / "folder"
    with tarfile.open(backup) as archive:
        archive.extractall(folder, filter="data")
    sql(BLOBS)(folder)
    query = """{ project(entityName: "lab", name: "pieces") { runs { edges { node { files { edges { node {
        name directUrl } } } } } } } }"""
    server = start(folder)
    try:
        found = server.graphql(query)[1]["data"]["project"]["runs"]["edges"]
        urls = [edge["node"]["directUrl"] for run in found for edge in run["node"]["files"]["edges"]]
        answers = [server.get(url) for url in urls]
        assert sorted(status for status, _ in answers).count(404) == 1
        assert all(b"no digest" in body for status, body in answers if status == 404)
    finally:
        server.stop()
    assert main(["backup", "--dir", str(folder), "--to", str(tmp_path / "b.tar")]) == 1
    assert main(["push", "lab/pieces", "--dir", str(folder), "--to", "http://127.0.0.1:1"]) == 1


@pytest.mark.parametrize("digest", ["", "..", "/etc/hostname", "a" * 63, "A" * 64, "a" * 64 + "\n", "a" * 65])
def test_nothing_but_a_digest_becomes_part_of_a_path(tmp_path: Path, digest: str) -> None:
    with pytest.raises(NotFound, match="no digest"):
        blobs.path(tmp_path, digest)
