"""Runs, through the unmodified wandb client."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.server.running import WAIT_FOR_ROWS, Client, Server, start

RUN = """
import json, numpy as np, wandb
mask = np.zeros((8, 8), dtype=np.uint8); mask[2:5, 2:5] = 1
with wandb.init(project="runs", id="first", name="Erster", group="g", job_type="train", tags=["a", "b"], notes="note",
                config={"lr": 0.0, "opt": {"wd": 0.5}, "flag": True}) as run:
    run.define_metric("val/iou", summary="max")
    for i, iou in enumerate([0.5, 0.9, 0.7]):
        run.log({"val/iou": iou, "loss": 1 / (i + 1), "nan": float("nan")})
    masks = {"truth": {"mask_data": mask, "class_labels": {0: "table", 1: "piece"}}}
    run.log({"pictures": [wandb.Image(np.zeros((8, 8, 3), dtype=np.uint8), caption="one", masks=masks)],
             "table": wandb.Table(columns=["a"], data=[[1], [2]])})
    print("a line on the console")
    run.alert("hot", "the loss is hot")
    run.summary["test/iou"] = 0.875
api = wandb.Api()
r = api.run("runs/first")
rows = list(r.scan_history())
print(json.dumps({
    "state": r.state, "name": r.name, "group": r.group, "job_type": r.job_type, "tags": r.tags, "notes": r.notes,
    "config": r.config, "entity": r.entity, "iou": r.summary["val/iou"]["max"], "test": r.summary["test/iou"],
    "scanned": [row.get("val/iou") for row in rows], "steps": [row["_step"] for row in rows],
    "sampled": len(r.history(samples=2, pandas=False)),
    "by_key": [row["loss"] for row in r.scan_history(keys=["loss"])],
    "frame": [row["loss"] for row in r.history(keys=["loss"], pandas=False)],
    "files": sorted(f.name for f in r.files()), "media": r.summary["pictures"]["captions"],
    "downloaded": r.file("config.yaml").download(root="down", replace=True).read()[:5],
    "table": r.summary["table"]["nrows"], "logged": [a.type for a in r.logged_artifacts()],
}))
"""


@pytest.fixture(scope="module")
def first(client: Client) -> Any:
    return client.run(RUN)


def test_a_run_reads_back_as_it_was_described(first: Any) -> None:
    expected = {"name": "Erster", "group": "g", "job_type": "train", "tags": ["a", "b"], "notes": "note"}
    assert {key: first[key] for key in expected} == expected
    assert first["state"] == "finished"
    assert first["entity"] == "local"
    assert first["config"] == {"lr": 0.0, "opt": {"wd": 0.5}, "flag": True}


def test_history_reads_back_scanned_and_sampled(first: Any) -> None:
    assert first["scanned"] == [0.5, 0.9, 0.7, None]
    assert first["steps"] == [0, 1, 2, 3]
    assert first["sampled"] == 2
    assert first["by_key"] == first["frame"] == [1, 0.5, pytest.approx(1 / 3)]


def test_define_metric_keeps_the_best_value_in_the_summary(first: Any) -> None:
    assert first["iou"] == 0.9
    assert first["test"] == 0.875


def test_files_images_masks_and_tables_arrive(first: Any) -> None:
    names = first["files"]
    assert {"config.yaml", "wandb-metadata.json", "output.log"} <= set(names)
    assert sum(name.startswith("media/images/mask/") for name in names) == 1
    assert sum(name.startswith("media/table/") for name in names) == 1
    assert first["media"] == ["one"]
    assert first["table"] == 2
    assert first["logged"] == ["run_table"]
    assert first["downloaded"]


def test_the_page_of_a_run_shows_state_config_curves_console_and_alert(first: Any, server: Server) -> None:
    for place, texts in (
        ("", ("Erster", "finished", "<svg", "the loss is hot", "img class")),
        ("/overview", ("opt.wd",)),
        ("/console", ("a line on the console",)),
    ):
        status, body = server.get(f"/local/runs/runs/first{place}")
        assert (status, [text for text in texts if text not in body.decode()]) == (200, [])


def test_a_killed_run_crashes_and_keeps_its_rows(tmp_path: Path) -> None:
    server = start(tmp_path / "folder", 0, "--crash-after", "2")
    client = Client(server, tmp_path)
    code = f"""{WAIT_FOR_ROWS}
import time, wandb
run = wandb.init(project="crash", id="victim")
for i in range(5):
    run.log({{"loss": i}})
