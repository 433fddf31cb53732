"""Runs: their description, config, summary and state."""

import json
import secrets
import sqlite3
import string
from typing import Any

from common.names import check_name
from server.jsontext import config_values, load_object
from server.store import streams
from server.store.database import crud, filters, run_values
from server.store.database.connection import TimedConnection
from server.store.database.crud import Row
from server.store.errors import Refused

STATES = ("pending", "running", "finished", "failed", "crashed", "killed", "preempting", "preempted")
ALIVE = ("running", "preempting")
NAME_LETTERS = string.ascii_lowercase + string.digits
ADJECTIVES = ("amber", "brisk", "calm", "dusky", "eager", "faint", "gentle", "hazel", "ivory", "jolly", "keen", "lucid")
NOUNS = ("anchor", "birch", "comet", "delta", "ember", "falcon", "glade", "harbor", "iris", "juniper", "kite", "lagoon")

_SELECT = """SELECT runs.*, projects.entity, projects.name AS project,
        (SELECT name FROM sweeps WHERE sweeps.id = runs.sweep_id) AS sweep
    FROM runs JOIN projects ON projects.id = runs.project_id """
_LISTED = """runs.name NOT IN
    (SELECT controller_run FROM sweeps WHERE project_id = ? AND controller_run IS NOT NULL)"""


def by_id(db: sqlite3.Connection, run_id: int) -> Row:
    return crud.get(db, _SELECT + "WHERE runs.id = ?", run_id, "run number")


def find(db: sqlite3.Connection, project_id: int, name: str) -> Row | None:
    return crud.first(db, _SELECT + "WHERE runs.project_id = ? AND runs.name = ?", project_id, name)


def find_by_path(db: sqlite3.Connection, entity: str, project: str, name: str) -> Row | None:
    sql = _SELECT + "WHERE projects.entity = ? AND projects.name = ? AND runs.name = ?"
    return crud.first(db, sql, entity, project, name)


def ids(db: sqlite3.Connection, project_id: int, where: str | None = None, order: str | None = None) -> list[int]:
    """The runs of a project that pass a filter, in order. Raises Refused for filters that are not understood.

    The runs in which a sweep's local scheduler keeps its log are not listed.
    """
    passing = filters.Filter(where)
    value, ordering, order_arguments = filters.order_by(order)
    # Materialized, so that the value of each run is looked up once and not in every comparison of the sort.
    sql = f"""WITH found AS MATERIALIZED (
            SELECT runs.id, {value} AS value FROM runs
            WHERE runs.project_id = ? AND {_LISTED} AND {passing.condition})
        SELECT id FROM found ORDER BY {ordering}"""
    arguments = [*order_arguments, project_id, project_id, *passing.arguments]
    return [row[0] for row in _bare(db, sql, arguments, passing)]


def count(db: sqlite3.Connection, project_id: int, where: str | None = None) -> int:
    """Number of runs that `ids` lists."""
    passing = filters.Filter(where)
    sql = f"SELECT count(*) FROM runs WHERE runs.project_id = ? AND {_LISTED} AND {passing.condition}"
    (found,) = _bare(db, sql, [project_id, project_id, *passing.arguments], passing)
    return int(found[0])


def any_alive(db: sqlite3.Connection, project_id: int) -> bool:
    sql = "SELECT 1 FROM runs WHERE state IN ('running', 'pending', 'preempting') AND project_id = ? LIMIT 1"
    return db.execute(sql, (project_id,)).fetchone() is not None


def _bare(db: sqlite3.Connection, sql: str, arguments: list[Any], passing: filters.Filter) -> list[Any]:
    """Rows as tuples: thousands of them are read to find one page. Raises Refused for too large an expression."""
    cursor = db.cursor()
    cursor.row_factory = None
    filters.set_current(passing, db.is_stopped if isinstance(db, TimedConnection) else bool)
    try:
        return cursor.execute(sql, arguments).fetchall()
    except sqlite3.OperationalError as error:
        if "user-defined" in str(error):
            raise Refused(
                "a regular expression is too large for the longest value of these runs: make it shorter"
            ) from None
        raise


def get_many(db: sqlite3.Connection, run_ids: list[int]) -> list[Row]:
    """The rows of `run_ids`, in that order."""
    cursor = db.execute(_SELECT + "WHERE runs.id IN (SELECT value FROM json_each(?))", (json.dumps(run_ids),))
    found = {row["id"]: row for row in cursor}
    return [found[run_id] for run_id in run_ids if run_id in found]


def new_name() -> str:
    return "".join(secrets.choice(NAME_LETTERS) for _ in range(8))


