"""Everything that a person may see with some words in its name."""

from typing import Any

from server.pages.overview.home import sweep_state, sweep_title
from server.pages.render import part, project_address, run_address
from server.pages.report.page import address as report_address
from server.store import Row, Store
from server.store.database import text_search
from server.store.users import Person

MOST = 50  # of a kind
MAX_WORDS, MAX_WORD = 8, 200


def gather(store: Store, text: str, person: Person) -> dict[str, Any]:
    """The newest things with every word, by kind; none without words."""
    words = [word[:MAX_WORD] for word in text.split()[:MAX_WORDS]]
    found: dict[str, list[dict[str, Any]]] = {}
    for kind in text_search.KINDS if words else ():
        rows = text_search.find(store.db, kind, words, person.visible_entities, MOST + 1)
        if rows:
            found[kind] = [_result(store, kind, row) for row in rows]
    return {"q": text, "found": found, "most": MOST, "refresh": None}


def _result(store: Store, kind: str, row: Row) -> dict[str, Any]:
    """`url`, `name`, `more` (its id, type), `place` and, if it has one, `state`."""
    there = project_address({"entity": row["entity"], "name": row["project"]})
    place = f"{row['entity']}/{row['project']}"
    if kind == "projects":
        return {"url": there, "name": place, "more": row["description"] or "", "place": "", "state": ""}
    if kind == "runs":
        name = row["display_name"] or row["name"]
        return {"url": run_address(row), "name": name, "more": row["name"], "place": place, "state": row["state"]}
    if kind == "sweeps":
        url, name = f"{there}/sweeps/{part(row['name'])}", sweep_title(row)
        return {"url": url, "name": name, "more": row["name"], "place": place, "state": sweep_state(store, row)}
    if kind == "reports":
        name = row["display_name"] or row["name"]
        return {"url": report_address(row), "name": name, "more": "", "place": place, "state": ""}
    url = f"{there}/artifacts/{part(row['type'])}/{part(row['name'])}"
    return {"url": url, "name": row["name"], "more": row["type"], "place": place, "state": ""}
