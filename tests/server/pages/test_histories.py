"""The cache of histories: each line is read once, and what changed is read anew."""

import json

import pytest

from server.pages.charts import histories
from server.store import Row, Store, runs, streams
from tests.server.content import add_project, add_run


@pytest.fixture
def run(store: Store) -> Row:
    """Ten rows of two metrics, of a run that goes on."""
    with store.write() as db:
        run = runs.by_id(db, add_run(db, add_project(db), state="running"))
    log(store, run, range(10))
    return run


def log(store: Store, run: Row, steps: range, height: float = 0.0) -> None:
    with store.write() as db:
        texts = [json.dumps({"_step": step, "a": height + step, "b": -step}) for step in steps]
        streams.put_history(db, run["id"], steps.start, texts)


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The rows that were read from the store."""
    seen: list[str] = []

    def load(texts: list[str]) -> list[dict[str, object]]:
        seen.extend(texts)
        return [json.loads(text) for text in texts]

    monkeypatch.setattr(histories, "load_objects", load)
    monkeypatch.setattr(histories, "_memory", histories.HistoryCache(1_000_000))
    return seen


def points(store: Store, run: Row) -> list[tuple[float, float]]:
    read, _ = histories.read(store, [run])
    assert read[run["id"]].points("b", "step") == [(x, -x) for x, _ in read[run["id"]].points("a", "step")]
    return read[run["id"]].points("a", "step")


def test_each_line_of_a_run_that_goes_on_is_read_once(store: Store, run: Row, parsed: list[str]) -> None:
    assert points(store, run) == [(step, step) for step in range(10)]
    log(store, run, range(10, 13))
    assert points(store, run) == [(step, step) for step in range(13)]
    assert points(store, run) == [(step, step) for step in range(13)]
    assert len(parsed) == 13


def test_lines_that_were_replaced_or_taken_back_are_read_anew(store: Store, run: Row, parsed: list[str]) -> None:
    points(store, run)
    log(store, run, range(5, 10), height=100.0)
    assert points(store, run)[4:6] == [(4, 4), (5, 105)]
    with store.write() as db:
        db.execute("DELETE FROM history WHERE run_id = ? AND line > 2", (run["id"],))
    assert points(store, run) == [(0, 0), (1, 1), (2, 2)]
    with store.write() as db:
        db.execute("DELETE FROM history WHERE run_id = ?", (run["id"],))
    assert points(store, run) == []


def test_of_too_many_lines_the_same_share_is_kept_and_a_smaller_question_is_answered_whole(
    store: Store, run: Row, parsed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    log(store, run, range(10, 400))
    length = streams.history_length(store.db, run["id"])
    monkeypatch.setattr(histories, "MAX_LENGTH", length // 2)
    read, share = histories.read(store, [run])
    assert share in (0.25, 0.5)
    some = [step for step, _ in read[run["id"]].points("a", "step")]
    assert 0.5 * share < len(some) / 400 < 1.5 * share
    before = len(parsed)
    assert histories.read(store, [run])[0][run["id"]].points("a", "step") == [(step, step) for step in some]
    assert len(parsed) == before
    monkeypatch.setattr(histories, "MAX_LENGTH", length)
    assert histories.read(store, [run])[1] == 1
    assert len(points(store, run)) == 400


def test_the_memory_forgets_what_was_wanted_longest_ago(store: Store, run: Row, parsed: list[str]) -> None:
    [history] = histories.read(store, [run])[0].values()
    assert history.size == 10 + 3 * 10, "one list of rows for three columns"
    memory = histories.HistoryCache(100)
    known = histories.CachedHistory(history, 1.0, 10, 0, "")
    for number in (1, 2, 1, 3):
        memory.put(("folder", number), known)
    assert [number for number in (1, 2, 3) if memory.get(("folder", number))] == [1, 3]
