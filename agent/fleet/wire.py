"""W&B's protocol for sweep agents, as the client's own agent speaks it: GraphQL over HTTP with the API key.

The client's functions of this purpose answer the same for "nothing to do" and "the server is away", and wait five
seconds between two questions; an agent of the fleet has to know the difference and asks as soon as a trial is over.
"""

import base64
import http.client
import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

LOOPBACK = ("localhost", "127.0.0.1", "::1")

SWEEP = """query ($entity: String, $project: String, $sweep: String!) {
    project(name: $project, entityName: $entity) { sweep(sweepName: $sweep) { state config %s } } }"""
RUN = """query ($entity: String, $project: String, $run: String!) {
    project(name: $project, entityName: $entity) { run(name: $run) { state } } }"""
REGISTER = """mutation ($host: String!, $project: String, $entity: String, $sweep: String!) {
    createAgent(input: {host: $host, projectName: $project, entityName: $entity, sweep: $sweep}) { agent { id } } }"""
HEARTBEAT = """mutation ($id: ID!, $metrics: JSONString, $runState: JSONString) {
    agentHeartbeat(input: {id: $id, metrics: $metrics, runState: $runState}) { agent { id } commands } }"""


class Away(Exception):
    """No answer, or one that says to come again; the text says what came instead."""


class Refused(Exception):
    """The server answered no; asking again will not help."""


class Gone(Refused):
    """The server does not know the agent: its sweep was deleted, or it is another server."""


@dataclass(frozen=True)
class Sweep:
    """A sweep on a server, and the key to it."""

    base_url: str
    key: str
    entity: str
    project: str
    name: str

    @property
    def path(self) -> str:
        return f"{self.entity}/{self.project}/{self.name}"

    def look(self) -> dict[str, Any] | None:
        """`state`, `config` (YAML), `runCount`, `runCountExpected` (None: unknown); None if there is no such sweep."""
        project = self._ask(SWEEP % "runCount runCountExpected", sweep=self.name)["project"]
        found: dict[str, Any] | None = project and project["sweep"]
        return found

    def run_state(self, run: str) -> str | None:
        """`running`, `finished`, `failed`, `crashed`, `killed`, `preempted`, …; None if there is no such run."""
        project = self._ask(RUN, run=run)["project"]
        return str(project["run"]["state"]) if project and project["run"] else None

    def register(self, host: str) -> str:
        """A new agent of the sweep; its id."""
        return str(self._ask(REGISTER, host=host, sweep=self.name)["createAgent"]["agent"]["id"])

    def heartbeat(self, agent: str, running: list[str], timeout: float) -> list[dict[str, Any]]:
        """What the agent is to do; `running` are the ids of the runs that it has.

        Raises:
            Gone: the server does not know this agent.
        """
        states = json.dumps(dict.fromkeys(running, True))
        answer = self._ask(HEARTBEAT, timeout, id=agent, metrics="{}", runState=states)
        commands: list[dict[str, Any]] = json.loads(answer["agentHeartbeat"]["commands"])
        return commands

    def _ask(self, query: str, timeout: float = 20, **variables: Any) -> dict[str, Any]:
        """Raises Away, Refused, or Gone."""
        variables = {"entity": self.entity, "project": self.project} | variables
        used = {name: value for name, value in variables.items() if f"${name}:" in query}
        request = urllib.request.Request(
            f"{self.base_url}/graphql",
            json.dumps({"query": query, "variables": used}).encode(),
            {
                "Authorization": "Basic " + base64.b64encode(f"api:{self.key}".encode()).decode(),
                "Content-Type": "application/json",
            },
        )
        try:
            with self._opener().open(request, timeout=timeout) as answer:
                body = json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                raise _refusal(error.code, error.read()) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Away(f"no answer from {self.base_url} ({getattr(error, 'reason', error)})") from None
        if body.get("errors"):
            raise Refused("; ".join(str(each.get("message", each)) for each in body["errors"]))
        data: dict[str, Any] = body["data"]
        return data

    def _opener(self) -> urllib.request.OpenerDirector:
        """As in the client, a proxy of the environment is not asked for what is on this machine."""
        here = urlsplit(self.base_url).hostname in LOOPBACK
        return urllib.request.build_opener(*([urllib.request.ProxyHandler({})] if here else []))


def _refusal(status: int, body: bytes) -> Exception:
    text = body.decode(errors="replace").strip()[:300]
    if status in (408, 429) or status >= 500:
        return Away(f"the server answers {status}")
    if status == 404:
        return Gone(f"the server answers 404: {text}")
    if status in (401, 403):
        return Refused(f"the server refuses the API key ({status})")
    return Refused(f"the server answers {status}: {text}")
