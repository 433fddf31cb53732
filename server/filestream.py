"""The stream of a living run: history, summary, system metrics, console, and its end.

The client repeats a post until it is answered, so each one is stored in one transaction, by line number, before the
answer leaves. A 4xx ends the upload of the run for good: it is only answered for a run that does not exist.
"""

import logging
from dataclasses import dataclass
from typing import Any

from server.jsontext import as_object, dumps, load_object, loads
from server.scheduler import scheduler
from server.store import NotFound, Row, Store, runs, streams

log = logging.getLogger(__name__)
SUMMARY = "wandb-summary.json"


@dataclass(frozen=True)
class Chunk:
    """`lines` of a file, the first of which has the number `offset`."""

    offset: int
    lines: list[str]


def receive(
    store: Store, entity: str, project: str, name: str, body: dict[str, Any], client: str = ""
) -> dict[str, Any]:
    """Stores one post and answers it: `{"stopped": true}` asks the run to end. Raises NotFound.

    `client` is given if several clients write one run (`mode="shared"`): each counts its own lines and has its own
    summary, and a post of one does not take back the end that another one announced.
    """
    chunks = {
        file: chunk for file, content in as_object(body.get("files")).items() if (chunk := _chunk(content)) is not None
    }
    rows: list[tuple[int, dict[str, Any]]] = []
    with store.write() as db:
        run = runs.find_by_path(db, entity, project, name)
        if run is None:
            raise NotFound(f"run {entity}/{project}/{name} does not exist")
        now = store.clock()
        if not (client and run["exit_code"] is not None):
            runs.touch(db, run, now)
        for file, table in streams.FILES.items():
            if file in chunks and table == "history":
                rows = streams.put_history(db, run["id"], chunks[file].offset, chunks[file].lines, client)
            elif file in chunks:
                streams.put(db, table, run["id"], chunks[file].offset, chunks[file].lines, client)
        if SUMMARY in chunks:
            runs.change(db, run["id"], summary=_summary(run, chunks[SUMMARY].lines, client))
        _enter_state(db, run, body, now)
    if run["sweep_id"] is not None:
        _notify_sweep(store, run, rows, bool(body.get("complete")))
    stopped = runs.by_id(store.db, run["id"])["stop_requested_at"] is not None
    return {"stopped": True} if stopped else {}


def _summary(run: Row, texts: list[str], client: str) -> str | None:
    """The new summary; None if it equals the old one, or is no object."""
    new = loads(texts[-1]) if texts and texts[-1] != run["summary"] else None
    if not isinstance(new, dict):
        return None
    return dumps(load_object(run["summary"]) | new) if client else texts[-1]


def _notify_sweep(store: Store, run: Row, rows: list[tuple[int, dict[str, Any]]], complete: bool) -> None:
    """Tell the sweep of a stored post; an error there is only logged, for the client must not send the post again."""
    try:
        scheduler.observe(store, run, rows)
        if complete:
            scheduler.finish_if_done(store, run["sweep_id"])
    except Exception:
        log.exception("sweep of run %s: a post was stored, but not taken note of", run["name"])


def _chunk(content: Any) -> Chunk | None:
    """A chunk; None for anything else: the client sends nothing else, and a refusal would end the run's upload."""
    if not isinstance(content, dict):
        return None
    offset, texts = content.get("offset") or 0, content.get("content")
    if not isinstance(offset, int) or not 0 <= offset < 2**62 or not isinstance(texts, list):
        return None
    return Chunk(offset, [text for text in texts if isinstance(text, str)])


def _enter_state(db: Any, run: Row, body: dict[str, Any], now: float) -> None:
    if body.get("preempting") and not body.get("complete"):
        runs.set_state(db, run["id"], "preempting", now)
    if body.get("complete"):
        code = body.get("exitcode")
        preempting = bool(body.get("preempting")) or run["state"] == "preempting"
        exit_code = code if isinstance(code, int) and abs(code) < 2**31 else int(code is not None)
        current = runs.by_id(db, run["id"]) | ({"state": "preempting"} if preempting else {})
        runs.complete(db, current, exit_code, now)
