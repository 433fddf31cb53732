"""Everything that one run can log: metrics with rules, media, code, console, system metrics; all in one run."""

from typing import Any

import pytest

from tests.server.running import Client, Server

PROGRAM = """
import json, os, subprocess, sys
os.makedirs("work"); os.chdir("work")
git = ["git", "-c", "init.defaultBranch=main", "-c", "user.name=n", "-c", "user.email=n@example.invalid"]
def sh(*words):
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
with open("model.py", "w") as file:
    file.write("width = 16\\n")
for words in (["init"], ["add", "model.py"], ["commit", "-m", "one"], ["remote", "add", "origin", "https://example.invalid/r.git"]):
    sh(*git, *words)
with open("model.py", "a") as file:
    file.write("depth = 4\\n")
import numpy as np, wandb
settings = wandb.Settings(save_code=True, x_disable_stats=False, x_stats_sampling_interval=0.1)
with wandb.init(project="logging", id="all", settings=settings, group="fold-1", job_type="eval") as run:
    run.define_metric("epoch")
    run.define_metric("val/*", step_metric="epoch")
    rules = {"low": "min", "high": "max", "begin": "first", "end": "last", "many": "min,max,mean", "hidden": "none"}
    for name, rule in rules.items():
        run.define_metric(name, summary=rule)
    try:
        run.define_metric("top", summary="best")
    except wandb.Error as error:
        best = str(error)
    for epoch, value in enumerate([3.0, 1.0, 2.0]):
        run.log({"epoch": epoch, "val/loss": value, **dict.fromkeys(rules, value)})
    piece = np.zeros((8, 8), dtype=np.uint8); piece[2:5, 2:5] = 1
    names = {0: "table", 1: "piece"}
    box = {"position": {"minX": 0.1, "maxX": 0.5, "minY": 0.2, "maxY": 0.6}, "class_id": 1, "scores": {"iou": 0.75}}
    image = wandb.Image(np.zeros((8, 8, 3), dtype=np.uint8), caption="one",
                        masks={"truth": {"mask_data": piece, "class_labels": names}},
                        boxes={"found": {"box_data": [box], "class_labels": names}})
    table = wandb.Table(columns=["n", "image"], data=[[1, wandb.Image(piece)], [2, wandb.Image(piece)]])
    run.log({"image": image, "table": table, "spread": wandb.Histogram([1, 2, 3, 3], num_bins=3)})
    run.log({"line": wandb.plot.line(wandb.Table(columns=["x", "y"], data=[[1, 2], [2, 3]]), "x", "y", title="A line"),
             "html": wandb.Html("<b>bold</b>"), "vector": [1, 2], "nested": {"a": {"b": 1}}, "infinite": float("inf")})
    with open("note.txt", "w") as file:
        file.write("a note")
    run.save("note.txt")
    run.log_code(".", name="code")
    print("to stdout"); print("to stderr", file=sys.stderr); print("30%\\r100%")
    run.alert("hot", "the loss is hot", level=wandb.AlertLevel.WARN)
    run.tags += ("late",); run.notes = "changed"; run.name = "renamed"; run.config.update({"late": True})
r = wandb.Api().run("logging/all")
def content(name):
    return r.file(name).download(root="down", replace=True).read()
rows = list(r.scan_history())
print(json.dumps({
    "summary": {k: r.summary[k] for k in [*rules][:5] + ["val/loss", "vector", "nested", "infinite"]},
    "hidden": "hidden" in r.summary, "best": best, "metrics": r.rawconfig["_wandb"]["m"], "state": r.state,
    "identity": [r.group, r.job_type, r.tags, r.notes, r.name, r.config],
    "axis": r.history(keys=["val/loss"], x_axis="epoch", pandas=False),
    "image": rows[3]["image"], "spread": rows[3]["spread"], "files": [f.name for f in r.files()],
    "boxes": json.loads(content(rows[3]["image"]["all_boxes"]["found"]["path"] if "all_boxes" in rows[3]["image"]
                                else rows[3]["image"]["boxes"]["found"]["path"])),
    "table": json.loads(content(rows[3]["table"]["path"]))["data"][1][0],
    "plot": r.rawconfig["_wandb"]["visualize"]["line"]["panel_config"]["panelDefId"],
    "note": content("note.txt"), "diff": content("diff.patch"), "console": content("output.log"),
    "commit": r.commit, "remote": r.metadata["git"]["remote"], "python": r.metadata["python"],
    "system": sorted(r.history(stream="system", pandas=False)[-1]), "live": sorted(r.system_metrics),
    "lines": [line.content for line in r.console_logs()],
    "artifacts": sorted([a.type, a.name] for a in r.logged_artifacts()), "size": r.file("note.txt").size,
    "head": subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip(),
}, default=lambda nested: dict(nested.items())))
"""


