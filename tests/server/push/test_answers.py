"""Odd answers of another server to `push`: each is one sentence and exit code 1, or no harm."""

import contextlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from server.__main__ import main
from server.push import remote
from tests.canned import Answer, Canned, canned
from tests.server.running import Server
from tests.server.sample_project import push

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def foreign() -> Iterator[Canned]:
    with canned() as running:
        yield running


def sentence(source: Path, url: str, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> str:
    """The message of a push that fails."""
    monkeypatch.setattr(remote, "ATTEMPTS", 1)
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    assert main(["push", "lab/pieces", "--dir", str(source), "--to", url]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    return said


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(200, b"<!doctype html>\n<title>Login</title>"), "with '<!doctype html> <title>Login</title>'"),
        (Answer(200, b"[]"), "with '[]', which no W&B server"),
        (Answer(200, b"null"), "with 'null'"),
        (Answer(200, b"3"), "with '3'"),
        (Answer(200, b""), "with nothing"),
        (Answer(200, b'{"data": {"pro'), "answers query GetSweeps with"),
        (Answer(200, b"\xff\xfe\x1b[31m"), "which no W&B server does"),
        (Answer(200, b"[" * 100_000), "which no W&B server does"),
        (Answer(200, b'{"data": null}'), "which no W&B server does"),
        (Answer(200, b'{"errors": "no"}'), "which no W&B server does"),
        (Answer(200, b'{"errors": [{"message": "not\\nyou \\u001b[31m"}]}'), "refuses: not you ?[31m."),
        (Answer(301, b"", {"Location": "https://other/x"}), "sends on to https://other/x"),
        (Answer(307, b"", {"Location": "/graphql/"}), "sends on to /graphql/"),
        (Answer(500, b"<html>broken</html>"), "(status 500 with '<html>broken</html>')"),
        (Answer(404, b"<html>none</html>"), "status 404 with '<html>none</html>'"),
        (Answer(403, b"[]"), "key in WANDB_API_KEY: status 403"),
        (Answer(200, b"{}", {"Content-Length": "500"}), "does not answer (IncompleteRead"),
        (Answer(204, b""), "with nothing"),
    ],
)
def test_a_server_that_is_none_is_named_with_what_it_answered(
    source: Path, foreign: Canned, capsys: Captured, monkeypatch: pytest.MonkeyPatch, answer: Answer, words: str
) -> None:
    foreign.answers = [answer]
    said = sentence(source, f"{foreign.url}/", capsys, monkeypatch)
    assert words in said
    assert foreign.url in said
    assert [each.path for each in foreign.asked] == ["/graphql"]


@pytest.mark.parametrize("url", ["http://", "ftp://x", ""])
def test_what_is_no_address_is_said_before_anything_is_sent(
    source: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    assert "is no address of a server" in sentence(source, url, capsys, monkeypatch)


ODD: tuple[Any, ...] = (None, [], {}, 3, "x", [None])


def changed(value: Any) -> Iterator[Any]:
    """The value with one part replaced by something odd, for each part and oddity."""
    yield from ODD
    if isinstance(value, dict):
        for key, item in value.items():
            yield {name: part for name, part in value.items() if name != key}
            yield from (value | {key: other} for other in changed(item))
    elif isinstance(value, list) and value:
        yield from ([other, *value[1:]] for other in changed(value[0]))


def test_no_part_of_an_answer_that_is_odd_ends_in_a_traceback(
    source: Path, server: Server, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    with contextlib.closing(sqlite3.connect(source / "wandb.sqlite")) as db, db:
        db.execute("DELETE FROM history")
    exchange = remote._exchange
    answers: dict[str, bytes] = {}

    def operation(method: str, file: Any) -> str:
        file.seek(0)
        return str(json.loads(file.read())["query"]).split("(")[0] if method == "POST" else method

    def recording(method: str, url: str, file: Any, headers: dict[str, str]) -> bytes:
        answer = exchange(method, url, file, headers)
        if url.endswith("/graphql"):
            answers.setdefault(operation(method, file), answer)
        return answer

    monkeypatch.setattr(remote, "ATTEMPTS", 1)
    monkeypatch.setattr(remote, "_exchange", recording)
    assert push(source, server, "recorded", monkeypatch) == 0

    def replaying(odd: str, answer: bytes) -> Callable[..., bytes]:
        def replay(method: str, url: str, file: Any, headers: dict[str, str]) -> bytes:
            name = operation(method, file) if url.endswith("/graphql") else ""
            return answer if name == odd else answers.get(name, b"")

        return replay

    tried = 0
    for name, body in answers.items():
        for odd in changed(json.loads(body)["data"]):
            monkeypatch.setattr(remote, "_exchange", replaying(name, json.dumps({"data": odd}).encode()))
            push(source, server, "replayed", monkeypatch)
            tried += 1
    assert tried > 200
    said = capsys.readouterr().err
    assert said.count("\n") > 100
    assert all(line.startswith("server: ") for line in said.splitlines())


def test_a_file_of_this_folder_that_cannot_be_read_is_named_and_not_waited_for(
    source: Path, server: Server, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = next(path for path in (source / "blobs").glob("*/*") if b'"contents"' in path.read_bytes())
    path.unlink()
    os.mkfifo(path)
    assert push(source, server, "pipe", monkeypatch) == 1
    assert f"{path} cannot be read (it is no file)" in capsys.readouterr().err
