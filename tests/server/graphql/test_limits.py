"""Limits hold for a whole request, however many parts it has, and before anything large is made of it."""

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from server import filestream, jsontext
from server.graphql import Context, limits
from server.store import Row, projects
from tests.server.content import add_project, add_run, lines
from tests.server.queries import answer as ask
from tests.server.running import Server

SLOW = json.dumps({"$or": [{"notes": {"$regex": f"[ab]*a[ab]{{{500 + i}}}[cd]"}} for i in range(9)]})


@pytest.fixture
def project(context: Context) -> int:
    """Runs on which one slow filter takes about a second."""
    with context.store.write() as db:
        project = add_project(db)
        for i in range(100):
            add_run(db, project, f"r{i}", {"a": 1}, notes="ab" * 2000)
    return project


def aliased(query: str, part: str, n: int = 60) -> str:
    """The query with its PARTS: the same one n times, under other names."""
    return query.replace("PARTS", " ".join(f"a{i}: {part}" for i in range(n)))


QUERIES = {
    "fields": ('query Q($f: JSONString) { project(name: "p") { PARTS } }', "runCount(filters: $f)"),
    "lists": ('query Q($f: JSONString) { project(name: "p") { PARTS } }', "runs(filters: $f) { totalCount }"),
    "roots": ("query Q($f: JSONString) { PARTS }", 'project(name: "p") { runCount(filters: $f) }'),
    "answer of a mutation": (
        'mutation M($f: JSONString) { upsertModel(input: {name: "p"}) { project { PARTS } } }',
        "runCount(filters: $f)",
    ),
    "answers of mutations": (
        "mutation M($f: JSONString) { PARTS }",
        'upsertModel(input: {name: "p"}) { project { runCount(filters: $f) } }',
    ),
}


@pytest.mark.parametrize("query", QUERIES)
def test_the_time_is_that_of_the_request(
    context: Context, project: int, query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAX_SECONDS", 0.3)
    began = time.monotonic()
    answer = ask(context, aliased(*QUERIES[query]), f=SLOW)
    assert answer == {"errors": [{"message": limits.TOO_SLOW}]}
    assert time.monotonic() - began < 5
    monkeypatch.undo()
    assert ask(context, '{ project(name: "p") { runCount } }') == {"data": {"project": {"runCount": 100}}}


def test_what_a_mutation_does_itself_does_not_count(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_SECONDS", 0.2)
    ensure = projects.ensure

    def slowly(*arguments: Any, **changes: Any) -> tuple[Row, bool]:
        time.sleep(0.3)
        return ensure(*arguments, **changes)

    monkeypatch.setattr(projects, "ensure", slowly)
    query = 'mutation { upsertModel(input: {name: "slow"}) { project { name runCount } } }'
    assert ask(context, query)["data"]["upsertModel"]["project"] == {"name": "slow", "runCount": 0}


def test_texts_that_an_answer_repeats_are_counted(
    context: Context, project: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAX_TEXT", 100_000)
    query = 'query Q { project(name: "p") { run(name: "r1") { PARTS } } }'
    assert "data" in ask(context, aliased(query, "notes", 20))
    assert "more than 100000 characters" in ask(context, aliased(query, "notes", 30))["errors"][0]["message"]


def test_json_that_is_made_for_an_answer_is_counted_while_it_is_made(
    context: Context, project: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [json.dumps({"_step": i, "x": "y" * 100}) for i in range(100)]
    filestream.receive(context.store, "local", "p", "r1", lines(history=rows))
    monkeypatch.setattr(limits, "MAX_TEXT", 100_000)
    part = 'sampledHistory(specs: "{\\"keys\\": [\\"x\\"]}")'
    query = 'query Q { project(name: "p") { run(name: "r1") { PARTS } } }'
    assert "data" in ask(context, aliased(query, part, 9))
    assert "more than 100000 characters" in ask(context, aliased(query, part, 10))["errors"][0]["message"]


N = 1000
WIDE = {
    "lists": "[" + "[]," * (N // 2) + "[]]",
    "objects": "[" + "{}," * (N // 2) + "{}]",
    "texts": "[" + '"ab",' * (N // 2) + '"ab"]',
    "numbers": "[" + "1," * N + "1]",
    "keys": "{" + ",".join(f'"{i}":1' for i in range(N // 2 + 1)) + "}",
    "an open text": '["' + '\\"' * N + "[," * N,
}
NARROW = {
    "brackets inside of a text": json.dumps("[{," * N),
    "quotes inside of a text": json.dumps('"[' * N),
    "half as many": "[" + "[]," * (N // 2 - 2) + "[]]",
    "backslashes": json.dumps(["\\", "\\\\[" * N]),
}


@pytest.mark.parametrize("kind", WIDE)
def test_json_of_too_many_values_is_refused_before_it_is_read(kind: str) -> None:
    with pytest.raises(ValueError, match="Unterminated" if kind == "an open text" else f"more than {N} values"):
        jsontext.parse(WIDE[kind], N)


@pytest.mark.parametrize("kind", NARROW)
def test_what_is_large_and_has_few_values_is_read(kind: str) -> None:
    assert jsontext.parse(NARROW[kind], N) == json.loads(NARROW[kind])


def peak(server: Server) -> float:
    """MiB: the most memory that the server ever had."""
    text = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", text)[1]) / 1024  # type: ignore[index]


def test_eighteen_megabytes_of_brackets_take_no_memory(server: Server) -> None:
    brackets = b"[" + b"[]," * 6_000_000 + b"[]]"
    before = peak(server)
    for path in ("/graphql", "/files/local/http/r/file_stream"):
        status, body = server.post(path, brackets, Authorization=server.basic())
        assert (status, b"values" in body) == (400, True)
    assert peak(server) - before < 120


@pytest.mark.parametrize(
    "config",
    ["[" * 2000, "a: [" + "[]," * 70_000 + "]", "- " * 5000 + "a", "{a: " * 500 + "1" + "}" * 500, "? " * 5000],
)
def test_a_sweep_of_too_much_yaml_is_refused_at_once(context: Context, config: str) -> None:
    query = 'mutation M($c: String) { upsertSweep(input: {projectName: "p", config: $c}) { sweep { id } } }'
    began = time.process_time()
    assert "the sweep's configuration" in ask(context, query, c=config)["errors"][0]["message"]
    assert time.process_time() - began < 3
