"""The panels of a report, drawn from the runs of its run sets."""

import statistics
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

from common.colours import assign
from common.text import plural
from server.jsontext import as_list, as_number, as_object, flatten_media, load_object
from server.pages.charts import correlation_ratio, histories, metric_charts, parallel_coordinates, plots
from server.pages.charts.line_chart import Line, View, chart, downsample, series_style
from server.pages.media import wandb_tables
from server.pages.media.image_viewer import Link, filters, load_layers, uploaded_files
from server.pages.media.images import pictures_in
from server.pages.render import mark_namesakes, run_label
from server.pages.report import run_sets
from server.pages.report.run_sets import RunSet
from server.pages.run_table.fields import config_of, logged_values
from server.store import Refused, Row, Store, runs
from server.store.database import regex

AXES = {"_step": "step", "epoch": "epoch", "_runtime": "time", "_timestamp": "time", "_absolute_runtime": "time"}
__all__ = ["Grid", "draw", "filters", "read", "table"]
MAX_METRICS, MAX_PICTURES, MAX_COMPARED, MAX_TABLES = 12, 48, 8, 4
AGGREGATES: dict[str, Callable[[Sequence[float]], float]] = {
    "min": min,
    "max": max,
    "median": statistics.median,
    "sum": sum,
    "mean": statistics.fmean,
}
Panel = dict[str, Any]
"""`kind`: figure, pictures, table, number, markdown or unknown, with its values; `title`, `note`, `width`."""


class Grid:
    """The runs of a panel grid, with a cache of their histories."""

    def __init__(self, store: Store, link: Link, sets: Sequence[RunSet]) -> None:
        self.store, self.link, self.sets = store, link, sets

    @cached_property
    def runs(self) -> list[Row]:
        found = {run["id"]: run for each in self.sets for run in each.runs}
        return mark_namesakes(list(found.values())[: run_sets.MAX_RUNS])

    @cached_property
    def histories(self) -> tuple[dict[int, histories.History], float]:
        return histories.read(self.store, self.runs)

    def values(self, keys: Sequence[str]) -> dict[int, list[Any]]:
        return runs.values_of(self.store.db, [run["id"] for run in self.runs], list(keys))

    def groups(self, by: list[str]) -> dict[str, list[Row]]:
        """Label → runs. `by`: keys of a panel's own groups; else those of each set, or single runs."""
        found: dict[str, list[Row]] = {}
        names = {run["id"]: run_label(run) for run in self.runs}
        for each in self.sets:
            grouping = by or each.grouping
            labels = runs.values_of(self.store.db, [run["id"] for run in each.runs], grouping) if grouping else {}
            head = f"{each.name}: " if len(self.sets) > 1 and grouping else ""
            for run in each.runs:
                own = ", ".join("–" if value is None else str(value) for value in labels.get(run["id"], ()))
                name = f"{head}{own}" if grouping else names.get(run["id"], run_label(run))
                members = found.setdefault(name, [])
                members += [] if run in members else [run]
        return found

    @property
    def is_grouped(self) -> bool:
        return any(each.grouping for each in self.sets)


def read(store: Store, link: Link, own: Row, person: Any, metadata: Any) -> dict[str, Any]:
    """Run sets and panels of a grid, in the order of their places."""
    metadata = as_object(metadata)
    specs = [each for each in as_list(metadata.get("runSets")) if as_object(each).get("enabled", True)]
    sets = [run_sets.read(store, own, person, each) for each in specs]
    grid = Grid(store, link, sets)
    found = as_list(as_object(metadata.get("panelBankSectionConfig")).get("panels"))
    panels = sorted((as_object(each) for each in found), key=_place)
    return {"sets": sets, "panels": [draw(grid, panel) for panel in panels]}


def _place(panel: Panel) -> tuple[float, float]:
    layout = as_object(panel.get("layout"))
    return (as_number(layout.get("y")) or 0, as_number(layout.get("x")) or 0)


