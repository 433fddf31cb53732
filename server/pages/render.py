"""Templates, and how values are written for people."""

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from common.text import size
from server.pages.home import gather, gather_project
from server.store import Row, Store
from server.store.users import Person

MAX_TEXT, MAX_PRE = 1000, 50_000


def number(value: Any) -> str:
    """Four significant digits for floats, thin spaces in large integers, JSON for the rest; long text is cut."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}".replace(",", "\u2009")
    if isinstance(value, float):
        return f"{value:.4g}"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return cut(text, MAX_TEXT)


def cut(text: str, most: int = MAX_PRE) -> str:
    return text if len(text) <= most else f"{text[:most]} … ({len(text)} characters)"


def pretty(value: Any) -> str:
    return cut(json.dumps(value, indent=2, ensure_ascii=False))


def duration(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return (
        f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
    )


def when(seconds: float | None) -> str:
    """UTC, to the minute."""
    return "–" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def lasted(run: Row) -> float | None:
    """Seconds from the first sign of life to the end, or to the last one."""
    if run["started_at"] is None:
        return None
    return float((run["finished_at"] or run["heartbeat_at"]) - run["started_at"])


def part(name: str) -> str:
    """A name as one part of an address."""
    return quote(name, safe="")


def home(project: Row) -> str:
    """Where the page of a project is."""
    return f"/{part(project['entity'])}/{part(project['name'])}"


_environment = Environment(
    loader=PackageLoader("server.pages"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters |= {"number": number, "size": size, "duration": duration, "when": when, "lasted": lasted}
_environment.filters |= {"part": part, "home": home, "cut": cut, "pretty": pretty}


def render(template: str, **values: Any) -> str:
    return _environment.get_template(template).render(**values)


def missing(store: Store, what: str, project: Row | None, person: Person) -> Response:
    """A 404 that says what there is instead, in the project or at all."""
    there = gather_project(store, project) if project else {"project": None} | gather(store, person)
    return HTMLResponse(render("missing.html", **(there | {"what": what, "refresh": None})), 404)
