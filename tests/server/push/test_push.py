"""`push` to a second server: everything arrives once, however often it was cut off on the way."""

import os
import re
from pathlib import Path
from typing import Any

import pytest

from server.__main__ import main
from server.push import remote
from server.store import Connection, Row, Store, artifacts, collections, files, projects, runs, streams, sweeps
from server.store.folder.maintenance import open_read_only
from tests.server.conftest import Refuse
from tests.server.content import add_project, add_run
from tests.server.running import Server
from tests.server.sample_project import push


def picture(folder: Path, entity: str, name: str) -> dict[str, Any]:
    """Content of a project, without times and numbers of rows."""
    with open_read_only(folder) as db:
        project = projects.find(db, entity, name)
        assert project is not None
        found = {run["name"]: run for run in runs.get_many(db, runs.ids(db, project["id"]))}
        same = ("display_name", "state", "notes", "group_name", "tags", "config", "summary")
        return {
            "runs": {name: [run[column] for column in same] for name, run in found.items()},
            "lines": {
                name: [streams.contents(db, table, run["id"]) for table in streams.FILES.values()]
                for name, run in found.items()
            },
            "files": {
                name: [(file["name"], file["md5"]) for file in files.of_run(db, run["id"])]
                for name, run in found.items()
            },
            "sweeps": [
                [sweep["config"], sweep["display_name"], _names(db, sweep)]
                for sweep in sweeps.of_project(db, project["id"])
            ],
            "artifacts": [_version(db, row) for row in artifacts.of_project(db, project["id"])],
        }


def _names(db: Connection, sweep: Row) -> list[str]:
    return [runs.by_id(db, run_id)["name"] for run_id in sweeps.run_ids(db, sweep["id"])]


def _version(db: Connection, row: Row) -> list[Any]:
    entries = [(e["path"], e["digest"], e["size"], bool(e["ref"])) for e in artifacts.entries(db, row["id"])]
    aliases = sorted(alias["alias"] for alias in collections.aliases(db, row["id"]))
    users = [runs.by_id(db, run_id)["name"] for run_id in artifacts.run_ids_using(db, row["id"])]
    logger = runs.by_id(db, row["run_id"])["name"]
    return [row["version"], row["digest"], row["metadata"], aliases, entries, users, logger]


def test_everything_arrives_and_a_repeated_push_changes_nothing(
    source: Path, server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert push(source, server, "whole", monkeypatch) == 0
    assert picture(server.folder, "local", "whole") == picture(source, "lab", "pieces")
    capsys.readouterr()
    assert push(source, server, "whole", monkeypatch) == 0
    said = capsys.readouterr().out.partition("/local/whole: ")[2]
    assert re.findall(r"(\d+) (\w+)", said) == [
        *(("3", "runs"), ("3", "were"), ("0", "lines"), ("0", "files")),
        *(("1", "sweeps"), ("2", "artifact"), ("0", "new")),
    ]
    assert picture(server.folder, "local", "whole") == picture(source, "lab", "pieces")


def test_a_push_that_is_cut_off_everywhere_ends_with_the_same_result(
    source: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange, budget = remote._exchange, 0

    def failing(*given: Any) -> bytes:
        """Answers `budget` requests; what comes after is carried out, and its answer lost."""
        nonlocal budget
        budget -= 1
        answer = exchange(*given)
        if budget < 0:
            raise ConnectionResetError("cut off")
        return answer

    monkeypatch.setattr(remote, "_exchange", failing)
    monkeypatch.setattr(remote, "ATTEMPTS", 1)
    pushes = 0
    for allowed in range(3, 60, 4):
        budget, pushes = allowed, pushes + 1
        if push(source, server, "pieces", monkeypatch) == 0:
            break
    assert 5 < pushes < 15
    assert picture(server.folder, "local", "pieces") == picture(source, "lab", "pieces")


def test_a_run_that_goes_on_is_left_open_and_completed_by_the_next_push(
    source: Path, server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(source)
    with store.write() as db:
        run_id = add_run(db, add_project(db, "pieces", "lab"), "live", {}, [{"_step": 0, "x": 1}], state="running")
        runs.touch(db, runs.by_id(db, run_id), 6.0)
    assert push(source, server, "live", monkeypatch) == 0, "while a server holds the folder"
    assert "1 runs still go on" in capsys.readouterr().out
    assert picture(server.folder, "local", "live")["runs"]["live"][1] == "running"
    with store.write() as db:
        streams.put_history(db, run_id, 1, ['{"_step": 1, "x": 2}'])
        runs.set_state(db, run_id, "finished", 7.0, 0)
    store.close()
    assert push(source, server, "live", monkeypatch) == 0
    assert picture(server.folder, "local", "live") == picture(source, "lab", "pieces")


def test_a_run_that_was_only_handed_out_stays_and_is_named_not_counted(
    source: Path, server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(source)
    with store.write() as db:
        add_run(db, add_project(db, "pieces", "lab"), "waiting", state="pending")
        for n in range(11):
            add_project(db, f"p{n}")
    store.close()
    assert push(source, server, "waiting", monkeypatch) == 0
    said = capsys.readouterr().out
    assert "/local/waiting: 3 runs (" in said
    assert "1 run that no program has begun stayed here: waiting\n" in said
    assert main(["push", "lab/absent", "--to", server.url, "--dir", str(source)]) == 1
    assert "local/p1 and 2 more." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "key", "words"),
    [
        (["lab/pieces", "--to", "{url}"], "wrong" * 9, "refuses the key in WANDB_API_KEY"),
        (["lab/pieces", "--to", "{url}"], "", "WANDB_API_KEY is not set"),
        (["lab/other", "--to", "{url}"], "k" * 40, "it has: lab/pieces."),
        (["lab", "--to", "{url}"], "k" * 40, "'lab' is not ENTITY/PROJECT."),
        (["lab/pieces", "--to", "api.wandb.ai"], "k" * 40, "is no address of a server"),
        (["lab/pieces", "--to", "http://127.0.0.1:9"], "k" * 40, "goes on where it stopped"),
    ],
)
def test_what_is_in_the_way_is_said_in_one_sentence(
    source: Path,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    refuse: Refuse,
    arguments: list[str],
    key: str,
    words: str,
) -> None:
    monkeypatch.setattr(remote, "ATTEMPTS", 1)
    monkeypatch.setitem(os.environ, "WANDB_API_KEY", key)
    assert words in refuse("push", *(word.format(url=server.url) for word in arguments), "--dir", source)
