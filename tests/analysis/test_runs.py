import pandas as pd
import pytest

from analysis import AnalysisError
from analysis.runs import few, partial, usable_runs
from tests.analysis.studies import MODELS, predictions, run


def rows(*states: str) -> pd.DataFrame:
    return pd.DataFrame(
        [run(f"r{i}", MODELS[2], predictions(1), state=state) for i, state in enumerate(states)]
    )


def test_only_finished_runs_are_used_and_the_others_are_told_by_state() -> None:
    kept, _, remarks = usable_runs(rows("finished", "running", "crashed", "finished", "running"))
    assert kept["run_id"].tolist() == ["r0", "r3"]
    assert remarks == ("3 of 5 runs are left out: 1 crashed (r2); 2 running (r1, r4).",)


def test_a_finished_run_that_lacks_a_key_is_left_out_by_the_name_of_the_key() -> None:
    runs = rows("finished", "finished")
    runs.loc[1, "test/iou"] = float("nan")
    kept, _, remarks = usable_runs(runs)
    assert kept["run_id"].tolist() == ["r0"]
    assert remarks == ("1 of 2 runs are left out: 1 without test/iou (r1).",)


def test_a_run_of_something_else_lacks_everything() -> None:
    runs = pd.concat(
        [rows("finished"), pd.DataFrame([{"run_id": "x", "state": "finished", "loss": 1.0}])],
        ignore_index=True,
    )
    _, _, (remark,) = usable_runs(runs)
    assert "1 without architecture, backbone and 13 more (x)" in remark


def test_when_all_are_usable_there_is_nothing_to_say() -> None:
    assert usable_runs(rows("finished"))[2] == ()


def test_no_usable_run_is_one_sentence_that_says_why() -> None:
    with pytest.raises(AnalysisError, match=r"None of the 2 runs found can be used: 2 failed \(r0, r1\)"):
        usable_runs(rows("failed", "failed"))


def test_long_lists_are_cut_with_a_count() -> None:
    assert few(range(5)) == "0, 1, 2 and 2 more"
    assert few("ab") == "a, b"


def test_runs_that_cannot_be_used_are_kept_apart_with_the_reason() -> None:
    _, left_out, _ = usable_runs(rows("finished", "failed", "running"))
    assert left_out[["run_id", "reason"]].values.tolist() == [["r1", "failed"], ["r2", "running"]]
    assert {"architecture", "path", "state"} <= set(left_out)


def test_a_pull_that_lost_runs_says_that_it_is_partial() -> None:
    (sentence,) = partial({"r1": "the history of run r1 cannot be read: busy"}, 3)
    assert sentence.startswith(
        "PARTIAL: 1 of 3 usable runs could not be read (r1), for instance because the history of run r1"
    )
    assert partial({}, 3) == ()
