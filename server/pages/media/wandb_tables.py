"""Tables of a run (`wandb.Table`), and its other media: plots of tables, histograms, pages, sounds, films."""

import mimetypes
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from common.text import natural_order
from server import storage_paths
from server.jsontext import as_list, as_object, flatten_media, load_object, wandb_section
from server.pages.charts import plots
from server.pages.media.image_viewer import TRUTH, Link, mask_layer, read_json
from server.pages.media.images import pictures_in
from server.store import Connection, Row, Store, artifacts, files, streams

MAX_TABLE = 20 << 20  # bytes of a table that is read
MAX_CLASSES = 1 << 20  # bytes of the classes of its masks
PER_PAGE = 100
SAMPLE = 10  # rows of a table beside others
LISTS = {"html": "html", "audio": "audio", "videos": "videos"}
"""Media objects that hold several of a kind, and the name of their list."""
SHOWN_BY = {"html-file": "html", "audio-file": "audio", "video-file": "video", "image-file": "image"}
CLIENT_ARTIFACT = "wandb-client-artifact://"


@dataclass(frozen=True)
class Table:
    """A table. `artifact`: number of the artifact with the pictures of its cells; None without one."""

    key: str
    columns: list[str]
    rows: list[list[Any]]
    artifact: int | None = None

    @property
    def records(self) -> list[dict[str, Any]]:
        return [dict(zip(self.columns, row, strict=False)) for row in self.rows]


def gather(store: Store, link: Link, run: Row) -> dict[str, Any]:
    """Media of the summary that have a viewer here, and the names of those without one."""
    found = flatten_media(load_object(run["summary"]))
    tables = {key: value for key, value in found.items() if value["_type"] == "table-file"}
    drawn, used = _plots(store, run, tables)
    shown, others = _media(store, link, run, found)
    return {
        "plots": drawn,
        "tables": [
            {"key": key, "n": value.get("nrows"), "table": _sample(store, run, key, value)}
            for key, value in tables.items()
            if key not in used
        ],
        "histograms": _histograms(store.db, run, [k for k, v in found.items() if v["_type"] == "histogram"]),
        "media_items": shown,
        "unknown": others,
    }


