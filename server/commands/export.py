"""`python -m server export ENTITY/PROJECT --out FOLDER`: a project as Parquet and JSON, for other programs."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from common.files import beside
from server.commands import command_parser
from server.commands.parquet import write_history, write_runs
from server.commands.push import get_project
from server.jsontext import config_values, load_object, to_strict_json
from server.store import Connection, Row, StoreError, artifacts, collections, files, runs, sweeps
from server.store.disk.disk_errors import explain
from server.store.folder.maintenance import open_read_only


def main(arguments: list[str]) -> int:
    parser = command_parser(
        "export",
        "Write a project's runs and history as Parquet, and its configurations, summaries, files, sweeps "
        "and artifacts as JSON. Works while the server runs, and shows one moment.",
    )
    parser.add_argument("project", metavar="ENTITY/PROJECT")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="must not exist")
    options = parser.parse_args(arguments)
    if options.out.exists():
        raise StoreError(f"{options.out} exists already: give another --out.")
    try:
        with open_read_only(options.dir) as db, beside(options.out) as unfinished:
            project = get_project(db, options.dir, options.project)
            unfinished.mkdir(parents=True)
            said = _write(db, project, unfinished)
    except OSError as error:
        raise StoreError(f"{options.out} cannot be written: {explain(error)}.") from error
    print(f"{options.out}: {said}")
    return 0


def _write(db: Connection, project: Row, out: Path) -> str:
    rows = [runs.by_id(db, run_id) for run_id in runs.ids(db, project["id"])]
    write_runs(rows, out / "runs.parquet")
    lines = write_history(db, rows, out / "history.parquet")
    versions = artifacts.of_project(db, project["id"])
    _json(out / "configs.json", {run["name"]: config_values(load_object(run["config"])) for run in rows})
    _json(out / "summaries.json", {run["name"]: load_object(run["summary"]) for run in rows})
    _json(out / "files.json", {run["name"]: [_file(file) for file in files.of_run(db, run["id"])] for run in rows})
    _json(out / "sweeps.json", [_sweep(db, sweep) for sweep in sweeps.of_project(db, project["id"])])
    _json(out / "artifacts.json", [_artifact(db, version) for version in versions])
    return f"{len(rows)} runs, {lines} rows of history, {len(versions)} artifact versions"


def _json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(to_strict_json(value), indent=1, ensure_ascii=False) + "\n")


def _file(file: Row) -> Row:
    return {"name": file["name"], "size": file["size"], "md5": file["md5"], "sha256": file["sha256"]}


def _sweep(db: Connection, sweep: Row) -> Row:
    names = ("number", "run", "run_state", "origin", "stop_reason")
    return {
        **{name: sweep[name] for name in ("name", "display_name", "description", "state", "seed", "config")},
        "created_at": _time(sweep["created_at"]),
        "suggestions": [
            {name: item[name] for name in names} | {"params": load_object(item["params"])}
            for item in sweeps.suggestions(db, sweep["id"])
        ],
    }


def _artifact(db: Connection, version: Row) -> Row:
    collection = collections.by_id(db, version["collection_id"])
    return {
        "name": f"{collection['name']}:v{version['version']}",
        "type": collection["type"],
        "aliases": collections.alias_names(db, version["id"], collection["id"]),
        "digest": version["digest"],
        "size": version["size"],
        "description": version["description"],
        "metadata": load_object(version["metadata"]),
        "created_at": _time(version["created_at"]),
        "logged_by": runs.by_id(db, version["run_id"])["name"] if version["run_id"] else None,
        "used_by": [runs.by_id(db, run_id)["name"] for run_id in artifacts.run_ids_using(db, version["id"])],
        "manifest": {
            entry["path"]: {name: entry[name] for name in ("size", "digest", "ref", "sha256")}
            for entry in artifacts.entries(db, version["id"])
        },
    }


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
