"""One saved report: its words in order; of what W&B's own app draws, what it is."""

import base64
import binascii
from typing import Any

from server.jsontext import load_object
from server.store import NotFound, Row, Store, views

MAX_BLOCKS = 500


def gather(store: Store, project: Row, name: str) -> dict[str, Any] | None:
    """`name` is TITLE--ID, as the client writes it; None where there is no such report in the project."""
    view = _view(store, name.rpartition("--")[2])
    if view is None or view["project_id"] != project["id"]:
        return None
    found = load_object(view["spec"]).get("blocks")
    blocks = [_block(each) for each in found if isinstance(each, dict)] if isinstance(found, list) else []
    shown = [block for block in blocks if block["text"]]
    return {
        "project": project,
        "view": view,
        "title": view["display_name"] or view["name"],
        "blocks": shown[:MAX_BLOCKS],
        "n_blocks": len(shown),
        "refresh": None,
    }


def _view(store: Store, text: str) -> Row | None:
    try:
        kind, _, number = (
            base64.b64decode(text + "=" * (-len(text) % 4), validate=True).decode().partition(":")
        )
        return views.by_id(store.db, int(number)) if kind == "View" and len(number) < 16 else None
    except (binascii.Error, ValueError, NotFound):
        return None


def _block(block: dict[str, Any]) -> dict[str, str]:
    """`kind`: heading, text, code, or the client's own word for what is not words."""
    kind, words = str(block.get("type", "block")), _words(block)
    if kind == "heading":
        return {"kind": "heading", "text": words}
    if kind in ("paragraph", "markdown-block", "list", "block-quote", "callout-block"):
        return {"kind": "text", "text": words or str(block.get("content", ""))}
    if kind == "code-block":
        return {"kind": "code", "text": words or str(block.get("content", ""))}
    return {"kind": kind, "text": f"{kind.replace('-', ' ')}: drawn by W&B's own app only"}


def _words(value: Any) -> str:
    """All text below a block, children on lines of their own where they are blocks."""
    if isinstance(value, list):
        parts = [_words(each) for each in value]
        blocks = any(isinstance(each, dict) and "children" in each for each in value)
        return ("\n" if blocks else "").join(parts)
    if not isinstance(value, dict):
        return ""
    return str(value.get("text", "")) + _words(value.get("children", []))
