"""The alerts of a project and the ends of its runs as an Atom feed (RFC 4287), for mail programs and chat bridges."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from xml.etree import ElementTree

from server.pages.render import mark_namesakes, part, project_address, run_label
from server.pages.run_table.fields import summary_text
from server.store import Row, Store, runs

MAX_ENTRIES = 50
ATOM = "http://www.w3.org/2005/Atom"
_NO_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(store: Store, project: Row, address: str) -> bytes:
    """The newest MAX_ENTRIES; `address`: of the server."""
    place = f"{address.rstrip('/')}{project_address(project)}"
    entries = sorted(_entries(store, project, place), key=lambda entry: -entry["at"])[:MAX_ENTRIES]
    feed = ElementTree.Element("feed", xmlns=ATOM)
    updated = max((entry["at"] for entry in entries), default=project["created_at"])
    _add(feed, f"{project['entity']}/{project['name']}", place, updated, f"{place}/feed")
    for entry in entries:
        one = ElementTree.SubElement(feed, "entry")
        _add(one, entry["title"], entry["link"], entry["at"], entry["id"])
        ElementTree.SubElement(one, "summary").text = _clean(entry["text"])
        ElementTree.SubElement(ElementTree.SubElement(one, "author"), "name").text = _clean(entry["run"])
    return bytes(ElementTree.tostring(feed, "utf-8", xml_declaration=True))


def _entries(store: Store, project: Row, place: str) -> Iterator[Row]:
    alerts, ended = (of(store.db, project["id"], MAX_ENTRIES) for of in (runs.project_alerts, runs.last_ended))
    named = mark_namesakes([*alerts, *ended])
    for alert in named[: len(alerts)]:
        link, name = f"{place}/runs/{part(alert['name'])}", run_label(alert)
        about = {"id": f"{link}#alert-{alert['id']}", "link": link, "run": name, "at": alert["created_at"]}
        yield about | {"title": f"{alert['severity']}: {alert['title']}", "text": alert["text"]}
    for run in named[len(alerts) :]:
        link, name = f"{place}/runs/{part(run['name'])}", run_label(run)
        about = {"id": f"{link}#{run['state']}-{run['finished_at']:.0f}", "link": link, "run": name}
        yield about | {"title": f"{name} {run['state']}", "text": summary_text(run), "at": run["finished_at"]}


def _add(element: ElementTree.Element, title: str, link: str, at: float, id: str) -> None:
    ElementTree.SubElement(element, "title").text = _clean(title)
    ElementTree.SubElement(element, "link", href=link)
    ElementTree.SubElement(element, "id").text = id
    ElementTree.SubElement(element, "updated").text = datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")


def _clean(text: str) -> str:
    return _NO_XML.sub("\ufffd", text)
