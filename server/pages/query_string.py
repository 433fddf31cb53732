"""Values in the query string of a page; invalid ones count as absent."""

import math
from collections.abc import Iterable
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from server.pages.charts.line_chart import View

MAX_SMOOTH = 0.99


def number(query: QueryParams, name: str) -> float | None:
    """A finite number."""
    try:
        value = float(query.get(name, ""))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def whole_number(query: QueryParams, name: str, default: int, most: int) -> int:
    """A whole number from 1 to `most`."""
    text = query.get(name, "")
    value = int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else default
    return min(max(value, 1), most)


def view(query: QueryParams) -> View:
    """smooth (0 to 0.99), log (1), from and to (stretch of the x axis)."""
    smooth = min(max(number(query, "smooth") or 0.0, 0.0), MAX_SMOOTH)
    return View(smooth, query.get("log") == "1", number(query, "from"), number(query, "to"))


def words(query: QueryParams, name: str, most: int) -> list[str]:
    """All values of a name that are not empty, once each, at most `most`."""
    return list(dict.fromkeys(filter(None, query.getlist(name))))[:most]


def address(query: QueryParams, path: str = "", **changes: str | list[str] | None) -> str:
    """The same page with `changes`; None takes a name out. `page` goes with every change but its own."""
    kept = [(name, value) for name, value in query.multi_items() if name not in changes and value]
    if "page" not in changes:
        kept = [(name, value) for name, value in kept if name != "page"]
    for name, value in changes.items():
        many: Iterable[str] = [value] if isinstance(value, str) else value or []
        kept += [(name, one) for one in many]
    return f"{path}?{urlencode(kept)}"
