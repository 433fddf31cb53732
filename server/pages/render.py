"""Templates, and the format of values for people."""

import base64
import json
import math
import re
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup

from common.text import clock, plural, size
from server.jsontext import is_media, load_object, loads
from server.pages import static_files
from server.store import Row

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
    if is_media(value):
        return str(value["_type"])
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return cut(text, MAX_TEXT)


def cut(text: str, most: int = MAX_PRE) -> str:
    return text if len(text) <= most else f"{text[:most]} … ({len(text)} characters)"


def pretty_json(value: Any) -> str:
    return cut(json.dumps(value, indent=2, ensure_ascii=False))


def duration(seconds: float | None) -> str:
    return "–" if seconds is None else clock(seconds)


def format_time(seconds: float | None) -> str:
    """A time in UTC, to the minute."""
    return "–" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def run_seconds(run: Row) -> float | None:
    """Seconds that it ran by the client's own clock, which stands in a pause; else from the first sign to the last."""
    own = load_object(run["summary"]).get("_runtime")
    if isinstance(own, int | float) and not isinstance(own, bool) and 0 <= own < math.inf:
        return float(own)
    if run["started_at"] is None:
        return None
    return float((run["finished_at"] or run["heartbeat_at"]) - run["started_at"])


def deviation(value: float) -> str:
    """A standard deviation: two significant digits."""
    return f"{value:.2g}"


def report_part(view: Row) -> str:
    """The last part of a report's address, `TITLE--ID`, as the client writes it, without the padding of the id."""
    number = base64.b64encode(f"View:{view['id']}".encode()).decode().rstrip("=")
    title = re.sub(r"\W+", "-", str(view["display_name"] or view["name"])).strip("-") or "report"
    return f"{part(title[:100])}--{number}"


def part(name: str) -> str:
    """A name as one part of an address."""
    return quote(name, safe="")


def mark_namesakes(found: Sequence[Row]) -> list[Row]:
    """Runs with `namesake`: whether another of them has the same name, so that the id has to stand beside it."""
    n = Counter(name for name, _ in {(run["display_name"], run["name"]) for run in found})
    return [run | {"namesake": n[run["display_name"]] > 1} for run in found]


def run_label(run: Row) -> str:
    """The name of a run, with its id if `mark_namesakes` found another one of that name."""
    name = str(run["display_name"] or run["name"])
    return f"{name} ({run['name']})" if run.get("namesake") and name != run["name"] else name


def run_address(run: Row) -> str:
    """The address of a run's page, of `runs.by_id` and the like."""
    return f"{project_address({'entity': run['entity'], 'name': run['project']})}/runs/{part(run['name'])}"


def path(name: str) -> str:
    """A path as the end of an address."""
    return quote(name)


def markdown(text: str) -> Markup:
    """Markdown of somebody's text: HTML in it stays text, links lead to the web, this server, or nowhere."""
    tokens = _markdown.parse(cut(text))
    for token in tokens:
        if (style := token.attrs.pop("style", None)) is not None:  # the policy of the pages lets no style stand in them
            token.attrSet("class", str(style).removeprefix("text-align:"))
        if token.type.startswith("heading"):  # below those of the page
            token.tag = f"h{min(int(token.tag[1:]) + 2, 6)}"
    return Markup(_markdown.renderer.render(tokens, _markdown.options, {}))


def project_address(project: Row) -> str:
    """The address of a project's page."""
    return f"/{part(project['entity'])}/{part(project['name'])}"


_markdown = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
_environment = Environment(
    loader=PackageLoader("server.pages"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters |= {
    each.__name__: each
    for each in (
        *(number, size, duration, format_time, run_seconds, plural, deviation, report_part, part, run_label),
        *(project_address, cut, pretty_json, path, markdown, run_address),
    )
}
_environment.filters["from_json"] = loads
_environment.globals["static"] = static_files.PLACE


def render(template: str, **values: Any) -> str:
    return _environment.get_template(template).render(**values)