def table(store: Store, run: Row, key: str, sort: str, down: bool, text: str, page: int) -> dict[str, Any] | None:
    """A page of a whole table: its rows with `text` in them, by a column."""
    value = flatten_media(load_object(run["summary"])).get(key)
    found = read(store, run, key, value) if value and value["_type"] == "table-file" else None
    if found is None:
        return None
    rows = [row for row in found.rows if not text or text.lower() in " ".join(map(str, row)).lower()]
    if sort in found.columns:
        number = found.columns.index(sort)
        rows.sort(key=lambda row: _order(row[number] if number < len(row) else None), reverse=down)
    pages = max(1, -(-len(rows) // PER_PAGE))
    page = min(max(page, 1), pages)
    shown = Table(key, found.columns, rows[(page - 1) * PER_PAGE : page * PER_PAGE], found.artifact)
    return {"table": shown, "n": len(found.rows), "n_found": len(rows), "page": page, "pages": pages}


def _order(value: Any) -> tuple[int, Any]:
    """A sort key: numbers before texts, empty cells last."""
    if isinstance(value, int | float):
        return (0, float(value) if value == value else float("inf"))
    return (2, 0) if value is None else (1, natural_order(str(value)))


def read(store: Store, run: Row, key: str, value: dict[str, Any]) -> Table | None:
    """A table; None if its file is gone, too large, or no table. A copy in an artifact comes first: it has pictures."""
    artifact, path = _artifact(store, value), value.get("path")
    inside = str(value.get("artifact_path")).removeprefix(CLIENT_ARTIFACT).partition("/")[2]
    file = artifacts.entry(store.db, artifact, inside) if artifact is not None else None
    if file is None or file["sha256"] is None:
        file = files.find(store.db, run["id"], path) if isinstance(path, str) else None
    found = read_json(store, file, MAX_TABLE) if file else None
    if not isinstance(found, dict):
        return None
    columns, rows = found.get("columns"), found.get("data")
    if not isinstance(columns, list) or not isinstance(rows, list):
        return None
    return Table(key, [str(name) for name in columns], [row for row in rows if isinstance(row, list)], artifact)


def _artifact(store: Store, value: dict[str, Any]) -> int | None:
    place = value.get("artifact_path")
    if not isinstance(place, str) or not place.startswith(CLIENT_ARTIFACT):
        return None
    row = artifacts.by_client_id(store.db, place.removeprefix(CLIENT_ARTIFACT).partition("/")[0])
    return None if row is None else int(row["id"])


def _sample(store: Store, run: Row, key: str, value: dict[str, Any]) -> Table | None:
    found = read(store, run, key, value)
    return found and Table(key, found.columns, found.rows[:SAMPLE], found.artifact)


def picture(store: Store, table: Table, cell: Any, sign: Callable[[str], str]) -> dict[str, Any] | None:
    """A picture in a cell with its masks, as by `image_viewer.load_layers`; None if the cell holds none."""
    found = pictures_in("", cell) if isinstance(cell, dict) and cell.get("_type") == "image-file" else []
    url = _url(store.db, table, found[0].path, sign) if found else None
    if url is None:
        return None
    masks: list[dict[str, Any]] = []
    labels = _class_labels(store, table, cell) if found[0].masks else {}
    for name, path in sorted(found[0].masks.items(), key=lambda item: item[0].lower() not in TRUTH):
        if (mask := _url(store.db, table, path, sign)) is not None:
            masks.append(mask_layer(name, mask, labels, len(masks)))
    return {"picture": found[0], "url": url, "masks": masks, "boxes": [], "compared": None}


def _class_labels(store: Store, table: Table, cell: dict[str, Any]) -> dict[str, str]:
    """Number of a class → its name, in ascending order, for all masks of a cell: a file of the table's artifact."""
    path = as_object(cell.get("classes")).get("path")
    file = _entry(store.db, table, path) if isinstance(path, str) else None
    found = as_object(read_json(store, file, MAX_CLASSES) if file else None).get("class_set")
    labels = {str(each.get("id")): str(each.get("name")) for each in map(as_object, as_list(found))}
    return dict(sorted(labels.items(), key=lambda item: natural_order(item[0])))


def _url(db: Connection, table: Table, path: str, sign: Callable[[str], str]) -> str | None:
    entry = _entry(db, table, path)
    if entry is None:
        return None
    return sign(storage_paths.artifact_file(entry["artifact_id"], entry["digest"], entry["path"]))


def _entry(db: Connection, table: Table, path: str) -> Row | None:
    """A stored file of the table's artifact."""
    entry = artifacts.entry(db, table.artifact, path) if table.artifact else None
    return entry if entry and entry["sha256"] is not None else None


def _plots(store: Store, run: Row, tables: dict[str, dict[str, Any]]) -> tuple[list[Markup], set[str]]:
    """Plots that the client defined over its tables, and the names of these tables."""
    drawn, used = [], set[str]()
    for key, (kind, fields, title, name) in definitions(run["config"]):
        found = read(store, run, name, tables[name]) if name in tables else None
        figure = plots.draw(kind, fields, title or key, found.records) if found else None
        if figure is not None:
            drawn.append(figure)
            used.add(name)
    return drawn, used


def definitions(config: str) -> Iterator[tuple[str, tuple[str, dict[str, str], str, str]]]:
    """Key → kind, fields, title and table of each plot that the client defined."""
    for key, panel in sorted(as_object(wandb_section(config).get("visualize")).items()):
        settings = panel.get("panel_config") if isinstance(panel, dict) else None
        if not isinstance(settings, dict) or panel.get("panel_type") != "Vega2":
            continue
        fields, words = (texts(settings.get(each)) for each in ("fieldSettings", "stringSettings"))
        name = table_key(settings.get("userQuery")) or f"{key}_table"
        yield key, (str(settings.get("panelDefId")), fields, words.get("title", ""), name)


def texts(value: Any) -> dict[str, str]:
    items = value.items() if isinstance(value, dict) else ()
    return {key: text for key, text in items if isinstance(text, str)}


def table_key(query: Any) -> str | None:
    """The argument `tableKey` at any place of a query."""
    if isinstance(query, dict):
        if query.get("name") == "tableKey" and isinstance(query.get("value"), str):
            return str(query["value"])
        query = list(query.values())
    parts = query if isinstance(query, list) else ()
    return next((found for part in parts if (found := table_key(part)) is not None), None)


def _histograms(db: Connection, run: Row, keys: list[str]) -> list[Markup]:
    """The last histogram of each key, and a heat map over the steps if there are several."""
    drawn = []
    for key in sorted(keys):
        found = [(step, *parts) for step, parts in _bins(db, run["id"], key)]
        if not found:
            continue
        step, counts, edges = found[-1]
        drawn.append(plots.draw_bins(key, counts, edges, f"step {step}"))
        if len(found) > 1:
            columns = _on_one_axis(found)
            low, high = min(edges[0] for *_, edges in found), max(edges[-1] for *_, edges in found)
            drawn.append(plots.heat_map(key, columns, low, high, f"over {len(found)} steps"))
    return drawn


def _bins(db: Connection, run_id: int, key: str) -> Iterator[tuple[int, tuple[list[float], list[float]]]]:
    for step, row in streams.history_rows(db, run_id, 0, [key.partition(".")[0]]):
        if (parts := _parts(flatten_media(row).get(key))) is not None:
            yield step, parts


def _parts(value: Any) -> tuple[list[float], list[float]] | None:
    """Counts and edges of a histogram; None if it is invalid."""
    if not isinstance(value, dict) or value["_type"] != "histogram":
        return None
    counts, edges = value.get("values"), value.get("bins")
    packed = value.get("packedBins")
    if edges is None and isinstance(packed, dict) and isinstance(counts, list):
        low, size = packed.get("min"), packed.get("size")
        if isinstance(low, int | float) and isinstance(size, int | float):
            edges = [low + i * size for i in range(len(counts) + 1)]
    if not isinstance(counts, list) or not isinstance(edges, list) or len(edges) != len(counts) + 1:
        return None
    numbers = all(isinstance(each, int | float) for each in (*counts, *edges))
    return (counts, edges) if numbers and len(counts) and edges[0] <= edges[-1] else None


def _on_one_axis(found: list[tuple[int, list[float], list[float]]]) -> list[tuple[float, list[float]]]:
    """Every histogram in the same bins, over the whole range of all of them."""
    low, high = min(edges[0] for *_, edges in found), max(edges[-1] for *_, edges in found)
    span = (high - low) or 1.0
    columns = []
    for step, counts, edges in found:
        shared = [0.0] * plots.BINS
        for count, left, right in zip(counts, edges, edges[1:], strict=False):
            shared[min(int(((left + right) / 2 - low) / span * plots.BINS), plots.BINS - 1)] += count
        columns.append((float(step), shared))
    return columns


def _media(
    store: Store, link: Link, run: Row, found: dict[str, dict[str, Any]]
) -> tuple[list[dict[str, Any]], list[tuple[str, str]]]:
    shown, others = [], []
    quiet = {"table-file", "histogram", "image-file", "images/separated"}
    for key, value in sorted(found.items()):
        kind = value["_type"]
        items = value.get(LISTS[kind]) if kind in LISTS else [value]
        for item in items if isinstance(items, list) else []:
            path = item.get("path") if isinstance(item, dict) else None
            how = SHOWN_BY.get(item.get("_type", "")) if isinstance(item, dict) else None
            if kind in quiet:
                continue
            if how and isinstance(path, str) and files.find(store.db, run["id"], path):
                how = "image" if (mimetypes.guess_type(path)[0] or "").startswith("image/") else how
                caption = item.get("caption")
                text = caption if isinstance(caption, str) else ""
                shown.append({"key": key, "kind": how, "url": link(run, path), "caption": text})
            else:
                others.append((key, kind))
    return shown, others