@pytest.fixture(scope="module")
def found(client: Client) -> Any:
    return client.run(PROGRAM)


def test_the_summary_follows_define_metric(found: Any) -> None:
    summary = found["summary"]
    assert (summary["low"], summary["high"]) == ({"min": 1}, {"max": 3})
    assert (summary["begin"], summary["end"]) == ({"first": 3}, {"last": 2})
    assert summary["many"] == {"min": 1, "max": 3, "mean": 2}
    assert summary["val/loss"] == 2
    assert found["hidden"] is False


def test_best_is_a_word_that_this_client_no_longer_sends(found: Any) -> None:
    """Clients up to 0.29 do; what they leave in the summary can be ordered by, as test_filters shows."""
    assert "summary op: best" in found["best"]


def test_a_custom_x_axis_is_kept_and_can_be_read_by(found: Any) -> None:
    assert [(row["epoch"], row["val/loss"]) for row in found["axis"]] == [(0, 3), (1, 1), (2, 2)]
    assert any(metric.get("1") == "epoch" for metric in found["metrics"])


def test_lists_nested_and_infinite_values_read_back(found: Any) -> None:
    assert found["summary"]["vector"] == [1, 2]
    assert found["summary"]["nested"] == {"a": {"b": 1}}
    assert found["summary"]["infinite"] == "Infinity" or found["summary"]["infinite"] == float("inf")


def test_group_job_type_tags_notes_name_and_config_can_change_while_it_runs(found: Any) -> None:
    assert found["identity"] == ["fold-1", "eval", ["late"], "changed", "renamed", {"late": True}]
    assert found["state"] == "finished"


def test_an_image_has_its_masks_and_boxes(found: Any) -> None:
    assert found["image"]["_type"] == "image-file"
    assert found["image"]["masks"]["truth"]["path"] in found["files"]
    [box] = found["boxes"]["box_data"]
    assert box["class_id"] == 1
    assert box["position"] == {"minX": 0.1, "maxX": 0.5, "minY": 0.2, "maxY": 0.6}
    assert box["scores"] == {"iou": 0.75}


def test_tables_histograms_and_plots_read_back(found: Any) -> None:
    assert found["table"] == 2
    assert found["spread"]["values"] == [1, 1, 2]
    assert found["plot"] == "wandb/line/v0"
    assert ["run_table", "run-all-table:v0"] in found["artifacts"]


def test_code_and_git_state_are_kept(found: Any) -> None:
    assert found["commit"] == found["head"]
    assert found["remote"] == "https://example.invalid/r.git"
    assert "+depth = 4" in found["diff"]
    assert ["code", "code:v0"] in found["artifacts"]
    assert "CPython" in found["python"]


def test_saved_files_read_back(found: Any) -> None:
    assert found["note"] == "a note"
    assert found["size"] == 6
    assert {"config.yaml", "requirements.txt", "wandb-summary.json"} <= set(found["files"])


def test_console_lines_are_kept_and_a_progress_bar_is_one_line(found: Any) -> None:
    for text in ("to stdout", "to stderr", "100%"):
        assert text in found["console"]
        assert any(text in line for line in found["lines"])
    assert "30%" not in found["console"]


def test_an_alert_is_on_the_page_of_the_run(server: Server, found: Any) -> None:
    assert b"the loss is hot" in server.get("/local/logging/runs/all")[1]


def test_system_metrics_arrive(found: Any) -> None:
    assert "system.memory_percent" in found["system"]
    assert "system.memory_percent" in found["live"]
