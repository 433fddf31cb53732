from pathlib import Path

import pytest

from common.sweep_spec.file import SweepFileError, read


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"a: [", "is not YAML: line 1: expected the node content, but found '<stream end>'"),
        (b"a: 1\nb: [1\nc: 2", "is not YAML: line 3: expected ',' or ']', but got ':'"),
        (b"day: 2026-99-99", "is not YAML: line 1: month must be in 1..12"),
        (b"[" * 3000, "is not YAML: it is nested too deeply"),
        (b"\x89PNG\xff", "cannot be read: it is no text in UTF-8"),
        (b"", "is not a sweep: it holds no mapping of settings"),
        (b"- 1", "is not a sweep: it holds no mapping of settings"),
    ],
)
def test_a_file_that_is_no_sweep_is_one_sentence_with_its_place(content: bytes, sentence: str, tmp_path: Path) -> None:
    file = tmp_path / "sweep.yaml"
    file.write_bytes(content)
    with pytest.raises(SweepFileError) as refused:
        read(file)
    assert str(refused.value) == f"{file} {sentence}"


def test_a_missing_file_is_told_with_the_reason_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(SweepFileError, match=r"no\.yaml cannot be read: No such file or directory$"):
        read(tmp_path / "no.yaml")


def test_a_sweep_is_its_mapping(tmp_path: Path) -> None:
    file = tmp_path / "sweep.yaml"
    file.write_text("name: größe\nparameters: {lr: {min: 0, max: 1}}\n", encoding="utf-8")
    assert read(file) == {"name": "größe", "parameters": {"lr": {"min": 0, "max": 1}}}