def insert(db: sqlite3.Connection, project_id: int, name: str, state: str, now: float, **columns: Any) -> int:
    """A new run; returns its number."""
    check_name("run id", name)
    count = crud.value(db, "SELECT count(*) FROM runs WHERE project_id = ?", project_id)
    word = f"{secrets.choice(ADJECTIVES)}-{secrets.choice(NOUNS)}-{count + 1}"
    given = {"project_id": project_id, "name": name, "display_name": word, "state": check_state(state)}
    given |= {"username": columns.pop("username", "local"), "created_at": now, "heartbeat_at": now}
    number = crud.insert(db, "runs", **given)
    change(db, number, **columns)
    return number


def change(db: sqlite3.Connection, run_id: int, **columns: Any) -> None:
    """Sets the columns whose value is not None. Filters find a new config at once in `run_values`, a summary later."""
    if columns.get("tags") is not None:
        columns["tags"] = json.dumps(columns["tags"], ensure_ascii=False)
    crud.update(db, "runs", run_id, columns)
    if columns.get("config") is not None:
        _index(db, run_id, "config", config_values(load_object(columns["config"])))
    if columns.get("summary") is not None:
        db.execute("INSERT OR IGNORE INTO summaries_to_spread VALUES (?)", (run_id,))


def _index(db: sqlite3.Connection, run_id: int, source: str, given: dict[str, Any]) -> None:
    db.execute("DELETE FROM run_values WHERE run_id = ? AND source = ?", (run_id, source))
    found = {(run_id, source, key): value for key, value in run_values.index_entries(given)}
    db.executemany("INSERT INTO run_values VALUES (?, ?, ?, ?)", [(*place, value) for place, value in found.items()])


def index_summaries(db: sqlite3.Connection, n: int) -> int:
    """Writes the summaries of up to n runs that have ended into `run_values`; returns their number."""
    ended = db.execute(
        """SELECT id, summary FROM summaries_to_spread JOIN runs ON runs.id = run_id
        WHERE state NOT IN ('running', 'preempting', 'pending') LIMIT ?""",
        (n,),
    ).fetchall()
    for run in ended:
        summary = load_object(run["summary"])
        _index(db, run["id"], "summary", summary)
        low, high = best_values(db, run["id"], summary)
        _index(db, run["id"], "low", low)
        _index(db, run["id"], "high", high)
        db.execute("DELETE FROM summaries_to_spread WHERE run_id = ?", (run["id"],))
    return len(ended)


def best_values(
    db: sqlite3.Connection, run_id: int, summary: dict[str, Any]
) -> tuple[dict[str, float], dict[str, float]]:
    """Lowest and highest value of the metrics of which the summary has the last one, as the client leaves it.

    A key that the program wrote into the summary itself has that value alone.
    """
    ranges = {
        key: ends for key, ends in streams.ranges(db, run_id).items() if key in summary and summary[key] == ends[2]
    }
    return {key: ends[0] for key, ends in ranges.items()}, {key: ends[1] for key, ends in ranges.items()}


def value_statistics(db: sqlite3.Connection, run_ids: list[int]) -> list[Row]:
    """`{source, key, n, n_different, is_number}` of all values of some runs; objects only by their members."""
    return db.execute(
        """SELECT source, key, count(*) AS n, count(DISTINCT value) AS n_different,
            max(typeof(value) IN ('integer', 'real')) AS is_number FROM run_values
        WHERE run_id IN (SELECT value FROM json_each(?)) AND NOT value BETWEEN x'7B' AND x'7C'
        GROUP BY source, key ORDER BY key""",
        (json.dumps(run_ids),),
    ).fetchall()


def filter_started(db: sqlite3.Connection, run_ids: list[int]) -> list[int]:
    """Numbers among `run_ids` of runs that a client has opened."""
    sql = "SELECT id FROM runs WHERE id IN (SELECT value FROM json_each(?)) AND state != 'pending'"
    return [row["id"] for row in db.execute(sql, (json.dumps(run_ids),))]


def unindexed_summaries(db: sqlite3.Connection, run_ids: list[int], first: int) -> list[Row]:
    """The first of these runs whose summary is not in `run_values` yet, `{id, summary}`."""
    return db.execute(
        """SELECT id, summary FROM runs WHERE id IN (SELECT value FROM json_each(?))
        AND id IN summaries_to_spread LIMIT ?""",
        (json.dumps(run_ids), first),
    ).fetchall()


def values_of(db: sqlite3.Connection, run_ids: list[int], keys: list[str]) -> dict[int, list[Any]]:
    """Run → its values of `keys`, as filters name them; `high.KEY` and `low.KEY` are the best value of a metric.

    Raises Refused for a key that does not exist.
    """
    columns, arguments = [], []
    for key in keys:
        sql, more = filters.expression(key)
        columns.append(sql)
        arguments += more
    cursor = db.cursor()
    cursor.row_factory = None
    cursor.execute(
        f"SELECT runs.id{''.join(f', {sql}' for sql in columns)} FROM runs "
        "WHERE runs.id IN (SELECT value FROM json_each(?))",
        (*arguments, json.dumps(run_ids)),
    )
    return {row[0]: [None if value is None else run_values.load(value) for value in row[1:]] for row in cursor}


