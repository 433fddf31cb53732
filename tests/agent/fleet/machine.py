"""A fleet as a process against the embedded server, with trials that cost nothing."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import yaml

from tests.server.running import ROOT, Client

TRIAL = Path(__file__).parent / "trial.py"
PATIENCE = 90.0


@dataclass
class Machine:
    client: Client
    folder: Path

    def sweep(self, **parameters: Any) -> Path:
        """A YAML file; a list of values is an axis of the grid."""
        made = {name: {"values" if isinstance(v, list) else "value": v} for name, v in parameters.items()}
        text = {"program": str(TRIAL), "project": "fleet", "method": "grid", "parameters": made}
        text["command"] = ["${env}", "${interpreter}", "${program}", "${args}"]
        file = self.folder / "sweep.yaml"
        file.write_text(yaml.safe_dump(text))
        return file

    def made(self, file: Path) -> str:
        """ENTITY/PROJECT/ID of a sweep made of the file without a client."""
        query = """mutation ($c: String!) { upsertSweep(input: {config: $c, projectName: "fleet"}) {
            sweep { name project { entity { name } } } } }"""
        sweep = self.client.server.graphql(query, c=file.read_text())[1]["data"]["upsertSweep"]["sweep"]
        return f"{sweep['project']['entity']['name']}/fleet/{sweep['name']}"

    def environment(self, **more: str) -> dict[str, str]:
        steps = self.folder / "steps"
        steps.mkdir(exist_ok=True)
        mine = {"PUZZLE_FLEET": str(self.folder / "fleet"), "STEPS": str(steps), "PYTHONPATH": str(ROOT)}
        return self.client.environment(**mine, **more)

    def start(self, *words: str, stderr: int = subprocess.STDOUT, **environment: Any) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "agent.fleet", *words],
            cwd=self.folder,
            env=self.environment(**environment),
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            start_new_session=True,
        )

    def finish(self, process: "subprocess.Popen[str]") -> str:
        """What it printed. Everything is killed when it takes too long."""
        try:
            return process.communicate(timeout=PATIENCE)[0]
        except subprocess.TimeoutExpired:
            family = psutil.Process(process.pid).children(recursive=True)
            for each in [*family, psutil.Process(process.pid)]:
                each.kill()
            raise AssertionError(f"took more than {PATIENCE} s:\n{process.communicate()[0]}") from None

    def run(self, *words: str, **environment: Any) -> tuple[int, str]:
        process = self.start(*words, **environment)
        printed = self.finish(process)
        return process.returncode, printed

    def finished(self) -> list[str]:
        """`SEED RUN` of every time that a trial has come to its end."""
        file = self.folder / "steps" / "finished"
        return sorted(file.read_text().splitlines()) if file.exists() else []

    def runs(self, printed: str) -> dict[str, tuple[str, int]]:
        """Run → state and number of history rows of the sweep that the fleet says it has made."""
        found = re.search(r"(?:sweep|working on) (\S+)/(\S+)/(\w+)", printed)
        assert found, printed
        query = """query ($e: String, $p: String, $s: String!) { project(name: $p, entityName: $e) {
            sweep(sweepName: $s) { runs(first: 100) { edges { node { name state historyLineCount } } } } } }"""
        answer = self.client.server.graphql(query, e=found[1], p=found[2], s=found[3])[1]
        nodes = [edge["node"] for edge in answer["data"]["project"]["sweep"]["runs"]["edges"]]
        return {node["name"]: (node["state"], node["historyLineCount"]) for node in nodes}


def trials(fleet: "subprocess.Popen[str]") -> list[psutil.Process]:
    """Processes of trials, oldest first, wherever they hang in the tree."""
    family = psutil.Process(fleet.pid).children(recursive=True)
    return sorted((each for each in family if _is(each, TRIAL.name)), key=lambda each: each.create_time())


def warm_parent(fleet: "subprocess.Popen[str]") -> psutil.Process:
    return next(each for each in psutil.Process(fleet.pid).children() if _is(each, "agent.fleet.fork_server"))


def _is(process: psutil.Process, word: str) -> bool:
    try:
        return any(word in each for each in process.cmdline())
    except psutil.Error:
        return False


def until(true: Callable[[], Any], patience: float = PATIENCE) -> Any:
    """The first value that counts as true."""
    given_up = time.monotonic() + patience
    while time.monotonic() < given_up:
        if value := true():
            return value
        time.sleep(0.05)
    raise AssertionError("it never became true")


def kill(process: psutil.Process) -> None:
    os.kill(process.pid, signal.SIGKILL)


def lines_of(fleet: "subprocess.Popen[str]") -> Iterator[str]:
    assert fleet.stdout is not None
    yield from fleet.stdout
