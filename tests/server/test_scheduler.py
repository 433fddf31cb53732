"""Configurations handed out to agents: in-process, with a clock that the test moves."""

import json
import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from server import filestream
from server.graphql import Context
from server.graphql.context import global_id
from server.scheduler import controller, scheduler, sweep_config
from server.settings import Settings
from server.store import Refused, Row, Store, projects, runs, sweeps
from tests.server import queries
from tests.server.conftest import Clock
from tests.server.content import add_project, add_run, lines

SETTINGS = Settings(api_key="k" * 40)
GRID = """
method: grid
program: train.py
parameters: {lr: {values: [0.0, 0.1]}, opt: {parameters: {wd: {values: [0, 1]}}}}
"""
HYPERBAND = """
method: random
metric: {name: loss, goal: minimize}
early_terminate: {type: hyperband, min_iter: 2, eta: 2, strict: true}
parameters: {x: {min: 0.0, max: 1.0}}
"""


def make(store: Store, config: str, **columns: Any) -> Row:
    with store.write() as db:
        project = add_project(db)
    return scheduler.create(store, project, config, **columns)[0]


def agent(store: Store, sweep: Row) -> Row:
    return scheduler.add_agent(store, sweeps.by_id(store.db, sweep["id"]), "host")


def single(store: Store, requeue: int = 0) -> tuple[Row, Row, str]:
    """A sweep of one configuration, an agent of it, and the run that the agent was given."""
    sweep = make(store, f"method: grid\nrequeue: {requeue}\nparameters: {{x: {{values: [1]}}}}")
    one = agent(store, sweep)
    return sweep, one, ask(store, one)[0]["run_id"]


def handed_out(store: Store, agent: Row) -> list[tuple[str, str]]:
    """The agent's command, and its run."""
    return [(command["type"], command.get("run_id", "")) for command in ask(store, agent)]


def ask(store: Store, agent: Row, *running: str) -> list[dict[str, Any]]:
    return scheduler.heartbeat(store, SETTINGS, agent, set(running))


def finish(store: Store, name: str, exit_code: int = 0, **metrics: float) -> None:
    """The run logs `metrics` as one row and ends."""
    rows = [json.dumps({"_step": 0, **metrics})] if metrics else []
    filestream.receive(store, "local", "p", name, lines(history=rows) | {"complete": True, "exitcode": exit_code})


def log(store: Store, name: str, line: int, **metrics: Any) -> dict[str, Any]:
    rows = [json.dumps({"_step": line, **metrics})]
    return filestream.receive(store, "local", "p", name, lines(line, history=rows))


def run_state(store: Store, name: str) -> str:
    run = runs.find_by_path(store.db, "local", "p", name)
    assert run is not None
    return str(run["state"])


def state(store: Store, sweep: Row) -> str:
    return str(sweeps.by_id(store.db, sweep["id"])["state"])


def test_a_grid_is_handed_out_once_and_ends(store: Store) -> None:
    sweep = make(store, GRID)
    assert state(store, sweep) == "PENDING"
    one = agent(store, sweep)
    given = []
    for _ in range(4):
        [command] = ask(store, one)
        given.append((command["args"]["lr"]["value"], command["args"]["opt"]["value"]["wd"]))
        finish(store, command["run_id"])
    assert sorted(given) == [(0.0, 0), (0.0, 1), (0.1, 0), (0.1, 1)]
    assert state(store, sweep) == "FINISHED"
    assert ask(store, one) == [{"type": "exit"}]


def test_32_agents_that_ask_at_once_never_get_the_same_configuration(store: Store) -> None:
    sweep = make(store, f"method: grid\nparameters: {{x: {{values: {list(range(32))}}}}}")
    agents = [agent(store, sweep) for _ in range(32)]
    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda one: ask(store, one), agents))
    assert sorted(answer[0]["args"]["x"]["value"] for answer in answers) == list(range(32))


def test_a_lost_answer_is_repeated_and_a_program_that_never_starts_is_given_up(store: Store) -> None:
    sweep = make(store, GRID)
    one = agent(store, sweep)
    first, again, other = ask(store, one)[0], ask(store, one)[0], ask(store, one)[0]
    assert first["run_id"] == again["run_id"] != other["run_id"]
    assert run_state(store, first["run_id"]) == "failed"