def draw(grid: Grid, panel: Panel) -> Panel:
    """A panel for the template; one that is invalid, or of a kind not drawn here, is only named."""
    kind, config = str(panel.get("viewType")), as_object(panel.get("config"))
    asked = as_number(as_object(panel.get("layout")).get("w")) or 8
    title = config.get("chartTitle")
    title = title if isinstance(title, str) else ""
    drawn: Panel | None = None
    if kind in DRAWN:
        try:
            drawn = DRAWN[kind](grid, config, title)
        except Refused as error:
            drawn = {"kind": "unknown", "text": f"{kind}: {error}"}
    shown = drawn or {"kind": "unknown", "text": f"{kind}: this kind of panel is not drawn here"}
    width = min((w for w in (6, 8, 12, 16) if w >= asked), default=24)
    return {"title": title, "note": "", "width": width} | shown


def line_plot(grid: Grid, config: dict[str, Any], title: str) -> Panel:
    """A line for each run, or the mean of each group in a band from its lowest to its highest run."""
    found, share = grid.histories
    metrics = _metrics(config, found)
    axis = AXES.get(str(config.get("xAxis") or "_step"), "step")
    by = _keys(config.get("groupBy"))
    groups = grid.groups(by)
    grouped = bool(by or grid.is_grouped)
    numbers = assign(groups)
    most = histories.points_per_line(len(groups) * len(metrics))
    dashes = metric_charts.dashes(metrics)
    lines = []
    for metric in metrics:
        for label, members in groups.items():
            name = f"{label} {metric}" if len(metrics) > 1 else label
            read = [found[run["id"]] for run in members if run["id"] in found]
            series = [points for history in read if (points := history.points(metric, axis))]
            style = f"{series_style(numbers[label])} {dashes[metric]}".rstrip()
            if grouped and series:
                mean, ends = histories.band(series, most)
                lines.append(Line(name, mean, style, band=ends if len(series) > 1 else ()))
            else:
                lines += [Line(name, downsample(points, most), style, key=label) for points in series]
    view = View(
        _smoothing(config),
        bool(config.get("yLogScale")),
        as_number(config.get("xAxisMin")),
        as_number(config.get("xAxisMax")),
    )
    notes = ["mean, lowest to highest"] * grouped + [f"from {share:.0%} of the rows"] * (share < 1)
    unit = "time (s)" if axis == "time" else axis
    figure = chart(title or ", ".join(metrics) or "no metric", lines, unit, "; ".join(notes), view)
    return {"kind": "figure", "figure": figure}


def _metrics(config: dict[str, Any], found: dict[int, histories.History]) -> list[str]:
    """Metrics that are named, or that a regular expression finds in the runs."""
    if config.get("useMetricRegex") and isinstance(config.get("metricRegex"), str):
        known = sorted({metric for history in found.values() for metric in history.metrics})
        return [metric for metric in known if regex.matches(config["metricRegex"], metric)][:MAX_METRICS]
    return [metric for metric in as_list(config.get("metrics")) if isinstance(metric, str)][:MAX_METRICS]


def _smoothing(config: dict[str, Any]) -> float:
    weight = as_number(config.get("smoothingWeight")) or 0.0
    exponential = str(config.get("smoothingType", "exponential")).startswith("exponential")
    return min(max(weight, 0.0), 0.99) if exponential else 0.0


def bar_plot(grid: Grid, config: dict[str, Any], title: str) -> Panel:
    """A bar plot of the summary: a bar for each run, or for each group with its n."""
    metrics = [metric for metric in as_list(config.get("metrics")) if isinstance(metric, str)][:MAX_METRICS]
    by = _keys(config.get("groupBy"))
    combine = AGGREGATES.get(str(config.get("groupAgg")), statistics.fmean)
    rows = []
    for metric, values, label in _summaries(grid, metrics, by):
        if values:
            n = f" (n = {len(values)})" if by or grid.is_grouped else ""
            rows.append((f"{label}{n}" if len(metrics) < 2 else f"{label}{n} {metric}", combine(values)))
    return {
        "kind": "figure",
        "figure": plots.bar_chart(title or ", ".join(metrics) or "no metric", rows, _aggregate_name(config, by, grid)),
    }


def _aggregate_name(config: dict[str, Any], by: list[str], grid: Grid) -> str:
    grouped = by or grid.is_grouped
    return (str(config.get("groupAgg")) if config.get("groupAgg") in AGGREGATES else "mean") if grouped else ""


