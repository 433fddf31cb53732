"""One project: a table of its runs, its sweeps, artifacts and reports."""

import csv
import io
import json
from functools import partial
from typing import Any

from starlette.datastructures import QueryParams

from server.pages import query_string, run_table
from server.pages.overview.home import describe_sweeps
from server.pages.render import format_time, mark_namesakes
from server.pages.run_table.columns import Column
from server.pages.run_table.filter_syntax import PLAIN, equality_term, join
from server.store import Row, Store, collections, runs, sweeps, views

FIRST = ("display_name", "state")
MAX_LISTED, MAX_ALERTS = 200, 20
MAX_KEYS = 400
REFRESH = 10  # seconds


def gather(store: Store, project: Row, asked: QueryParams) -> dict[str, Any]:
    table = run_table.gather(store, project["id"], asked, first=FIRST)
    found = sweeps.of_project(store.db, project["id"])
    saved = views.of_project(store.db, project["id"], "runs", None)
    return {
        "project": project,
        "table": table,
        "n_all": runs.count(store.db, project["id"]),
        "asked": asked,
        "url": partial(query_string.address, asked),
        "chooser": chooser(table, asked),
        "sweeps": describe_sweeps(store, found[:MAX_LISTED]),
        "collections": collections.of_project(store.db, project["id"])[:MAX_LISTED],
        "reports": saved[:MAX_LISTED],
        "alerts": mark_namesakes(runs.project_alerts(store.db, project["id"], MAX_ALERTS)),
        "refresh": REFRESH if runs.any_alive(store.db, project["id"]) else None,
    }


def chooser(table: run_table.Table, asked: QueryParams) -> list[tuple[str, list[tuple[Column, bool]]]]:
    """Columns to choose from, by kind, and whether each is shown."""
    shown = {column.key for column in table.columns}
    plain = [Column(key) for key in PLAIN]
    kinds = {"metrics": table.keys.metrics, "texts": table.keys.texts, "settings": table.keys.settings, "runs": plain}
    return [(kind, [(column, column.key in shown) for column in columns[:MAX_KEYS]]) for kind, columns in kinds.items()]


def group_terms(table: run_table.Table, group: run_table.Group, asked: QueryParams) -> str:
    """The filter that the runs of a group pass."""
    pairs = zip(table.grouping, group.values, strict=True)
    return join([asked.get("q", ""), *(equality_term(column.title, value) for column, value in pairs)])


def as_csv(store: Store, project: Row, asked: QueryParams, **table: Any) -> str:
    """All rows of the table that is shown, with its columns; groups with mean, deviation and n of each metric."""
    found = run_table.gather(store, project["id"], asked, everything=True, **table)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if found.grouping:
        spread = [f"{column.title}{what}" for column in found.columns for what in ("", " sd", " n")]
        writer.writerow([*map(_title, found.grouping), "n", *map(_cell, spread)])
        for group in found.groups:
            cells = [part for cell in group.cells for part in cell or ("", "", 0)]
            writer.writerow([*map(_cell, group.values), len(group.run_ids), *map(_cell, cells)])
        return text.getvalue()
    writer.writerow(["id", *map(_title, found.columns)])
    for row in found.rows:
        cells = [
            format_time(cell) if column.key == "created_at" else cell
            for column, cell in zip(found.columns, row["cells"], strict=True)
        ]
        writer.writerow([_cell(row["name"]), *map(_cell, cells)])
    return text.getvalue()


def _title(column: Column) -> str:
    return str(_cell(column.title))


def _cell(value: Any) -> Any:
    """A cell of a CSV; text that a spreadsheet would take for a formula gets an apostrophe before it."""
    if value is None or type(value) in (int, float):
        return value
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
