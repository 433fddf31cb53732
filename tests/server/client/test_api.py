"""The rest of the public API: pages, samples, files, projects, reports, offline sweeps; and what is refused."""

from pathlib import Path
from typing import Any

import pytest

from tests.server.running import Client, Server

READING = """
import json, wandb
P = "reading"
out = {}
with wandb.init(project=P, id="long", config={"lr": 0.1}, tags=["x"]) as run:
    for i in range(1200):
        run.log({"i": i, "sparse": i} if i % 100 == 0 else {"i": i})
    for n in range(3):
        with open(f"file{n}.txt", "w") as file:
            file.write(str(n))
        run.save(f"file{n}.txt")
for n in range(2):
    wandb.init(project=P, id=f"short{n}", group="pair", job_type="eval").finish()
api = wandb.Api()
r = api.run(f"{P}/long")
sampled = r.history(samples=100, pandas=False)
out["sampled"] = [len(sampled), sampled[-1]["i"]]
out["scanned"] = [row["i"] for row in r.scan_history(page_size=500)] == list(range(1200))
out["part"] = [row["i"] for row in r.scan_history(min_step=10, max_step=13)]
out["sparse"] = [row["sparse"] for row in r.scan_history(keys=["sparse"])]
out["frame"] = list(r.history(keys=["i", "sparse"], samples=5).columns)
out["last step"] = r.lastHistoryStep
out["files"] = sorted(f.name for f in r.files(per_page=2) if f.name.startswith("file"))
out["by name"] = [f.name for f in r.files(names=["file1.txt"])]
out["like"] = sorted(f.name for f in r.files(pattern="file%.txt"))
runs = api.runs(P, per_page=1, order="+created_at")
out["length"], out["pages"] = len(runs), [r.id for r in runs]
def ids(**filters):
    return sorted(r.id for r in wandb.Api().runs(P, filters=filters))
out["filters"] = [ids(group="pair"), ids(jobType="eval"), ids(display_name=r.name), ids(**{"config.lr.value": 0.1}),
                  ids(state="finished", tags={"$in": ["x"]}), ids(**{"summary_metrics.i": {"$gt": 1000}}),
                  ids(created_at={"$gt": "2020-01-01T00:00:00"}), ids(username="local"),
                  ids(**{"$nor": [{"group": "pair"}]})]
project = api.project(P)
out["project"] = [project.name, project.entity, P in [p.name for p in api.projects("local", per_page=1)]]
out["histories"] = sorted({row["run_id"] for row in api.runs(P).histories(samples=5, format="default")})
try:
    api.project("absent").load()
    api.run("absent/run")
except Exception as error:
    out["absent"] = str(error)
print(json.dumps(out))
"""
REPORTS = """
import json, wandb
import wandb_workspaces.reports.v2 as reports
import wandb_workspaces.workspaces as workspaces
wandb.init(project="reports", id="r", settings=wandb.Settings(console="off")).finish()
grid = reports.PanelGrid(runsets=[reports.Runset(entity="local", project="reports")],
                         panels=[reports.LinePlot(x="Step", y=["loss"])])
report = reports.Report(entity="local", project="reports", title="First", description="what it says",
                        blocks=[reports.H1("A heading"), reports.P("Words."), grid])
report.save()
again = reports.Report.from_url(report.url)
again.title = "Second"; again.save()
views = wandb.Api().reports("local/reports")
out = {"titles": [r.display_name for r in views],
       "blocks": [type(b).__name__ for b in reports.Report.from_url(report.url).blocks]}
workspace = workspaces.Workspace(entity="local", project="reports", name="Mine", sections=[])
workspace.save()
out["workspace"] = workspaces.Workspace.from_url(workspace.url).name
again.delete()
out["left"] = [r.display_name for r in wandb.Api().reports("local/reports")]
print(json.dumps(out))
"""
OFFLINE = """
import glob, json, os, subprocess, wandb
from wandb.apis.public.sweeps import _agent_heartbeat, _register_agent
api = wandb.Api()
metric = {"name": "loss", "goal": "minimize"}
sweep_id = wandb.sweep({"method": "grid", "metric": metric, "parameters": {"x": {"values": [7]}}}, project="away")
agent = _register_agent(api, "here", sweep_id=sweep_id, project="away", entity="local")["id"]
given = _agent_heartbeat(api, agent, {}, {})[0]
os.environ["WANDB_SWEEP_ID"] = sweep_id
with wandb.init(project="away", entity="local", id=given["run_id"], mode="offline", config={"x": 7}) as run:
    for step in range(20):
        run.log({"loss": 20.0 - step})
    artifact = wandb.Artifact("weights", "model")
    with artifact.new_file("w.txt") as file:
        file.write("w")
    run.log_artifact(artifact, aliases=["best"])
    run.log({"table": wandb.Table(columns=["a"], data=[[1]])})
folder = glob.glob(wandb.env.get_dir() + f"/wandb/offline-run-*-{given['run_id']}")[0]
for words in (["sync", "--include-synced"], ["beta", "sync", "--no-skip-synced"]):
    subprocess.run(["wandb", *words, folder], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
sweep = wandb.Api().sweep(f"away/{sweep_id}")
r = sweep.best_run()
print(json.dumps([r.id == given["run_id"], r.state, r.config, sweep.state, sorted(a.type for a in r.logged_artifacts()),
                  wandb.Api().artifact("away/weights:best").logged_by().id == r.id,
                  [row["loss"] for row in r.scan_history(keys=["loss"])] == [20.0 - step for step in range(20)]]))
"""
OFFLINE_NOWHERE = """
import glob, json, subprocess, wandb
place = PLACE
with wandb.init(id="far", mode="offline", **place) as run:
    artifact = wandb.Artifact("weights", "model")
    with artifact.new_file("w.txt") as file:
        file.write("w")
    run.log_artifact(artifact)
    run.log({"table": wandb.Table(columns=["a"], data=[[1]])})
[folder] = glob.glob(wandb.env.get_dir() + "/wandb/offline-run-*-far")
said = subprocess.run(["wandb", "sync", folder], check=True, capture_output=True, text=True)
project = place.get("project", "uncategorized")
r = wandb.Api().run(f"local/{project}/far")
print(json.dumps([sorted(a.type for a in r.logged_artifacts()),
                  wandb.Api().artifact(f"local/{project}/run-far-table:latest").get("table").data,
                  said.stdout + said.stderr]))
"""