def index_configs(db: sqlite3.Connection) -> None:
    """Index all configurations anew, in a folder of an older server."""
    db.execute("DELETE FROM run_values WHERE source = 'config'")
    for run in db.execute("SELECT id, config FROM runs"):
        _index(db, run["id"], "config", config_values(load_object(run["config"])))


def check_state(state: str) -> str:
    if state not in STATES:
        raise Refused(f"unknown run state {state!r}; known: {', '.join(STATES)}")
    return state


def set_state(db: sqlite3.Connection, run_id: int, state: str, now: float, exit_code: int | None = None) -> None:
    ended = now if check_state(state) not in (*ALIVE, "pending") else None
    db.execute(
        "UPDATE runs SET state = ?, exit_code = ?, finished_at = ? WHERE id = ?", (state, exit_code, ended, run_id)
    )


def touch(db: sqlite3.Connection, run: Row, now: float) -> None:
    """Record a sign of life from the client: a pending or crashed run is running again.

    One that was asked to stop while it waited still stops; one that is resumed does not.
    """
    db.execute(
        "UPDATE runs SET heartbeat_at = ?, started_at = coalesce(started_at, ?) WHERE id = ?", (now, now, run["id"])
    )
    if run["state"] not in ALIVE:
        set_state(db, run["id"], "running", now)
    if run["state"] not in (*ALIVE, "pending"):
        db.execute("UPDATE runs SET stop_requested_at = NULL WHERE id = ?", (run["id"],))


def complete(db: sqlite3.Connection, run: Row, exit_code: int, now: float) -> None:
    """The client's last word on a run.

    A run that was told to stop counts as killed even if it was being moved away, so that it is not handed out again;
    one that was only moved away counts as preempted.
    """
    state = "finished" if exit_code == 0 else "failed"
    if exit_code != 0 and run["stop_requested_at"] is not None:
        state = "killed"
    elif exit_code != 0 and run["state"] == "preempting":
        state = "preempted"
    set_state(db, run["id"], state, now, exit_code)


def request_stop(db: sqlite3.Connection, run_id: int, now: float) -> None:
    db.execute("UPDATE runs SET stop_requested_at = coalesce(stop_requested_at, ?) WHERE id = ?", (now, run_id))


def mark_crashed(db: sqlite3.Connection, silent_since: float, now: float) -> int:
    """Ends runs without a sign of life since `silent_since`: crashed, preempted or killed. Returns their number."""
    cursor = db.execute(
        """UPDATE runs SET finished_at = ?, state = CASE
            WHEN stop_requested_at IS NOT NULL THEN 'killed'
            WHEN state = 'preempting' THEN 'preempted' ELSE 'crashed' END
        WHERE state IN ('running', 'preempting') AND heartbeat_at < ?""",
        (now, silent_since),
    )
    return cursor.rowcount


def reset_heartbeats(db: sqlite3.Connection, now: float) -> None:
    """Set the last sign of life of all live runs and agents to now: the clock was set, earlier times mean nothing."""
    db.execute("UPDATE runs SET heartbeat_at = ? WHERE state IN ('running', 'preempting', 'pending')", (now,))
    db.execute("UPDATE agents SET heartbeat_at = ? WHERE heartbeat_at > ?", (now, now))


def delete(db: sqlite3.Connection, run_id: int) -> None:
    db.execute("DELETE FROM runs WHERE id = ?", (run_id,))


def add_alert(db: sqlite3.Connection, run_id: int, title: str, text: str, severity: str, now: float) -> None:
    crud.insert(db, "alerts", run_id=run_id, title=title, text=text, severity=severity, created_at=now)


def alerts(db: sqlite3.Connection, run_id: int) -> list[Row]:
    return db.execute("SELECT * FROM alerts WHERE run_id = ? ORDER BY id", (run_id,)).fetchall()


def project_alerts(db: sqlite3.Connection, project_id: int, most: int) -> list[Row]:
    """The newest alerts of all runs, each with `name` and `display_name` of its run."""
    return db.execute(
        """SELECT alerts.*, runs.name AS name, display_name FROM alerts JOIN runs ON runs.id = run_id
        WHERE project_id = ? ORDER BY alerts.id DESC LIMIT ?""",
        (project_id, most),
    ).fetchall()


def last_ended(db: sqlite3.Connection, project_id: int, most: int) -> list[Row]:
    """The runs that ended last, newest first."""
    sql = "SELECT * FROM runs WHERE project_id = ? AND finished_at IS NOT NULL ORDER BY finished_at DESC LIMIT ?"
    return db.execute(sql, (project_id, most)).fetchall()
