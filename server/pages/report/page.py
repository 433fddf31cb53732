"""Saved reports: their text in order, their panels drawn from the runs; other blocks are named."""

import base64
import binascii
import re
from collections.abc import Callable
from typing import Any

from server.jsontext import as_list, load_object
from server.pages.media.image_viewer import Link
from server.pages.render import mark_namesakes, project_address, report_part
from server.pages.report import panels
from server.store import NotFound, Row, Store, files, runs, views
from server.store.users import Person

MAX_BLOCKS = 500
MAX_DEPTH = 6
TYPE = "runs"  # of views that are reports, as the client calls them
STUDY = "report.html"  # the file of a run that is a study's own report
SAFE = re.compile(r"(?:https?://|mailto:|/(?!/))", re.IGNORECASE)
Block = dict[str, Any]
"""`kind`, and the values of its part of the template."""


def list_reports(store: Store, link: Link, project: Row) -> dict[str, Any]:
    """The saved reports of a project, and the report.html of its studies."""
    saved = views.of_project(store.db, project["id"], TYPE, None)
    named = {"entity": project["entity"], "project": project["name"]}
    kept = files.of_project(store.db, project["id"], STUDY)
    writers = mark_namesakes([runs.by_id(store.db, file["run_id"]) for file in kept])
    studies = [{"run": run, "file": file} for run, file in zip(writers, kept, strict=True)]
    return {
        "project": project,
        "reports": [view | {"url": address(view | named)} for view in saved],
        "studies": [each | {"url": link(each["run"], STUDY)} for each in studies],
        "refresh": None,
    }


def address(view: Row) -> str:
    return f"{project_address({'entity': view['entity'], 'name': view['project']})}/reports/{report_part(view)}"


def gather(store: Store, link: Link, project: Row, name: str, person: Person) -> dict[str, Any] | None:
    """Values of a report's page. `name` is TITLE--ID, as the client writes it; None if there is no such report."""
    view = _view(store, name.rpartition("--")[2])
    if view is None or view["project_id"] != project["id"]:
        return None
    reader = _Reader(store, link, project, person)
    blocks = reader.blocks(load_object(view["spec"]).get("blocks"))
    return {
        "project": project,
        "view": view,
        "title_of_report": view["display_name"] or view["name"],
        "blocks": blocks[:MAX_BLOCKS],
        "n_blocks": len(blocks),
        "headings": reader.headings,
        "filters": panels.filters(),
        "refresh": None,
    }


def _view(store: Store, text: str) -> Row | None:
    try:
        kind, _, number = base64.b64decode(text + "=" * (-len(text) % 4), validate=True).decode().partition(":")
        return views.by_id(store.db, int(number)) if kind == "View" and len(number) < 16 else None
    except (binascii.Error, ValueError, NotFound):
        return None


