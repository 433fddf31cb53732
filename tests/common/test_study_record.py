"""study.json: written whole, read again, found by the sweeps in it."""

import os
from pathlib import Path

import pytest

from common.study_record import BadRecord, StudyRecord, find, load


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    record = StudyRecord(("e/p/s",), "http://127.0.0.1:1", "here", "abc")
    record.save(tmp_path)
    assert load(tmp_path) == record
    assert [file.name for file in tmp_path.iterdir()] == ["study.json"]


def test_no_record_is_none(tmp_path: Path) -> None:
    assert load(tmp_path) is None
    assert load(tmp_path / "nowhere") is None
    assert find(tmp_path, "e/p/s") is None


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"paths": 3}', '{"paths": "e/p/s"}', "\ud800"])
def test_a_broken_record_is_one_sentence_and_is_not_found(tmp_path: Path, content: str) -> None:
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "study.json").write_bytes(content.encode(errors="surrogatepass"))
    with pytest.raises(BadRecord, match=r"study\.json should hold"):
        load(tmp_path / "study")
    assert find(tmp_path, "e/p/s") is None


def test_the_latest_study_with_the_sweep_is_found(tmp_path: Path) -> None:
    for age, name in enumerate(["new", "old"]):
        (tmp_path / name).mkdir()
        StudyRecord(("e/p/s", f"e/p/{name}"), name).save(tmp_path / name)
        os.utime(tmp_path / name / "study.json", (1000 - age, 1000 - age))
    for path, server in (("e/p/s", "new"), ("e/p/old", "old")):
        record = find(tmp_path, path)
        assert record is not None
        assert record.base_url == server


def test_the_address_and_key_of_an_embedded_server_are_those_it_has_now(tmp_path: Path) -> None:
    record = StudyRecord(("e/p/s",), "http://127.0.0.1:1", str(tmp_path))
    assert (record.address, record.key) == ("http://127.0.0.1:1", None)
    (tmp_path / "address").write_text("http://127.0.0.1:2\n")
    (tmp_path / "api-key").write_text("k\n")
    assert (record.address, record.key) == ("http://127.0.0.1:2", "k")
