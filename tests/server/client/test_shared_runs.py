"""Several processes that write one run (`mode="shared"`)."""

import json
from typing import Any

import pytest

from server import filestream
from server.graphql import Context
from server.store import Store, runs, streams
from tests.server import queries
from tests.server.content import add_project, add_run, lines
from tests.server.running import Client


@pytest.fixture
def shared(store: Store) -> Store:
    with store.write() as db:
        add_run(db, add_project(db), state="running")
    return store


def post(store: Store, client: str, offset: int, *names: str, **more: Any) -> None:
    rows = [json.dumps({"_step": offset + i, client: name}) for i, name in enumerate(names)]
    console = [f"{client} {name}" for name in names]
    body = lines(offset, history=rows, console=console, system_metrics=rows, summary=rows[-1:])
    filestream.receive(store, "local", "p", "r", body | more, client)


def test_lines_of_all_clients_are_kept_and_a_post_that_is_repeated_changes_nothing(shared: Store) -> None:
    posts: list[Any] = [
        ("a", 0, "0", "1"),
        ("b", 0, "0"),
        ("a", 2, "2"),
        ("b", 1, "1", "2"),
        ("b", 2, "2", "3"),
        ("a", 0, "0", "1", "2", "3"),
    ]
    for _ in range(2):
        for each in posts:
            post(shared, *each)
    wanted = ["a 0", "a 1", "b 0", "a 2", "b 1", "b 2", "b 3", "a 3"]
    assert streams.contents(shared.db, "console", 1) == wanted
    for table in ("history", "system_metrics"):
        rows = [json.loads(row) for row in streams.contents(shared.db, table, 1)]
        assert [" ".join(row.popitem()) for row in rows] == wanted
    keys = streams.keys(shared.db, 1)["keys"]
    assert [keys[key]["typeCounts"][0]["count"] for key in ("a", "b", "_step")] == [4, 4, 8]


def test_a_line_that_a_client_writes_again_is_its_own(shared: Store) -> None:
    post(shared, "a", 0, "10 %")
    post(shared, "b", 0, "x")
    post(shared, "a", 0, "100 %")
    assert streams.contents(shared.db, "console", 1) == ["a 100 %", "b x"]


def test_summaries_are_merged_and_the_end_that_one_client_announced_stays(shared: Store) -> None:
    post(shared, "a", 0, "1")
    post(shared, "b", 0, "2", complete=True, exitcode=0)
    post(shared, "a", 1, "3")
    run = runs.find_by_path(shared.db, "local", "p", "r")
    assert run is not None
    assert json.loads(run["summary"]) == {"_step": 1, "a": "3", "b": "2"}
    assert run["state"] == "finished"


def test_a_console_line_has_the_label_of_its_process_and_that_of_a_single_process_none(context: Context) -> None:
    store = context.store
    with store.write() as db:
        project = add_project(db)
        add_run(db, project, state="running")
        add_run(db, project, name="single", state="running")
    console = [f"{kind}2026-11-28T12:00:00.000000 [rank 1] [x] loss 0.1" for kind in ("", "ERROR ")]
    filestream.receive(store, "local", "p", "r", lines(0, console=console), "a")
    filestream.receive(store, "local", "p", "single", lines(0, console=console))
    query = """query Q($run: String!) { project(name: "p", entityName: "local") { run(name: $run) {
        logLines(first: 2) { edges { node { level label line } } } } } }"""
    found = [queries.ask(context, query, run=name)["project"]["run"]["logLines"]["edges"] for name in ("r", "single")]
    told = [[tuple(edge["node"].values()) for edge in edges] for edges in found]
    assert told[0] == [("info", "rank 1", "[x] loss 0.1"), ("error", "rank 1", "[x] loss 0.1")]
    assert told[1] == [("info", None, "[rank 1] [x] loss 0.1"), ("error", None, "[rank 1] [x] loss 0.1")]


RANK = """
import sys, wandb
rank = int(sys.argv[1])
settings = wandb.Settings(mode="shared", x_primary=rank == 0, x_label=f"rank_{rank}", x_update_finish_state=rank == 0)
with wandb.init(project="shared", id="both", config={f"rank_{rank}": rank}, settings=settings) as run:
    for i in range(10):
        run.log({f"loss_{rank}": i + 100 * rank})
        print("line", rank, i)
    run.summary[f"best_{rank}"] = rank
"""
READ = """
import json, wandb
run = wandb.Api().run("shared/both")
rows = list(run.scan_history())
print(json.dumps([
    sorted(row["loss_0"] for row in rows if row.get("loss_0") is not None),
    sorted(row["loss_1"] for row in rows if row.get("loss_1") is not None),
    {key: run.summary.get(key) for key in ("loss_0", "loss_1", "best_0", "best_1")},
    {key: run.config.get(key) for key in ("rank_0", "rank_1")}, run.state,
    sorted({(line.label, line.content) for line in run.console_logs() if line.content.endswith(" 9")})]))
"""


@pytest.mark.slow
def test_two_processes_lose_nothing_of_one_run(client: Client) -> None:
    (client.folder / "rank.py").write_text(RANK)
    ranks = [client.start(["python", "rank.py", str(rank)]) for rank in (0, 1)]
    outputs = [client.finish(rank) for rank in ranks]
    assert [rank.returncode for rank in ranks] == [0, 0], outputs
    assert client.run(READ) == [
        list(range(10)),
        list(range(100, 110)),
        {"loss_0": 9, "loss_1": 109, "best_0": 0, "best_1": 1},
        {"rank_0": 0, "rank_1": 1},
        "finished",
        [["rank_0", "line 0 9"], ["rank_1", "line 1 9"]],
    ]
    code = "import json, wandb; r = wandb.Api().run('shared/both'); print(json.dumps(r.lastHistoryStep))"
    assert client.run(code) == 9
