"""File names that a file system takes, from the unmodified client and back, and on to another server."""

import json
import re
import unicodedata
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from server.__main__ import main
from server.store import artifacts, files
from server.store.folder.maintenance import open_read_only
from tests.server.running import Client, Server, start

NAMES = [
    *("line\nbreak.txt", "carriage\rreturn", "tab\there", "quote\"'.txt", "back\\slash.txt", "per%cent%20.txt"),
    *("hash#q?.txt", "space ", "dot.", "trailing\n", " leading", "<b>&amp;", "del\x7f", "\u2028", "sub dir /in\nner"),
    *(unicodedata.normalize(form, "é.txt") for form in ("NFC", "NFD")),
    *("n" * 255, "ü" * 127, "😀", "%2e%2e", "..."),
]
CODE = """
import json, os, tempfile, wandb
names = json.loads(os.environ["NAMES"])
folder = tempfile.mkdtemp()
for i, name in enumerate(names):
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    open(path, "w").write(f"content {i}")
with wandb.init(project="names", id="n") as run:
    artifact = wandb.Artifact("odd", "dataset")
    artifact.add_dir(folder)
    run.log_artifact(artifact).wait()
    for name in names[:14]:
        run.save(os.path.join(folder, name), base_path=folder, policy="end")
api = wandb.Api()
got = api.artifact("names/odd:latest").download(tempfile.mkdtemp())
held = {file.name: file for file in api.run("names/n").files()}
place = tempfile.mkdtemp()
print(json.dumps({
    "artifact": [open(os.path.join(got, name), newline="").read() for name in names],
    "files": [held[name].download(root=place).read() for name in names[:14]],
}))
"""


@pytest.fixture(scope="module")
def found(client: Client) -> Any:
    return client.run(CODE, NAMES=json.dumps(NAMES))


def test_an_artifact_keeps_every_file_whatever_its_name(found: Any) -> None:
    assert found["artifact"] == [f"content {i}" for i in range(len(NAMES))]


def test_a_run_keeps_every_file_whatever_its_name(found: Any) -> None:
    assert found["files"] == [f"content {i}" for i in range(14)]


def test_the_links_of_the_pages_lead_to_the_files(server: Server, found: Any) -> None:
    for path in ("/local/names/artifacts/dataset/odd/v0", "/local/names/runs/n/files"):
        assert {f"content {i}".encode() for i in range(14)} <= downloads(server, path)


def downloads(server: Server, home: str) -> set[bytes]:
    """Addresses that the buttons of all pages below `home` load."""
    left, seen, loaded = [home], {home}, set()
    while left:
        page = server.get(left.pop())[1].decode()
        links = {unescape(link) for link in re.findall(r'href="([^"]*)"', page)}
        loaded |= {server.get(link)[1] for link in links if link.startswith("/storage/")}
        below = {link for link in links if link.startswith(f"{home}/") and not link.endswith("/download")}
        left += below - seen
        seen |= below
    return loaded


def test_push_and_export_keep_the_names(
    server: Server, found: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = start(tmp_path / "target")
    try:
        monkeypatch.setenv("WANDB_API_KEY", target.key)
        assert main(["push", "local/names", "--dir", str(server.folder), "--to", f"{target.url}/"]) == 0
    finally:
        target.stop()
    with open_read_only(tmp_path / "target") as db:
        assert {entry["path"] for entry in artifacts.entries(db, 1)} == set(NAMES)
        assert {file["name"] for file in files.of_run(db, 1)} > set(NAMES[:14])
    out = str(tmp_path / "out")
    assert main(["export", "local/names", "--dir", str(server.folder), "--out", out]) == 0
    [version] = json.loads((tmp_path / "out" / "artifacts.json").read_text())
    assert set(version["manifest"]) == set(NAMES)