class _Reader:
    """Turns any spec that the client saved into blocks that can be shown."""

    def __init__(self, store: Store, link: Link, project: Row, person: Person) -> None:
        self._store, self._link, self._project, self._person = store, link, project, person
        self.headings: list[tuple[int, str, str]] = []
        """Level, text and anchor, for the table of contents."""
        self._kinds: dict[str, Callable[[Block, int], Block]] = {
            "heading": self._heading,
            "paragraph": self._words("paragraph"),
            "default": self._words("paragraph"),
            "block-quote": self._words("quote"),
            "list": self._list,
            "callout-block": self._lines("callout"),
            "code-block": self._lines("code"),
            "markdown-block": lambda block, depth: {"kind": "markdown", "text": str(block.get("content", ""))},
            "latex": lambda block, depth: {"kind": "code", "text": str(block.get("content", ""))},
            "horizontal-rule": lambda block, depth: {"kind": "rule"},
            "table-of-contents": lambda block, depth: {"kind": "contents"},
            "image": self._external_link,
            "video": self._external_link,
            "gallery": self._gallery,
            "panel-grid": self._grid,
            "weave-panel": self._weave,
        }

    def blocks(self, found: Any, depth: int = 0) -> list[Block]:
        if not isinstance(found, list) or depth > MAX_DEPTH:
            return []
        return [shown for each in found if isinstance(each, dict) and (shown := self._block(each, depth))]

    def _block(self, block: Block, depth: int) -> Block | None:
        kind = str(block.get("type", "block"))
        shown = self._kinds[kind](block, depth) if kind in self._kinds else _unknown_block(kind)
        empty = shown["kind"] in ("paragraph", "quote") and not any(each["text"] for each in shown["inline"])
        return None if empty else shown

    def _heading(self, block: Block, depth: int) -> Block:
        level = block.get("level") if block.get("level") in (1, 2, 3) else 1
        words, anchor = inline(block.get("children")), f"part-{len(self.headings) + 1}"
        text = "".join(each["text"] for each in words).strip()
        if not text:
            return {"kind": "paragraph", "inline": []}
        self.headings.append((int(level or 1), text, anchor))
        inside = self.blocks(block.get("collapsedChildren"), depth + 1)
        return {"kind": "heading", "level": level, "inline": words, "anchor": anchor, "blocks": inside}

    def _words(self, kind: str) -> Callable[[Block, int], Block]:
        return lambda block, depth: {"kind": kind, "inline": inline(block.get("children"))}

    def _lines(self, kind: str) -> Callable[[Block, int], Block]:
        def read(block: Block, depth: int) -> Block:
            lines = [inline(each.get("children")) for each in _objects(block.get("children"))]
            text = "\n".join("".join(word["text"] for word in line) for line in lines)
            return {"kind": kind, "text": text or str(block.get("content", ""))}

        return read

    def _list(self, block: Block, depth: int) -> Block:
        items = [
            {"checked": item.get("checked"), "blocks": self.blocks(item.get("children"), depth + 1)}
            for item in _objects(block.get("children"))
        ]
        return {"kind": "list", "ordered": bool(block.get("ordered")), "items": items}

    def _external_link(self, block: Block, depth: int) -> Block:
        """An image or film of another site, which a page here does not load."""
        words = "".join(each["text"] for each in inline(block.get("children")))
        return {"kind": "link", "what": str(block["type"]), "url": safe_url(block.get("url")), "text": words}

    def _gallery(self, block: Block, depth: int) -> Block:
        links = [
            {"url": safe_url(each.get("url")), "text": str(each.get("title") or each.get("url") or each.get("id"))}
            for each in _objects(block.get("links"))
        ]
        return {"kind": "links", "links": links}

    def _grid(self, block: Block, depth: int) -> Block:
        found = panels.read(self._store, self._link, self._project, self._person, block.get("metadata"))
        return {"kind": "grid", **found}

    def _weave(self, block: Block, depth: int) -> Block:
        """A table of the summaries, whose key stands somewhere inside the client's block."""
        key = _constant(block.get("config"), "key")
        shown = panels.table(self._store, self._project, key) if key else None
        return {"kind": "panel", "panel": shown | {"width": 24}} if shown else _unknown_block("weave-panel")


def _unknown_block(kind: str) -> Block:
    return {"kind": "unknown", "text": f"{kind.replace('-', ' ')}: this kind of block is not drawn here"}


def inline(children: Any) -> list[dict[str, Any]]:
    """Pieces of text: `text`, `url` or "", `code`, `bold`, `italic`."""
    pieces = []
    for each in _objects(children):
        kind = each.get("type")
        if kind in ("link", "paragraph"):
            url = safe_url(each.get("url"))
            pieces += [piece | ({"url": url} if url else {}) for piece in inline(each.get("children"))]
        elif kind == "latex":
            pieces.append(_piece(str(each.get("content", "")), code=True))
        elif isinstance(each.get("text"), str):
            marks = {name: bool(each.get(name)) for name in ("bold", "italic")}
            pieces.append(_piece(each["text"], code=bool(each.get("inlineCode")), **marks))
    return pieces


def _piece(text: str, code: bool = False, bold: bool = False, italic: bool = False) -> dict[str, Any]:
    return {"text": text, "url": "", "code": code, "bold": bold, "italic": italic}


def safe_url(url: Any) -> str:
    """An address that a link may lead to; "" for any other."""
    return url if isinstance(url, str) and SAFE.match(url) else ""


def _objects(value: Any) -> list[dict[str, Any]]:
    return [each for each in as_list(value) if isinstance(each, dict)]


def _constant(value: Any, name: str) -> str | None:
    """The text `val` of a constant called `name` at any depth."""
    if isinstance(value, dict):
        own = value.get(name)
        if isinstance(own, dict) and own.get("nodeType") == "const" and isinstance(own.get("val"), str):
            return str(own["val"])
        value = list(value.values())
    parts = value if isinstance(value, list) else ()
    return next((found for each in parts if (found := _constant(each, name)) is not None), None)
