"""One sweep: progress, results, importance of settings, agents, and facts that the search uses."""

import statistics
from collections.abc import Sequence
from functools import lru_cache, partial
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from markupsafe import Markup
from starlette.datastructures import QueryParams

from server.pages import query_string, run_table
from server.pages.charts import parallel_coordinates
from server.pages.charts.axis_scale import Category
from server.pages.charts.correlation_ratio import Importance, importances
from server.pages.charts.line_chart import Line, Point, chart, downsample
from server.pages.overview import composite_settings
from server.pages.overview.comparison import metric_chart
from server.pages.overview.home import ending_state, sweep_title
from server.pages.overview.project import chooser
from server.pages.render import mark_namesakes, run_label, run_seconds
from server.pages.run_table.columns import Column, best_key, sweep_parameters
from server.scheduler import scheduler, sweep_config
from server.store import Row, Store, runs, sweeps

if TYPE_CHECKING:
    from server.search.past_runs import Metric

FIRST = ("number", "display_name", "state")
MAX_RUNS = 2000
MAX_SETTINGS = 11
SCATTER, MAX_SCATTERS = 300, 12
REFRESH = 5  # seconds
STATES = ("finished", "running", "pending", "failed", "crashed", "killed", "preempting", "preempted")


def table_of(store: Store, sweep: Row) -> dict[str, Any]:
    """Filter, order and columns of a sweep's runs: best first; the stop reason, if one was stopped."""
    metric = _metric(sweep)
    best = Column(best_key(metric.name, metric.maximize)) if metric else None
    sort = f"{'-' if best.sign < 0 else '+'}{best.key}" if best else "+number"
    stopped = any(row["stop_reason"] for row in sweeps.suggestions(store.db, sweep["id"]))
    last = ("stop_reason", "duration") if stopped else ("duration",)
    return {"within": {"sweep": sweep["name"]}, "first": FIRST, "last": last, "sort": sort}


def gather(store: Store, project: Row, sweep: Row, asked: QueryParams) -> dict[str, Any]:
    """Values of the page. Plots show at most MAX_RUNS runs, the newest."""
    config, metric = sweep_config.read_config(sweep["config"]), _metric(sweep)
    table = run_table.gather(store, project["id"], asked, **table_of(store, sweep))
    ids = sweeps.run_ids(store.db, sweep["id"])
    found = mark_namesakes(runs.get_many(store.db, ids[-MAX_RUNS:]))
    data = _Data(store, sweep, found, table, metric)
    live = sweeps.live_runs(store.db, sweep["id"])
    agents = _agents(store, sweep, live)
    n_active = sum(agent["state"] == "running" for agent in agents)
    expected = scheduler.expected_runs(store, sweep)
    states = {state: n for state in STATES if (n := sum(run["state"] == state for run in found))}
    is_ending = live and sweep["state"] in scheduler.OVER
    goes_on = sweep["state"] in ("PENDING", "RUNNING") or live or n_active
    return {
        "project": project,
        "sweep": sweep,
        "title": sweep_title(sweep),
        "state": ending_state(sweep, len(ids), expected) if is_ending else str(sweep["state"]).lower(),
        "n_live": len(live),
        "method": config.get("method", "custom"),
        "metric": metric,
        "test": data.test,
        "expected": expected,
        "n_runs": len(ids),
        "n_shown": len(found),
        "states": states,
        "time_left": _time_left(found, expected, n_active),
        "best": data.best(store),
        "table": table,
        "asked": asked,
        "url": partial(query_string.address, asked),
        "chooser": chooser(table, asked),
        "progress": [*(metric_chart(store, found, metric.name) if metric else ()), *data.progress()],
        "parallel": data.parallel(),
        "scatters": data.scatters(),
        "importances": data.importances(),
        "agents": agents,
        "n_active": n_active,
        "knowledge": _knowledge(store, sweep, config, data),
        "stopped": _stopped_runs(store, sweep),
        "refresh": REFRESH if goes_on else None,
    }


def _metric(sweep: Row) -> "Metric | None":
    from server.search import SearchError  # scipy takes a second to import
    from server.search.past_runs import read_metric  # scipy takes a second to import

    try:
        return read_metric(sweep_config.read_config(sweep["config"]))
    except SearchError:
        return None


def _agents(store: Store, sweep: Row, live: Sequence[Row]) -> list[Row]:
    """Agents with `n_runs`, seconds of `silence`, and `state`: running, silent, or gone from a sweep that is over."""
    now, busy = store.clock(), {run["agent_id"] for run in live}
    agents = []
    for agent in sweeps.agents(store.db, sweep["id"]):
        silence = now - agent["heartbeat_at"]
        left = sweep["state"] in scheduler.OVER and agent["id"] not in busy
        state = "running" if silence < scheduler.AGENT_SILENT else "gone" if left else "silent"
        n_runs = len(sweeps.agent_runs(store.db, agent["id"]))
        agents.append(agent | {"state": state, "silence": silence, "n_runs": n_runs})
    return agents


