"""Odd data as clients send it, and every page that shows it: answered with 200, and in bounded size."""

import importlib
import json
import re
from typing import Any

import pytest
from starlette.datastructures import QueryParams

from server.access.signatures import Signer
from server.pages.render import render
from server.store import Store, runs, streams, users
from tests.server.content import add_project, add_run
from tests.server.running import Server

run_page = importlib.import_module("server.pages.detail.run")  # the package's own name `run` is the page

UPSERT = """mutation UpsertBucket($name: String, $project: String, $config: JSONString, $notes: String,
    $displayName: String, $tags: [String!], $summary: JSONString, $group: String) {
  upsertBucket(input: {name: $name, modelName: $project, config: $config, notes: $notes, displayName: $displayName,
      tags: $tags, summaryMetrics: $summary, groupName: $group}) { bucket { id name } } }"""
SWEEP = """mutation M($project: String, $config: String) {
  upsertSweep(input: {entityName: "local", projectName: $project, config: $config}) { sweep { name } } }"""
READ = """query Q($name: String!, $specs: [JSONString!]!) { project(name: "odd") { run(name: $name) { ...R } } }
fragment R on Run { config summaryMetrics notes tags displayName historyKeys
  history(samples: 9) sampledHistory(specs: $specs) logLines(first: 9) { edges { node { line } } } }"""
LONE = "\ud800"


def stream(server: Server, project: str, run: str, **files: list[str]) -> None:
    names = {"history": "wandb-history.jsonl", "summary": "wandb-summary.json", "console": "output.log"}
    body = {"files": {names[name]: {"offset": 0, "content": lines} for name, lines in files.items()}}
    path = f"/files/local/{project}/{run}/file_stream"
    headers = {"Authorization": server.basic(), "Content-Type": "application/json"}
    answer = server.send("POST", path, json.dumps(body).encode(), **headers)
    assert answer == (200, b"{}")


def page(server: Server, path: str) -> str:
    status, body = server.get(path)
    assert status == 200
    assert len(body) < 2_000_000
    return body.decode()


@pytest.mark.parametrize("escape", [LONE, r"\ud800"], ids=["in the post", "in the row"])
def test_half_a_surrogate_pair_ends_no_upload_and_is_given_back(server: Server, escape: str) -> None:
    name = "half" if escape == LONE else "quarter"
    row = f'{{"_step": 0, "x{escape}": 1, "text": "a{escape}b"}}'
    config = f'{{"k{escape}": {{"value": "v{escape}"}}}}'
    given: dict[str, Any] = {"notes": f"n{LONE}", "displayName": f"d{LONE}", "tags": [f"t{LONE}"], "group": f"g{LONE}"}
    made = server.graphql(UPSERT, name=name, project="odd", config=config, summary=row, **given)[1]
    assert made["data"]["upsertBucket"]["bucket"]["name"] == name
    stream(server, "odd", name, history=[row, row.replace("0", "1", 1)], summary=[row], console=[f"c{LONE}\n"])
    spec = json.dumps({"keys": ["text", "x\ufffd"]})
    found = server.graphql(READ, name=name, specs=[spec])[1]["data"]["project"]["run"]
    assert [found["notes"], found["displayName"], found["tags"]] == ["n\ufffd", "d\ufffd", ["t\ufffd"]]
    assert found["sampledHistory"] == [[{"text": "a\ufffdb", "x\ufffd": 1}] * 2]
    assert set(found["historyKeys"]["keys"]) == {"_step", "text", "x\ufffd"}
    kept = "\ufffd" if escape == LONE else r"\ud800"
    assert f'"x{kept}": 1' in found["history"][0]
    assert f'"v{kept}"' in found["config"]
    assert found["logLines"]["edges"][0]["node"]["line"] == "c\ufffd\n"
    shown = "".join(page(server, f"/local/odd/runs/{name}/{tab}") for tab in ("charts", "overview", "logs"))
    for text in ("x\ufffd</figcaption>", "v\ufffd", "n\ufffd", "d\ufffd", "t\ufffd", "c\ufffd"):
        assert text in shown
    assert "d\ufffd" in page(server, "/local/odd")


def test_half_a_surrogate_pair_in_a_sweeps_yaml_is_stored_and_shown(server: Server) -> None:
    config = 'method: grid\nname: "s\\ud800"\nparameters: {"p\\ud800": {values: ["a\\ud800"]}}'
    made = server.graphql(SWEEP, project="odd", config=config)[1]
    name = made["data"]["upsertSweep"]["sweep"]["name"]
    assert "s\ufffd" in page(server, f"/local/odd/sweeps/{name}")
    assert "s\ufffd" in page(server, "/local/odd")
    agent = 'mutation($s:String!) { createAgent(input: {host: "h", sweep: $s, projectName: "odd"}) { agent {id}}}'
    number = server.graphql(agent, s=name)[1]["data"]["createAgent"]["agent"]["id"]
    beat = 'mutation($i: ID!) { agentHeartbeat(input: {id: $i, runState: "{}"}) { commands } }'
    [command] = json.loads(server.graphql(beat, i=number)[1]["data"]["agentHeartbeat"]["commands"])
    assert command["args"] == {"p\ufffd": {"value": "a\ufffd"}}


