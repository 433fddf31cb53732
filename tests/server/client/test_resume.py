"""Opening a run a second time: resume in its four forms; forks and rewinds are refused."""

from typing import Any

import pytest

from tests.server.running import WAIT_FOR_ROWS, Client

PART = """
import json, wandb
out = {}
def attempt(name, **options):
    try:
        with wandb.init(project="resume", **options) as run:
            start = run.starting_step
            run.log({"x": len(out)})
            out[name] = [run.id, run.resumed, start, dict(run.config)]
    except Exception as error:
        out[name] = str(error)
    wandb.teardown()
"""
FIRST = (
    PART
    + """
attempt("never, new", id="a", resume="never", config={"lr": 0.5}, tags=["kept"], notes="kept")
attempt("never, existing", id="a", resume="never")
attempt("allow, existing", id="a", resume="allow")
attempt("allow, new", id="b", resume="allow")
attempt("plain, existing", id="b", config={"again": 1})
attempt("must, existing", id="a", resume="must", config={"late": 1})
attempt("must, new", id="nowhere", resume="must")
attempt("fork", id="forked", fork_from="a?_step=0")
attempt("rewind", resume_from="a?_step=0")
r = wandb.Api().run("resume/a")
out["a"] = [[row["_step"] for row in r.scan_history()], r.config, r.tags, r.notes, r.state]
again = wandb.Api().run("resume/b")
out["b"] = [[[row["_step"], row["x"]] for row in again.scan_history()], again.config, again.summary["x"]]
out["runs"] = sorted(r.id for r in wandb.Api().runs("resume"))
print(json.dumps(out))
"""
)
CRASH = f"""{WAIT_FOR_ROWS}
import os, wandb
run = wandb.init(project="resume", resume="auto", id="auto")
run.log({{"x": 1}}, commit=True)
wait_for_rows("resume/auto")
os._exit(1)
"""
AUTO = """
import json, wandb
with wandb.init(project="resume", resume="auto") as run:
    print(json.dumps([run.id, run.resumed, run.starting_step]))
"""


@pytest.fixture(scope="module")
def found(client: Client) -> Any:
    return client.run(FIRST)


def test_never_makes_a_run_once(found: Any) -> None:
    assert found["never, new"] == ["a", False, 0, {"lr": 0.5}]
    assert "already exists" in found["never, existing"]


def test_allow_resumes_what_exists_and_makes_what_does_not(found: Any) -> None:
    assert found["allow, existing"] == ["a", True, 1, {"lr": 0.5}]
    assert found["allow, new"] == ["b", False, 0, {}]


def test_a_run_opened_again_without_resume_starts_over_at_step_0_and_its_rows_are_appended(found: Any) -> None:
    """The client takes the number of rows from the answer to UpsertBucket and goes on behind them."""
    assert found["plain, existing"] == ["b", False, 0, {"again": 1}]
    assert found["b"] == [[[0, 3], [0, 4]], {"again": 1}, 4]


def test_must_resumes_and_never_makes_a_run(found: Any) -> None:
    assert found["must, existing"] == ["a", True, 2, {"lr": 0.5, "late": 1}]
    assert "does not exist" in found["must, new"]


def test_a_resumed_run_keeps_rows_config_tags_and_notes(found: Any) -> None:
    assert found["a"] == [[0, 1, 2], {"lr": 0.5, "late": 1}, ["kept"], "kept", "finished"]


def test_forks_and_rewinds_are_refused_and_leave_nothing_behind(found: Any) -> None:
    assert "cannot fork" in found["fork"]
    assert "RewindRun" in found["rewind"]
    assert found["runs"] == ["a", "b"]


def test_auto_goes_on_with_the_run_that_died_here(client: Client) -> None:
    client.finish(client.program(CRASH))
    assert client.run(AUTO) == ["auto", True, 1]