def _summaries(grid: Grid, metrics: Sequence[str], by: list[str]) -> Iterator[tuple[str, list[float], str]]:
    """Metric, its finite values in the summaries of a group, and the group's label."""
    found = grid.values([run_sets.accessor(metric) for metric in metrics])
    for number, metric in enumerate(metrics):
        for label, members in grid.groups(by).items():
            values = [found[run["id"]][number] for run in members if run["id"] in found]
            yield metric, [value for value in values if as_number(value) is not None], label


def scalar(grid: Grid, config: dict[str, Any], title: str) -> Panel:
    metrics = [metric for metric in as_list(config.get("metrics")) if isinstance(metric, str)][:1]
    found = grid.values([run_sets.accessor(metric) for metric in metrics])
    values = [value for row in found.values() for value in row if as_number(value) is not None]
    name = config.get("groupAgg") if config.get("groupAgg") in AGGREGATES else "mean"
    if not values:
        return {"kind": "unknown", "title": title, "text": f"{', '.join(metrics) or 'no metric'}: no run has it"}
    note = f"{name} over {plural(len(values), 'run')}"
    return {"kind": "number", "title": title or metrics[0], "value": AGGREGATES[str(name)](values), "note": note}


def scatter(grid: Grid, config: dict[str, Any], title: str) -> Panel:
    keys = [run_sets.accessor(config.get(name)) for name in ("xAxis", "yAxis")]
    if not all(keys):
        return {"kind": "unknown", "text": "Scatter Plot: it has no axes"}
    found, groups = grid.values(keys), grid.groups([])
    styles = assign(groups)
    lines = []
    for label, members in groups.items():
        places = [found[run["id"]] for run in members if run["id"] in found]
        points = [(x, y) for x, y in places if as_number(x) is not None and as_number(y) is not None]
        lines += [Line(label, points, series_style(styles[label]), dots=True)] if points else []
    x, y = (key.partition(".")[2] or key for key in keys)
    view = View(log=bool(config.get("yAxisLogScale")))
    return {"kind": "figure", "figure": chart(title or f"{y} by {x}", lines, x, "", view)}


def parallel_plot(grid: Grid, config: dict[str, Any], title: str) -> Panel:
    columns = [each.get("accessor") for each in as_list(config.get("columns")) if isinstance(each, dict)]
    keys = [key for each in columns if (key := run_sets.accessor(each))]
    if len(keys) < 2:
        return {"kind": "unknown", "text": "Parallel Coordinates Plot: it has fewer than two columns"}
    found = grid.values(keys)
    axes = [
        parallel_coordinates.Axis(key.partition(".")[2], [found[run["id"]][number] for run in grid.runs])
        for number, key in enumerate(keys)
    ]
    results = [as_number(found[run["id"]][-1]) for run in grid.runs]
    order = sorted(value for value in results if value is not None)
    lines = [
        parallel_coordinates.Run(run["name"], run_label(run), _rank(value, order))
        for run, value in zip(grid.runs, results, strict=True)
    ]
    return {"kind": "figure", "figure": parallel_coordinates.draw(axes, lines), "width": 24}


def _rank(value: float | None, order: Sequence[float]) -> float | None:
    return None if value is None else order.index(value) / max(len(order) - 1, 1)


def parameter_importance(grid: Grid, config: dict[str, Any], title: str) -> Panel:
    """The share of a metric that each setting explains, beside that of chance."""
    target = run_sets.accessor(config.get("targetKey"))
    values = grid.values([target]) if target else {}
    results = [as_number(values[run["id"]][0]) if run["id"] in values else None for run in grid.runs]
    configs = [config_of(run) for run in grid.runs]
    settings = {key: [each.get(key) for each in configs] for key in sorted({k for each in configs for k in each})}
    varied = {key: values for key, values in settings.items() if len(set(map(repr, values))) > 1}
    found = correlation_ratio.importances(varied, results, seed=0)
    title = title or f"Importance for {target.partition('.')[2]}"
    if not found:
        return {"kind": "unknown", "title": title, "text": "There are too few runs, or nothing varies."}
    rows = [[each.name, each.share, each.chance, "yes" if each.is_clear else "no", each.n] for each in found]
    note = "share of the variance of the ranks that a setting explains alone; below chance it may be chance"
    columns = ["setting", "share", "by chance (95 %)", "clear", "n"]
    return {"kind": "table", "title": title, "columns": columns, "rows": rows, "note": note}


