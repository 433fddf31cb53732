"""Views that people keep under a name: the address, below the project's, of a table, a comparison or a sweep."""

import json
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from server.jsontext import load_object
from server.pages.render import part, project_address
from server.store import Connection, Refused, Row, views

TYPE = "page"
MAX_SAVED = 200  # of a project
MAX_ADDRESS = 8000  # characters


def list_views(db: Connection, project: Row) -> list[Row]:
    """Saved views by name; `address` leads to the view."""
    found = [view | {"rest": _rest(view)} for view in views.of_project(db, project["id"], TYPE, None)]
    named = [view | {"address": project_address(project) + view["rest"]} for view in found]
    return sorted(named, key=lambda view: (view["name"].lower(), view["id"]))


def _rest(view: Row) -> str:
    rest: Any = load_object(view["spec"]).get("address")
    return rest if isinstance(rest, str) else ""


def current(saved: list[Row], here: str) -> Row | None:
    """The view that this address shows."""
    return next((view for view in saved if _normalize(view["address"]) == _normalize(here)), None)


def save(db: Connection, project: Row, name: str, address: str, now: float) -> str:
    """Save an address in place of an old view of that name; returns it. Raises Refused for other pages' addresses."""
    rest = _check_address(project, address)
    same = views.of_project(db, project["id"], TYPE, name)
    if not same and len(views.of_project(db, project["id"], TYPE, None)) >= MAX_SAVED:
        raise Refused(f"A project keeps at most {MAX_SAVED} views: delete one first.")
    view_id = same[0]["id"] if same else views.insert(db, project["id"], TYPE, name, now)
    views.change(db, view_id, now, spec=json.dumps({"address": rest}))
    return project_address(project) + rest


def _check_address(project: Row, address: str) -> str:
    if len(address) > MAX_ADDRESS:
        raise Refused(f"The address has {len(address)} characters; at most {MAX_ADDRESS} fit into a view.")
    place, _, text = _normalize(address).partition("?")
    rest = place.removeprefix(project_address(project))
    sweep = rest.removeprefix("/sweeps/")
    is_sweep = sweep != rest and sweep and "/" not in sweep
    if not place.startswith(project_address(project)) or not (rest in ("", "/compare") or is_sweep):
        raise Refused("A view is of a project's table, of a comparison in it, or of one of its sweeps.")
    return f"{rest}?{text}" if text else rest


def _normalize(address: str) -> str:
    """The address in a normal form, without empty arguments."""
    parts = urlsplit(address)
    path = "/".join(part(unquote(name)) for name in parts.path.split("/"))
    text = urlencode([pair for pair in parse_qsl(parts.query) if pair[0] != "format"])
    return f"{path}?{text}" if text else path