def test_a_run_that_its_agent_named_was_not_lost(store: Store, clock: Clock) -> None:
    """It wrote offline, or ended before it reached the server."""
    sweep = make(store, "method: grid\nparameters: {x: {values: [1, 2]}}")
    one, other = agent(store, sweep), agent(store, sweep)
    first = ask(store, one)[0]["run_id"]
    assert ask(store, one, first) == []
    second = ask(store, one)[0]["run_id"]
    assert second != first
    assert run_state(store, first) == "failed"
    ask(store, one, second)
    clock.now += scheduler.AGENT_SILENT + 1
    assert ask(store, other) == [], "its agent may be blocked"
    clock.now += SETTINGS.crash_after
    scheduler.end_silent_runs(store, SETTINGS)
    assert ask(store, other) == [{"type": "exit"}]
    finish(store, first)
    assert run_state(store, first) == "finished", "synced at last"


def test_a_run_that_was_named_and_vanished_with_its_agent_is_requeued(store: Store, clock: Clock) -> None:
    sweep, one, name = single(store, requeue=1)
    ask(store, one, name)
    clock.now += SETTINGS.crash_after + 1
    scheduler.end_silent_runs(store, SETTINGS)
    other = agent(store, sweep)
    assert handed_out(store, other) == [("run", name)]
    ask(store, other, name)
    assert ask(store, other) == [{"type": "exit"}]


@pytest.mark.parametrize(("seconds", "again"), [(2, True), (5, False), (9, False), (70, True)])
def test_a_program_that_ends_at_once_is_not_a_lost_answer(
    store: Store, clock: Clock, seconds: float, again: bool
) -> None:
    """The client repeats a lost answer after 2 s or after its time limit; its agents ask again after 5 s."""
    one = agent(store, make(store, GRID))
    name = ask(store, one)[0]["run_id"]
    clock.now += seconds
    assert (ask(store, one)[0]["run_id"] == name) == again


def test_the_run_of_an_agent_that_vanished_before_starting_goes_to_another(store: Store, clock: Clock) -> None:
    sweep, _, name = single(store)
    other = agent(store, sweep)
    assert ask(store, other) == [], "the first agent may still be starting it"
    clock.now += scheduler.AGENT_SILENT + 1
    assert ask(store, other)[0]["run_id"] == name


@pytest.mark.parametrize("end", ["says so", "is lost", "falls silent"])
def test_a_run_that_was_told_to_stop_is_not_handed_out_again_though_it_says_that_it_moves_away(
    store: Store, clock: Clock, end: str
) -> None:
    _, one, name = single(store)
    log(store, name, 0, loss=1.0)
    with store.write() as db:
        run = runs.find_by_path(db, "local", "p", name)
        assert run is not None
        runs.request_stop(db, run["id"], clock.now)
    filestream.receive(store, "local", "p", name, {"preempting": True})
    if end == "says so":
        finish(store, name, exit_code=143)
    elif end == "is lost":
        clock.now += scheduler.RUN_SILENT + 1
    else:
        clock.now += SETTINGS.crash_after + 1
        scheduler.end_silent_runs(store, SETTINGS)
    assert ask(store, one) == [{"type": "exit"}]
    assert run_state(store, name) == "killed"


def crash(store: Store, clock: Clock, name: str) -> None:
    """The run shows a sign of life and falls silent."""
    log(store, name, 0, loss=1.0)
    clock.now += SETTINGS.crash_after + 1
    scheduler.end_silent_runs(store, SETTINGS)


@pytest.mark.parametrize("end", ["fails", "crashes"])
def test_a_run_that_failed_or_crashed_is_not_tried_again_unless_the_sweep_says_so(
    store: Store, clock: Clock, end: str
) -> None:
    _, one, name = single(store)
    finish(store, name, exit_code=1) if end == "fails" else crash(store, clock, name)
    assert ask(store, one) == [{"type": "exit"}]


def test_requeue_hands_a_crashed_run_out_again_so_many_times_and_nothing_twice(store: Store, clock: Clock) -> None:
    sweep, one, name = single(store, requeue=2)
    other = agent(store, sweep)
    for _ in range(2):
        assert ask(store, other) == [], "the run may still crash"
        crash(store, clock, name)
        assert handed_out(store, one) == [("resume", name)]
    crash(store, clock, name)
    assert ask(store, one) == ask(store, other) == [{"type": "exit"}]


