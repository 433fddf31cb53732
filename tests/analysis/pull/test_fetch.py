import threading
from io import StringIO
from pathlib import Path
from typing import Any, cast

import pandas as pd
import pytest
from rich.console import Console
from wandb.sdk.lib.service.service_connection import WandbApiFailedError

from analysis import AnalysisError
from analysis.pull import fetch, retry
from analysis.pull.fetch import fetch_all, open_predictions
from tests.analysis.fakes import FakeArtifact, FakeRun

STEPS = [{"epoch": epoch, "val/loss": 1 / epoch} for epoch in (1, 2, 3)]


class Model(FakeArtifact):
    name, type = "model-r1:v2", "model"


def runs(count: int, kind: type[FakeRun] = FakeRun) -> list[Any]:
    """Runs r0, r1, … with three epochs each and one artifact of predictions."""
    made = [kind(STEPS, [FakeArtifact(), Model()]) for _ in range(count)]
    for number, run in enumerate(made):
        run.id = f"r{number}"
    return cast(list[Any], made)


class Silent(FakeRun):
    """A run of a server that does not answer."""

    def scan_history(self) -> list[dict[str, Any]]:
        self.asked += 1
        raise WandbApiFailedError("did not respond in time")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """One further try, at once."""
    monkeypatch.setattr(retry.retry_request, "__defaults__", (None, (0.0,)))


def test_a_run_brings_history_scores_and_the_names_of_its_artifacts(tmp_path: Path) -> None:
    fetched, lost = fetch_all(runs(1), tmp_path)
    assert fetched is not None
    assert lost == {}
    assert fetched.history["epoch"].tolist() == [1, 2, 3]
    assert fetched.runs["artifact"].tolist() == ["lab/puzzle/model-r1:v2"]
    # One image, two checkpoints: best_loss is the truth, best_iou is empty.
    assert dict(zip(fetched.scores["checkpoint"], fetched.scores["iou"], strict=True)) == {
        "best_loss": 1.0,
        "best_iou": 0.0,
    }
    assert list(open_predictions(fetched, tmp_path / "artifacts")["r0"].truth) == ["image-1"]


def test_a_second_pull_of_finished_runs_asks_nothing(tmp_path: Path) -> None:
    first, _ = fetch_all(runs(3), tmp_path)
    again = runs(3)
    second, _ = fetch_all(again, tmp_path)
    assert [run.asked for run in again] == [0, 0, 0]
    assert first is not None
    assert second is not None
    pd.testing.assert_frame_equal(second.history, first.history)
    pd.testing.assert_frame_equal(second.scores, first.scores, check_dtype=False)


def test_a_run_that_changed_and_one_whose_files_are_gone_are_fetched_again(tmp_path: Path) -> None:
    fetch_all(runs(3), tmp_path)
    changed = runs(3)
    changed[1].summary_metrics = {"val/iou": 0.5}
    fetch_all(changed, tmp_path)
    assert [run.asked for run in changed] == [0, 1, 0]
    for folder in (tmp_path / "artifacts").iterdir():
        for file in folder.rglob("*.png"):
            file.unlink()
        for inner in sorted(folder.iterdir()):
            inner.rmdir()
        folder.rmdir()
    again = runs(3)
    fetch_all(again, tmp_path)
    assert [run.asked for run in again] == [1, 1, 1]


def test_when_the_server_falls_silent_the_rest_is_not_tried_and_the_first_runs_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "BATCH", 2)
    made = [*runs(2), *runs(6, Silent)[2:]]
    fetched, lost = fetch_all(made, tmp_path)
    assert fetched is not None
    assert sorted(fetched.runs["run_id"]) == ["r0", "r1"]
    assert sorted(lost) == ["r2", "r3", "r4", "r5"]
    assert [run.asked for run in made[4:]] == [0, 0]
    assert lost["r2"].endswith(": did not respond in time")
    healthy = runs(6)
    assert fetch_all(healthy, tmp_path)[1] == {}
    assert [run.asked for run in healthy] == [0, 0, 1, 1, 1, 1]


def test_one_run_that_cannot_be_read_does_not_cost_the_others(tmp_path: Path) -> None:
    class Broken(FakeArtifact):
        def download(self, root: str, skip_cache: bool) -> None:
            raise ValueError("a file is missing")

    made = runs(3)
    made[1].artifacts = [Broken()]
    made[0].artifacts = made[2].artifacts = []
    fetched, lost = fetch_all(made, tmp_path)
    assert fetched is not None
    assert sorted(fetched.runs["run_id"]) == ["r0", "r2"]
    assert lost.keys() == {"r1"}
    assert lost["r1"].endswith(": a file is missing")


def test_ctrl_c_ends_the_pull_and_keeps_the_batches_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(FakeRun):
        def scan_history(self) -> list[dict[str, Any]]:
            raise KeyboardInterrupt

    monkeypatch.setattr(fetch, "BATCH", 1)
    with pytest.raises(KeyboardInterrupt):
        fetch_all([*runs(1), *runs(2, Interrupted)[1:]], tmp_path)
    again = runs(1)
    fetch_all(again, tmp_path)
    assert again[0].asked == 0


def test_an_unreadable_picture_is_a_reason_and_no_traceback(tmp_path: Path) -> None:
    class NoPicture(FakeArtifact):
        def download(self, root: str, skip_cache: bool) -> None:
            super().download(root, skip_cache)
            (Path(root) / "truth/image-1.png").write_text("x")

    made = runs(1)
    made[0].artifacts = [NoPicture()]
    with pytest.raises(AnalysisError, match="no picture"):
        fetch.fetch_run("c", made[0], tmp_path, threading.Event())


def test_a_terminal_sees_how_far_the_pull_is_and_a_file_sees_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {terminal: Console(file=StringIO(), force_terminal=terminal) for terminal in (True, False)}
    for console in seen.values():
        monkeypatch.setattr(fetch, "Console", lambda stderr, console=console: console)
        with fetch.bar(3) as advance:
            advance(2)
    printed = {terminal: cast(StringIO, console.file).getvalue() for terminal, console in seen.items()}
    assert "reading runs" in printed[True]
    assert "2/3" in printed[True]
    assert printed[False] == ""
