"""Sweeps, their agents, and every configuration that was handed out, once or again."""

import itertools
import json
import math
import sqlite3
from typing import Any

from server.store.database import crud
from server.store.database.crud import Row

STATES = ("PENDING", "RUNNING", "PAUSED", "FINISHED", "CANCELED")
_SELECT = "SELECT sweeps.* FROM sweeps "
_SUGGESTION = """SELECT suggestions.*, runs.name AS run, runs.state AS run_state, runs.agent_id, runs.started_at,
    (SELECT heartbeat_at FROM agents WHERE agents.id = runs.agent_id) AS agent_heartbeat_at
    FROM suggestions JOIN runs ON runs.id = suggestions.run_id """


def by_id(db: sqlite3.Connection, sweep_id: int) -> Row:
    return crud.get(db, _SELECT + "WHERE id = ?", sweep_id, "sweep number")


def find(db: sqlite3.Connection, project_id: int, name: str) -> Row | None:
    return crud.first(db, _SELECT + "WHERE project_id = ? AND name = ?", project_id, name)


def of_project(db: sqlite3.Connection, project_id: int) -> list[Row]:
    """Sweeps, newest first."""
    return db.execute(_SELECT + "WHERE project_id = ? ORDER BY id DESC", (project_id,)).fetchall()


def insert(db: sqlite3.Connection, project_id: int, name: str, config: str, seed: int, now: float) -> int:
    columns = {"project_id": project_id, "name": name, "config": config, "seed": seed}
    return crud.insert(db, "sweeps", **columns, state="PENDING", created_at=now, updated_at=now)


def change(db: sqlite3.Connection, sweep_id: int, now: float, **columns: Any) -> None:
    """Sets columns that are not None: config, state, description, display_name, controller, scheduler, …"""
    crud.update(db, "sweeps", sweep_id, columns, updated_at=now)


def run_ids(db: sqlite3.Connection, sweep_id: int) -> list[int]:
    """Numbers of its runs in the order of their creation."""
    return [row["id"] for row in db.execute("SELECT id FROM runs WHERE sweep_id = ? ORDER BY id", (sweep_id,))]


def live_runs(db: sqlite3.Connection, sweep_id: int) -> list[Row]:
    """Runs that go on, and those that an agent has but no client has opened yet."""
    return db.execute(
        """SELECT * FROM runs INDEXED BY runs_alive WHERE state IN ('running', 'pending', 'preempting')
        AND sweep_id = ? AND (state != 'pending' OR agent_id IS NOT NULL) ORDER BY id""",
        (sweep_id,),
    ).fetchall()


def add_agent(db: sqlite3.Connection, sweep_id: int, name: str, host: str, now: float) -> Row:
    return agent(
        db, crud.insert(db, "agents", sweep_id=sweep_id, name=name, host=host, created_at=now, heartbeat_at=now)
    )


def agent(db: sqlite3.Connection, agent_id: int) -> Row:
    return crud.get(db, "SELECT * FROM agents WHERE id = ?", agent_id, "agent number")


def agents(db: sqlite3.Connection, sweep_id: int) -> list[Row]:
    return db.execute("SELECT * FROM agents WHERE sweep_id = ? ORDER BY id", (sweep_id,)).fetchall()


def touch_agent(db: sqlite3.Connection, agent_id: int, now: float) -> None:
    db.execute("UPDATE agents SET heartbeat_at = ? WHERE id = ?", (now, agent_id))


def agent_runs(db: sqlite3.Connection, agent_id: int) -> list[Row]:
    return db.execute("SELECT * FROM runs WHERE agent_id = ? ORDER BY id", (agent_id,)).fetchall()


def suggest(
    db: sqlite3.Connection, sweep_id: int, run_id: int, params: dict[str, Any], origin: str, schedule_id: str | None
) -> None:
    """Records a suggestion and its run."""
    db.execute(
        """INSERT INTO suggestions (sweep_id, number, run_id, params, origin, schedule_id)
        SELECT ?1, coalesce(max(number), 0) + 1, ?2, ?3, ?4, ?5 FROM suggestions WHERE sweep_id = ?1""",
        (sweep_id, run_id, json.dumps(params), origin, schedule_id),
    )


def suggestions(db: sqlite3.Connection, sweep_id: int) -> list[Row]:
    """Suggestions in their order, with the run's name and state and its agent."""
    return db.execute(_SUGGESTION + "WHERE suggestions.sweep_id = ? ORDER BY number", (sweep_id,)).fetchall()


def suggestion_of(db: sqlite3.Connection, run_id: int) -> Row | None:
    return crud.first(db, _SUGGESTION + "WHERE run_id = ?", run_id)