@pytest.mark.parametrize("path", ["", "/local/slashes", "/local/slashes/sweeps", "/local/slashes/runs/r"])
def test_slashes_too_many_lead_to_the_page(server: Server, path: str) -> None:
    server.graphql(UPSERT, name="r", project="slashes")
    right = server.get(path or "/")
    assert right[0] == 200
    for other in (f"{path}/", f"/{path}", path.replace("/", "//") + "//", f"{path}/?page=1"):
        assert server.get(other)[0] == 200, other
    if path:
        assert server.get(f"{path}//") == right
    assert server.get(f"{path}/nowhere/at/all/")[0] == 404


def many(n: int) -> dict[str, Any]:
    return {f"metric/{i:05}": i for i in range(n)}


@pytest.mark.parametrize(
    ("name", "config", "rows", "console"),
    [
        ("bare", {}, [], []),
        ("wide", many(5000), [many(5000), many(5000)], []),
        ("loud", {}, [], [f"{i} \x1b[31m" + "x" * 50 + "\n" for i in range(10_000)] + ["y" * 1_000_000]),
        ("text", {"long": "z" * 1_000_000, "list": list(range(50_000))}, [], ["\0\x1b]0;title\x07\r\n"]),
        ("deep", {}, [{"a": {"b": {"c": {"d": i}}}, "e": [[i]], "f": None} for i in range(3)], []),
        (
            "emoji",
            {"😀": {"value": "<b>"}},
            [{"😀": i, "\u202eabc": i, "": i, " ": i, "a\nb": i, "x" * 5000: i} for i in range(2)],
            [],
        ),
        ("strange", {"_wandb": {"value": {"m": [{"1": 3}]}}}, [{"_step": "x", "a": 1}, {"_step": None, "a": 2}], []),
    ],
)
def test_a_run_of_any_shape_has_a_page_of_bounded_size(
    server: Server, name: str, config: dict[str, Any], rows: list[dict[str, Any]], console: list[str]
) -> None:
    texts = {"config": json.dumps(config), "summary": json.dumps(rows[-1] if rows else {})}
    assert "data" in server.graphql(UPSERT, name=name, project="shapes", **texts)[1]
    stream(server, "shapes", name, history=[json.dumps(row) for row in rows], console=console)
    for path in (f"/local/shapes/runs/{name}", f"/local/shapes/runs/{name}?page=99", "/local/shapes"):
        page(server, path)
    assert len(page(server, f"/local/shapes/runs/{name}?page=%C2%B2")) > 0


def test_a_project_without_runs_has_a_page(server: Server) -> None:
    server.graphql('mutation { upsertModel(input: {entityName: "local", name: "bare"}) { inserted } }')
    assert "no runs yet" in page(server, "/local/bare")


def test_a_run_that_joined_a_sweep_by_itself_is_on_its_page(server: Server) -> None:
    config = "method: grid\nmetric: {name: loss, goal: minimize}\nparameters: {lr: {values: [1, 2]}}"
    name = server.graphql(SWEEP, project="joined", config=config)[1]["data"]["upsertSweep"]["sweep"]["name"]
    join = """mutation($n: String, $s: String, $c: JSONString, $m: JSONString) { upsertBucket(input: {name: $n,
        modelName: "joined", sweep: $s, config: $c, summaryMetrics: $m}) { inserted } }"""
    for run, loss in (("far", 2), ("near", 1e-320)):
        given = {"c": json.dumps({"lr": {"value": loss}}), "m": json.dumps({"loss": loss})}
        assert "data" in server.graphql(join, n=run, s=name, **given)[1]
    shown = page(server, f"/local/joined/sweeps/{name}")
    assert re.findall(r'data-run="(\w+)"', shown) == ["near", "far"]
    assert "<dt>runs</dt><dd>2 of 2" in shown
    assert "<svg" in shown


def test_of_a_long_history_the_rare_metrics_are_still_drawn_whole(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{"_step": i, "loss": i} | ({"val": i} if i % 100 == 0 else {}) for i in range(3000)]
    with store.write() as db:
        run = runs.by_id(db, add_run(db, add_project(db), "r", {}, rows, state="running"))
    monkeypatch.setattr(run_page, "MAX_HISTORY", streams.history_length(store.db, run["id"]) // 10)
    monkeypatch.setattr(run_page, "RARE", 30)
    looked = run_page.Page(store, Signer("s"), run, users.ADMIN, QueryParams())
    shown = run_page.gather(looked, "", "")
    assert shown is not None
    assert shown["share"] == pytest.approx(0.1, rel=0.001)
    loss, val = (len(re.findall("[Ml]", re.findall(r' d="(.*?)"', text)[0])) for text in shown["curves"].charts)
    assert val == 30
    assert 200 < loss < 400
    shared = {"person": users.ADMIN, "csrf": "", "here": "", "address": str}
    assert "about 10 %" in render("run/charts.html", **shared, **shown)