def test_a_lost_answer_uses_up_no_requeue(store: Store, clock: Clock) -> None:
    _, one, name = single(store, requeue=1)
    crash(store, clock, name)
    assert handed_out(store, one) == [("resume", name)]
    clock.now += 2
    assert handed_out(store, one) == [("resume", name)], "the answer was lost"
    assert run_state(store, name) == "pending"
    crash(store, clock, name)
    assert ask(store, one) == [{"type": "exit"}], "the only requeue was used by now"


def test_a_requeued_run_whose_agent_vanished_goes_to_another_without_a_further_requeue(
    store: Store, clock: Clock
) -> None:
    sweep, one, name = single(store, requeue=1)
    other = agent(store, sweep)
    crash(store, clock, name)
    ask(store, one)
    assert ask(store, other) == [], "the first agent may still be starting it"
    clock.now += scheduler.AGENT_SILENT + 1
    assert handed_out(store, other) == [("resume", name)]
    finish(store, name)
    assert state(store, sweep) == "FINISHED"


def test_a_resumed_program_that_never_starts_is_given_up(store: Store, clock: Clock) -> None:
    sweep, one, name = single(store, requeue=1)
    crash(store, clock, name)
    assert [c["type"] for _ in range(3) for c in ask(store, one)] == ["resume", "resume", "exit"]
    assert run_state(store, name) == "crashed"
    assert state(store, sweep) == "FINISHED"


@pytest.mark.parametrize("requeue", [0, 1])
def test_a_preempted_run_is_handed_out_again_to_resume_and_keeps_its_requeues(
    store: Store, clock: Clock, requeue: int
) -> None:
    _, one, name = single(store, requeue)
    filestream.receive(store, "local", "p", name, {"preempting": True})
    finish(store, name, exit_code=1)
    assert handed_out(store, one) == [("resume", name)]
    crash(store, clock, name)
    assert handed_out(store, one) == [("resume", name) if requeue else ("exit", "")]


def test_run_cap_ends_a_random_sweep(store: Store) -> None:
    sweep = make(store, "method: random\nrun_cap: 2\nparameters: {x: {min: 0.0, max: 1.0}}")
    one = agent(store, sweep)
    assert scheduler.expected_runs(store, sweep) == 2
    for _ in range(2):
        finish(store, ask(store, one)[0]["run_id"])
    assert state(store, sweep) == "FINISHED"


def test_a_local_scheduler_may_queue_more_than_run_cap_and_only_so_many_run(store: Store) -> None:
    sweep = make(store, "scheduler: {engine: optuna}\nrun_cap: 2\nparameters: {x: {min: 0.0, max: 1.0}}")
    one = agent(store, sweep)
    queued = [scheduler.add_run(store, sweep, {"x": x}, "scheduler")["run"] for x in (1, 2, 3)]
    for name in queued[:2]:
        [command] = ask(store, one)
        assert command["run_id"] == name
        finish(store, name)
    assert state(store, sweep) == "FINISHED"
    assert [item["run"] for item in sweeps.suggestions(store.db, sweep["id"])] == queued[:2]


def test_prior_runs_teach_bayes_and_are_not_counted_as_runs_of_the_sweep(store: Store) -> None:
    text = "method: bayes\nmetric: {name: loss, goal: minimize}\nparameters: {x: {min: 0.0, max: 1.0}}"
    with store.write() as db:
        for name, settings in (("old", {"x": 0.25}), ("other", {})):
            add_run(db, add_project(db), name, settings, [], {"loss": 1.5})
    sweep = make(store, text, prior_runs_filters='{"$or": [{"name": "old"}, {"name": "other"}]}')
    [prior] = scheduler.prior_runs(store, sweep, sweep_config.read_config(text))
    assert (prior.name, prior.params, prior.summary) == ("old", {"x": 0.25}, {"loss": 1.5})
    assert scheduler.past_runs(store, sweep) == []


