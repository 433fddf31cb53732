"""Sweeps beyond a plain grid: every distribution, states by the command line, and the client's own searchers."""

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
DISTRIBUTIONS = """
import json, wandb
from wandb.apis.public.sweeps import _agent_heartbeat, _register_agent
P, api, out = "distributions", wandb.Api(), {}
span = {"min": 1.0, "max": 3.0}
values = {"min": 0.001, "max": 0.1}
parameters = {
    "constant": {"value": "v"}, "categorical": {"values": ["a", "b", None, True]},
    "categorical_w_probabilities": {"values": ["a", "b"], "probabilities": [0.0, 1.0]},
    "int_uniform": {"distribution": "int_uniform", "min": 1, "max": 3},
    "guessed_int": {"min": 1, "max": 3}, "guessed_float": span,
    **{name: {"distribution": name, **span} for name in ("uniform", "log_uniform", "inv_log_uniform")},
    **{name: {"distribution": name, **values} for name in ("log_uniform_values", "inv_log_uniform_values")},
    **{name: {"distribution": name, **span, "q": 0.5} for name in ("q_uniform", "q_log_uniform")},
    "q_log_uniform_values": {"distribution": "q_log_uniform_values", "min": 10.0, "max": 100.0, "q": 5},
    **{name: {"distribution": name, "mu": 2.0, "sigma": 0.1} for name in ("normal", "log_normal")},
    **{name: {"distribution": name, "mu": 2.0, "sigma": 0.1, "q": 0.5} for name in ("q_normal", "q_log_normal")},
    "beta": {"distribution": "beta", "a": 2, "b": 5}, "q_beta": {"distribution": "q_beta", "a": 2, "b": 5, "q": 0.25},
    "nested": {"parameters": {"deep": {"parameters": {"x": {"distribution": "uniform", "min": 5.0, "max": 6.0}}}}},
}
for method in ("random", "bayes"):
    config = {"method": method, "metric": {"name": "loss", "goal": "minimize"}, "parameters": parameters}
    sweep_id = wandb.sweep(config, project=P)
    agents = [_register_agent(api, "h", sweep_id=sweep_id, project=P, entity="local")["id"] for _ in range(5)]
    given = [_agent_heartbeat(api, agent, {}, {})[0] for agent in agents]
    out[method] = [{key: value["value"] for key, value in command["args"].items()} for command in given]
def refused(**config):
    try:
        wandb.sweep(config, project=P)
    except Exception as error:
        return str(error)
x = {"x": {"min": 0.0, "max": 1.0}}
out["refused"] = [refused(method="random", parameters={"x": {"distribution": "gamma"}}),
                  refused(method="bayes", parameters=x), refused(method="hunt", parameters=x)]
print(json.dumps(out))
"""


@pytest.fixture(scope="module")
def drawn(client: Client) -> Any:
    return client.run(DISTRIBUTIONS)


LIMITS = {
    **dict.fromkeys(("uniform", "guessed_float", "q_uniform", "guessed_int", "int_uniform"), (1, 3)),
    **dict.fromkeys(("log_uniform", "q_log_uniform"), (2.5, 20.1)),  # e to the power of 1 to 3, to the next 0.5
    "inv_log_uniform": (0.049, 0.368),  # one divided by that
    **dict.fromkeys(("log_uniform_values", "inv_log_uniform_values"), (0.001, 0.1)),
    "q_log_uniform_values": (10, 100),
    **dict.fromkeys(("normal", "q_normal"), (1, 3)),
    **dict.fromkeys(("log_normal", "q_log_normal"), (3, 18)),  # e to the power of 2 ± 0.9
    **dict.fromkeys(("beta", "q_beta"), (0, 1)),
}


@pytest.mark.parametrize("method", ["random", "bayes"])
def test_values_lie_where_the_distribution_puts_them(drawn: Any, method: str) -> None:
    for name, (low, high) in LIMITS.items():
        values = [given[name] for given in drawn[method]]
        assert low <= min(values) <= max(values) <= high, name


@pytest.mark.parametrize("method", ["random", "bayes"])
def test_constants_choices_and_nested_parameters_arrive_whole(drawn: Any, method: str) -> None:
    for given in drawn[method]:
        assert given["constant"] == "v"
        assert given["categorical"] in ("a", "b", None, True)
        assert given["categorical_w_probabilities"] == "b"
        assert isinstance(given["guessed_int"], int)
        assert 5 <= given["nested"]["deep"]["x"] <= 6
        assert given["q_uniform"] * 2 == int(given["q_uniform"] * 2)


def test_a_sweep_that_cannot_work_is_refused_with_the_reason(drawn: Any) -> None:
    unknown, aimless, method = drawn["refused"]
    assert "gamma" in unknown
    assert "metric" in aimless
    assert "hunt" in method


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
