"""What ends a run early, and which run goes on."""

import contextlib
import errno
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
from agent.inference import predictions
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
    error = capsys.readouterr().err
    assert error.startswith("agent.train: ")
    assert error.count("\n") == 1


def test_a_folder_that_no_run_made_is_left_alone(
    runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (runs / "thesis" / "predictions").mkdir(parents=True)
    (runs / "thesis" / "epoch-0001.pt").touch()
    monkeypatch.setenv("WANDB_RUN_ID", "thesis")
    assert train.main(["--width=4"]) == 2
    assert "holds other things than a run: take another run id" in capsys.readouterr().err
    assert sorted(path.name for path in (runs / "thesis").iterdir()) == ["epoch-0001.pt", "predictions"]


def test_only_what_the_run_made_is_deleted(runs: Path) -> None:
    leave("abc")
    for name in ("lock", "epoch-0001.pt", "state.unfinished", "mine.txt", "epoch.txt"):
        (runs / "abc" / name).touch()
    for name in ("predictions", "fetched-1", "results"):
        (runs / "abc" / name).mkdir()
        (runs / "abc" / name / "a.png").touch()
    run = a_run(id="abc")
    run.offline = False
    train.clean_up(runs / "abc", run)
    assert sorted(path.name for path in (runs / "abc").iterdir()) == ["epoch.txt", "mine.txt", "results"]


@pytest.mark.parametrize(("given", "used"), [(" HTTP://Host:8080//", "http://Host:8080"), ("", "")])
def test_the_address_of_the_server_is_brought_into_the_form_of_links(
    given: str, used: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", given)
    make_plan([], "puzzle")
    assert os.environ["WANDB_BASE_URL"] == used


@pytest.mark.parametrize("given", ["127.0.0.1:8080", " "])
def test_what_is_no_address_of_a_server_is_told_in_one_sentence(
    given: str, runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", given)
    assert train.main([]) == 2
    assert "is no address of a server: write http://HOST:PORT" in capsys.readouterr().err
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
    error = capsys.readouterr().err
    assert error.startswith(f"agent.train: {runs / 'abc' / state.STATE_FILE} ")
    assert error.endswith("starting anew, unless the server has a state\n")
    assert error.count("\n") == 1


def test_a_damaged_state_that_nobody_else_has_is_told(
    runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(wandb, "Api", Api)
    leave("xyz")
    (runs / "xyz" / state.STATE_FILE).write_bytes(b"")
    with pytest.raises(ConfigError, match=r"run xyz has no state in .*, and cannot be read from the server"):
        resumed("--resume", "xyz")
    assert "state.pt is empty; starting anew" in capsys.readouterr().err


@pytest.mark.parametrize("flags", [["--bogus"], ["--resume", "abc", "--bogus=1"], ["bogus"]])
def test_an_unknown_flag_is_named_first(flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert train.main(flags) == 2
    assert "agent.train: unknown setting " in (error := capsys.readouterr().err)
    assert "bogus" in error
    assert error.count("\n") == 1


def test_a_resume_without_an_id_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert train.main(["--resume"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "--resume" in line


def resumed(*arguments: str) -> tuple[RunPlan, State | None]:
    return resume.complete_plan(make_plan(arguments, "puzzle"))


def find_state(run: Any, *arguments: str, digest: str = "digest") -> State | None:
    plan, local = resumed(*arguments)
    return resume.find_state(run, plan, local, digest, Model())


def leave(run_id: str, config: Config = CONFIG, digest: str = "digest", epoch: int = 2) -> None:
    own = run_folder(run_id)
    own.mkdir()
    rows: list[state.Row] = [{"epoch": float(n)} for n in range(1, epoch + 1)]
    now = State(f"anna/cats/{run_id}", config, digest, Progress(epoch, 1.0, rows), {}, capture(epoch))
    state.dump(now, own, None, {})


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
    with pytest.raises(ConfigError, match=r"run x has no state in .*, and cannot be read from the server"):
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
    run = a_run(id="abc", finish=lambda exit_code: codes.append(exit_code))
    run.offline = False
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
    run = SimpleNamespace(resumed=False, offline=True, starting_step=0, logged=[], **more)
    run.log = lambda row, step, commit: run.logged.append((row["epoch"], step, commit))
    return run


@pytest.mark.parametrize(("known", "missing"), [(0, [1, 2, 3]), (1, [2, 3]), (3, []), (4, [])])
def test_exactly_the_rows_that_the_server_lacks_are_logged(known: int, missing: list[int]) -> None:
    run = a_run()
    run.starting_step = known
    resume.log_missing_rows(run, [{"epoch": float(n)} for n in (1, 2, 3)])
    assert run.logged == [(n, n - 1, True) for n in missing]


def test_a_state_of_other_settings_is_no_state(monkeypatch: pytest.MonkeyPatch) -> None:
    leave("abc")
    found = find_state(a_run(), "--resume", "abc")
    assert found
    assert found.progress.epoch == 2
    monkeypatch.setenv("WANDB_RUN_ID", "abc")
    assert find_state(a_run(), "--width=8") is None


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
    run = a_run(id="abc")
    run.resumed, run.starting_step = True, 3
    found = find_state(run, "--resume", "abc")
    assert found
    assert found.progress.epoch == 2
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
    run = a_run(id="abc")
    run.resumed, run.starting_step = True, 3
    found = find_state(run, "--resume", "abc")
    assert found
    assert found.progress.epoch == (3 if answers else 2)
    assert [path.name for path in (runs / "abc").iterdir()] == [state.STATE_FILE]
    told = "agent.train: the uploaded state cannot be read (connection lost); going on without it\n"
    assert capsys.readouterr().out == ("" if answers else told)


def test_images_that_changed_meanwhile_are_refused() -> None:
    leave("abc")
    with pytest.raises(ConfigError, match="of drawn changed since run abc"):
        find_state(a_run(), "--resume", "abc", digest="another digest")


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
        assert "run abc is under way in another process on this machine" in capsys.readouterr().err
        assert (runs / "abc" / folder.LOCK).exists()
        other.communicate(b"\n")
    with folder.exclusive_folder(runs / "abc"):
        pass


def test_a_folder_of_runs_that_cannot_be_used_is_told(
    runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (runs / "file").write_text("")
    monkeypatch.setenv("PUZZLE_RUNS", str(runs / "file"))
    assert train.main(["--width=4"]) == 2
    assert "cannot be used (Not a directory): name another in PUZZLE_RUNS" in capsys.readouterr().err


def test_a_server_that_takes_no_run_is_told_in_one_sentence(
    runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(**options: Any) -> None:
        raise wandb.errors.CommError("it is\naway")

    monkeypatch.setattr(wandb, "init", refuse)
    assert train.main(["--width=4"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("agent.train: the server did not take the run: it is away; correct WANDB_BASE_URL")
    assert error.count("\n") == 1
    assert list(runs.iterdir()) == []


def test_a_server_that_is_away_when_the_run_is_over_fails_nothing(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise WandbApiFailedError("away")

    monkeypatch.setattr(wandb, "Api", away)
    leave("abc")
    run = a_run(id="abc", entity="anna", project="cats")
    run.resumed, run.offline, run.starting_step = True, False, 2
    assert find_state(run, "--resume", "abc"), "the state of this machine counts"
    train.clean_up(runs / "abc", run)
    assert list(runs.iterdir()) == []


def test_a_disk_that_is_full_while_predictions_are_written_is_one_sentence(
    runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    run = SimpleNamespace(
        id="abc", name="x", entity="a", project="p", resumed=False, offline=True, starting_step=0, summary={}
    )
    run.codes = []
    run.log = lambda *_, **__: None
    run.define_metric = run.log
    run.config = {}
    run.finish = lambda exit_code: run.codes.append(exit_code)
    monkeypatch.setenv("WANDB_RUN_ID", "abc")
    monkeypatch.setattr(train, "open_run", lambda *_: contextlib.nullcontext(run))
    monkeypatch.setattr(predictions, "write", full)
    flags = ["--model=unet_bilinear", "--width=4", "--image_size=32", "--epochs=1"]
    assert train.main(flags) == 1
    assert run.summary["error"] == (
        f"a file in {runs / 'abc'} could not be written (No space left on device); the checkpoints before are still "
        f"there: free some space, and go on with --resume abc"
    )
    assert f"agent.train: {run.summary['error']}" in capsys.readouterr().err
    assert run.codes == [1]
    found = state.load(runs / "abc")
    assert found
    assert found.progress.epoch == 1, "--resume goes on after the last epoch"
