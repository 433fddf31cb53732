"""Files by folder, and previews of single files."""

import csv
import json
import mimetypes
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from server.jsontext import loads
from server.store import Row
from server.store.disk.blobs import open_blob

MAX_PREVIEW = 200_000  # bytes of a text
MAX_ROWS = 200  # of a table
MAX_LISTED = 1000


def listing(files: Sequence[Row], folder: str) -> dict[str, Any]:
    """Folders with their sums, and files, in `folder` ("" for the top); `files` have a `name` and a `size`."""
    head = f"{folder}/" if folder else ""
    inside = [file for file in files if file["name"].startswith(head)]
    sizes, counts, here = Counter[str](), Counter[str](), []
    for file in inside:
        first, slash, _ = file["name"][len(head) :].partition("/")
        if slash:
            sizes[first] += file["size"]
            counts[first] += 1
        else:
            here.append(file | {"label": first})
    return {
        "folder": folder,
        "folders": [
            {"name": head + name, "label": name, "n": counts[name], "size": sizes[name]} for name in sorted(counts)
        ],
        "files": here[:MAX_LISTED],
        "n_files": len(here),
        "above": parents(folder),
    }


def parents(path: str) -> list[tuple[str, str]]:
    """(label, path) of each folder on the way to `path`, itself included."""
    parts = path.split("/") if path else []
    return [(part, "/".join(parts[: i + 1])) for i, part in enumerate(parts)]


def preview(name: str, path: Path, size: int) -> dict[str, Any]:
    """`kind`: image, audio, video, html, table (`columns`, `rows`), text (`text`) or none; `cut`: there is more."""
    kind = (mimetypes.guess_type(name)[0] or "").partition("/")[0]
    if kind in ("image", "audio", "video"):
        return {"kind": kind, "cut": False}
    if name.endswith((".html", ".htm")):
        return {"kind": "html", "cut": False}
    try:
        with open_blob(path) as file:
            content = file.read(MAX_PREVIEW)
        text = content.decode(errors="strict" if size <= MAX_PREVIEW else "ignore")
    except (OSError, UnicodeDecodeError):
        return {"kind": "none", "cut": False}
    if "\0" in text:
        return {"kind": "none", "cut": False}
    cut = size > MAX_PREVIEW
    return _table(name, text, cut) or {"kind": "text", "text": _indent_json(name, text, cut), "cut": cut}


def _table(name: str, text: str, cut: bool) -> dict[str, Any] | None:
    if name.endswith(".csv"):
        rows = list(csv.reader(text.splitlines()))
        return _rows(rows[0], rows[1:], cut) if rows else None
    found = loads(text) if name.endswith(".table.json") and not cut else None
    if isinstance(found, dict) and isinstance(found.get("columns"), list) and isinstance(found.get("data"), list):
        return _rows(found["columns"], [row for row in found["data"] if isinstance(row, list)], cut)
    return None


def _rows(columns: list[Any], rows: list[list[Any]], cut: bool) -> dict[str, Any]:
    return {"kind": "table", "columns": columns, "rows": rows[:MAX_ROWS], "cut": cut or len(rows) > MAX_ROWS}


def _indent_json(name: str, text: str, cut: bool) -> str:
    value = loads(text) if name.endswith(".json") and not cut else None
    return text if value is None else json.dumps(value, indent=2, ensure_ascii=False)