def _time_left(found: Sequence[Row], expected: int | None, n_active: int) -> float | None:
    """Seconds until the last run ends, if they last as the median of those that are over and agents stay."""
    lasted = [run_seconds(run) for run in found if run["state"] == "finished"]
    over = [seconds for seconds in lasted if seconds is not None]
    if expected is None or not over or not n_active:
        return None
    usual = statistics.median(over)
    ended = sum(run["state"] not in (*runs.ALIVE, "pending") for run in found)
    return float(max(expected - ended, 0) * usual / n_active)


class _Data:
    """The runs of a sweep as columns: settings, the metric and its test metric, in the order of suggestion."""

    def __init__(
        self, store: Store, sweep: Row, found: list[Row], table: run_table.Table, metric: "Metric | None"
    ) -> None:
        self.sweep, self.runs, self.metric = sweep, found, metric
        goals = [column for column in table.keys.goals if not metric or column.title != metric.name]
        self.test = next((column.title for column in goals if column.title.lower().startswith("test")), None)
        handed = [f"config.{name}" for name in sweep_parameters(sweep)]
        names = handed or [column.key for column in table.keys.differing]
        keys = [Column(name) for name in ("number", *names)]
        self.end = Column(best_key(metric.name, metric.maximize) if metric else "number")
        ends = [self.end.key]
        ends.append(next(column.key for column in goals if column.title == self.test) if self.test else "number")
        cells = run_table.cells(store, [run["id"] for run in found], [*keys, *map(Column, ends)])
        rows = [cells[run["id"]] for run in found]
        self.numbers = [row[0] or at for at, row in enumerate(rows, start=1)]
        self.results = [_number(row[-2]) if metric else None for row in rows]
        self.tests = [_number(row[-1]) if self.test else None for row in rows]
        columns = {key.title: [row[at] for row in rows] for at, key in enumerate(keys) if at}
        varied = {name: values for name, values in columns.items() if len(set(map(repr, values))) > 1}
        self.settings = dict(list(_with_parts(store, found, varied).items())[:MAX_SETTINGS])
        passing = set(table.run_ids)
        self.passes = [run["id"] in passing or bool(table.fault) for run in found]

    @property
    def sign(self) -> int:
        return -1 if self.metric and self.metric.maximize else 1

    def best(self, store: Store) -> dict[str, Any] | None:
        """The run with the best result, with its settings; `last`: its last value if that is clearly worse."""
        known = [(self.sign * value, at) for at, value in enumerate(self.results) if value is not None]
        if not known:
            return None
        at = min(known)[1]
        settings = {name: values[at] for name, values in self.settings.items()}
        run, value = self.runs[at], self.results[at]
        return {
            "run": run | {"namesake": True},
            "value": value,
            "last": run_table.worse_last(store, run, self.end, value),
            "is_alive": run["state"] in runs.ALIVE,
            "test": self.tests[at],
            "settings": settings,
        }

    def progress(self) -> list[Markup]:
        """The metric of each run in the order of suggestion, with the best so far in steps; the same of its test."""
        known = [
            (self.numbers[at], self.sign * value, at) for at, value in enumerate(self.results) if value is not None
        ]
        if not known or self.metric is None:
            return []
        best = list(accumulate(known, lambda one, other: (other[0], *min(one[1:], other[1:]))))
        name, steps = self.metric.name, [(n, self.results[at]) for n, _, at in best]
        charts = [self._steps(name, self.results, steps, "best so far", "val")]
        if self.test:
            line = f"{self.test} of the run that is best by {name} so far"
            charts.append(self._steps(self.test, self.tests, [(n, self.tests[at]) for n, _, at in best], line, "test"))
        return charts

    def _steps(
        self,
        name: str,
        values: Sequence[float | None],
        best: Sequence[tuple[float, float | None]],
        line: str,
        style: str,
    ) -> Markup:
        at = [at for at, value in enumerate(values) if value is not None]
        dots = [(float(self.numbers[i]), float(values[i] or 0)) for i in at]
        stairs: list[Point] = []
        for number, value in best:
            if value is not None:
                stairs += [(number, height) for _, height in stairs[-1:]] + [(number, value)]
        note = "" if len(dots) <= SCATTER else f"{SCATTER} of {len(dots)} runs as dots"
        names = [run_label(self.runs[i]) for i in at]
        lines = [Line(line, downsample(stairs), "record", marks=False), _dots(dots, names, style)]
        return chart(name, lines, "run", note)

    def parallel(self) -> Markup | str:
        if len(self.settings) < 1 or self.metric is None or len(self.runs) < 2:
            return ""
        ranks = self._ranks()
        lines = [
            parallel_coordinates.Run(run["name"], self._title(at), ranks[at], self.passes[at])
            for at, run in enumerate(self.runs)
        ]
        axes = [parallel_coordinates.Axis(name, values) for name, values in self.settings.items()]
        return parallel_coordinates.draw([*axes, parallel_coordinates.Axis(self.metric.name, self.results)], lines)

    def _title(self, at: int) -> str:
        result = self.results[at]
        return f"{run_label(self.runs[at])}{'' if result is None else f', {result:.4g}'}"

    def _ranks(self) -> list[float | None]:
        """Ranks from 0 for the worst to 1 for the best result."""
        order = sorted({value for value in self.results if value is not None}, key=lambda value: -self.sign * value)
        places = {value: at / max(len(order) - 1, 1) for at, value in enumerate(order)}
        return [None if value is None else places[value] for value in self.results]

    def scatters(self) -> list[Markup]:
        """The metric against each setting, of the runs that pass the filter."""
        if self.metric is None:
            return []
        drawn = []
        for name, values in list(self.settings.items())[:MAX_SCATTERS]:
            scale, numbers = parallel_coordinates.scale_of(values)
            at = [
                i
                for i, (x, y) in enumerate(zip(numbers, self.results, strict=True))
                if x is not None and y is not None and self.passes[i]
            ][-SCATTER:]
            points = [(float(numbers[i] or 0), float(self.results[i] or 0)) for i in at]
            names = [run_label(self.runs[i]) for i in at]
            title = f"{self.metric.name} by {name}"
            if not points:
                continue
            if isinstance(scale, Category):  # the names of categories fit beside rows, not below columns
                dots = _dots([(y, x) for x, y in points], names, "val")
                drawn.append(chart(title, [dots], self.metric.name, y_scale=scale))
            else:
                drawn.append(chart(title, [_dots(points, names, "val")], name, x_scale=scale))
        return drawn

    def importances(self) -> list[Importance]:
        if self.metric is None:
            return []
        settings = tuple((name, tuple(map(_hashable, values))) for name, values in self.settings.items())
        return _importances(settings, tuple(self.results), self.sweep["seed"] % 2**32)


