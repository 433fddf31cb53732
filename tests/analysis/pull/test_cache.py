from dataclasses import fields
from pathlib import Path

import pandas as pd

from analysis.pull import cache
from analysis.pull.cache import Fetched


def part(*contents: str, loss: float = 0.5) -> Fetched:
    """Runs with two epochs each and one row of scores."""
    ids = list(contents)
    runs = pd.DataFrame({"content": ids, "run_id": ids, "artifact": "", "predictions": "", "metadata": "{}"})
    history = pd.DataFrame({"content": ids * 2, "run_id": ids * 2, "epoch": [1] * len(ids) + [2] * len(ids)})
    scores = pd.DataFrame({"content": ids, "run_id": ids, "iou": loss})
    return Fetched(runs, history, scores)


def test_what_was_saved_is_loaded_and_nothing_else(tmp_path: Path) -> None:
    cache.save(tmp_path, part("a", "b"))
    cache.save(tmp_path, part("c"))
    loaded = cache.load(tmp_path, ["a", "c", "unknown"])
    assert loaded is not None
    assert sorted(loaded.runs["content"]) == ["a", "c"]
    assert sorted(loaded.history["content"]) == ["a", "a", "c", "c"]
    for field in fields(Fetched):
        known = getattr(part("c"), field.name)
        pd.testing.assert_frame_equal(getattr(cache.load(tmp_path, ["c"]), field.name), known, check_dtype=False)


def test_an_empty_cache_knows_nothing(tmp_path: Path) -> None:
    assert cache.load(tmp_path / "none", ["a"]) is None


def test_a_run_that_two_pulls_saved_counts_once(tmp_path: Path) -> None:
    cache.save(tmp_path, part("a", "b"))
    cache.save(tmp_path, part("b", "c"))
    loaded = cache.load(tmp_path, ["a", "b", "c"])
    assert loaded is not None
    assert sorted(loaded.history["content"]) == ["a", "a", "b", "b", "c", "c"]
    assert cache.save(tmp_path, part("a", "b")) == cache.save(tmp_path, part("b", "a"))


def test_a_damaged_part_is_dropped_and_the_rest_is_used(tmp_path: Path) -> None:
    damaged = cache.save(tmp_path, part("a"))
    cache.save(tmp_path, part("b"))
    (damaged / "history.parquet").write_bytes(b"half a file")
    loaded = cache.load(tmp_path, ["a", "b"])
    assert loaded is not None
    assert loaded.runs["content"].tolist() == ["b"]
    assert not damaged.exists()


def test_a_save_that_was_cut_off_leaves_nothing_that_is_read(tmp_path: Path) -> None:
    (tmp_path / ".unfinished" / "shard").mkdir(parents=True)
    cache.save(tmp_path, part("a"))
    loaded = cache.load(tmp_path, ["a"])
    assert loaded is not None
    assert len(loaded.runs) == 1


def test_many_small_parts_become_one(tmp_path: Path) -> None:
    names = [f"r{i}" for i in range(cache.MOST_SHARDS + 1)]
    for name in names:
        cache.save(tmp_path, part(name))
    for _ in range(2):
        loaded = cache.load(tmp_path, names)
        assert loaded is not None
        assert sorted(loaded.runs["content"]) == sorted(names)
        assert len(list(tmp_path.iterdir())) == 1


def test_the_digest_of_equal_facts_is_equal_whatever_their_order() -> None:
    assert cache.digest({"a": 1, "b": float("nan")}) == cache.digest({"b": float("nan"), "a": 1})
    assert cache.digest({"a": 1}) != cache.digest({"a": 2})
