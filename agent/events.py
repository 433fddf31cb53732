"""Events of a trial, for its fleet, and of a fleet, for its readers: one JSON document a line.

A trial appends to the file that PUZZLE_EVENTS names; without that variable it says nothing. docs/fleet.md lists the
events.
"""

import contextlib
import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from common.environment import own

EVENTS_VARIABLE = "PUZZLE_EVENTS"
STEP_EVERY_SECONDS = 30.0
Batch = TypeVar("Batch")


def document(event: str, **values: Any) -> str:
    """One line: the kind of `event`, the `time` (seconds since 1970), and its values."""
    return json.dumps({"event": event, "time": round(time.time(), 3), **values}) + "\n"


def emit(event: str, **values: Any) -> None:
    """Append an event of this trial. A disk that refuses it ends nothing."""
    if path := own(EVENTS_VARIABLE):
        with contextlib.suppress(OSError), Path(path).open("a") as file:
            file.write(document(event, **values))


def tell_steps(batches: Iterable[Batch], epoch: int, epochs: int, steps: int) -> Iterator[Batch]:
    """The batches of an epoch; says now and then which of its `steps` begins, for an epoch can take an hour."""
    said = time.monotonic()
    for step, batch in enumerate(batches, start=1):
        if time.monotonic() - said >= STEP_EVERY_SECONDS:
            said = time.monotonic()
            print(f"epoch {epoch} of {epochs}: step {step} of {steps}", flush=True)
            emit("step", epoch=epoch, epochs=epochs, step=step, steps=steps)
        yield batch


@dataclass
class Reader:
    """The events that are added to a file from byte `offset` on."""

    path: Path
    offset: int

    def read(self) -> list[dict[str, Any]]:
        """The events since the last call."""
        try:
            with self.path.open("rb") as file:
                file.seek(self.offset)
                new = file.read()
        except OSError:
            return []
        whole = new[: new.rfind(b"\n") + 1]
        self.offset += len(whole)
        return [event for line in whole.splitlines() if (event := _parse(line))]


def _parse(line: bytes) -> dict[str, Any] | None:
    """One event; None for a line cut short by a full disk."""
    with contextlib.suppress(ValueError):
        event = json.loads(line)
        if isinstance(event, dict) and "event" in event:
            return event
    return None