def media(grid: Grid, config: dict[str, Any], title: str) -> Panel:
    """The last pictures of each run under the keys."""
    keys = [key for key in as_list(config.get("mediaKeys")) if isinstance(key, str)]
    shown: list[dict[str, Any]] = []
    for run in grid.runs:
        found = flatten_media(load_object(run["summary"]))
        pictures = [picture for key in keys if key in found for picture in pictures_in(key, found[key])]
        here = uploaded_files(grid.store.db, run["id"], pictures[:MAX_PICTURES])
        shown += [
            {"run": run, **load_layers(grid.store, grid.link, run, picture, here)}
            for picture in pictures
            if picture.path in here
        ]
        if len(shown) >= MAX_PICTURES:
            break
    note = f"the first {MAX_PICTURES}" if len(shown) > MAX_PICTURES else ""
    return {"kind": "pictures", "title": title or ", ".join(keys), "pictures": shown[:MAX_PICTURES], "note": note}


def run_comparer(grid: Grid, config: dict[str, Any], title: str) -> Panel:
    some = grid.runs[:MAX_COMPARED]
    values = [config_of(run) | logged_values(load_object(run["summary"])) for run in some]
    keys = sorted({key for each in values for key in each})
    rows = [[key, *(each.get(key) for each in values)] for key in keys]
    if config.get("diffOnly"):
        rows = [row for row in rows if len(set(map(repr, row[1:]))) > 1]
    columns = ["", *map(run_label, some)]
    note = f"the first {len(some)} of {len(grid.runs)} runs" if len(grid.runs) > len(some) else ""
    return {"kind": "table", "title": title or "Runs", "columns": columns, "rows": rows[:300], "note": note}


def markdown(grid: Grid, config: dict[str, Any], title: str) -> Panel:
    return {"kind": "markdown", "text": str(config.get("value", ""))}


def custom(grid: Grid, config: dict[str, Any], title: str) -> Panel | None:
    """A plot of `wandb.plot` over a table of the newest run that has it."""
    key = wandb_tables.table_key(config.get("userQuery"))
    kind = str(config.get("panelDefId"))
    fields, words = (wandb_tables.texts(config.get(name)) for name in ("fieldSettings", "stringSettings"))
    for run in grid.runs if key else ():
        value = flatten_media(load_object(run["summary"])).get(str(key))
        found = (
            wandb_tables.read(grid.store, run, str(key), value) if value and value["_type"] == "table-file" else None
        )
        figure = plots.draw(kind, fields, words.get("title") or title or str(key), found.records) if found else None
        if figure is not None:
            return {"kind": "figure", "figure": figure, "note": f"of {run_label(run)}"}
    return None


def table(store: Store, project: Row, key: str) -> Panel | None:
    """The beginning of the newest table that a run of the project logged under a key."""
    for run in runs.get_many(store.db, runs.ids(store.db, project["id"], None, "-created_at")[: run_sets.MAX_RUNS]):
        value = flatten_media(load_object(run["summary"])).get(key)
        found = wandb_tables.read(store, run, key, value) if value and value["_type"] == "table-file" else None
        if found:
            note = f"{plural(len(found.rows), 'row')}, of {run_label(run)}"
            return {"kind": "table", "title": key, "columns": found.columns, "rows": found.rows[:100], "note": note}
    return None


def _keys(by: Any) -> list[str]:
    """Keys of a panel's own `groupBy`: a name of the configuration, or an accessor."""
    if not isinstance(by, str) or not by or by in ("None", "none"):
        return []
    key = run_sets.accessor(by if ":" in by else f"config:{by}")
    return [key] if key else []


DRAWN: dict[str, Callable[[Grid, dict[str, Any], str], Panel | None]] = {
    "Run History Line Plot": line_plot,
    "Bar Chart": bar_plot,
    "Scalar Chart": scalar,
    "Scatter Plot": scatter,
    "Parallel Coordinates Plot": parallel_plot,
    "Parameter Importance": parameter_importance,
    "Media Browser": media,
    "Run Comparer": run_comparer,
    "Markdown Panel": markdown,
    "Vega2": custom,
}
"""The client's name of a kind of panel → the function that draws it."""
