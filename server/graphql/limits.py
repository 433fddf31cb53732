"""Limits of one request: depth, fields and size of its document, size of its answer, and time."""

import contextlib
import time
from collections.abc import Iterator
from typing import Any

from graphql import DocumentNode, FragmentDefinitionNode, FragmentSpreadNode

from server.store import TimedConnection

MAX_QUERY = 100_000  # characters
MAX_TOKENS = 10_000
MAX_DEPTH = 40  # of fields within each other; the client's deepest operation has 12
MAX_FIELDS = 2_000  # with every fragment written out; the client's widest operation has 120
MAX_INT = 2**63
MAX_SECONDS = 10.0  # to read all of an answer
MAX_CHANGE_SECONDS = 300.0  # for the work of a mutation: a commit of 100,000 files, a search for the next trial
TOO_SLOW = f"the request takes more than {MAX_SECONDS:g} seconds: ask for less at a time"
MAX_TEXT = 128 << 20  # characters of an answer, about


class Clock:
    """The time of one request. It is asked between the steps of SQLite, and before each question to the store."""

    def __init__(self) -> None:
        self._begin = time.monotonic()
        self._deadline = self._begin + MAX_SECONDS

    @contextlib.contextmanager
    def limit(self, db: TimedConnection) -> Iterator[None]:
        """Interrupts the queries of a connection when the time is over."""
        db.limit(self.is_over)
        try:
            yield
        finally:
            db.limit(None)

    def is_over(self) -> bool:
        return time.monotonic() > self._deadline

    @contextlib.contextmanager
    def extend(self) -> Iterator[None]:
        """Time for the own work of a mutation, which does not count as reading."""
        reading, began = self._deadline, time.monotonic()
        self._deadline = self._begin + MAX_CHANGE_SECONDS
        try:
            yield
        finally:
            self._deadline = reading + time.monotonic() - began


def text_size(value: Any) -> int:
    """About the number of characters of a value as JSON."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(map(len, value)) + sum(map(text_size, value.values()))
    return sum(map(text_size, value)) if isinstance(value, list) else 8


def excess(document: DocumentNode) -> str | None:
    """The limit that a document exceeds, with its fragments written out; None if it exceeds none."""
    fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
    known: dict[str, tuple[int, int]] = {}
    fields = depth = 0
    for definition in document.definitions:
        if not isinstance(definition, FragmentDefinitionNode):
            more, deep = _extent(definition, fragments, known, ())
            fields, depth = fields + more, max(depth, deep)
    if depth > MAX_DEPTH:
        return f"its fields are nested more than {MAX_DEPTH} deep"
    return f"it asks for more than {MAX_FIELDS} fields" if fields > MAX_FIELDS else None


def _extent(
    node: Any, fragments: dict[str, FragmentDefinitionNode], known: dict[str, tuple[int, int]], inside: tuple[str, ...]
) -> tuple[int, int]:
    """Number and depth of the fields below a node. A fragment within itself counts as endless."""
    fields = depth = 0
    chosen = getattr(node, "selection_set", None)
    for part in chosen.selections if chosen is not None else ():
        if isinstance(part, FragmentSpreadNode):
            name = part.name.value
            if name in inside:
                return MAX_FIELDS + 1, MAX_DEPTH + 1
            if name in fragments and name not in known:
                known[name] = _extent(fragments[name], fragments, known, (*inside, name))
            more, deep = known.get(name, (0, 0))
        else:
            more, deep = _extent(part, fragments, known, inside)
            more, deep = more + 1, deep + 1
        fields, depth = fields + more, max(depth, deep)
    return fields, depth