wait_for_rows("crash/victim")
print("logged", flush=True)
time.sleep(60)
"""
    process = client.program(code)
    assert process.stdout is not None
    assert any(line == "logged\n" for line in process.stdout)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    query = 'query { project(name: "crash") { run(name: "victim") { state historyLineCount } } }'
    deadline = time.monotonic() + 15
    while (found := server.graphql(query)[1]["data"]["project"]["run"])["state"] == "running":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    server.stop()
    assert found == {"state": "crashed", "historyLineCount": 5}


FILTERS = """
import json, wandb
for i in range(5):
    config = {"lr": 10.0 ** -i, "opt": {"wd": i}, "a/b": i}
    more = {"tags": ["odd"] if i % 2 else ["even"], "group": "left" if i < 2 else "right"}
    with wandb.init(project="filters", id=f"run{i}", config=config, **more) as run:
        if i != 3:
            run.log({"val/iou": [0.3, 0.5, 0.4, None, 0.1][i]})
api = wandb.Api(); out = {}
def names(filters=None, order="+created_at", **more):
    return [r.id for r in wandb.Api().runs("filters", filters=filters, order=order, **more)]
out["all"] = names(per_page=2)
out["lr"] = names({"config.lr": {"$lt": 0.05}})
out["nested"] = names({"config.opt.value.wd": {"$in": [1, 4]}})
out["slash"] = names({"config.a/b": 2})
out["tag"] = names({"tags": "odd"})
out["or"] = names({"$or": [{"group": "left"}, {"summary_metrics.val/iou": {"$gte": 0.4}}]})
out["not"] = names({"$not": {"group": "left"}})
out["regex"] = names({"display_name": {"$regex": "."}, "name": {"$regex": "run[01]"}})
out["down"] = names(order="-summary_metrics.val/iou")
out["up"] = names(order="+summary_metrics.val/iou")
out["newest"] = names(order="-created_at")
out["count"] = len(api.runs("filters", filters={"state": "finished"}))
out["projects"] = "filters" in [p.name for p in api.projects()]
try:
    names({"config.lr": {"$near": 1}})
except Exception as e:
    out["refused"] = str(e)
try:
    len(api.runs("no-such-project"))
except ValueError as e:
    out["missing"] = str(e)
print(json.dumps(out))
"""


def test_api_filters_orders_and_pages(client: Client) -> None:
    found = client.run(FILTERS, WANDB_CONSOLE="off")
    assert "$near" in found.pop("refused")
    assert "no-such-project" in found.pop("missing")
    assert found == {
        "all": ["run0", "run1", "run2", "run3", "run4"],
        "lr": ["run2", "run3", "run4"],
        "nested": ["run1", "run4"],
        "slash": ["run2"],
        "tag": ["run1", "run3"],
        "or": ["run0", "run1", "run2"],
        "not": ["run2", "run3", "run4"],
        "regex": ["run0", "run1"],
        "down": ["run1", "run2", "run0", "run4", "run3"],
        "up": ["run4", "run0", "run2", "run1", "run3"],
        "newest": ["run4", "run3", "run2", "run1", "run0"],
        "count": 5,
        "projects": True,
    }


def test_the_public_api_changes_stops_and_deletes_runs(client: Client) -> None:
    code = """
import json, wandb
with wandb.init(project="changes", id="one", config={"a": 1}) as run:
    run.log({"x": 1})
r = wandb.Api().run("changes/one")
r.config["b"] = 2; r.tags.append("late"); r.notes = "later"; r.summary["y"] = 3; r.update()
again = wandb.Api().run("changes/one")
out = [again.config, again.tags, again.notes, again.summary["x"], again.summary["y"], again.state]
again.delete()
try:
    wandb.Api().run("changes/one")
except Exception as e:
    out.append("not found" in str(e).lower() or "could not find" in str(e).lower())
print(json.dumps(out))
"""
    assert client.run(code) == [{"a": 1, "b": 2}, ["late"], "later", 1, 3, "finished", True]


def test_offline_runs_sync_and_syncing_twice_in_two_ways_changes_nothing(client: Client) -> None:
    code = """
import glob, json, subprocess, wandb
with wandb.init(project="offline", id="away", mode="offline", config={"a": 1}) as run:
    for i in range(20):
        run.log({"x": i})
folder = glob.glob(wandb.env.get_dir() + "/wandb/offline-run-*-away")[0]
for words in (["sync", "--include-synced"], ["beta", "sync", "--no-skip-synced"]):
    subprocess.run(["wandb", *words, folder], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
r = wandb.Api().run("offline/away")
print(json.dumps([[row["x"] for row in r.scan_history()], r.config, r.state]))
"""
    assert client.run(code) == [list(range(20)), {"a": 1}, "finished"]
