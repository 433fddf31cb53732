"""One run: its head and its tabs."""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from starlette.datastructures import QueryParams

from server import storage_paths
from server.access.signatures import Signer
from server.jsontext import as_object, load_object, load_objects, wandb_section
from server.pages import query_string, run_table
from server.pages.access_control import may_see
from server.pages.charts import lineage, metric_charts, step_metrics
from server.pages.detail import console, file_browser
from server.pages.media import image_viewer, wandb_tables
from server.pages.media.images import MAX_IMAGES
from server.pages.media.images import pictures as last_pictures
from server.pages.render import format_time, part, project_address, run_address, run_label
from server.pages.run_table.columns import Column, best_key, is_judged, sweep_goals
from server.pages.run_table.fields import config_of, leading_metrics, logged_values
from server.store import Connection, Row, Store, artifacts, collections, files, projects, runs, streams
from server.store.users import Person

TABS = {
    "": "Charts",
    "overview": "Overview",
    "pictures": "Pictures",
    "media": "Tables and media",
    "system": "System",
    "logs": "Console",
    "files": "Files",
    "artifacts": "Artifacts",
}
MAX_HISTORY = 16 << 20  # characters of history that a page reads
RARE, MAX_RARE = 2000, 20  # rows of a metric that is always read whole, and the number of such metrics
ROWS_PER_SECOND = 5000  # of a run that goes on, between two looks at all of them
MAX_LISTED = 1000  # files, artifacts
SYSTEM_SAMPLES = 2000
RUNTIME = step_metrics.Axes({}, ((re.compile(".*", re.DOTALL), "_runtime"),))


class Page:
    """Arguments of all tabs: the store, the run, the reader, and the query string."""

    def __init__(self, store: Store, signer: Signer, run: Row, person: Person, query: QueryParams) -> None:
        self.store, self.run, self.person, self.query = store, run, person, query
        self._signer = signer

    @property
    def db(self) -> Connection:
        return self.store.db

    def signed_url(self, path: str) -> str:
        return self._signer.url("", "GET", path, self.person.number, self.store.clock())

    def link(self, run: Row, name: str) -> str:
        return self.signed_url(storage_paths.run_file(run["id"], name))

    def number(self, name: str) -> int | None:
        text = self.query.get(name, "")
        return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None


