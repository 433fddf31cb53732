"""Sweeps beyond a plain grid: states by the command line, and the client's own searchers."""

import re
from typing import Any

import pytest

from tests.server.running import Client, Server

PRIOR = """
import json, wandb, yaml
with wandb.init(project="prior", id="old", config={"x": 0.25}) as run:
    run.log({"loss": 1.0})
with open("prior.yaml", "w") as file:
    yaml.safe_dump({"method": "bayes", "metric": {"name": "loss", "goal": "minimize"}, "program": "train.py",
                    "parameters": {"x": {"min": 0.0, "max": 1.0}}}, file)
print("null")
"""


def made(client: Client, *words: str) -> str:
    """`wandb sweep …`; returns ENTITY/PROJECT/ID."""
    code, output = client.command("wandb", "sweep", *words, WANDB_SILENT="false")
    assert code == 0, output
    found = re.search(r"wandb agent (\w+/\w+/\w+)", output)
    assert found is not None, output
    return found[1]


WORDS = """
import json, wandb
from wandb.apis.public.sweeps import _get_sweep_state
from wandb.cli.cli import cli
states, (entity, project, name) = [], "PATH".split("/")
for word in ("--resume", "--pause", "--stop", "--resume", "--cancel"):
    cli(["sweep", word, "PATH"], standalone_mode=False)
    states.append(_get_sweep_state(wandb.Api(), name, entity=entity, project=project))
print(json.dumps(states))
"""
STATE = """query($name: String!) { project(name: "prior") { sweep(sweepName: $name) {
    state config priorRuns { edges { node { name } } } } } }"""


def test_the_command_line_pauses_resumes_stops_cancels_and_names_prior_runs(client: Client, server: Server) -> None:
    client.run(PRIOR, WANDB_CONSOLE="off")
    path = made(client, "--project", "prior", "--name", "second", "-R", "old", "prior.yaml")

    def sweep() -> Any:
        return server.graphql(STATE, name=path.rpartition("/")[2])[1]["data"]["project"]["sweep"]

    first = sweep()
    assert "name: second" in first.pop("config")
    assert first == {"state": "PENDING", "priorRuns": {"edges": [{"node": {"name": "old"}}]}}
    states = client.run(WORDS.replace("PATH", path), WANDB_CONSOLE="off")
    assert states == ["RUNNING", "PAUSED", "FINISHED", "RUNNING", "CANCELED"]


SEARCH_SPACE = """
import optuna
def space(trial):
    kind = trial.suggest_categorical("kind", ["plain", "deep"])
    return {"kind": kind} | ({"depth": trial.suggest_int("depth", 2, 4)} if kind == "deep" else {})
def study(sweep):
    return optuna.create_study(direction="minimize", sampler=optuna.samplers.RandomSampler(seed=1))
"""
CREATE = """
import json, wandb
metric = {"name": "loss", "goal": "minimize"}
x = {"x": {"min": 0.0, "max": 1.0}}
source = {"engine": "optuna", "source": "space.py", "search_space": "space", "optimizer": "study"}
both = {"metric": metric, "run_cap": 3}
print(json.dumps([wandb.sweep(config, project="own") for config in (
    {"method": "bayes", **both, "parameters": x, "scheduler": {"engine": "optuna"}},
    {"method": "random", **both, "parameters": x, "scheduler": {"engine": "wandb"}},
    {"method": "bayes", **both, "scheduler": source},
    {"method": "grid", "metric": metric, "parameters": {"x": {"values": [1, 2]}}, "controller": {"type": "local"}},
)]))
"""
OWN = {"WANDB_ENTITY": "local", "WANDB_PROJECT": "own"}
AGENT = """
import wandb
from wandb.agents import pyagent
pyagent.Agent.HEARTBEAT_SLEEP_SECONDS = 0.2
def train():
    with wandb.init(settings=wandb.Settings(x_disable_meta=True)) as run:
        run.log({"loss": float(len(str(dict(run.config))))})
for name, count in SWEEPS.items():
    wandb.agent(name, function=train, project="own", count=count)
"""
READ = """
import json, wandb
sweeps = [wandb.Api().sweep(f"own/{name}") for name in NAMES]
print(json.dumps([[s.state, [[r.state, r.config] for r in s.runs]] for s in sweeps]))
"""


@pytest.fixture(scope="module")
def searched(client: Client) -> dict[str, Any]:
    """Five sweeps, each suggested by a process of the client, and an agent for one after the other."""
    (client.folder / "space.py").write_text(SEARCH_SPACE)
    (client.folder / "own.yaml").write_text("{program: p.py, method: grid, parameters: {x: {values: [1, 2]}}}")
    names = client.run(CREATE)
    paths = [f"local/own/{name}" for name in names]
    own = client.start(["wandb", "sweep", "--controller", "own.yaml"], **OWN, WANDB_SILENT="false")
    assert own.stdout is not None
    names.append(next(m[1] for line in own.stdout if (m := re.search(r"wandb agent local/own/(\w+)", line))))
    quick = ("--batch-size", "3", "--poll-interval", "0.2")
    searchers = [client.start(["wandb", "sweep-scheduler", *quick, path]) for path in paths[:3]]
    searchers += [client.start(["wandb", "controller", names[3]], **OWN), own]
    counts = dict(zip(names, (3, 3, 3, 2, 2), strict=True))
    agent = client.program(AGENT.replace("SWEEPS", repr(counts)), **OWN, WANDB_CONSOLE="off")
    outputs = [client.finish(process) for process in [agent, *searchers]]
    assert all(process.returncode == 0 for process in [agent, *searchers]), outputs
    found = client.run(READ.replace("NAMES", repr(names)))
    return dict(zip(("optuna", "wandb", "source", "controller", "sweep --controller"), found, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["optuna", "wandb"])
def test_the_sweep_scheduler_suggests_every_run_and_ends_with_the_sweep(searched: Any, engine: str) -> None:
    state, runs = searched[engine]
    assert state == "FINISHED"
    assert [run_state for run_state, _ in runs] == ["finished"] * 3
    assert len({config["x"] for _, config in runs}) == 3


@pytest.mark.slow
def test_a_search_space_in_python_may_be_conditional(searched: Any) -> None:
    state, runs = searched["source"]
    assert state == "FINISHED"
    assert all(("depth" in config) == (config["kind"] == "deep") for _, config in runs)


@pytest.mark.slow
@pytest.mark.parametrize("command", ["controller", "sweep --controller"])
def test_the_local_controller_runs_a_grid_to_its_end(searched: Any, command: str) -> None:
    state, runs = searched[command]
    assert state == "FINISHED"
    assert sorted(config["x"] for _, config in runs) == [1, 2]
