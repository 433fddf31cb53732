"""`python -m agent.fleet` from the outside."""

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import psutil
import pytest

from agent.fleet import sweep_setup
from agent.fleet.__main__ import main
from agent.fleet.journal import Trial, write_json
from agent.fleet.sweep_client import Sweep
from agent.fleet.sweep_setup import SweepDone, SweepError
from tests.agent.fleet.machine import PATIENCE, Machine, lines_of, trials, until
from tests.server.running import Client

TWO_GPUS = "echo 'GPU 0: Fast (UUID: GPU-aaaa)'\necho 'GPU 1: Fast (UUID: GPU-bbbb)'"


def fake_gpus(folder: Path, code: str = TWO_GPUS) -> str:
    """A PATH on which this is nvidia-smi."""
    program = folder / "bin" / "nvidia-smi"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{code}\n")
    program.chmod(0o755)
    return f"{program.parent}:{Path(sys.executable).parent}:{os.environ['PATH']}"


@pytest.mark.slow
def test_each_gpu_has_its_agent_every_trial_is_done_once_and_no_process_is_left(machine: Machine) -> None:
    file = machine.sweep(seed=[1, 2, 3, 4], steps=20, pause=0.1)
    fleet = machine.start(str(file), PATH=fake_gpus(machine.folder), CUDA_VISIBLE_DEVICES="0,1")
    until(lambda: len(trials(fleet)) == 2)
    family = psutil.Process(fleet.pid).children(recursive=True)
    printed = machine.finish(fleet)
    assert fleet.returncode == 0, printed
    assert not [each for each in family if each.is_running()]
    assert [line.split()[0] for line in machine.finished()] == ["1", "2", "3", "4"]
    runs = machine.runs(printed)
    assert list(runs.values()) == [("finished", 20)] * 4
    assert re.search(r"\b2 trials .* on GPU 0 \(Fast\), GPU 1 \(Fast\)", printed)
    assert "each trial is a plain process" in printed
    assert "4 finished, 0 to go" in printed
    assert printed.count("test IoU 0.500") == 4
    logs = {file.stem: file.read_text() for file in machine.folder.glob("fleet/*/logs/*.log")}
    assert all("trial.py --pause=0.1 --seed=" in logs[run] for run in runs)
    assert "device GPU-aaaa" in "".join(logs.values())
    assert "device GPU-bbbb" in "".join(logs.values())


@pytest.mark.slow
def test_auto_lets_more_trials_onto_a_gpu_when_the_first_has_shown_what_it_takes(machine: Machine) -> None:
    used = machine.folder / "used"
    used.write_text("1000")
    code = f"case $1 in\n-L) echo 'GPU 0: Fast (UUID: GPU-aaaa)';;\n*) echo $(cat {used}), 80000;;\nesac"
    path = fake_gpus(machine.folder, code)
    file = machine.sweep(seed=[1, 2], steps=60, pause=0.1)
    fleet = machine.start(str(file), "--per-gpu=auto", PATH=path, CUDA_VISIBLE_DEVICES="0")
    until(lambda: trials(fleet))
    used.write_text("11000")
    until(lambda: len(trials(fleet)) == 2)
    used.write_text("75000")  # the second one takes more than the first: 0.9 × 80,000 no longer holds two
    printed = machine.finish(fleet)
    assert fleet.returncode == 0, printed
    assert re.search(r"\b1 trial .* on GPU 0 \(Fast\)", printed)
    assert "agent 2 on GPU 0: started" in printed
    assert len(machine.finished()) == 2


@pytest.mark.slow
def test_the_same_file_goes_on_with_its_sweep_until_that_is_done(machine: Machine) -> None:
    file = machine.sweep(seed=[1, 2], steps=40, pause=0.1)
    fleet = machine.start(str(file), "--agents=1")
    until(lambda: trials(fleet))
    until(lambda: list(machine.folder.glob("steps/*")))
    fleet.send_signal(signal.SIGINT)
    first = machine.finish(fleet)
    assert fleet.returncode == 130
    assert "put off; it goes on later" in first
    again = machine.sweep(seed=[1, 2], steps=40, pause=0.1)
    assert again.read_text() == file.read_text()
    code, second = machine.run(str(file), "--agents=2")
    assert code == 0, second
    assert "going on with the sweep" in second
    assert machine.runs(second) == machine.runs(first)
    assert list(machine.runs(second).values()) == [("finished", 40)] * 2
    assert len(machine.finished()) == 2


