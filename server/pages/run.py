"""One run."""

import re
from typing import Any

from server import addresses
from server.jsontext import load_object
from server.pages.curves import charts
from server.pages.home import config_of, plain, sees
from server.pages.media import pictures
from server.security import Signer
from server.store import Row, Store, artifacts, collections, files, lines, projects, runs
from server.store.users import Person

MAX_ROWS = 2000
CONSOLE_LINES = 200


def gather(store: Store, signer: Signer, run: Row, person: Person) -> dict[str, Any]:
    db = store.db
    rows = [load_object(line) for line in lines.contents(db, "history", run["id"], MAX_ROWS)]
    found = files.of_run(db, run["id"])
    used = [row for row in artifacts.used_by(db, run["id"]) if sees(store, person, "Artifact", row)]

    def link(file: Row) -> Row:
        path = addresses.run_file(run["id"], file["name"])
        return file | {"url": signer.url("", "GET", path, person.number, store.clock())}

    links = {file["name"]: link(file)["url"] for file in found}
    return {
        "project": projects.by_id(db, run["project_id"]),
        "run": run,
        "config": dict(sorted(config_of(run).items())),
        "summary": dict(sorted(plain(load_object(run["summary"])).items())),
        "charts": charts(rows),
        "n_rows": lines.count(db, "history", run["id"]),
        "console": [clean(line) for line in lines.tail(db, "console", run["id"], CONSOLE_LINES)],
        "n_lines": lines.count(db, "console", run["id"]),
        "files": [link(file) for file in found],
        "pictures": [
            {
                "picture": picture,
                "url": links[picture.path],
                "masks": {name: links[path] for name, path in picture.masks.items() if path in links},
            }
            for picture in pictures(rows)
            if picture.path in links
        ],
        "logged": [_named(store, artifact) for artifact in artifacts.logged_by(db, run["id"])],
        "used": [_named(store, artifact) for artifact in used],
        "alerts": runs.alerts(db, run["id"]),
        "refresh": 5 if run["state"] in (*runs.ALIVE, "pending") else None,
    }


def _named(store: Store, artifact: Row) -> Row:
    collection = collections.by_id(store.db, artifact["collection_id"])
    aliases = [alias["alias"] for alias in collections.aliases(store.db, artifact["id"], collection["id"])]
    return artifact | {"name": collection["name"], "type": collection["type"], "aliases": aliases}


def clean(line: str) -> str:
    """A console line without its time stamp and colours."""
    text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", line.rstrip("\n"))
    return re.sub(r"^(?:(ERROR) )?\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z? ", r"", text)
