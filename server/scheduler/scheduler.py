"""Decisions of a sweep: the next configuration of an agent, runs to stop, and its end.

Every decision of a sweep is taken under its lock and is on disk before an agent hears of it, so a configuration is
never handed out twice, however many agents ask and however often an answer gets lost.
"""

import json
import secrets
from collections.abc import Iterable, Mapping
from typing import Any

from server import search
from server.jsontext import config_values, get_path, load_object
from server.scheduler.sweep_config import is_schedule_over, origin, origin_of, read_config, requeue, validate
from server.search import PastRun
from server.search.past_runs import IN_PROGRESS
from server.settings import Settings
from server.store import Refused, Row, Store, runs, streams, sweeps

Command = dict[str, Any]
MAX_HANDED = 2  # a lost answer is given once more, then the run is given up
AGENT_ASKS_AGAIN = (4.5, 20.0)  # seconds after an answer that arrived; the client repeats a lost one sooner or later
AGENT_SILENT = 60.0  # seconds; the client's agents ask every 5 s, but may be blocked for a while
OVER = ("FINISHED", "CANCELED")
WITHOUT_RESULT = {"pending", "failed", "crashed", "preempted"}
RUN_SILENT = 10.0  # seconds without news from a run whose agent says that it is over


def create(store: Store, project_id: int, text: str, **columns: Any) -> tuple[Row, list[str]]:
    """A new sweep and the warnings about it. Raises Refused, before anything is stored, when it cannot work."""
    config, warnings = validate(text, columns.get("controller"), columns.get("scheduler"))
    seed = config.get("seed")
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**63:
        seed = secrets.randbelow(2**31)
    with store.write() as db:
        now = store.clock()
        sweep_id = sweeps.insert(db, project_id, runs.new_name(), text, seed, now)
        if origin_of(text, columns.get("controller"), columns.get("scheduler")) == "scheduler":
            columns["controller_run"] = runs.new_name()
        sweeps.change(db, sweep_id, now, **columns)
        return sweeps.by_id(db, sweep_id), warnings


def set_state(store: Store, sweep: Row, state: str) -> None:
    """Set a state that a person wants; agents hear of it with their next sign of life.

    A sweep that was stopped, or has ended, can hand out its free cells again; while its runs go on it can be canceled.
    Raises Refused for any other change of a sweep that is over.
    """
    with store.sweep_lock(sweep["id"]), store.write() as db:
        now = sweeps.by_id(db, sweep["id"])["state"]
        cancels = state == "CANCELED" and sweeps.live_runs(db, sweep["id"])
        if now in OVER and not (now == "FINISHED" and (state == "RUNNING" or cancels)):
            raise Refused(f"the sweep is {now.lower()}: it cannot become {state.lower()} any more")
        sweeps.change(db, sweep["id"], store.clock(), state=state)
        if state == "CANCELED":
            stop_runs(store, sweep)


def stop_runs(store: Store, sweep: Row) -> None:
    """Ask all live runs to stop; one that has not begun stops as soon as it begins."""
    with store.write() as db:
        for run in sweeps.live_runs(db, sweep["id"]):
            if run["stop_requested_at"] is None:
                runs.request_stop(db, run["id"], store.clock())
                sweeps.record_stop(db, run["id"], "the sweep was canceled")


def expected_runs(store: Store, sweep: Row) -> int | None:
    """Number of runs that the sweep will have; None if it is unknown."""
    config = read_config(sweep["config"])
    size = search.count(config, prior_runs(store, sweep, config)) if origin(sweep) == "server" else None
    known = [n for n in (size, config.get("run_cap")) if n is not None]
    return min(known) if known else None


def expected_runs_for_client(store: Store, sweep: Row) -> int | None:
    """`expected_runs` as clients see it: W&B counts the cells of a grid, and says nothing of other searches."""
    config = read_config(sweep["config"])
    cap = config.get("run_cap")
    if config.get("method") == "grid":
        return expected_runs(store, sweep)
    return cap if isinstance(cap, int) else None


