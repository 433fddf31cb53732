"""Sends runs, only those parts that the other server lacks: a push can be cut off and repeated."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from server.jsontext import loads
from server.push import operations as ask
from server.push.remote import Remote, upload
from server.store import Connection, Row, files, runs, streams
from server.store.disk import blobs

POST_LINES, POST_BYTES = 1000, 4 << 20
PAGE = 500
COUNTS: dict[streams.Table, str] = {
    "history": "historyLineCount",
    "system_metrics": "eventsLineCount",
    "console": "logLineCount",
}


@dataclass
class Sent:
    """Amounts that were sent: lines of history, metrics and console, and files."""

    lines: int = 0
    files: int = 0
    anything: bool = False


def push(db: Connection, folder: Path, remote: Remote, run: Row, sweep: str | None) -> Sent:
    """Push one run, whole; `sweep` is its sweep's name there. A running one is left open there."""
    sent, there = Sent(), _status(remote, run["name"])
    missing = {table: _missing(db, table, run["id"], there) for table in COUNTS}
    if there is None or _differs(run, there) or any(missing.values()):
        _upsert(remote, run, sweep)
        sent.anything = True
    for file, table in streams.FILES.items():
        if missing[table]:
            sent.lines += _stream(db, remote, run, file, table, there[COUNTS[table]] if there else 0)
    sent.files = _push_files(db, folder, remote, run)
    if sent.anything and run["state"] not in (*runs.ALIVE, "pending"):
        _complete(remote, run)
    sent.anything = sent.anything or sent.files > 0
    return sent


def _status(remote: Remote, name: str) -> Row | None:
    place = {"project": remote.project, "entity": remote.entity, "name": name}
    return remote.graphql(ask.RUN_STATUS, _read_status, **place)


def _read_status(data: Any) -> Row | None:
    """State, config, summary and numbers of lines; None for a run that is not there."""
    found = data["model"]["bucket"] if data["model"] else None
    if found is None:
        return None
    texts = {name: loads(found[name], {}) for name in ("config", "summaryMetrics")}
    return texts | {name: int(found[name] or 0) for name in COUNTS.values()} | {"state": found["state"]}


def _missing(db: Connection, table: streams.Table, run_id: int, there: Row | None) -> bool:
    return streams.total(db, table, run_id) > (there[COUNTS[table]] if there else 0)


def _differs(run: Row, there: Row) -> bool:
    """Whether the other server has another configuration, summary or end; False for a run that went on there."""
    ended = run["state"] not in (*runs.ALIVE, "pending")
    same_state = there["state"] == run["state"] or not ended
    same_config = there["config"] == loads(run["config"], {})
    return not (same_state and same_config and there["summaryMetrics"] == loads(run["summary"], {}))


def _upsert(remote: Remote, run: Row, sweep: str | None, **more: Any) -> None:
    given = {name: run[name] for name in ("name", "description", "notes", "config", "host", "program", "repo")}
    remote.graphql(
        ask.UPSERT_RUN,
        _read_name,
        **given,
        entity=remote.entity,
        project=remote.project,
        displayName=run["display_name"],
        groupName=run["group_name"],
        jobType=run["job_type"],
        commit=run["commit_hash"],
        tags=json.loads(run["tags"]),
        summaryMetrics=run["summary"],
        sweep=sweep,
        **more,
    )


def _read_name(data: Any) -> str:
    return str(data["upsertBucket"]["bucket"]["name"])


def _stream(db: Connection, remote: Remote, run: Row, file: str, table: streams.Table, known: int) -> int:
    """Posts the lines after the first `known`; returns their number."""
    at = known
    for chunk in _chunks(streams.lines_after(db, table, run["id"], known, PAGE)):
        remote.stream(run["name"], {"files": {file: {"offset": at, "content": chunk}}})
        at += len(chunk)
    return at - known


def _chunks(texts: Iterator[str]) -> Iterator[list[str]]:
    """Pieces that fit into one post."""
    chunk: list[str] = []
    size = 0
    for text in texts:
        if chunk and (len(chunk) == POST_LINES or size + len(text) > POST_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(text)
        size += len(text)
    if chunk:
        yield chunk


def _push_files(db: Connection, folder: Path, remote: Remote, run: Row) -> int:
    here = {file["name"]: file for file in files.of_run(db, run["id"])}
    there = _files_there(remote, run["name"]) if here else {}
    missing = [name for name, file in here.items() if there.get(name) != file["md5"]]
    for first in range(0, len(missing), PAGE):
        place = {"entity": remote.entity, "project": remote.project, "run": run["name"]}
        names = missing[first : first + PAGE]
        for name, address, headers in remote.graphql(ask.CREATE_RUN_FILES, _uploads, files=names, **place):
            if name in names:
                remote.put(address, headers, blobs.path(folder, here[name]["sha256"]))
    return len(missing)


def _uploads(data: Any) -> list[tuple[str, str, list[str]]]:
    """Name, address and headers of each file."""
    answer = data["createRunFiles"]
    return [(str(file["name"]), *upload(file["uploadUrl"], answer["uploadHeaders"])) for file in answer["files"]]


def _files_there(remote: Remote, name: str) -> dict[str, str]:
    """Name → MD5 of the files that the other server has."""
    place = {"project": remote.project, "entity": remote.entity, "name": name}
    nodes = remote.pages(ask.RUN_FILES, lambda data: data["project"]["run"]["files"], first=PAGE, **place)
    return {str(node["name"]): str(node["md5"]) for node in nodes}


def _complete(remote: Remote, run: Row) -> None:
    """Close the run there. An end of a stream means finished or failed; the other states are set afterwards."""
    code = run["exit_code"] if run["exit_code"] is not None else 0 if run["state"] == "finished" else 1
    remote.stream(run["name"], {"complete": True, "exitcode": code})
    if run["state"] != ("finished" if code == 0 else "failed"):
        place = {"name": run["name"], "entity": remote.entity, "project": remote.project}
        remote.graphql(ask.UPSERT_RUN, _read_name, state=run["state"], **place)
