"""Files of torch.save: whatever damages one is noticed, and files without a digest are read as before."""

import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from agent.lifecycle import torch_file
from agent.lifecycle.torch_file import BadFile

CONTENT = {"epoch": 3, "weights": torch.arange(50, dtype=torch.float32)}


@pytest.fixture(params=[torch_file.write, lambda path, content: torch.save(content, path)])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """With a digest, and as older versions wrote it."""
    request.param(tmp_path / "state.pt", CONTENT)
    return tmp_path / "state.pt"


def test_a_whole_file_is_read(file: Path) -> None:
    found = torch_file.read(file)
    assert found["epoch"] == 3
    assert torch.equal(found["weights"], CONTENT["weights"])  # type: ignore[arg-type]
    assert list(file.parent.iterdir()) == [file]


def test_torch_reads_a_file_with_a_digest_by_itself(tmp_path: Path) -> None:
    torch_file.write(tmp_path / "a.pt", CONTENT)
    assert torch.load(tmp_path / "a.pt", weights_only=True)["epoch"] == 3
    assert torch.load(tmp_path / "a.pt", weights_only=True, mmap=True)["epoch"] == 3


def refused(path: Path) -> bool:
    try:
        torch_file.read(path)
    except BadFile:
        return True
    return False


def test_every_flipped_bit_and_every_cut_of_a_file_with_a_digest_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    torch_file.write(path, CONTENT)
    content = path.read_bytes()
    for position in range(len(content)):
        path.write_bytes(content[:position] + bytes([content[position] ^ 1 << position % 8]) + content[position + 1 :])
        assert refused(path), f"bit of byte {position} of {len(content)}"
        path.write_bytes(content[:position])
        assert refused(path), f"{position} of {len(content)} bytes"
    path.write_bytes(content)
    assert not refused(path)


def test_a_flipped_bit_in_the_tensors_of_an_old_file_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    torch.save(CONTENT, path)
    content = path.read_bytes()
    values = CONTENT["weights"].numpy().tobytes()  # type: ignore[attr-defined]
    start = content.index(values)
    for position in range(start, start + len(values)):
        path.write_bytes(content[:position] + bytes([content[position] ^ 128]) + content[position + 1 :])
        assert refused(path), position


def as_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda path: path.write_bytes(b""), "is empty"),
        (lambda path: path.write_bytes(bytes(1000)), "torch.save"),
        (lambda path: path.write_bytes(b"PK\5\6" + bytes(18)), "torch.save"),
        (lambda path: path.write_bytes(b"PK\3\4" + bytes(60)), "is damaged"),
        (lambda path: path.write_bytes(b"\x08\x07\x12\x07pytorch"), "torch.save"),
        (lambda path: path.write_bytes(b"\x10\0\0\0\0\0\0\0{}" + bytes(14)), "torch.save"),
        (lambda path: path.write_bytes(path.read_bytes() + b"\0"), "is damaged"),
        (lambda path: path.write_bytes(path.read_bytes() + path.read_bytes()[:99]), "is damaged"),
        (lambda path: path.write_bytes(pickle.dumps(os.getcwd)), "torch.save"),
        (lambda path: path.unlink(), "is no file"),
        (lambda path: (path.unlink(), path.mkdir()), "is no file"),
        (as_pipe, "is no file"),
        (lambda path: (path.unlink(), path.symlink_to(path.name)), "is no file"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_sentence(damage: Callable[[Path], object], sentence: str, file: Path) -> None:
    damage(file)
    with pytest.raises(BadFile, match=sentence) as refusal:
        torch_file.read(file)
    assert "\n" not in str(refusal.value)


def test_a_folder_of_the_name_is_moved_out_of_the_way(tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    path.mkdir()
    (path / "mine").touch()
    torch_file.write(path, CONTENT)
    assert torch_file.read(path)["epoch"] == 3
    (moved,) = (each for each in tmp_path.iterdir() if each != path)
    assert [each.name for each in moved.iterdir()] == ["mine"]