def add_agent(store: Store, sweep: Row, host: str) -> Row:
    """A new agent; the first one starts a sweep that was waiting."""
    with store.write() as db:
        now = store.clock()
        if sweep["state"] == "PENDING":
            sweeps.change(db, sweep["id"], now, state="RUNNING")
        return sweeps.add_agent(db, sweep["id"], f"agent-{secrets.token_hex(6)}", host, now)


def heartbeat(store: Store, settings: Settings, agent: Row, running: set[str]) -> list[Command]:
    """The next command of the agent; `running` are the names of its runs, by its own word."""
    with store.sweep_lock(agent["sweep_id"]):
        now = store.clock()
        with store.write() as db:
            sweeps.touch_agent(db, agent["id"], now)
            sweeps.report_runs(db, agent["id"], running, now)
            _close_lost_runs(store, agent, running, now)
        sweep = sweeps.by_id(store.db, agent["sweep_id"])
        if sweep["state"] == "CANCELED":
            return [{"type": "exit"}]
        if running:
            return _due_stops(store, settings, agent, running, now)
        if sweep["state"] == "FINISHED":
            return [{"type": "exit"}]
        if sweep["state"] != "RUNNING":
            return []
        return _next_run(store, sweep, agent, now)


def _close_lost_runs(store: Store, agent: Row, running: set[str], now: float) -> None:
    """Close runs whose process is over by the agent's word, but that never reported their end."""
    for run in sweeps.agent_runs(store.db, agent["id"]):
        silent = now - run["heartbeat_at"] > RUN_SILENT
        if run["state"] in runs.ALIVE and run["name"] not in running and silent:
            asked = run["stop_requested_at"] is not None
            state = "killed" if asked else "preempted" if run["state"] == "preempting" else "crashed"
            runs.set_state(store.db, run["id"], state, now)


def _due_stops(store: Store, settings: Settings, agent: Row, running: set[str], now: float) -> list[Command]:
    return [
        {"type": "stop", "run_id": run["name"]}
        for run in sweeps.agent_runs(store.db, agent["id"])
        if run["name"] in running
        and run["stop_requested_at"] is not None
        and now - run["stop_requested_at"] >= settings.stop_grace
    ]


def _next_run(store: Store, sweep: Row, agent: Row, now: float) -> list[Command]:
    waiting = sweeps.unopened_suggestions(store.db, sweep["id"])
    for item in [item for item in waiting if item["agent_id"] == agent["id"]]:
        waiting.remove(item)
        if _is_lost(item, store.opened_at, now):
            return [_hand_out(store, sweep, item, agent, now)]
        with store.write() as db:
            lost = "failed" if item["started_at"] is None else "crashed"
            runs.set_state(db, item["run_id"], lost, now)
    for item in sweeps.resumable_suggestions(store.db, sweep["id"], requeue(sweep)):
        return [_hand_out(store, sweep, item, agent, now)]
    for item in waiting:
        if item["handed_at"] is None and _is_full(store, sweep):
            continue
        free = item["agent_id"] is None or now - item["agent_heartbeat_at"] > AGENT_SILENT
        if free and item["reported_at"] is None:
            return [_hand_out(store, sweep, item, agent, now)]
    if origin(sweep) == "server":
        params = _suggest(store, sweep)
        if params is not None:
            return [_hand_out(store, sweep, add_run(store, sweep, params, "server"), agent, now)]
    elif not is_schedule_over(sweep):
        return []
    if waiting or _may_be_resumed(store, sweep):
        return []
    with store.write() as db:
        if origin(sweep) == "server" or not sweeps.live_runs(db, sweep["id"]):
            sweeps.change(db, sweep["id"], now, state="FINISHED")
    return [{"type": "exit"}]


def _is_lost(item: Row, opened_at: float, now: float) -> bool:
    """Whether an agent without a run never got the answer with the run that it was given.

    It did if it has named the run, or if it asks again after the time of an agent whose program ended at once.
    """
    if item["reported_at"] is not None:
        return False
    soonest, latest = AGENT_ASKS_AGAIN
    arrived = soonest <= now - item["handed_at"] < latest
    return item["handed_at"] < opened_at or (item["handed_times"] < MAX_HANDED and not arrived)


