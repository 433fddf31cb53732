from pathlib import Path
from typing import Any, cast

import pandas as pd
import pytest
from wandb.sdk.lib.service.service_connection import WandbApiFailedError

from analysis import AnalysisError
from analysis.comparison.comparison import compare
from analysis.pull import client, retry
from analysis.pull.study import by_id, partial, pull, usable_runs
from analysis.table import terminal
from tests.analysis.fakes import FakeArtifact, FakeRun
from tests.analysis.studies import MODELS, history, predictions, run


def rows(*states: str) -> pd.DataFrame:
    return pd.DataFrame([run(f"r{i}", MODELS[2], predictions(1), state=state) for i, state in enumerate(states)])


def test_only_finished_runs_are_used_and_the_others_are_told_by_state() -> None:
    kept, _, remarks = usable_runs(rows("finished", "running", "crashed", "finished", "running"))
    assert kept["run_id"].tolist() == ["r0", "r3"]
    (remark,) = remarks
    assert remark.startswith("3 of 5 runs ")
    assert "1 crashed (r2); 2 running (r1, r4)" in remark


def test_a_finished_run_that_lacks_a_key_is_left_out_by_the_name_of_the_key() -> None:
    runs = rows("finished", "finished")
    runs.loc[1, "test/iou"] = float("nan")
    kept, _, remarks = usable_runs(runs)
    assert kept["run_id"].tolist() == ["r0"]
    assert "1 without test/iou (r1)" in remarks[0]


def test_a_run_of_something_else_lacks_everything() -> None:
    runs = pd.concat(
        [rows("finished"), pd.DataFrame([{"run_id": "x", "state": "finished", "loss": 1.0}])], ignore_index=True
    )
    _, _, (remark,) = usable_runs(runs)
    assert "backbone and 13 more (x)" in remark


def test_when_all_are_usable_there_is_nothing_to_say() -> None:
    assert usable_runs(rows("finished"))[2] == ()


def test_no_usable_run_is_one_sentence_that_says_why() -> None:
    with pytest.raises(AnalysisError, match=r"None of the 2 runs .*: 2 failed \(r0, r1\)"):
        usable_runs(rows("failed", "failed"))


def test_runs_that_cannot_be_used_are_kept_apart_with_the_reason() -> None:
    _, left_out, _ = usable_runs(rows("finished", "failed", "running"))
    assert left_out[["run_id", "reason"]].values.tolist() == [["r1", "failed"], ["r2", "running"]]
    assert {"architecture", "path", "state"} <= set(left_out)


def test_a_pull_that_lost_runs_says_that_it_is_partial() -> None:
    (sentence,) = partial({"r1": "the history of run r1 cannot be read: busy"}, 3)
    assert sentence.startswith("PARTIAL: 1 of 3 ")
    assert "(r1)" in sentence
    assert "busy" in sentence
    assert partial({}, 3) == ()


def on_the_server(run_id: str, state: str = "finished", missing: str = "", silent: bool = False) -> FakeRun:
    """A run as the client lists it, with 20 epochs and predictions."""

    class Silent(FakeRun):
        def scan_history(self) -> list[dict[str, Any]]:
            raise WandbApiFailedError("did not respond in time")

    steps = cast(list[dict[str, Any]], history(run_id).drop(columns="run_id").to_dict("records"))
    made = (Silent if silent else FakeRun)(steps, [FakeArtifact()])
    row = run(run_id, MODELS[2], predictions(1))
    made.id, made.state = run_id, state
    made.config = {key: row[key] for key in ("architecture", "backbone", "weights", "seed", "n_test")}
    made.summary_metrics = {key: value for key, value in row.items() if "/" in key and key != missing}
    return made


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[FakeRun]:
    """What the server lists; empty at first."""
    listed: list[FakeRun] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    monkeypatch.delenv("WANDB_BASE_URL", raising=False)
    monkeypatch.setattr(client, "connect", lambda login, cache: None)
    monkeypatch.setattr(
        "analysis.pull.study.sweep_settings", lambda api, runs, folder: ({"s1": {"method": "grid"}}, ())
    )
    monkeypatch.setattr(client, "list_runs", lambda api, path: listed)
    monkeypatch.setattr(retry.retry_request, "__defaults__", (None, (0.0,)))
    return listed


def test_a_project_without_runs_is_one_sentence(server: list[FakeRun]) -> None:
    with pytest.raises(AnalysisError, match="No run in lab/puzzle"):
        pull(["lab/puzzle"])


def test_one_finished_run_among_failed_running_and_old_ones_makes_a_table(server: list[FakeRun]) -> None:
    server += [
        *(on_the_server("good"), on_the_server("bad", "failed"), on_the_server("busy", "running")),
        on_the_server("old", missing="test/iou"),
    ]
    server[1].summary_metrics["error"] = "out of memory"
    made = pull(["lab/puzzle"])
    assert made.runs["run_id"].tolist() == ["good"]
    assert made.runs["artifact"].tolist() == [""]
    assert len(made.history) == 20
    assert made.scores["run_id"].tolist() == ["good", "good"]
    assert dict(zip(made.left_out["run_id"], made.left_out["reason"], strict=True)) == {
        "bad": "failed",
        "busy": "running",
        "old": "without test/iou",
    }
    assert made.left_out.set_index("run_id")["error"]["bad"] == "out of memory"
    assert "n = 1 run: " in terminal(compare(made))


def test_a_server_that_falls_silent_leaves_a_partial_study_that_says_so(
    server: list[FakeRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analysis.pull.fetch.BATCH", 1)
    server += [on_the_server("a"), on_the_server("b", silent=True), on_the_server("c")]
    made = pull(["lab/puzzle"])
    assert made.runs["run_id"].tolist() == ["a"]
    assert made.left_out["run_id"].tolist() == ["b", "c"]
    assert any(note.startswith("PARTIAL: 2 of 3 ") for note in compare(made).notes)


def test_when_nothing_can_be_read_that_is_one_sentence(server: list[FakeRun]) -> None:
    server.append(on_the_server("a", silent=True))
    with pytest.raises(AnalysisError, match=r"None of 1 runs could be read: .* run a "):
        pull(["lab/puzzle"])


def test_a_run_that_two_paths_list_counts_once_and_equal_ids_of_two_projects_are_refused() -> None:
    first, other = FakeRun(), FakeRun()
    assert list(by_id(cast(Any, [first, first]))) == ["r1"]
    other.project = "second"
    with pytest.raises(AnalysisError, match="puzzle and second both have a run r1"):
        by_id(cast(Any, [first, other]))