def _with_parts(store: Store, found: Sequence[Row], settings: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """The settings; one whose texts are made of other settings is replaced by these."""
    texts = {name for name, values in settings.items() if all(isinstance(value, str) for value in values)}
    if not texts:
        return settings
    ids = [run["id"] for run in found]
    surveyed = runs.value_statistics(store.db, ids[-run_table.SURVEYED :])
    most = max(len(set(settings[name])) for name in texts)
    differing = [row["key"] for row in surveyed if row["source"] == "config" and 1 < row["n_different"] <= most]
    keys = [key for key in differing if key not in settings]
    cells = run_table.cells(store, ids, [Column(f"config.{key}") for key in keys])
    others = {key: [cells[run_id][at] for run_id in ids] for at, key in enumerate(keys)}
    split: dict[str, list[Any]] = {}
    for name, values in settings.items():
        split |= (name in texts and composite_settings.split(values, others)) or {name: values}
    return split


@lru_cache(maxsize=16)
def _importances(
    settings: tuple[tuple[str, tuple[Any, ...]], ...], results: tuple[float | None, ...], seed: int
) -> list[Importance]:
    return importances(dict(settings), results, seed)


def _hashable(value: Any) -> Any:
    return repr(value) if isinstance(value, list) else value


def _number(value: Any) -> float | None:
    return float(value) if type(value) in (int, float) and abs(value) < float("inf") else None


def _dots(points: list[Point], names: list[str], style: str) -> Line:
    """Dots; of many points, a subset at even distances."""
    every = -(-len(points) // SCATTER) or 1
    return Line("", points[::every], f"{style} dots", dots=True, names=names[::every])


def _stopped_runs(store: Store, sweep: Row) -> list[Row]:
    """The runs that were stopped, with the reason of each."""
    found = [row["run_id"] for row in sweeps.suggestions(store.db, sweep["id"]) if row["stop_reason"]]
    reasons = runs.values_of(store.db, found, ["stop_reason"])
    return [run | {"stop_reason": reasons[run["id"]][0]} for run in mark_namesakes(runs.get_many(store.db, found))]


def _knowledge(store: Store, sweep: Row, config: Any, data: _Data) -> dict[str, Any]:
    """Facts that the search uses."""
    prior = scheduler.prior_run_ids(store, sweep)
    return {
        "who": {
            "server": "this server suggests",
            "controller": "a local controller of the client suggests",
            "scheduler": "a sweep scheduler of the client suggests",
        }[sweep_config.origin(sweep)],
        "n_results": sum(value is not None for value in data.results),
        "n_without": sum(value is None for value in data.results),
        "prior": mark_namesakes(runs.get_many(store.db, prior[:20])),
        "n_prior": len(prior),
        "stopping": config.get("early_terminate"),
        "cap": config.get("run_cap"),
    }