def _may_be_resumed(store: Store, sweep: Row) -> bool:
    """Whether a run of the sweep is waiting to be resumed, or may still crash and then be resumed."""
    if sweeps.resumable_suggestions(store.db, sweep["id"], requeue(sweep)):
        return True
    items = sweeps.suggestions(store.db, sweep["id"]) if requeue(sweep) else []
    return any(item["run_state"] in IN_PROGRESS for item in items)


def _suggest(store: Store, sweep: Row) -> dict[str, object] | None:
    config = read_config(sweep["config"])
    past = past_runs(store, sweep)
    cap = config.get("run_cap")
    if isinstance(cap, int) and len(past) >= cap:
        return None
    try:
        return search.suggest(config, [*prior_runs(store, sweep, config), *past], sweep["seed"])
    except search.SearchError as error:
        raise Refused(str(error)) from None


def prior_runs(store: Store, sweep: Row, config: Mapping[str, Any]) -> list[PastRun]:
    """Runs of `wandb sweep --prior_run` that have a result: not tried again, and bayes learns from them."""
    found = runs.get_many(store.db, prior_run_ids(store, sweep))
    names = config.get("parameters") or {}
    priors = []
    for run in found:
        values = config_values(load_object(run["config"]))
        if run["state"] not in WITHOUT_RESULT and names.keys() <= values.keys():
            params = {name: values[name] for name in names}
            priors.append(PastRun(run["name"], params, run["state"], load_object(run["summary"])))
    return priors


def prior_run_ids(store: Store, sweep: Row) -> list[int]:
    """The runs that `priorRunsFilters` of the sweep names, those of the sweep itself left out."""
    if not sweep["prior_runs_filters"]:
        return []
    own = set(sweeps.run_ids(store.db, sweep["id"]))
    found = runs.ids(store.db, sweep["project_id"], sweep["prior_runs_filters"])
    return [run_id for run_id in found if run_id not in own]


def past_runs(store: Store, sweep: Row) -> list[PastRun]:
    metrics = sweeps.metrics(store.db, sweep["id"])
    rows = {run["id"]: run for run in runs.get_many(store.db, sweeps.run_ids(store.db, sweep["id"]))}
    return [
        PastRun(
            name=item["run"],
            params=json.loads(item["params"]),
            state=item["run_state"],
            summary=load_object(rows[item["run_id"]]["summary"]),
            history=tuple(enumerate(metrics.get(item["run_id"], []), start=1)),
        )
        for item in sweeps.suggestions(store.db, sweep["id"])
    ]


def add_run(
    store: Store,
    sweep: Row,
    params: dict[str, Any],
    origin: str,
    schedule_id: str | None = None,
    display_name: str | None = None,
) -> Row:
    """A pending run with this configuration, remembered as the sweep's next suggestion."""
    with store.write() as db:
        name = runs.new_name()
        config = json.dumps({key: {"value": value} for key, value in params.items()})
        run_id = runs.insert(
            db,
            sweep["project_id"],
            name,
            "pending",
            store.clock(),
            config=config,
            sweep_id=sweep["id"],
            display_name=display_name,
        )
        sweeps.suggest(db, sweep["id"], run_id, params, origin, schedule_id)
        item = sweeps.suggestion_of(db, run_id)
        assert item is not None
        return item


def _hand_out(store: Store, sweep: Row, item: Row, agent: Row, now: float) -> Command:
    with store.write() as db:
        sweeps.hand_out(db, item, agent["id"], now)
        if item["run_state"] != "pending":
            runs.set_state(db, item["run_id"], "pending", now)
    return {
        "id": f"{item['run']}-{int(now)}",
        "type": "run" if item["started_at"] is None else "resume",
        "run_id": item["run"],
        "args": {key: {"value": value} for key, value in json.loads(item["params"]).items()},
        "program": read_config(sweep["config"]).get("program"),
        "logs": [],
    }


