"""Runs and history as Parquet files. A key has one type in the whole project: that of its values, else JSON text."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from server.jsontext import config_values, flatten, load_object
from server.store import Connection, Row, streams

PAGE = 10_000
TYPES = {"number": pa.float64(), "string": pa.string(), "boolean": pa.bool_()}
_MOMENT = pa.timestamp("us", tz="UTC")
RUN_COLUMNS = {
    **{name: pa.string() for name in ("name", "display_name", "state", "sweep", "group_name", "job_type", "notes")},
    **{name: pa.string() for name in ("username", "host", "commit_hash")},
    "tags": pa.list_(pa.string()),
    "exit_code": pa.int64(),
    **dict.fromkeys(("created_at", "started_at", "heartbeat_at", "finished_at"), _MOMENT),
}


def write_runs(rows: list[Row], path: Path) -> None:
    """One row per run: its columns, then `config.KEY` and `summary.KEY` for every key that any run has."""
    flat = [
        {f"config.{key}": value for key, value in flatten(config_values(load_object(run["config"]))).items()}
        | {f"summary.{key}": value for key, value in flatten(load_object(run["summary"])).items()}
        for run in rows
    ]
    keys = {key: None for values in flat for key in values}
    types = {key: _type_of([values[key] for values in flat if key in values]) for key in keys}
    schema = pa.schema([*RUN_COLUMNS.items(), *types.items()])
    content = [
        {name: _run_value(run[name], kind) for name, kind in RUN_COLUMNS.items()}
        | {key: _value(value, types[key]) for key, value in values.items()}
        for run, values in zip(rows, flat, strict=True)
    ]
    pq.write_table(pa.Table.from_pylist(content, schema), path)


def write_history(db: Connection, rows: list[Row], path: Path) -> int:
    """One row per line of history: `run`, `line`, `step`, then every key. Returns their number; streams pages."""
    types = _history_types(db, rows)
    schema = pa.schema([("run", pa.string()), ("line", pa.int64()), ("step", pa.int64()), *types.items()])
    n = 0
    with pq.ParquetWriter(path, schema) as writer:
        for run in rows:
            for page in streams.history_pages(db, run["id"], PAGE):
                content = [_history_row(run["name"], line, types) for line in page]
                writer.write_table(pa.Table.from_pylist(content, schema))
                n += len(page)
    return n


def _history_types(db: Connection, rows: list[Row]) -> dict[str, pa.DataType]:
    seen: dict[str, set[str]] = {}
    for run in rows:
        for key, counts in streams.keys(db, run["id"])["keys"].items():
            seen.setdefault(key, set()).update(entry["type"] for entry in counts["typeCounts"])
    reserved = {"run", "line", "step", "_step"}
    return {
        key: TYPES.get("".join(kinds - {"nil"}), pa.string())
        for key, kinds in sorted(seen.items())
        if key not in reserved
    }


def _history_row(run: str, line: Row, types: dict[str, pa.DataType]) -> Row:
    values = load_object(line["content"])
    found = {key: _value(values[key], kind) for key, kind in types.items() if key in values}
    return {"run": run, "line": line["line"], "step": line["step"]} | found


def _type_of(values: list[Any]) -> pa.DataType:
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return pa.bool_()
    if kinds == {int} and all(abs(value) < 2**63 for value in values if value is not None):
        return pa.int64()
    return pa.float64() if kinds and kinds <= {int, float} else pa.string()


def _value(value: Any, kind: pa.DataType) -> Any:
    if value is None:
        return None
    if kind == pa.float64():
        return float(value) if isinstance(value, int | float) else None
    if kind == pa.string() and not isinstance(value, str):
        return json.dumps(value)
    return value


def _run_value(value: Any, kind: pa.DataType) -> Any:
    if kind == _MOMENT and value is not None:
        return datetime.fromtimestamp(value, UTC)
    return json.loads(value) if isinstance(kind, pa.ListType) else value
