"""The cost of a post does not grow with its run: counted in SQLite's instructions, without a clock."""

import json
from typing import Any

import pytest

from server import filestream
from server.scheduler import scheduler
from server.store import Store, projects, runs, streams

TOTAL, POST = 12_000, 500


def instructions(store: Store, call: Any) -> int:
    """Hundreds of SQLite's instructions that `call` takes."""
    n = 0

    def count() -> None:
        nonlocal n
        n += 1

    store.db.set_progress_handler(count, 100)
    call()
    store.db.set_progress_handler(None, 0)
    return n


def post(store: Store, offset: int, client: str = "") -> None:
    rows = [
        json.dumps({"_step": step, "_timestamp": step, "loss": 1 / (1 + step)}) for step in range(offset, offset + POST)
    ]
    files = {
        "wandb-history.jsonl": {"offset": offset, "content": rows},
        "output.log": {"offset": offset, "content": rows},
        "wandb-summary.json": {"offset": 0, "content": rows[-1:]},
    }
    filestream.receive(store, "local", "p", "r", {"files": files}, client)


@pytest.mark.parametrize("client", ["", "rank-1"])
@pytest.mark.parametrize("swept", [False, True])
def test_the_last_rows_of_a_long_run_cost_what_the_first_ones_cost(store: Store, client: str, swept: bool) -> None:
    text = """{method: random, metric: {name: loss}, parameters: {x: {min: 0.0, max: 1.0}},
        early_terminate: {type: hyperband, min_iter: 3}}"""
    with store.write() as db:
        project, _ = projects.ensure(db, "local", "p", 0.0)
    sweep, _ = scheduler.create(store, project["id"], text)
    with store.write() as db:
        runs.insert(db, project["id"], "r", "running", 0.0, sweep_id=sweep["id"] if swept else None)
    costs = [instructions(store, lambda at=at: post(store, at, client)) for at in range(0, TOTAL, POST)]
    assert max(costs[-3:]) < 1.5 * max(costs[1:4])


def test_a_page_of_a_long_run_costs_what_the_first_one_costs(store: Store) -> None:
    with store.write() as db:
        project, _ = projects.ensure(db, "local", "p", 0.0)
        run_id = runs.insert(db, project["id"], "r", "running", 0.0)
    for at in range(0, TOTAL, POST):
        post(store, at)
    costs = [
        instructions(store, lambda at=at: list(streams.history_between(store.db, run_id, at, at + 99)))
        for at in (0, TOTAL // 2, TOTAL - 100)
    ]
    costs_of_console = [
        instructions(store, lambda at=at: streams.console(store.db, run_id, at, 100)) for at in (0, TOTAL - 200)
    ]
    assert max(costs) <= costs[0] + 2
    assert max(costs_of_console) <= costs_of_console[0] + 2