def observe(store: Store, run: Row, rows: list[tuple[int, dict[str, Any]]]) -> None:
    """Takes note of the sweep's metric in new history rows (line, row), and decides which runs have to stop early."""
    sweep = sweeps.by_id(store.db, run["sweep_id"])
    config = read_config(sweep["config"])
    values = _metric_values(config, rows)
    if not values:
        return
    with store.sweep_lock(sweep["id"]):
        with store.write() as db:
            before, after = sweeps.put_metric(db, run["id"], values)
        if origin(sweep) == "server" and search.should_check_stopping(config, before, after):
            _stop_early(store, sweep, config)


def _metric_values(config: Mapping[str, Any], rows: Iterable[tuple[int, dict[str, Any]]]) -> list[tuple[int, float]]:
    """(line, value) of the sweep's metric in rows of history."""
    name = _metric_name(config)
    logged = [(line, get_path(row, name)) for line, row in rows] if name is not None else []
    return [(line, float(value)) for line, value in logged if type(value) in (int, float)]


def _metric_name(config: Mapping[str, Any]) -> str | None:
    metric = config.get("metric")
    name = metric.get("name") if isinstance(metric, dict) else None
    return name if isinstance(name, str) else None


def change_config(store: Store, sweep: Row, text: str) -> None:
    """Replace the sweep's YAML, which has been validated; early stopping reads another metric from the histories."""
    config = read_config(text)
    with store.sweep_lock(sweep["id"]), store.write() as db:
        sweeps.change(db, sweep["id"], store.clock(), config=text)
        if _metric_name(config) == _metric_name(read_config(sweep["config"])):
            return
        for run_id in sweeps.run_ids(db, sweep["id"]):
            pages = streams.history_pages(db, run_id, streams.PAGE)
            rows = ((row["line"], load_object(row["content"])) for page in pages for row in page)
            sweeps.replace_metric(db, run_id, _metric_values(config, rows))


def finish_if_done(store: Store, sweep_id: int) -> None:
    """Ends a sweep with all its runs, once none of them is under way."""
    with store.sweep_lock(sweep_id):
        sweep = sweeps.by_id(store.db, sweep_id)
        items = sweeps.suggestions(store.db, sweep_id)
        all_handed = is_schedule_over(sweep) and all(item["handed_at"] is not None for item in items)
        if sweep["state"] != "RUNNING" or not (all_handed or _is_full(store, sweep)):
            return
        if any(item["run_state"] in IN_PROGRESS for item in items if item["handed_at"] is not None):
            return
        if _may_be_resumed(store, sweep):
            return
        with store.write() as db:
            sweeps.change(db, sweep_id, store.clock(), state="FINISHED")
            for item in items:
                if item["handed_at"] is None:
                    runs.delete(db, item["run_id"])


def _is_full(store: Store, sweep: Row) -> bool:
    """Whether all runs of the sweep were handed out. A local scheduler may have queued more."""
    expected = expected_runs(store, sweep)
    items = sweeps.suggestions(store.db, sweep["id"])
    return expected is not None and sum(item["handed_at"] is not None for item in items) >= expected


def _stop_early(store: Store, sweep: Row, config: Mapping[str, Any]) -> None:
    reasons = search.runs_to_stop(config, past_runs(store, sweep))
    with store.write() as db:
        for item in sweeps.suggestions(db, sweep["id"]):
            reason = reasons.get(item["run"])
            if reason is not None and item["stop_reason"] is None and item["run_state"] in runs.ALIVE:
                sweeps.record_stop(db, item["run_id"], reason)
                runs.request_stop(db, item["run_id"], store.clock())


def end_silent_runs(store: Store, settings: Settings) -> None:
    """Ends runs that were silent for `crash_after` seconds, not counting the time in which the server was off."""
    now = store.clock()
    limit = now - settings.crash_after
    if store.watched_since > limit:
        return
    with store.write() as db:
        runs.mark_crashed(db, limit, now)
        sweeps.mark_abandoned(db, limit, now)


def reset_silence(store: Store) -> None:
    """Restart the silence of all live runs after the clock was set."""
    with store.write() as db:
        store.watched_since = store.clock()
        runs.reset_heartbeats(db, store.watched_since)
