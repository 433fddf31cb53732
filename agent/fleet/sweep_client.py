"""W&B's protocol for sweep agents, as the client's own agent speaks it.

The client's functions of this purpose wait five seconds between two questions; an agent of the fleet asks as soon as a
trial is over.
"""

import json
from dataclasses import dataclass
from typing import Any

from common.names import check_name
from common.wandb_api import graphql

SWEEP_QUERY = """query ($entity: String, $project: String, $sweep: String!) {
    project(name: $project, entityName: $entity) { sweep(sweepName: $sweep) { state config %s } } }"""
RUN_QUERY = """query ($entity: String, $project: String, $run: String!) {
    project(name: $project, entityName: $entity) { run(name: $run) { state } } }"""
RUNS_QUERY = """query ($entity: String, $project: String, $filters: JSONString) {
    project(name: $project, entityName: $entity) {
        runs(filters: $filters, first: 1000) { edges { node { name } } } } }"""
REGISTER = """mutation ($host: String!, $project: String, $entity: String, $sweep: String!) {
    createAgent(input: {host: $host, projectName: $project, entityName: $entity, sweep: $sweep}) { agent { id } } }"""
HEARTBEAT = """mutation ($id: ID!, $metrics: JSONString, $runState: JSONString) {
    agentHeartbeat(input: {id: $id, metrics: $metrics, runState: $runState}) { agent { id } commands } }"""


@dataclass(frozen=True)
class Sweep:
    """A sweep on a server, and the key to it. Raises BadName: one of its names is no valid name."""

    base_url: str
    key: str
    entity: str
    project: str
    name: str

    def __post_init__(self) -> None:
        check_name("sweep id", self.name)
        for kind, name in (("entity", self.entity), ("project", self.project)):
            if name:
                check_name(kind, name)

    @property
    def path(self) -> str:
        return f"{self.entity}/{self.project}/{self.name}"

    def fetch(self) -> dict[str, Any] | None:
        """`state`, `config` (YAML), `runCount`, `runCountExpected` (None: unknown); None if there is no such sweep."""
        project = self._ask(SWEEP_QUERY % "runCount runCountExpected", sweep=self.name)["project"]
        sweep: dict[str, Any] | None = project and project["sweep"]
        return sweep

    def fetch_run_state(self, run: str) -> str | None:
        """`running`, `finished`, `failed`, `crashed`, `killed`, `preempted`, …; None if there is no such run."""
        project = self._ask(RUN_QUERY, run=run)["project"]
        return str(project["run"]["state"]) if project and project["run"] else None

    def fetch_runs(self, *states: str) -> set[str]:
        """Names of the sweep's runs in these states, the first 1000."""
        filters = json.dumps({"sweep": self.name, "state": {"$in": states}})
        project = self._ask(RUNS_QUERY, filters=filters)["project"]
        return {edge["node"]["name"] for edge in project["runs"]["edges"]} if project else set()

    def register(self, host: str) -> str:
        """A new agent of the sweep; its id."""
        return str(self._ask(REGISTER, host=host, sweep=self.name)["createAgent"]["agent"]["id"])

    def heartbeat(self, agent: str, running: list[str], timeout: float) -> list[dict[str, Any]]:
        """The orders for an agent; `running` are the ids of its runs.

        Raises:
            NotFound: the server does not know this agent.
        """
        states = json.dumps(dict.fromkeys(running, True))
        answer = self._ask(HEARTBEAT, timeout, id=agent, metrics="{}", runState=states)
        commands: list[dict[str, Any]] = json.loads(answer["agentHeartbeat"]["commands"])
        return commands

    def _ask(self, query: str, timeout: float = 20, **variables: Any) -> dict[str, Any]:
        """Raises ServerUnavailable, RequestRefused, or NotFound."""
        variables = {"entity": self.entity, "project": self.project} | variables
        used = {name: value for name, value in variables.items() if f"${name}:" in query}
        return graphql(self.base_url, self.key, query, used, timeout)