def test_failures_are_reported_until_three_in_a_row_differ_in_numbers_only(machine: Machine) -> None:
    said = ["ValueError: 7", "KeyError: 'x'", "lost 1.5e-3 at 0x7f", "lost 2 at 0xff", "lost 3 at 0x1", "unheard"]
    code, printed = machine.run(str(machine.sweep(fail=said, seed=1)), "--agents=1")
    assert code == 1
    assert "failed: ValueError: 7; see " in printed
    assert re.search(r"^agent\.fleet: 3 trials .*: lost 3 at 0x1$", printed, re.MULTILINE)
    assert list(machine.runs(printed).values()) == [("failed", 0)] * 5


def test_a_program_reads_json_lines_and_nothing_else(machine: Machine) -> None:
    fleet = machine.start(str(machine.sweep(seed=[1])), "--events", stderr=subprocess.DEVNULL)
    events = [json.loads(line) for line in machine.finish(fleet).splitlines()]
    assert fleet.returncode == 0, events
    kinds = [each["event"] for each in events if each["event"] != "message"]
    assert kinds == ["sweep", "launch", "epoch", "epoch", "result", "end", "over"]
    (launch,) = [each for each in events if each["event"] == "launch"]
    assert {each["run"] for each in events if each["event"] in ("epoch", "result", "end")} == {launch["run"]}
    (end,) = [each for each in events if each["event"] == "end"]
    assert (end["state"], end["test/iou"]) == ("finished", 0.5)
    assert events[-1]["code"] == 0


def test_a_fleet_that_nobody_reads_any_more_stops_and_puts_its_trial_off(machine: Machine) -> None:
    file = machine.sweep(seed=[1], steps=1000, pause=0.1)
    fleet = machine.start(str(file), "--events", stderr=subprocess.DEVNULL)
    assert fleet.stdout
    for line in fleet.stdout:
        if json.loads(line)["event"] == "epoch":
            break
    fleet.stdout.close()
    assert fleet.wait(PATIENCE) == 128 + signal.SIGHUP
    (trial,) = [json.loads(each.read_text()) for each in machine.folder.glob("fleet/*/trials/*.json")]
    assert trial["put_off"]


def test_a_sweep_paused_meanwhile_is_waited_for_and_goes_on(machine: Machine) -> None:
    path = machine.made(machine.sweep(seed=[1]))

    def turn(state: str) -> None:
        change = "mutation ($id: ID!, $s: String) { upsertSweep(input: {id: $id, state: $s}) { sweep { state } } }"
        query = """query ($p: String!, $e: String!, $s: String!) {
            project(name: $p, entityName: $e) { sweep(sweepName: $s) { id } } }"""
        entity, project, name = path.split("/")
        found = machine.client.server.graphql(query, e=entity, p=project, s=name)[1]["data"]["project"]["sweep"]
        answer = machine.client.server.graphql(change, id=found["id"], s=state)[1]
        assert answer["data"]["upsertSweep"]["sweep"]["state"] == state

    turn("PAUSED")
    fleet = machine.start(path, "--agents=1")
    assert fleet.stdout
    for line in fleet.stdout:
        if line.endswith(f"the sweep is paused; it hands out runs after `wandb sweep --resume {path}`\n"):
            break
    turn("RUNNING")
    printed = machine.finish(fleet)
    assert fleet.returncode == 0, printed
    assert "1 finished" in printed


def test_why_a_fleet_cannot_start_is_an_event_too(machine: Machine) -> None:
    fleet = machine.start("local/fleet/nowhere", "--events", stderr=subprocess.DEVNULL)
    (event,) = map(json.loads, machine.finish(fleet).splitlines())
    assert fleet.returncode == 1
    assert (event["event"], event["reason"][:40]) == ("error", "there is no sweep local/fleet/nowhere on")