def hand_out(db: sqlite3.Connection, item: Row, agent_id: int, now: float) -> None:
    """`item` is a suggestion. The same agent gets it again when its answer was lost, which counts as no requeue."""
    again = item["run_state"] == "pending" and item["agent_id"] == agent_id
    crashed = item["run_state"] == "crashed" and (item["started_at"] or item["reported_at"]) is not None
    db.execute("UPDATE runs SET agent_id = ?, heartbeat_at = ? WHERE id = ?", (agent_id, now, item["run_id"]))
    db.execute(
        """UPDATE suggestions SET handed_at = ?, handed_times = ?, requeued = ?, reported_at = NULL
        WHERE run_id = ?""",
        (now, item["handed_times"] * again + 1, item["requeued"] + crashed, item["run_id"]),
    )


def report_runs(db: sqlite3.Connection, agent_id: int, names: set[str], now: float) -> None:
    """Record that the agent has confirmed these runs."""
    db.execute(
        """UPDATE suggestions SET reported_at = ?1 WHERE run_id IN
        (SELECT id FROM runs WHERE agent_id = ?2 AND name IN (SELECT value FROM json_each(?3)))""",
        (now, agent_id, json.dumps(sorted(names))),
    )


def unopened_suggestions(db: sqlite3.Connection, sweep_id: int) -> list[Row]:
    """Suggestions that no client has opened since they were handed out, or ever, and that are not given up."""
    return db.execute(
        _SUGGESTION
        + """WHERE suggestions.sweep_id = ? AND (runs.state = 'pending'
        OR (runs.state = 'crashed' AND runs.started_at IS NULL AND reported_at IS NULL)) ORDER BY number""",
        (sweep_id,),
    ).fetchall()


def resumable_suggestions(db: sqlite3.Connection, sweep_id: int, requeue: int) -> list[Row]:
    """Suggestions whose run was pre-empted, or crashed and was requeued fewer than `requeue` times so far."""
    return db.execute(
        _SUGGESTION
        + """WHERE suggestions.sweep_id = ? AND coalesce(runs.started_at, reported_at) IS NOT NULL
        AND (runs.state = 'preempted' OR (runs.state = 'crashed' AND requeued < ?)) ORDER BY number""",
        (sweep_id, requeue),
    ).fetchall()


def mark_abandoned(db: sqlite3.Connection, silent_since: float, now: float) -> None:
    """Runs whose agent fell silent before a client opened them count as crashed, or as killed if they were to stop."""
    db.execute(
        """UPDATE runs SET state = iif(stop_requested_at IS NULL, 'crashed', 'killed'), finished_at = ?
        WHERE state = 'pending'
        AND agent_id IN (SELECT id FROM agents WHERE heartbeat_at < ?)""",
        (now, silent_since),
    )


def record_stop(db: sqlite3.Connection, run_id: int, reason: str) -> None:
    db.execute("UPDATE suggestions SET stop_reason = ? WHERE run_id = ?", (reason, run_id))


def put_metric(db: sqlite3.Connection, run_id: int, values: list[tuple[int, float]]) -> tuple[int, int]:
    """`values`: (history line, value of the sweep's metric); NULL in the table where it is NaN.

    Returns the numbers of the run's values before and after.
    """
    last = "SELECT line, number FROM metric_values WHERE run_id = ? ORDER BY line DESC LIMIT 1"
    row = db.execute(last, (run_id,)).fetchone() or {"line": -1, "number": 0}
    new = itertools.accumulate((line > row["line"] for line, _ in values), initial=row["number"])
    db.executemany(
        "INSERT INTO metric_values VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET value = ?4",
        [(run_id, line, number, value) for (line, value), number in zip(values, list(new)[1:], strict=True)],
    )
    return row["number"], db.execute(last, (run_id,)).fetchone()["number"]


def replace_metric(db: sqlite3.Connection, run_id: int, values: list[tuple[int, float]]) -> None:
    """As `put_metric`, in place of all that the run had: the sweep's metric is another one now."""
    db.execute("DELETE FROM metric_values WHERE run_id = ?", (run_id,))
    if values:
        put_metric(db, run_id, values)


def metrics(db: sqlite3.Connection, sweep_id: int) -> dict[int, list[float]]:
    """Run number → the metric in the order it was logged."""
    found: dict[int, list[float]] = {}
    sql = """SELECT run_id, value FROM metric_values JOIN runs ON runs.id = run_id
        WHERE sweep_id = ? ORDER BY run_id, line"""
    for row in db.execute(sql, (sweep_id,)):
        found.setdefault(row["run_id"], []).append(math.nan if row["value"] is None else row["value"])
    return found
