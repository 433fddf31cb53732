"""`python -m server push ENTITY/PROJECT --to URL`: send a project to another W&B server."""

import os
from pathlib import Path

from common.names import check_name
from common.text import plural, some
from server.commands import command_parser
from server.push import artifacts as pushed_artifacts
from server.push import runs as pushed_runs
from server.push import sweeps as pushed_sweeps
from server.push.remote import Remote
from server.store import Connection, Row, StoreError, projects, runs
from server.store.folder.maintenance import open_read_only


def main(arguments: list[str]) -> int:
    parser = command_parser(
        "push",
        "Send a project to another W&B server: runs under the same ids, history, files, sweeps and "
        "artifacts. Only new things are sent, so repeat a push that was cut off. Works while the server runs. The "
        "environment variable WANDB_API_KEY holds the key of the other server.",
    )
    parser.add_argument("project", metavar="ENTITY/PROJECT")
    parser.add_argument("--to", required=True, metavar="URL", help="the other server, such as https://api.wandb.ai")
    parser.add_argument("--as", dest="target", metavar="ENTITY/PROJECT", help="its name there (default: the same)")
    options = parser.parse_args(arguments)
    key = os.environ.get("WANDB_API_KEY")
    if not key:
        raise StoreError("WANDB_API_KEY is not set: it must hold the key of the other server.")
    entity, project = split_name(options.target or options.project)
    remote = Remote(options.to, key, check_name("entity", entity), check_name("project", project))
    with open_read_only(options.dir, moment=False) as db:
        _push(db, options.dir, remote, get_project(db, options.dir, options.project))
    return 0


def split_name(name: str) -> tuple[str, str]:
    """`ENTITY/PROJECT` → its parts. Raises StoreError."""
    entity, _, project = name.partition("/")
    if not entity or not project or "/" in project:
        raise StoreError(f"{name!r} is not ENTITY/PROJECT.")
    return entity, project


def get_project(db: Connection, folder: Path, name: str) -> Row:
    """The project's row. Raises StoreError, naming those that exist."""
    entity, project = split_name(name)
    found = projects.find(db, entity, project)
    if found is None:
        known = some((f"{row['entity']}/{row['name']}" for row in projects.of_entity(db)), 10) or "none"
        raise StoreError(f"{folder} has no project {name}; it has: {known}.")
    return found


def _push(db: Connection, folder: Path, remote: Remote, project: Row) -> None:
    names = pushed_sweeps.push(db, remote, project)
    n = there = lines = files = going = 0
    not_begun = []
    for run in (runs.by_id(db, run_id) for run_id in runs.ids(db, project["id"])):
        if run["started_at"] is None:
            not_begun.append(run["name"])
            continue
        n += 1
        sent = pushed_runs.push(db, folder, remote, run, names.get(run["sweep_id"]))
        lines, files, there = lines + sent.lines, files + sent.files, there + (not sent.anything)
        going += run["state"] in (*runs.ALIVE, "pending")
        if sent.anything:
            print(f"run {run['name']}: {sent.lines} lines, {sent.files} files", flush=True)
    artifacts = pushed_artifacts.push(db, folder, remote, project)
    print(
        f"{remote.url}/{remote.entity}/{remote.project}: {n} runs ({there} were there already), {lines} lines, "
        f"{files} files, {len(names)} sweeps, {len(artifacts.ids)} artifact versions ({artifacts.sent} new)"
    )
    if not_begun:
        print(f"{plural(len(not_begun), 'run')} that no program has begun stayed here: {some(not_begun)}")
    if going:
        print(f"{going} runs still go on: push again when they are over")
    if artifacts.strange:
        print(f"{artifacts.strange} references to artifacts of other projects were left as they are")
