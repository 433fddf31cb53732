"""What ends a run early, and which run goes on."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import wandb
from wandb.sdk.lib.service.service_connection import WandbApiFailedError

from agent import train
from agent.config import Config, ConfigError, parse
from agent.lifecycle import checkpoints, folder, preflight, resume, state, state_artifact
from agent.lifecycle.interruption import STOP, Interrupted, Interruption
from agent.lifecycle.plan import RunPlan, make_plan, run_folder
from agent.lifecycle.state import Progress, State
from tests.agent.lifecycle.captures import Model, capture

CONFIG = parse(["--width=4", "--epochs=3"])


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of runs, and no agent that hands one out."""
    for name in ("WANDB_RUN_ID", "WANDB_ENTITY", "WANDB_PROJECT", "WANDB_SWEEP_ID", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PUZZLE_RUNS", str(tmp_path))
    monkeypatch.setattr(preflight, "find_run", lambda *_: None)
    monkeypatch.setattr(preflight, "check_server", lambda _: None)
    return tmp_path


@pytest.mark.parametrize(
    ("by", "given"),
    [
        *((by, "../..") for by in ("WANDB_RUN_ID", "--resume", "WANDB_PROJECT", "WANDB_ENTITY", "WANDB_SWEEP_ID")),
        ("WANDB_RUN_ID", ".lock"),
        ("--resume", ".lock"),
    ],
)
def test_a_name_that_leads_out_of_its_folder_is_refused_and_nothing_is_made_or_deleted(
    by: str, given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine" / "repository" / "runs").mkdir(parents=True)
    (tmp_path / "mine" / "thesis.pt").touch()
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.setenv("PUZZLE_RUNS", str(tmp_path / "mine" / "repository" / "runs"))
    if by.startswith("WANDB"):
        monkeypatch.setenv(by, given)
    assert train.main([by, given] if by == "--resume" else []) == 2
    assert sorted(tmp_path.rglob("*")) == before
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("agent.train: ")


def test_a_folder_that_no_run_made_is_left_alone(
    runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (runs / "thesis" / "predictions").mkdir(parents=True)
    (runs / "thesis" / "epoch-0001.pt").touch()
    monkeypatch.setenv("WANDB_RUN_ID", "thesis")
    assert train.main(["--width=4"]) == 2
    assert str(runs / "thesis") in capsys.readouterr().err
    assert sorted(path.name for path in (runs / "thesis").iterdir()) == ["epoch-0001.pt", "predictions"]


def test_only_what_the_run_made_is_deleted(runs: Path) -> None:
    leave("abc")
    for name in ("lock", "epoch-0001.pt", "state.unfinished", "mine.txt", "epoch.txt"):
        (runs / "abc" / name).touch()
    for name in ("predictions", "fetched-1", "results"):
        (runs / "abc" / name).mkdir()
        (runs / "abc" / name / "a.png").touch()
    train.clean_up(runs / "abc", a_run(offline=False))
    assert sorted(path.name for path in (runs / "abc").iterdir()) == ["epoch.txt", "mine.txt", "results"]


@pytest.mark.parametrize(("given", "used"), [(" HTTP://Host:8080//", "http://Host:8080"), ("", "")])
def test_the_address_of_the_server_is_brought_into_the_form_of_links(
    given: str, used: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", given)
    make_plan([], "puzzle")
    assert os.environ["WANDB_BASE_URL"] == used


@pytest.mark.parametrize(
    ("environ", "flags", "words"),
    [
        ({"WANDB_BASE_URL": "127.0.0.1:8080"}, [], "write http://HOST:PORT"),
        ({"WANDB_BASE_URL": " "}, [], "write http://HOST:PORT"),
        ({"PUZZLE_RUNS": "/dev/null"}, ["--width=4"], "name another in PUZZLE_RUNS"),
        ({}, ["--epochs=many"], "--epochs: is 'many'"),
        ({}, ["--bogus"], "unknown setting --bogus"),
        ({}, ["--resume", "abc", "--bogus=1"], "unknown setting --bogus=1"),
        ({}, ["bogus"], "unknown setting bogus"),
        ({}, ["--resume"], "--resume"),
    ],
)
def test_what_cannot_be_obeyed_is_one_line_and_nothing_is_made(
    environ: dict[str, str],
    flags: list[str],
    words: str,
    runs: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert train.main(flags) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("agent.train: ")
    assert words in line
    assert list(runs.iterdir()) == []


@pytest.mark.parametrize("beside", [True, False])
def test_a_damaged_state_starts_anew_with_the_settings_of_its_checkpoints_or_flags(
    beside: bool, runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    leave("abc")
    (runs / "abc" / state.STATE_FILE).write_bytes(b"PK")
    if beside:
        checkpoints.save(runs / "abc" / "epoch-0001.pt", {}, CONFIG)
    plan, found = resumed("--resume", "abc", *([] if beside else ["--width=4", "--epochs=3"]))
    assert plan.config == CONFIG
    assert found is None
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"agent.train: {runs / 'abc' / state.STATE_FILE} ")
    assert "starting anew" in line


def test_a_damaged_state_that_nobody_else_has_is_told(
    runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(wandb, "Api", Api)
    leave("xyz")
    (runs / "xyz" / state.STATE_FILE).write_bytes(b"")
    with pytest.raises(ConfigError, match=r"^run xyz has no state in "):
        resumed("--resume", "xyz")
    assert "state.pt is empty; starting anew" in capsys.readouterr().err


def resumed(*arguments: str) -> tuple[RunPlan, State | None]:
    return resume.complete_plan(make_plan(arguments, "puzzle"))


def find_epoch(run: Any, *arguments: str, digest: str = "digest") -> int | None:
    """The last epoch of the state that a run goes on with."""
    plan, local = resumed(*arguments)
    found = resume.find_state(run, plan, local, digest, Model())
    return found.progress.epoch if found else None


def leave(run_id: str, config: Config = CONFIG, digest: str = "digest", epoch: int = 2) -> None:
    own = run_folder(run_id)
    own.mkdir()
    rows: list[state.Row] = [{"epoch": float(n)} for n in range(1, epoch + 1)]
    now = State(f"anna/cats/{run_id}", config, digest, Progress(epoch, 1.0, rows), {}, capture(epoch))
    state.dump(now, own, None, {})


def leave_without_checkpoint(run_id: str) -> None:
    own = run_folder(run_id)
    own.mkdir(exist_ok=True)
    kept = {"best_iou": checkpoints.Checkpoint(own / "epoch-0001.pt", 1, 0.5, 0.5)}
    state.dump(State(f"anna/cats/{run_id}", CONFIG, "digest", Progress(), kept, capture(1)), own, None, {})  # type: ignore[arg-type]


def test_a_run_is_new_or_the_one_that_an_agent_hands_out(monkeypatch: pytest.MonkeyPatch, runs: Path) -> None:
    first, second = (make_plan(["--width=4"], "puzzle") for _ in range(2))
    assert first.run_id != second.run_id
    assert (first.config.width, first.project, first.entity) == (4, "puzzle", None)
    monkeypatch.setenv("WANDB_RUN_ID", "given")
    assert make_plan([], "puzzle").folder == runs / "given"


def test_a_run_on_this_machine_goes_on_with_its_settings_where_it_was() -> None:
    leave("abc")
    for flags in ([], ["--width=4", "--epochs=3"]):
        plan, _ = resumed("--resume=abc", *flags)
        assert (plan.config, plan.entity, plan.project, plan.run_id) == (CONFIG, "anna", "cats", "abc")


def test_other_settings_than_the_run_has_are_refused() -> None:
    leave("abc")
    with pytest.raises(ConfigError, match="run abc has other settings"):
        resumed("--resume", "abc", "--width=8")


class Api:
    """Knows one run."""

    def run(self, path: str) -> Any:
        if path != "puzzle/abc":
            raise wandb.errors.CommError("no such run")
        return SimpleNamespace(config={"width": 4, "epochs": 3, "model": "unet_transposed", "n_parameters": 1})


def test_a_run_of_another_machine_goes_on_with_the_settings_that_the_server_knows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wandb, "Api", Api)
    assert resumed("--resume", "abc")[0].config == CONFIG
    with pytest.raises(ConfigError, match=r"^run x has no state in "):
        resumed("--resume", "x")


def test_a_stop_of_the_server_reaches_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}
    monkeypatch.setattr(wandb, "init", lambda **options: given.update(options))
    interruption = Interruption()
    train.open_run(make_plan(["--width=4"], "puzzle"), interruption)
    assert (given["resume"], given["project"]) == ("allow", "puzzle")
    given["settings"].stop_fn()
    assert interruption.reason == STOP


def test_in_a_sweep_the_client_is_told_no_name_that_it_would_warn_of(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}
    monkeypatch.setattr(wandb, "init", lambda **options: given.update(options))
    monkeypatch.setenv("WANDB_SWEEP_ID", "sweep")
    train.open_run(make_plan(["--width=4"], "puzzle"), Interruption())
    assert not {"entity", "project", "id"} & set(given)


def test_a_run_that_the_server_stopped_is_over_and_leaves_nothing(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object) -> str:
        raise Interrupted(STOP)

    leave("abc")
    codes: list[int] = []
    run = a_run(offline=False, finish=lambda exit_code: codes.append(exit_code))
    for name, stand_in in {
        "open_run": lambda *_: contextlib.nullcontext(run),
        "train_unless_finished": stopped,
        "prepare": lambda *_: None,
    }.items():
        monkeypatch.setattr(train, name, stand_in)
    assert train.main(["--resume", "abc"]) == 0
    assert codes == [1]
    assert list(runs.iterdir()) == []


def a_run(**more: Any) -> Any:
    nothing = {"id": "abc", "resumed": False, "offline": True, "starting_step": 0, "logged": [], "config": {}}
    run = SimpleNamespace(**nothing | more)
    run.log = lambda row, step, commit: run.logged.append((row["epoch"], step, commit))
    return run


@pytest.mark.parametrize(("known", "missing"), [(0, [1, 2, 3]), (1, [2, 3]), (3, []), (4, [])])
def test_exactly_the_rows_that_the_server_lacks_are_logged(known: int, missing: list[int]) -> None:
    run = a_run(starting_step=known)
    resume.log_missing_rows(run, [{"epoch": float(n)} for n in (1, 2, 3)])
    assert run.logged == [(n, n - 1, True) for n in missing]


def test_a_state_of_other_settings_is_no_state_and_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    leave("abc")
    assert find_epoch(a_run(), "--resume", "abc") == 2
    assert capsys.readouterr().out == ""
    monkeypatch.setenv("WANDB_RUN_ID", "abc")
    assert find_epoch(a_run(), "--width=8") is None
    said = "agent.train: the state is of other settings (width 4, not 8, epochs 3, not 50); starting anew\n"
    assert capsys.readouterr().out == said


@pytest.mark.parametrize("name", ["../../x", "api-key", "epoch-0001.pt/../../x", "reference"])
def test_an_uploaded_state_with_other_files_is_not_fetched(
    name: str, runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    leave("abc", epoch=2)
    entries = {name: SimpleNamespace(ref=None)}
    if name == "reference":
        entries = {state.STATE_FILE: SimpleNamespace(ref="file:///etc/passwd")}
    version = SimpleNamespace(metadata={"epoch": 3}, manifest=SimpleNamespace(entries=entries))
    monkeypatch.setattr(state_artifact, "_latest", lambda _: version)
    assert find_epoch(a_run(resumed=True, starting_step=3), "--resume", "abc") == 2
    assert "it has the file" in capsys.readouterr().out


@pytest.mark.parametrize("answers", [True, False])
def test_a_newer_state_of_another_machine_is_taken_whole_or_not_at_all(
    answers: bool, runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def download(root: str, skip_cache: bool) -> None:
        elsewhere = State("anna/cats/abc", CONFIG, "digest", Progress(3, 1.0, [{"epoch": 3.0}]), {}, capture(3))
        state.dump(elsewhere, Path(root), None, {})
        if not answers:
            raise OSError("connection lost")

    leave("abc", epoch=2)
    manifest = SimpleNamespace(entries={state.STATE_FILE: SimpleNamespace(ref=None)})
    version = SimpleNamespace(metadata={"epoch": 3}, download=download, manifest=manifest)
    monkeypatch.setattr(state_artifact, "_latest", lambda _: version)
    assert find_epoch(a_run(resumed=True, starting_step=3), "--resume", "abc") == (3 if answers else 2)
    assert [path.name for path in (runs / "abc").iterdir()] == [state.STATE_FILE]
    lines = capsys.readouterr().out.splitlines()
    assert ["(connection lost)" in line for line in lines] == ([] if answers else [True])


def test_images_that_changed_meanwhile_are_refused() -> None:
    leave("abc")
    with pytest.raises(ConfigError, match="of drawn changed since run abc"):
        find_epoch(a_run(), "--resume", "abc", digest="another digest")


@pytest.mark.parametrize("found", ["nothing", "damage", "a state without its checkpoint", "another version's state"])
def test_images_that_changed_are_refused_without_a_state_too(
    found: str, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server has the digest of other images; rows of a part that was killed may come late."""
    monkeypatch.setattr(wandb, "Api", Api)
    monkeypatch.setattr(state_artifact, "_latest", lambda _: None)
    if found != "nothing":
        leave("abc")
    if found == "damage":
        (runs / "abc" / state.STATE_FILE).write_bytes(b"PK")
    elif found == "a state without its checkpoint":
        leave_without_checkpoint("abc")
    elif found == "another version's state":
        monkeypatch.setattr(state, "differences", lambda *_: "1 tensors are missing")
    server = {"config": {"data_digest": "digest"}, "resumed": True}
    for rows in (0, 2):
        with pytest.raises(ConfigError, match="of drawn changed since run abc"):
            find_epoch(a_run(**server, starting_step=rows), "--resume", "abc", digest="another digest")
        assert find_epoch(a_run(**server, starting_step=rows), "--resume", "abc") is None


def test_a_checkpoint_that_is_missing_is_named(
    runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(wandb, "Api", Api)
    leave_without_checkpoint("abc")
    assert resumed("--resume", "abc")[1] is None
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"agent.train: {runs / 'abc' / 'epoch-0001.pt'} is missing; starting anew")


def test_a_folder_without_anything_to_go_on_with_is_removed_and_one_with_a_state_stays(runs: Path) -> None:
    with folder.exclusive_folder(runs / "new"):
        assert (runs / "new" / "lock").exists()
    assert list(runs.iterdir()) == []
    leave("abc")
    with folder.exclusive_folder(runs / "abc"):
        pass
    assert (runs / "abc" / "state.pt").exists()


HOLDER = "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.flock(f, fcntl.LOCK_EX); print(1, flush=True); input()"


def test_a_run_that_another_process_has_is_refused_and_its_folder_stays(
    runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(folder, "LOCK_SECONDS", 0.0)
    monkeypatch.setenv("WANDB_RUN_ID", "abc")
    (runs / "abc").mkdir()
    command = [sys.executable, "-c", HOLDER, str(runs / "abc" / folder.LOCK)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout
        other.stdout.readline()
        assert train.main(["--width=4"]) == 2
        assert "run abc is under way" in capsys.readouterr().err
        assert (runs / "abc" / folder.LOCK).exists()
        other.communicate(b"\n")
    with folder.exclusive_folder(runs / "abc"):
        pass


def test_a_server_that_takes_no_run_is_told_in_one_sentence(
    runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(**options: Any) -> None:
        raise wandb.errors.CommError("it is\naway")

    monkeypatch.setattr(wandb, "init", refuse)
    assert train.main(["--width=4"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "it is away; correct WANDB_BASE_URL" in line
    assert list(runs.iterdir()) == []


def test_a_server_that_is_away_when_the_run_is_over_fails_nothing(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise WandbApiFailedError("away")

    monkeypatch.setattr(wandb, "Api", away)
    leave("abc")
    run = a_run(entity="anna", project="cats", resumed=True, offline=False, starting_step=2)
    assert find_epoch(run, "--resume", "abc"), "the state of this machine counts"
    train.clean_up(runs / "abc", run)
    assert list(runs.iterdir()) == []
