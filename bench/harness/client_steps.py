"""Steps of a person with the wandb client: started by `bench.clients` with the Python of one release.

Prints a JSON list for each step: its name, and its failure ("" if it worked). Needs wandb, numpy, Pillow.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import wandb

P = os.environ["WANDB_PROJECT"]
PATIENCE = 200  # seconds
WANDB = str(Path(sys.executable).parent / "wandb")
GRID = {
    "program": "trial.py",
    "method": "grid",
    "metric": {"name": "loss", "goal": "minimize"},
    "parameters": {"x": {"values": [1, 2]}},
}
TRIAL = """
import os, wandb
with wandb.init() as run:
    run.log({"loss": (run.config.x - 1) ** 2})
"""
ENDLESS = """
import signal, time, wandb
signal.signal(signal.SIGINT, signal.default_int_handler)
run = wandb.init(id="endless")
ended = time.monotonic() + 300
while time.monotonic() < ended:
    run.log({"x": 1})
    time.sleep(0.2)
"""
FAILING = """
import sys, wandb
wandb.init(id="failing")
sys.exit(3)
"""
OFFLINE = """
import wandb
with wandb.init(id="offline", mode="offline") as run:
    run.log({"x": 7})
    with open("away.txt", "w") as file:  # up to 0.24 the file of new_file() is gone when it is synced
        file.write("w")
    artifact = wandb.Artifact("away", "model")
    artifact.add_file("away.txt")
    run.log_artifact(artifact)
"""


def check(what: str, value: Any, expected: Any) -> None:
    if value != expected:
        raise AssertionError(f"{what}: {value!r} instead of {expected!r}")


def api() -> wandb.Api:
    return wandb.Api(timeout=20)


def run_of(name: str) -> Any:
    return api().run(f"local/{P}/{name}")


def start(*words: str) -> "subprocess.Popen[str]":
    """A program beside this one, without this one's service, which would hide its exit code."""
    own = {name: value for name, value in os.environ.items() if name != "WANDB_SERVICE"}
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=own)


def finish(process: "subprocess.Popen[str]") -> str:
    """The output of the process."""
    try:
        return process.communicate(timeout=PATIENCE)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        raise AssertionError(f"no end within {PATIENCE} s: {process.communicate()[0][-300:]}") from None


