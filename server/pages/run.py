"""One run."""

import re
from collections.abc import Iterator
from typing import Any

from server import addresses
from server.jsontext import load_object, load_objects
from server.pages import axes, curves
from server.pages.home import config_of, plain, sees
from server.pages.media import MAX_IMAGES, pictures
from server.security import Signer
from server.store import Connection, Row, Store, artifacts, collections, files, lines, projects, runs
from server.store.users import Person

MAX_HISTORY = 16 << 20  # characters of history that a page reads
RARE, MAX_RARE = 2000, 20  # rows of a metric that is read whole nevertheless, and how many of these
PAGE = 500  # rows that are read at once
ROWS_PER_SECOND = 5000  # of a run that goes on, between two looks at all of them
MAX_LINE = 5000  # characters of a console line
CONSOLE_LINES = 200
MAX_LISTED = 1000  # files, artifacts


def gather(store: Store, signer: Signer, run: Row, person: Person, page: int = 1) -> dict[str, Any]:
    """`page`: which of its charts, from 1."""
    db = store.db
    share = min(1.0, MAX_HISTORY / max(1, lines.history_length(db, run["id"])))
    rare = _rare(db, run["id"]) if share < 1 else []
    survey = curves.Survey(axes.read(run["config"]))
    shown = pictures(survey.watch(_rows(db, run["id"], share, rare)))
    n_rows = lines.count(db, "history", run["id"])
    found = files.of_run(db, run["id"])
    used = [row for row in artifacts.used_by(db, run["id"]) if sees(store, person, "Artifact", row)]
    logged = artifacts.logged_by(db, run["id"])

    def link(file: Row) -> Row:
        path = addresses.run_file(run["id"], file["name"])
        return file | {"url": signer.url("", "GET", path, person.number, store.clock())}

    wanted = {path for picture in shown[:MAX_IMAGES] for path in (picture.path, *picture.masks.values())}
    links = {file["name"]: link(file)["url"] for file in found if file["name"] in wanted}
    return {
        "project": projects.by_id(db, run["project_id"]),
        "run": run,
        "config": dict(sorted(config_of(run).items())),
        "summary": dict(sorted(plain(load_object(run["summary"])).items())),
        "curves": curves.page(survey, _rows(db, run["id"], share, rare), page),
        "n_rows": n_rows,
        "share": share,
        "console": [clean(line)[:MAX_LINE] for line in lines.tail(db, "console", run["id"], CONSOLE_LINES)],
        "n_lines": lines.count(db, "console", run["id"]),
        "files": [link(file) for file in found[:MAX_LISTED]],
        "n_files": len(found),
        "pictures": [
            {
                "picture": picture,
                "url": links[picture.path],
                "masks": {name: links[path] for name, path in picture.masks.items() if path in links},
            }
            for picture in shown[:MAX_IMAGES]
            if picture.path in links
        ],
        "n_pictures": len(shown),
        "logged": [_named(store, artifact) for artifact in logged[:MAX_LISTED]],
        "used": [_named(store, artifact) for artifact in used[:MAX_LISTED]],
        "n_artifacts": len(logged) + len(used),
        "alerts": runs.alerts(db, run["id"]),
        "refresh": max(5, n_rows // ROWS_PER_SECOND) if run["state"] in (*runs.ALIVE, "pending") else None,
    }


def _rare(db: Connection, run_id: int) -> list[str]:
    """Keys that few rows have."""
    types = {key: entry["typeCounts"] for key, entry in lines.keys(db, run_id)["keys"].items()}
    return [key for key, found in types.items() if sum(each["count"] for each in found) <= RARE][:MAX_RARE]


def _rows(db: Connection, run_id: int, share: float, rare: list[str]) -> Iterator[dict[str, Any]]:
    """History with a number as `_step` in each row."""
    for page in lines.history_share(db, run_id, share, rare, PAGE):
        for (step, _), row in zip(page, load_objects([content for _, content in page]), strict=True):
            if type(row.get("_step")) not in (int, float):
                row["_step"] = step
            yield row


def _named(store: Store, artifact: Row) -> Row:
    collection = collections.by_id(store.db, artifact["collection_id"])
    aliases = [alias["alias"] for alias in collections.aliases(store.db, artifact["id"], collection["id"])]
    return artifact | {"name": collection["name"], "type": collection["type"], "aliases": aliases}


def clean(line: str) -> str:
    """A console line without its time stamp and colours."""
    text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", line.rstrip("\n"))
    return re.sub(r"^(?:(ERROR) )?\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z? ", r"", text)
