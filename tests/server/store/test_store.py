"""Content of the folder: lines, files, artifacts, sweeps' order, and who may open it."""

import json
from typing import Any

import pytest

from server.store import NotFound, Refused, Row, Store, artifacts, collections, files, runs, streams
from server.store.disk.blobs import Blob
from tests.server.conftest import Clock
from tests.server.content import add_project, add_run


@pytest.fixture
def run(store: Store) -> Row:
    with store.write() as db:
        return runs.by_id(db, add_run(db, add_project(db), state="running"))


def history(store: Store, run: Row) -> list[Any]:
    return [json.loads(line)["x"] for line in streams.contents(store.db, "history", run["id"])]


def rows(*values: int, first: int = 0) -> list[str]:
    return [json.dumps({"_step": step, "x": x}) for step, x in enumerate(values, start=first)]


def test_the_id_of_a_deleted_thing_is_never_given_out_again(store: Store, run: Row) -> None:
    """A repeated deleteRun after a lost answer would else hit a newer run."""
    tables = store.db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'").fetchall()
    numbered = [table for table in tables if " id INTEGER PRIMARY KEY" in table["sql"]]
    assert len(numbered) == 15
    assert [table["name"] for table in numbered if "AUTOINCREMENT" not in table["sql"]] == []
    with store.write() as db:
        runs.delete(db, run["id"])
        newer = runs.insert(db, run["project_id"], "newer", "running", store.clock())
        runs.delete(db, run["id"])
        assert runs.by_id(db, newer)["name"] == "newer"


def test_a_repeated_post_changes_nothing(store: Store, run: Row) -> None:
    for _ in range(2):
        with store.write() as db:
            streams.put_history(db, run["id"], 0, rows(5, 6))
    assert history(store, run) == [5, 6]
    assert streams.keys(store.db, run["id"])["keys"]["x"] == {"typeCounts": [{"type": "number", "count": 2}]}


def test_a_post_that_overlaps_overwrites_by_line(store: Store, run: Row) -> None:
    with store.write() as db:
        streams.put_history(db, run["id"], 0, rows(5, 6))
        streams.put_history(db, run["id"], 1, rows(7, 8, first=1))
    assert history(store, run) == [5, 7, 8]
    assert streams.count(store.db, "history", run["id"]) == 3


def test_rows_that_are_sent_again_behind_the_known_ones_are_dropped(store: Store, run: Row) -> None:
    with store.write() as db:
        streams.put_history(db, run["id"], 0, rows(5, 6))
        assert streams.put_history(db, run["id"], 2, rows(5, 6)) == []
        assert streams.put_history(db, run["id"], 2, rows(9, first=1)) == [(2, {"_step": 1, "x": 9})]
    assert history(store, run) == [5, 6, 9]


def test_a_transaction_that_fails_leaves_nothing(store: Store, run: Row) -> None:
    def fail_after_a_row() -> None:
        with store.write() as db:
            streams.put_history(db, run["id"], 0, rows(1))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_after_a_row()
    assert history(store, run) == []


@pytest.mark.parametrize(
    ("total", "samples", "expected"),
    [(5, 2, [0, 4]), (5, 3, [0, 2, 4]), (5, 1, [4]), (3, 9, [0, 1, 2]), (0, 4, []), (1, 1, [0]), (4, 0, [])],
)
def test_samples_are_evenly_spaced_and_end_with_the_last(total: int, samples: int, expected: list[int]) -> None:
    assert streams.spread_indices(total, samples) == expected


def test_a_row_with_nan_is_kept_as_it_was_sent(store: Store, run: Row) -> None:
    text = '{"_step":0,"x":NaN,"y":-Infinity}'
    with store.write() as db:
        streams.put_history(db, run["id"], 0, [text])
    assert streams.contents(store.db, "history", run["id"]) == [text]


def test_equal_files_are_stored_once_and_a_name_means_the_last_content(store: Store, run: Row, clock: Clock) -> None:
    with store.write() as db:
        for content in (b"one", b"two", b"one"):
            files.put(db, run["id"], "a/b.txt", store.blobs.add(content), clock())
    found = files.find(store.db, run["id"], "a/b.txt")
    assert found is not None
    assert store.blobs.path(found["sha256"]).read_bytes() == b"one"
    assert len([path for path in (store.folder / "blobs").rglob("*") if path.is_file()]) == 2
    assert files.count(store.db, run["id"]) == 1