@pytest.fixture(scope="module")
def read(client: Client) -> Any:
    return client.run(READING, WANDB_CONSOLE="off")


def test_history_is_sampled_scanned_whole_and_in_part(read: Any) -> None:
    assert read["sampled"] == [100, 1199]
    assert read["scanned"] is True
    assert read["part"] == [10, 11, 12]
    assert read["sparse"] == list(range(0, 1200, 100))
    assert set(read["frame"]) == {"_step", "i", "sparse"}
    assert read["last step"] == 1199


def test_files_are_listed_by_page_name_and_pattern(read: Any) -> None:
    assert read["files"] == read["like"] == ["file0.txt", "file1.txt", "file2.txt"]
    assert read["by name"] == ["file1.txt"]


def test_runs_are_paged_counted_and_filtered_as_documented(read: Any) -> None:
    assert read["length"] == 3
    assert read["pages"] == ["long", "short0", "short1"]
    pair, long, everything = ["short0", "short1"], ["long"], ["long", "short0", "short1"]
    assert read["filters"] == [pair, pair, long, long, long, long, everything, everything, long]
    assert read["histories"] == ["long"]


def test_projects_are_listed_and_what_does_not_exist_is_named(read: Any) -> None:
    assert read["project"] == ["reading", "local", True]
    assert "absent" in read["absent"]


def test_reports_and_workspaces_are_saved_loaded_listed_and_deleted(client: Client) -> None:
    found = client.run(REPORTS, PYTHONWARNINGS="ignore")
    assert found["titles"] == ["Second"]
    assert {"H1", "P", "PanelGrid"} <= set(found["blocks"])
    assert found["workspace"] == "Mine"
    assert found["left"] == []


def test_an_offline_run_of_a_sweep_syncs_with_its_artifacts_and_a_second_time_changes_nothing(client: Client) -> None:
    found = client.run(OFFLINE)
    assert found == [True, "finished", {"x": 7}, "FINISHED", ["model", "run_table"], True, True]


@pytest.mark.parametrize("place", [{"project": "nobody's"}, {}], ids=["no entity", "no project"])
def test_an_offline_run_that_names_no_entity_syncs_with_its_artifacts(
    server: Server, tmp_path: Path, place: dict[str, str]
) -> None:
    found = Client(server, tmp_path).run(OFFLINE_NOWHERE.replace("PLACE", repr(place)), WANDB_SILENT="false")
    assert found[:2] == [["model", "run_table"], [[1]]], found


@pytest.mark.slow
def test_wandb_verify_finds_nothing_that_it_calls_critical(client: Client) -> None:
    """Its warnings about https and other sites' pages are true."""
    words = ["wandb", "verify", "--host", client.server.url]
    process = client.start(words, WANDB_SILENT="false")
    output = client.finish(process, timeout=240)
    assert process.returncode == 0, output
    failed = [line.split("..")[0] for line in output.splitlines() if "❌" in line]
    assert failed == [
        "Checking requests to base url",
        "Checking requests made over signed URLs",
        "Checking CORs configuration of the bucket",
    ]
    assert output.count("✅") == 7