def test_a_second_ctrl_c_kills_what_does_not_end(machine: Machine) -> None:
    fleet = machine.start(str(machine.sweep(seed=[1], steps=1000, pause=0.1)), "--agents=1")
    (trial,) = until(lambda: trials(fleet))
    until(lambda: list(machine.folder.glob("steps/*")))
    family = psutil.Process(fleet.pid).children(recursive=True)
    said = lines_of(fleet)
    os.kill(trial.pid, signal.SIGSTOP)
    fleet.send_signal(signal.SIGINT)
    assert "Ctrl-C again kills them" in next(line for line in said if "stopping" in line)
    fleet.send_signal(signal.SIGINT)
    machine.finish(fleet)
    assert fleet.returncode == 130
    assert not [each for each in family if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize(
    ("path", "key", "sentence"),
    [
        ("local/fleet/nowhere", None, "there is no sweep local/fleet/nowhere on {url} "),
        ("others/fleet/nowhere", None, "there is no sweep others/fleet/nowhere on {url} "),
        ("local/fleet/nowhere", "", "no W&B server to work with: no API key is set"),
    ],
)
def test_a_sweep_that_is_not_there_is_one_sentence(machine: Machine, path: str, key: str | None, sentence: str) -> None:
    url = machine.client.server.url
    more = {} if key is None else {"WANDB_API_KEY": key}
    code, printed = machine.run(path, WANDB_BASE_URL=f"{url}/", **more)
    assert code == 1
    (line,) = printed.splitlines()
    assert line.startswith(f"agent.fleet: {sentence.format(url=url)}")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a/b/c/d", "a/b/c/d is neither .* ENTITY/PROJECT/ID"),
        ("missing.yaml", "missing.yaml cannot be read: No such file or directory$"),
        ("list.yaml", "list.yaml is not a sweep"),
        ("folder.yaml", "folder.yaml cannot be read: Is a directory"),
        ("silent.yaml", "silent.yaml sets WANDB_MODE=offline"),
        ("sweeps", "sweeps is a folder"),
        ("list", "there is no file list; write list.yaml"),
        ("./nowhere", "there is no file ./nowhere"),
    ],
)
def test_what_is_no_sweep_is_refused_before_any_login(
    text: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("sweeps", "folder.yaml"):
        Path(name).mkdir()
    Path("list.yaml").write_text("- 1\n")
    Path("silent.yaml").write_text('command: ["${env}", "WANDB_MODE=offline", python, other.py]\n')
    with pytest.raises(SweepError, match=sentence):
        sweep_setup.find(text, new=False)


class Known(Sweep):
    """A sweep in some state, with 2 runs of 4."""

    state, n, command = "RUNNING", 2, "[python, mine.py]"

    def fetch(self) -> dict[str, object]:
        config = f"command: {self.command}"
        return {"state": self.state, "config": config, "runCount": self.n, "runCountExpected": 4}

    def fetch_runs(self, *states: str) -> set[str]:
        return {"r1"}


@pytest.mark.parametrize(
    ("state", "n", "command", "sentence"),
    [
        ("FINISHED", 4, "[]", "me/p/s1 is finished with all its 4 runs"),
        ("FINISHED", 2, "[]", "stopped with 2 of its 4 runs: `wandb sweep --resume me/p/s1`"),
        ("CANCELED", 2, "[]", "me/p/s1 was cancelled"),
        ("RUNNING", 2, "[a, WANDB_DISABLED=1]", "me/p/s1 sets WANDB_DISABLED=1"),
    ],
)
def test_a_sweep_with_nothing_to_do_is_one_sentence(
    state: str, n: int, command: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PUZZLE_FLEET", str(tmp_path))
    for name, value in (("state", state), ("n", n), ("command", command)):
        monkeypatch.setattr(Known, name, value)
    with pytest.raises((SweepError, SweepDone), match=sentence) as caught:
        sweep_setup.fetch_info(Known("http://x", "k", "me", "p", "s1"), "")
    assert isinstance(caught.value, SweepDone) == (n == 4)


def test_a_paused_sweep_has_not_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUZZLE_FLEET", str(tmp_path))
    monkeypatch.setattr(Known, "state", "PAUSED")
    found = sweep_setup.fetch_info(Known("http://x", "k", "me", "p", "s1"), "working on it")
    assert found.news == "working on it"
    assert found.preempted == {"r1"}


class Everywhere(Sweep):
    """A sweep on the servers that have it."""

    known: set[tuple[str, str]] = set()  # noqa: RUF012

    def fetch(self) -> dict[str, object] | None:
        state = {"state": "RUNNING", "config": "", "runCount": 0, "runCountExpected": 4}
        return state if (self.base_url, self.name) in self.known else None

    def fetch_runs(self, *states: str) -> set[str]:
        return set()


@pytest.fixture
def find(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Sweep]:
    """The sweep that one YAML file means to a fleet, by the address of its server."""
    file = tmp_path / "sweep.yaml"
    file.write_text("method: grid\nprogram: mine.py\nparameters: {seed: {values: [1]}}\n")
    known: set[tuple[str, str]] = set()

    def create(config: object, base_url: str, key: str, entity: str, project: str) -> Sweep:
        with (tmp_path / "fleet" / "made" / "lock").open() as lock, pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        known.add((base_url, f"s{len(known)}"))
        return Everywhere(base_url, key, entity, project, f"s{len(known) - 1}")

    def found(address: str) -> Sweep:
        monkeypatch.setattr(sweep_setup, "login", lambda: (address, "k", "me", "p"))
        return sweep_setup.find(str(file), new=False).sweep

    monkeypatch.setenv("PUZZLE_FLEET", str(tmp_path / "fleet"))
    monkeypatch.setattr(Everywhere, "known", known)
    monkeypatch.setattr(sweep_setup, "Sweep", Everywhere)
    monkeypatch.setattr(sweep_setup, "create", create)
    return found


def test_a_sweep_is_made_while_other_fleets_wait_to_find_it(find: Callable[[str], Sweep]) -> None:
    """`create` finds the lock held."""
    assert [find("http://a").name for _ in range(2)] == ["s0", "s0"]


def test_a_sweep_is_found_on_its_server_at_another_address_and_on_no_other_server(
    find: Callable[[str], Sweep], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find("http://a:1").name == "s0"
    assert find("http://b").name == "s1"
    Everywhere.known.add(("http://a:2", "s0"))
    assert find("http://a:2") == Everywhere("http://a:2", "k", "me", "p", "s0")
    assert [find(address).name for address in ("http://a:1", "http://b")] == ["s0", "s1"]


def test_of_a_file_that_was_changed_the_sweep_before_is_named_while_it_has_trials_to_finish(
    find: Callable[[str], Sweep], tmp_path: Path
) -> None:
    file = tmp_path / "sweep.yaml"
    for name, n in (("s0", 1), ("s1", 0)):
        assert find("http://a").name == name
        (tmp_path / "fleet" / name / "trials").mkdir(parents=True)
        for number in range(n):
            trial = Trial(f"r{number}", {}, None, "agent", put_off=True)
            write_json(tmp_path / "fleet" / name / "trials" / f"r{number}.json", asdict(trial))
        file.write_text(file.read_text() + "# changed\n")
    news = sweep_setup.find(str(file), new=False).news
    assert "made the sweep me/p/s2" in news
    assert news.endswith("1 trial to finish: python -m agent.fleet me/p/s0")


def test_a_journal_that_cannot_be_kept_is_one_sentence_before_a_sweep_is_made(
    find: Callable[[str], Sweep], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "fleet").write_text("")
    monkeypatch.setattr(sweep_setup, "login", lambda: ("http://a", "k", "me", "p"))
    assert main([str(tmp_path / "sweep.yaml")]) == 1
    sentence = f"agent.fleet: {tmp_path / 'fleet' / 'made'} cannot be written: Not a directory\n"
    assert capsys.readouterr().err == sentence
    assert not Everywhere.known


def test_an_agent_that_cannot_write_stops_the_fleet_with_the_reason(machine: Machine) -> None:
    (machine.folder / "file").write_text("")
    code, printed = machine.run(str(machine.sweep(seed=[1])), "--agents=1", WANDB_DIR=str(machine.folder / "file"))
    assert code == 1
    assert f"agent.fleet: no trial can go on: {machine.folder / 'file' / 'wandb'}: Not a directory" in printed
    assert "another takes its place" not in printed


def test_a_file_with_errors_starts_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "wrong.yaml"
    command = 'command: [python, -m, agent.train, "${args}"]'
    file.write_text(f"program: agent/train.py\n{command}\nmethod: grid\nparameters:\n  epoch: {{value: 1}}\n")
    with pytest.raises(SweepError, match=r"wrong\.yaml has the errors above"):
        sweep_setup.find(str(file), new=False)
    assert "wrong.yaml:5: error" in capfd.readouterr().out


@pytest.mark.slow
def test_plain_agents_may_work_on_the_same_sweep(machine: Machine, client: Client) -> None:
    fleet = machine.start(str(machine.sweep(seed=[1, 2, 3, 4], steps=20, pause=0.1)), "--agents=1")
    until(lambda: trials(fleet))
    (made,) = machine.folder.glob("fleet/made/*.json")
    name = next(each.name for each in machine.folder.glob("fleet/*") if each.name != "made")
    assert name in made.read_text()
    code, plain = client.command("wandb", "agent", f"local/fleet/{name}", STEPS=str(machine.folder / "steps"))
    printed = machine.finish(fleet)
    assert (code, fleet.returncode) == (0, 0), plain + printed
    assert [line.split()[0] for line in machine.finished()] == ["1", "2", "3", "4"]