def artifact(store: Store, run: Row, content: bytes, *, upload: bool = True, aliases: tuple[str, ...] = ()) -> Row:
    """A committed version of collection `m` with one file `w` of this content."""
    now = store.clock()
    with store.write() as db:
        collection = collections.ensure(db, run["project_id"], "m", "model", collections.SEQUENCE, now)
        columns = {"digest": content.hex(), "digest_algorithm": "MANIFEST_MD5", "client_id": None}
        row = artifacts.create(db, collection, now, deduplicate=True, wanted_aliases=list(aliases), **columns)
        if row["state"] == artifacts.COMMITTED:
            return row
        blob = store.blobs.add(content) if upload else Blob("0" * 64, "AAAAAAAAAAAAAAAAAAAAAA==", 1)
        if upload:
            files.put(db, run["id"], "w", blob, now)
        entry = {"digest": blob.md5, "size": blob.size, "birthArtifactID": "x"}
        manifest = artifacts.ensure_manifest(db, row["id"], "wandb_manifest.json", "d", "FULL", None)
        body = json.dumps({"version": 1, "contents": {"w": entry}}).encode()
        artifacts.put_manifest(db, manifest["id"], store.blobs.add(body), now)
        return artifacts.commit(db, store.blobs, row["id"], now)


def aliases_of(store: Store, row: Row) -> list[str]:
    return sorted(alias["alias"] for alias in collections.aliases(store.db, row["id"]))


def test_versions_count_up_and_latest_and_aliases_move(store: Store, run: Row) -> None:
    one = artifact(store, run, b"1", aliases=("best",))
    two = artifact(store, run, b"2", aliases=("best",))
    assert (one["version"], two["version"]) == (0, 1)
    assert (aliases_of(store, one), aliases_of(store, two)) == ([], ["best", "latest"])


def test_equal_content_gets_no_new_version(store: Store, run: Row) -> None:
    one = artifact(store, run, b"1")
    assert artifact(store, run, b"1", aliases=("again",))["id"] == one["id"]
    assert aliases_of(store, one) == ["again", "latest"]


def test_an_artifact_whose_files_are_not_there_never_becomes_a_version(store: Store, run: Row) -> None:
    with pytest.raises(Refused, match="never uploaded"):
        artifact(store, run, b"1", upload=False)
    assert collections.find(store.db, run["project_id"], "m") is None


def test_deleting_the_latest_version_moves_latest_back(store: Store, run: Row) -> None:
    one, two = artifact(store, run, b"1"), artifact(store, run, b"2")
    with pytest.raises(Refused, match="latest"), store.write() as db:
        artifacts.delete(db, two["id"], False, 0.0)
    with store.write() as db:
        artifacts.delete(db, two["id"], True, 0.0)
    assert aliases_of(store, one) == ["latest"]
    assert artifact(store, run, b"3")["version"] == 2, "a version number is never given twice"


def test_an_incremental_manifest_is_merged_with_its_base(store: Store, run: Row) -> None:
    base = artifact(store, run, b"1")
    with store.write() as db:
        collection = collections.by_id(db, base["collection_id"])
        columns = {"digest": "n", "digest_algorithm": "MANIFEST_MD5", "client_id": "c"}
        new = artifacts.create(db, collection, 0.0, deduplicate=True, wanted_aliases=[], **columns)
        blob = store.blobs.add(b"2")
        files.put(db, run["id"], "v", blob, 0.0)
        manifest = artifacts.ensure_manifest(db, new["id"], "m", "d", "INCREMENTAL", base["id"])
        body = {"contents": {"v": {"digest": blob.md5, "size": 1}}}
        artifacts.put_manifest(db, manifest["id"], store.blobs.add(json.dumps(body).encode()), 0.0)
        artifacts.commit(db, store.blobs, new["id"], 0.0)
    assert [entry["path"] for entry in artifacts.entries(store.db, new["id"])] == ["v", "w"]


def test_versions_expire_after_their_time_to_live_but_not_what_a_portfolio_links_to(store: Store, run: Row) -> None:
    kept, linked, due = (artifact(store, run, content) for content in (b"1", b"2", b"3"))
    with store.write() as db:
        for row, ttl in ((kept, -2), (linked, 60), (due, 60)):
            artifacts.change(db, row["id"], 0.0, ttl=ttl)
        portfolio = collections.ensure(db, run["project_id"], "best", "model", collections.PORTFOLIO, 0.0)
        collections.join(db, portfolio["id"], linked["id"], [], 0.0)
        assert artifacts.expire(db, store.clock() + 60) == 0
        assert artifacts.expire(db, store.clock() + 61) == 1
    states = [artifacts.by_id(store.db, row["id"])["state"] for row in (kept, linked, due)]
    assert states == ["COMMITTED", "COMMITTED", "DELETED"]


def test_deleting_a_run_takes_its_rows_with_it_and_keeps_its_artifacts(store: Store, run: Row) -> None:
    kept = artifact(store, run, b"1")
    with store.write() as db:
        streams.put_history(db, run["id"], 0, rows(1))
        runs.delete(db, run["id"])
    assert streams.count(store.db, "history", run["id"]) == 0
    assert artifacts.by_id(store.db, kept["id"])["state"] == artifacts.COMMITTED
    with pytest.raises(NotFound):
        runs.by_id(store.db, run["id"])
