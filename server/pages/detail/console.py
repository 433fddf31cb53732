"""Console lines of a run: the last ones, those from a line on, or those with a word."""

import re
from typing import Any

from server.store import Row, Store, streams

SHOWN = 1000
MAX_LINE = 5000  # characters
MAX_SEARCH = 200


def gather(store: Store, run: Row, search: str = "", start: int | None = None) -> dict[str, Any]:
    """Values of the tab. `start`: the first line that is shown, from 1; None shows the end."""
    n = streams.count(store.db, "console", run["id"])
    if search:
        rows = streams.console_with(store.db, run["id"], search[:MAX_SEARCH], SHOWN)
    elif start is not None:
        rows = streams.console(store.db, run["id"], start - 2, SHOWN)
    else:
        rows = streams.console_tail(store.db, run["id"], SHOWN)
    first, last = (rows[0]["line"] + 1, rows[-1]["line"] + 1) if rows else (0, 0)
    return {
        "console": [{"number": row["line"] + 1, "text": clean(row["content"])[:MAX_LINE]} for row in rows],
        "n_lines": n,
        "search": search,
        "first": first,
        "last": last,
        "earlier": max(1, first - SHOWN) if first > 1 and not search else None,
        "later": last + 1 if last < n and rows and not search else None,
    }


def clean(line: str) -> str:
    """A console line without its time stamp and colours."""
    text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", line.rstrip("\n"))
    return re.sub(r"^(?:(ERROR) )?\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z? ", r"", text)