def gather(page: Page, tab: str, rest: str) -> dict[str, Any] | None:
    """Values of a tab; None if it does not exist. `rest`: the part of the address after the tab."""
    db, run = page.db, page.run
    own = SHOWN[tab](page, rest)
    if own is None:
        return None
    alive = run["state"] in (*runs.ALIVE, "pending")
    n_rows = streams.count(db, "history", run["id"])
    return own | {
        "project": projects.by_id(db, run["project_id"]),
        "run": run | {"namesake": True},
        "tab": tab,
        "tabs": {name: title for name, title in TABS.items() if name != "pictures" or image_viewer.keys(db, run["id"])},
        "alerts": runs.alerts(db, run["id"]),
        "stop_reason": runs.values_of(db, [run["id"]], ["stop_reason"])[run["id"]][0],
        "may_change": page.person.owns(run["entity"]),
        "is_alive": alive,
        "tags": tags(run),
        "refresh": max(5, n_rows // ROWS_PER_SECOND) if alive else None,
    }


def tags(run: Row) -> list[str]:
    return [str(tag) for tag in load_object(f'{{"tags": {run["tags"]}}}').get("tags", [])]


def charts(page: Page, rest: str) -> dict[str, Any]:
    db, run = page.db, page.run
    share = min(1.0, MAX_HISTORY / max(1, streams.history_length(db, run["id"])))
    rare = _rare_keys(db, run["id"]) if share < 1 else []
    survey = metric_charts.Survey(step_metrics.read(run["config"]))
    shown = last_pictures(survey.watch(_rows(db, run["id"], share, rare)))
    present = image_viewer.uploaded_files(db, run["id"], shown[:MAX_IMAGES])
    search, view = page.query.get("search", ""), query_string.view(page.query)
    goals = sweep_goals(page.store, run["project_id"])
    shown_best = leading_metrics(run, [*goals])
    return {
        "curves": metric_charts.page(survey, _rows(db, run["id"], share, rare), page.number("page") or 1, search, view),
        "view": view,
        "search": search,
        "n_rows": streams.count(db, "history", run["id"]),
        "share": share,
        "best": shown_best,
        "lasts": {key: _worse_last(page.store, run, key, value, goals) for key, value in shown_best.items()},
        "filters": image_viewer.filters(),
        "pictures": [
            image_viewer.load_layers(page.store, page.link, run, picture, present)
            for picture in shown[:MAX_IMAGES]
            if picture.path in present
        ],
        "n_pictures": len(shown),
    }


def _worse_last(store: Store, run: Row, key: str, value: float, goals: Mapping[str, bool]) -> float | None:
    column = Column(best_key(key, goals.get(key)))
    return run_table.worse_last(store, run, column, value) if key in goals or is_judged(key) else None


def overview(page: Page, rest: str) -> dict[str, Any]:
    run = page.run
    internal = wandb_section(run["config"])
    started = [as_object(each) for each in as_object(internal.get("e")).values()]
    facts = started[-1] if started else {}
    names = {file["name"] for file in files.of_run(page.db, run["id"], ["requirements.txt", "diff.patch"])}
    code = [file["name"] for file in files.of_run(page.db, run["id"], pattern="code/%")]
    return {
        "config": dict(sorted(config_of(run).items())),
        "summary": dict(sorted(logged_values(load_object(run["summary"])).items())),
        "command": command(run, facts),
        "versions": versions(internal, facts),
        "commit": run["commit_hash"] or _text(as_object(facts.get("git")).get("commit")),
        "repo": run["repo"] or _text(as_object(facts.get("git")).get("remote")),
        "code": [*code[:20], *sorted(names)],
    }


def command(run: Row, facts: dict[str, Any]) -> str:
    """The command line that starts the run again."""
    program = _text(facts.get("codePath")) or _text(facts.get("program")) or run["program"] or ""
    arguments = facts.get("args")
    words = [str(word) for word in arguments] if isinstance(arguments, list) else []
    if program.startswith("-m "):
        return " ".join(["python", program, *words])
    return " ".join(["python", program, *words]) if program else ""


def versions(internal: dict[str, Any], facts: dict[str, Any]) -> dict[str, str]:
    """Versions of the machine's software, as far as the client reports them."""
    memory = as_object(facts.get("memory")).get("total")
    whole = int(memory) if isinstance(memory, str) and memory.isdecimal() and len(memory) < 19 else 0
    found = {
        "Python": _text(facts.get("python")) or _text(internal.get("python_version")),
        "wandb": _text(internal.get("cli_version")),
        "system": _text(facts.get("os")),
        "processor": _text(as_object(facts.get("cpu")).get("model")),
        "cores": str(facts.get("cpu_count_logical") or facts.get("cpu_count") or ""),
        "GPU": _text(facts.get("gpu")),
        "memory": f"{whole / 2**30:.0f} GiB" if whole else "",
        "executable": _text(facts.get("executable")),
    }
    return {name: text for name, text in found.items() if text}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def show_pictures(page: Page, rest: str) -> dict[str, Any] | None:
    keys = image_viewer.keys(page.db, page.run["id"])
    key = page.query.get("key") or (keys[0] if keys else "")
    shown = image_viewer.gather(page.store, page.link, page.run, key, page.number("at"), page.number("index") or 0)
    return shown and shown | {"keys": keys}


def media(page: Page, key: str) -> dict[str, Any] | None:
    """Values of the tab; with `key`, those of that table, shown whole."""

    shared = {
        "picture": partial(wandb_tables.picture, page.store, sign=page.signed_url),
        "filters": image_viewer.filters(),
    }
    if not key:
        return wandb_tables.gather(page.store, page.link, page.run) | shared | {"whole": None}
    chosen = {name: page.query.get(name, "") for name in ("sort", "down", "search")}
    whole = wandb_tables.table(
        *(page.store, page.run, key, chosen["sort"], chosen["down"] == "1"),
        *(chosen["search"], page.number("page") or 1),
    )
    return whole and shared | {"whole": whole | chosen}


def system(page: Page, rest: str) -> dict[str, Any]:
    """Loads of the machine against the seconds since the start."""
    found = load_objects(streams.contents(page.db, "system_metrics", page.run["id"], SYSTEM_SAMPLES))
    rows = [{key.removeprefix("system."): value for key, value in row.items()} for row in found]
    survey = metric_charts.Survey(RUNTIME)
    for row in rows:
        survey.add(row)
    search, view = page.query.get("search", ""), query_string.view(page.query)
    return {
        "curves": metric_charts.page(survey, rows, page.number("page") or 1, search, view, separator="."),
        "search": search,
        "view": view,
        "n_rows": streams.count(page.db, "system_metrics", page.run["id"]),
    }


def show_console(page: Page, rest: str) -> dict[str, Any]:
    return console.gather(page.store, page.run, page.query.get("search", ""), page.number("from"))


def file_tree(page: Page, rest: str) -> dict[str, Any] | None:
    """A folder of the run's files, or a preview of one of them."""
    found = files.of_run(page.db, page.run["id"])
    file = next((each for each in found if each["name"] == rest), None)
    if file is not None:
        shown = file_browser.preview(rest, page.store.blobs.path(file["sha256"]), file["size"])
        url = page.link(page.run, rest)
        return {"file": file | shown | {"url": url}, "above": file_browser.parents(rest)}
    tree = file_browser.listing(found, rest)
    return {"file": None, **tree} if tree["folders"] or tree["files"] or not rest else None


def graph(page: Page, rest: str) -> dict[str, Any]:
    """Artifacts that the run used and logged."""
    db, run, store = page.db, page.run, page.store
    used = [row for row in artifacts.used_by_run(db, run["id"]) if may_see(store, page.person, "Artifact", row)]
    logged = artifacts.logged_by_run(db, run["id"])
    before, after = ([_describe_artifact(store, row) for row in some[:MAX_LISTED]] for some in (used, logged))
    here = lineage.Node("run", run_label(run), "")
    return {
        "graph": lineage.graph([artifact_node(row) for row in before], here, [artifact_node(row) for row in after]),
        "used": before,
        "logged": after,
        "n_artifacts": len(logged) + len(used),
    }


def artifact_node(artifact: Row) -> lineage.Node:
    return lineage.Node("artifact", f"{artifact['name']}:v{artifact['version']}", artifact["address"], artifact["type"])


def run_node(run: Row) -> lineage.Node:
    return lineage.Node("run", run_label(run), run_address(run), format_time(run["started_at"])[:10])


def _describe_artifact(store: Store, artifact: Row) -> Row:
    collection = collections.by_id(store.db, artifact["collection_id"])
    project = projects.by_id(store.db, collection["project_id"])
    aliases = collections.alias_names(store.db, artifact["id"], collection["id"])
    place = f"{project_address(project)}/artifacts/{part(collection['type'])}/{part(collection['name'])}"
    found = {"name": collection["name"], "type": collection["type"], "aliases": aliases}
    return artifact | found | {"address": f"{place}/v{artifact['version']}"}


def _rare_keys(db: Connection, run_id: int) -> list[str]:
    """Keys that few rows have."""
    types = {key: entry["typeCounts"] for key, entry in streams.keys(db, run_id)["keys"].items()}
    return [key for key, found in types.items() if sum(each["count"] for each in found) <= RARE][:MAX_RARE]


def _rows(db: Connection, run_id: int, share: float, rare: list[str]) -> Iterator[dict[str, Any]]:
    """History with a number as `_step` in each row."""
    for step, row in streams.history_rows(db, run_id, share, rare):
        if type(row.get("_step")) not in (int, float):
            row["_step"] = step
        yield row


SHOWN: dict[str, Callable[[Page, str], dict[str, Any] | None]] = {
    "": charts,
    "overview": overview,
    "pictures": show_pictures,
    "media": media,
    "system": system,
    "logs": show_console,
    "files": file_tree,
    "artifacts": graph,
}
"""Tab → the function of its values, from the rest of its address; None if nothing is there."""