def ask(query: str) -> Any:
    request = urllib.request.Request(
        os.environ["WANDB_BASE_URL"] + "/graphql",
        json.dumps({"query": query}).encode(),
        {
            "Authorization": "Basic " + b64encode(f"api:{os.environ['WANDB_API_KEY']}".encode()).decode(),
            "Content-Type": "application/json",
        },
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.loads(answer.read())["data"]


def log() -> None:
    with wandb.init(id="plain", name="a name", config={"lr": 0.5, "opt": {"wd": 1}}, tags=["t"]) as run:
        run.define_metric("acc", summary="max")
        for i in range(5):
            run.log({"loss": 1 / (i + 1), "acc": i % 3})
        run.summary["done"] = True
    seen = run_of("plain")
    check("state", seen.state, "finished")
    check("config", {key: seen.config[key] for key in ("lr", "opt")}, {"lr": 0.5, "opt": {"wd": 1}})
    check("name and tags", (seen.name, list(seen.tags)), ("a name", ["t"]))
    check("summary", (seen.summary["loss"], seen.summary["done"]), (0.2, True))
    check("rows", [row["acc"] for row in seen.scan_history(keys=["acc"])], [0, 1, 2, 0, 1])
    check("samples", len(seen.history(pandas=False)), 5)


def media() -> None:
    picture = numpy.zeros((8, 8, 3), numpy.uint8)
    mask = {"prediction": {"mask_data": numpy.eye(8, dtype=numpy.uint8), "class_labels": {0: "no", 1: "yes"}}}
    with wandb.init(id="media") as run:
        run.log({"image": wandb.Image(picture, masks=mask), "table": wandb.Table(columns=["a"], data=[[1], [2]])})
        run.log({"images": [wandb.Image(picture), wandb.Image(picture + 1)], "h": wandb.Histogram([1, 2, 3])})
    seen = run_of("media")
    names = [file.name for file in seen.files()]
    for part, number in (("media/images/image_", 1), ("media/images/mask", 1), ("media/images/images_", 2)):
        check(part, sum(name.startswith(part) for name in names), number)
    [row] = [row for row in seen.scan_history() if row.get("image")]
    check("type", row["image"]["_type"], "image-file")
    with seen.file(row["image"]["path"]).download(tempfile.mkdtemp()) as file:
        check("kind of file", file.name[-4:], ".png")


def artifact() -> None:
    folder = Path(tempfile.mkdtemp())
    (folder / "a.txt").write_text("one")
    with wandb.init(id="writer") as run:
        new = wandb.Artifact("data", "dataset", metadata={"n": 1})
        new.add_dir(str(folder))
        run.log_artifact(new, aliases=["first"]).wait()
    seen = api().artifact(f"local/{P}/data:first")
    check("version", (seen.version, sorted(seen.aliases)), ("v0", ["first", "latest"]))
    check("content", (Path(seen.download(tempfile.mkdtemp())) / "a.txt").read_text(), "one")
    check("made by", seen.logged_by().id, "writer")
    with wandb.init(id="reader") as run:
        used = run.use_artifact("data:latest", type="dataset")
        check("used", used.metadata, {"n": 1})
        linked = used.download(tempfile.mkdtemp())
        check("files", [path.name for path in Path(linked).iterdir()], ["a.txt"])
    check("used by", [user.id for user in seen.used_by()], ["reader"])
    check("of the run", [each.name for each in run_of("writer").logged_artifacts()], ["data:v0"])
    seen.aliases.append("best")
    seen.description = "a text"
    seen.save()
    check("changed", api().artifact(f"local/{P}/data:best").description, "a text")
    check("listed", [each.version for each in api().artifacts("dataset", f"local/{P}/data")], ["v0"])
    check("types", "dataset" in [each.name for each in api().artifact_types(f"local/{P}")], True)


def runs() -> None:
    result = api().runs(f"local/{P}", filters={"config.lr": 0.5}, order="+created_at")
    check("chosen by config", [run.id for run in result], ["plain"])
    check("project", P in [project.name for project in api().projects("local")], True)


def resume() -> None:
    with wandb.init(id="plain", resume="must") as run:
        run.log({"loss": 0.1})
    check("steps", [row["_step"] for row in run_of("plain").scan_history(keys=["_step", "loss"])], [0, 1, 2, 3, 4, 5])


def files() -> None:
    Path("notes.txt").write_text("kept")
    run_of("plain").upload_file("notes.txt")
    with run_of("plain").file("notes.txt").download(tempfile.mkdtemp()) as file:
        check("uploaded", file.read(), "kept")
    run_of("plain").file("notes.txt").delete()
    check("deleted", "notes.txt" in [file.name for file in run_of("plain").files()], False)


def sync(offline: "subprocess.Popen[str]") -> None:
    finish(offline)
    [folder] = Path("wandb").glob("offline-run-*")
    output = finish(start(WANDB, "sync", str(folder)))
    if "offline" not in [run.id for run in api().runs(f"local/{P}")]:
        raise AssertionError(output[-600:])
    check("rows", [row["x"] for row in run_of("offline").scan_history(keys=["x"])], [7])
    check("artifact", [each.name for each in run_of("offline").logged_artifacts()], ["away:v0"])


def fail(failing: "subprocess.Popen[str]") -> None:
    finish(failing)
    check("state", run_of("failing").state, "failed")


def agent(process: "subprocess.Popen[str]") -> None:
    output = finish(process)
    [sweep] = api().project(P, "local").sweeps()
    # 0.25 itself leaves the config out of the runs that it lists.
    ended = sorted((run_of(run.id).config["x"], run.state) for run in sweep.runs)
    if ended != [(1, "finished"), (2, "finished")]:
        raise AssertionError(f"{ended}: {output[-500:]}")
    check("best", run_of(sweep.best_run().id).config["x"], 1)


def function_agent() -> None:
    sweep = wandb.sweep({"method": "random", "parameters": {"x": {"min": 0.0, "max": 1.0}}}, project=P)
    wandb.agent(sweep, function=_trial, count=1, project=P, entity="local")
    check("states", [run.state for run in api().sweep(f"local/{P}/{sweep}").runs][:1], ["finished"])


def _trial() -> None:
    with wandb.init() as run:
        run.log({"loss": run.config.x})


def stop(process: "subprocess.Popen[str]") -> None:
    ended = time.monotonic() + PATIENCE
    query = f'{{ project(name: "{P}") {{ run(name: "endless") {{ id historyLineCount }} }} }}'
    while not (run := ask(query)["project"]["run"]) or not run["historyLineCount"]:
        check("begun in time", time.monotonic() < ended, True)
        time.sleep(0.3)
    ask(f'mutation {{ stopRun(input: {{id: "{run["id"]}"}}) {{ success }} }}')
    finish(process)
    check("ended as asked", run_of("endless").state in ("killed", "failed", "crashed"), True)


def refuse_launch() -> None:
    """There are no launch queues: a sweep for one has to be refused in a sentence, and not made."""
    Path("launch.yaml").write_text(json.dumps(GRID | {"image_uri": "image:1"}))
    before = len(list(api().project(P, "local").sweeps()))
    output = finish(start(WANDB, "launch-sweep", "-q", "gpus", "-e", "local", "-p", P, "launch.yaml"))
    check("sentence", "there are no launch queues" in output, True)
    check("sweeps", len(list(api().project(P, "local").sweeps())), before)


def attempt(name: str, step: Callable[..., None], *arguments: Any) -> None:
    problem = ""
    try:
        step(*arguments)
    except BaseException as error:  # a client that exits is a problem, too
        problem = f"{type(error).__name__}: {error}"[:600]
    print(json.dumps([name, problem]), flush=True)


def main() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # else a run started from here cannot be stopped
    Path("trial.py").write_text(TRIAL)
    at_work = start(WANDB, "agent", f"local/{P}/{wandb.sweep(GRID, project=P, entity='local')}")
    endless, offline, failing = (start(sys.executable, "-c", code) for code in (ENDLESS, OFFLINE, FAILING))
    for step in (log, runs, resume, files, media, artifact):
        attempt(step.__name__, step)
    attempt("launch refused", refuse_launch)
    attempt("exit code", fail, failing)
    attempt("stop", stop, endless)
    attempt("sync", sync, offline)
    attempt("sweep, wandb agent", agent, at_work)
    attempt("wandb.agent", function_agent)


if __name__ == "__main__":
    main()