@pytest.mark.parametrize("method", ["grid", "random", "bayes"])
def test_configurations_of_prior_runs_are_not_tried_again(store: Store, method: str) -> None:
    text = f"""{{method: {method}, metric: {{name: loss}}, parameters: {{x: {{values: [1, 2, 3]}},
        opt: {{parameters: {{wd: {{values: [0, 1]}}}}}}}}}}"""
    states = ["finished", "killed", "running", "failed", "crashed", "finished"]
    with store.write() as db:
        for i, state_of_run in enumerate(states):
            values = {"x": 1 + i // 2 if i < 5 else 7, "opt": {"wd": float(i % 2)}}
            add_run(db, add_project(db), f"old{i}", values, [], {"loss": 1}, state=state_of_run)
    where = json.dumps({"$or": [{"name": f"old{i}"} for i in range(6)]})
    sweep = make(store, text, prior_runs_filters=where)
    one = agent(store, sweep)
    tried = []
    for _ in range(3):
        [command] = ask(store, one)
        assert state(store, sweep) == "RUNNING"
        tried.append((command["args"]["x"]["value"], command["args"]["opt"]["value"]["wd"]))
        finish(store, command["run_id"], loss=1.0)
    assert sorted(tried) == [(2, 1), (3, 0), (3, 1)], "those that failed or crashed, and the one that nobody tried"
    assert state(store, sweep) == "FINISHED"
    assert ask(store, one) == [{"type": "exit"}]


ODD_METRICS = [math.nan, math.inf, -math.inf, None, "text", True, [1], {"a": 1}, 10**400, -(2**70)]
HYPERBAND_OF_ONE = "early_terminate: {type: hyperband, min_iter: 1, eta: 2}"


@pytest.mark.parametrize("stopping", ["", HYPERBAND_OF_ONE, "pruner: {type: median}"])
@pytest.mark.parametrize("method", ["grid", "random", "bayes"])
def test_no_metric_stops_a_sweep(store: Store, method: str, stopping: str) -> None:
    text = f"method: {method}\nmetric: {{name: loss, impute: latest}}\nrun_cap: 12\n{stopping}\n"
    sweep = make(store, text + "parameters: {x: {values: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]}}")
    one = agent(store, sweep)
    for metric in [*ODD_METRICS, 0.5, 0.25]:
        [command] = ask(store, one)
        for line in range(3):
            log(store, command["run_id"], line, loss=metric)
        finish(store, command["run_id"], exit_code=int(metric == "text"))
    assert state(store, sweep) == "FINISHED"
    values = [[value for _, value in run.history] for run in scheduler.past_runs(store, sweep)]
    assert [len(row) for row in values] == [3, 3, 3, 0, 0, 0, 0, 0, 3, 3, 3, 3]
    assert all(math.isnan(value) for value in values[0])


def test_whatever_a_sweep_makes_of_a_post_the_post_is_stored_and_answered(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sweep = make(store, GRID)
    name = ask(store, agent(store, sweep))[0]["run_id"]

    def fail(*given: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(scheduler, "observe", fail)
    assert log(store, name, 0, loss=1.0) == {}
    assert run_state(store, name) == "running"
    assert "not taken note of" in caplog.text


def test_a_sweep_names_its_prior_runs_without_its_own(context: Context) -> None:
    store = context.store
    with store.write() as db:
        for name in ("old", "other"):
            add_run(db, add_project(db), name)
    names = json.dumps({"$or": [{"name": "old"}, {"state": "pending"}]})
    sweep = make(store, GRID, prior_runs_filters=names)
    ask(store, agent(store, sweep))
    query = """query Sweep($name: String!) { project(name: "p", entityName: "local") { sweep(sweepName: $name) {
        runCount runCountExpected priorRuns { edges { node { name } } } } } }"""
    found = queries.ask(context, query, name=sweep["name"])["project"]["sweep"]
    assert found == {"runCount": 1, "runCountExpected": 4, "priorRuns": {"edges": [{"node": {"name": "old"}}]}}


def test_equal_seeds_suggest_equal_configurations(store: Store) -> None:
    text = "method: random\nseed: 7\nparameters: {x: {min: 0.0, max: 1.0}}"
    given = [ask(store, agent(store, make(store, text)))[0]["args"] for _ in range(2)]
    assert given[0] == given[1]


def test_a_paused_sweep_hands_out_nothing_and_a_canceled_one_sends_agents_home(store: Store) -> None:
    sweep = make(store, GRID)
    one = agent(store, sweep)
    for wanted, answer in (("PAUSED", []), ("CANCELED", [{"type": "exit"}])):
        with store.write() as db:
            sweeps.change(db, sweep["id"], 0.0, state=wanted)
        assert ask(store, one) == answer


@pytest.mark.parametrize("opened", [True, False])
def test_a_stopped_sweep_can_be_canceled_while_a_run_goes_on_or_starts(
    store: Store, clock: Clock, opened: bool
) -> None:
    """The agent is sent home, which ends its run; a run that outlives its agent hears of it with its next post."""
    sweep = make(store, GRID)
    one = agent(store, sweep)
    name = ask(store, one)[0]["run_id"]
    if opened:
        log(store, name, 0, loss=1)
    scheduler.set_state(store, sweep, "FINISHED")
    assert ask(store, one, name) == []
    scheduler.set_state(store, sweep, "CANCELED")
    assert ask(store, one, name) == [{"type": "exit"}]
    clock.now += SETTINGS.crash_after + 1
    scheduler.end_silent_runs(store, SETTINGS)
    assert run_state(store, name) == "killed"
    for state in ("CANCELED", "RUNNING"):
        with pytest.raises(Refused):
            scheduler.set_state(store, sweep, state)


def test_a_stopped_sweep_that_is_resumed_hands_out_its_free_cells(store: Store) -> None:
    """`wandb sweep --resume`; agent.fleet and `make study` go on with a sweep by it."""
    sweep = make(store, GRID)
    scheduler.set_state(store, sweep, "FINISHED")
    assert ask(store, agent(store, sweep)) == [{"type": "exit"}]
    with pytest.raises(Refused):
        scheduler.set_state(store, sweep, "PAUSED")
    scheduler.set_state(store, sweep, "RUNNING")
    assert ask(store, agent(store, sweep))[0]["type"] == "run"


def test_a_run_that_starts_after_it_was_asked_to_stop_stops_and_one_that_is_resumed_does_not(store: Store) -> None:
    sweep = make(store, GRID)
    name = ask(store, agent(store, sweep))[0]["run_id"]
    scheduler.set_state(store, sweep, "CANCELED")
    assert log(store, name, 0, loss=1) == {"stopped": True}
    finish(store, name, exit_code=1)
    assert run_state(store, name) == "killed"
    assert log(store, name, 1, loss=1) == {}


def test_hyperband_asks_the_run_first_and_its_agent_after_a_grace(store: Store, clock: Clock) -> None:
    sweep = make(store, HYPERBAND)
    agents = [agent(store, sweep) for _ in range(3)]
    names = [ask(store, one)[0]["run_id"] for one in agents]
    answers = {}
    for line in range(2):
        for loss, name in zip((0.1, 0.2, 0.9), names, strict=True):
            answers[name] = log(store, name, line, loss=loss)
    assert answers[names[2]] == {"stopped": True}
    assert answers[names[0]] == {}
    assert ask(store, agents[2], names[2]) == []
    clock.now += SETTINGS.stop_grace
    log(store, names[2], 2, loss=0.9)
    assert ask(store, agents[2], names[2]) == [{"type": "stop", "run_id": names[2]}]
    clock.now += scheduler.RUN_SILENT + 1
    ask(store, agents[2])
    stopped = sweeps.suggestions(store.db, sweep["id"])[2]
    assert stopped["run_state"] == "killed"
    assert stopped["stop_reason"]


def test_a_sweep_that_is_updated_to_another_metric_compares_runs_by_that_one_from_their_first_rows(
    context: Context,
) -> None:
    store = context.store
    sweep = make(store, HYPERBAND)
    names = [ask(store, agent(store, sweep))[0]["run_id"] for _ in range(2)]
    for line in range(2):
        for name, loss, iou in zip(names, (0.1, 0.9), (0.2, 0.8), strict=True):
            log(store, name, line, loss=loss, val={"iou": iou})
    text = HYPERBAND.replace("name: loss, goal: minimize", "name: val.iou, goal: maximize")
    queries.mutate(context, "upsertSweep", "sweep { id }", id=global_id("Sweep", sweep["id"]), config=text)
    past = scheduler.past_runs(store, sweeps.by_id(store.db, sweep["id"]))
    assert [run.history for run in past] == [((1, 0.2), (2, 0.2)), ((1, 0.8), (2, 0.8))]


def test_a_silent_run_crashes_but_not_because_the_server_was_off(store: Store, clock: Clock) -> None:
    sweep = make(store, GRID)
    name = ask(store, agent(store, sweep))[0]["run_id"]
    log(store, name, 0, loss=1.0)
    store.watched_since = clock.now + 1000
    clock.now += 1000 + SETTINGS.crash_after - 1
    scheduler.end_silent_runs(store, SETTINGS)
    assert run_state(store, name) == "running"
    clock.now += 2
    scheduler.end_silent_runs(store, SETTINGS)
    assert run_state(store, name) == "crashed"
    log(store, name, 1, loss=1.0)
    assert run_state(store, name) == "running"


def test_a_local_controller_schedules_stops_and_ends(store: Store) -> None:
    sweep = make(store, GRID, controller='{"type": "local"}')
    one = agent(store, sweep)
    assert ask(store, one) == []
    plan: dict[str, Any] = {"schedule": [{"id": "s1", "data": {"args": {"lr": {"value": 0.5}}}}]}
    for _ in range(2):
        controller.follow(store, sweeps.by_id(store.db, sweep["id"]), plan)
    [command] = ask(store, one)
    assert command["args"] == {"lr": {"value": 0.5}}
    told = json.loads(sweeps.by_id(store.db, sweep["id"])["scheduler"])
    assert told == {"scheduled": [{"id": "s1", "runid": command["run_id"]}]}
    log(store, command["run_id"], 0, loss=1.0)
    plan = {"earlystop": [command["run_id"]], "schedule": [{"id": "s2", "data": {"args": None}}]}
    controller.follow(store, sweeps.by_id(store.db, sweep["id"]), plan)
    assert log(store, command["run_id"], 1, loss=1.0) == {"stopped": True}
    assert ask(store, agent(store, sweep)) == [{"type": "exit"}]
    assert state(store, sweep) == "RUNNING"
    finish(store, command["run_id"], 255)
    assert state(store, sweep) == "FINISHED"


def test_a_run_that_the_local_controller_scheduled_is_handed_out_though_no_other_follows(store: Store) -> None:
    sweep = make(store, "controller: {type: local}\n" + GRID)
    one = agent(store, sweep)
    for number, args in enumerate(({"lr": {"value": 0.5}}, {"lr": {"value": 0.6}}, None)):
        plan = {"schedule": [{"id": f"s{number}", "data": {"args": args}}]}
        controller.follow(store, sweeps.by_id(store.db, sweep["id"]), plan)
    rates = []
    for _ in range(2):
        [command] = ask(store, one)
        rates.append(command["args"]["lr"]["value"])
        finish(store, command["run_id"])
    assert rates == [0.5, 0.6]
    assert state(store, sweep) == "FINISHED"
    assert ask(store, one) == [{"type": "exit"}]


def test_the_local_controller_finds_its_schedule_as_it_wrote_it(store: Store) -> None:
    sweep = make(store, GRID, controller='{"type": "local"}')
    plan = {"schedule": [{"id": "s1", "data": {"args": {"lr": {"value": 0.5}}}}]}
    controller.follow(store, sweeps.by_id(store.db, sweep["id"]), plan)
    kept = sweeps.by_id(store.db, sweep["id"])
    assert json.loads(kept["controller"]) == plan | {"type": "local"}
    assert sweep_config.origin(kept) == "controller"


@pytest.mark.parametrize(
    ("config", "word"),
    [("method: grid\nparameters: {x: {min: 0.0, max: 1.0}}", "x"), ("- not\n- a mapping", "mapping"), ("a: [", "YAML")],
)
def test_a_sweep_that_cannot_work_is_refused_and_not_stored(store: Store, config: str, word: str) -> None:
    with pytest.raises(Refused, match=word):
        make(store, config)
    project = projects.find(store.db, "local", "p")
    assert project is not None
    assert sweeps.of_project(store.db, project["id"]) == []
