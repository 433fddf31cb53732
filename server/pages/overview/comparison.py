"""Several runs over one another: curves, groups with bands, settings and results side by side, masks of one picture."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from markupsafe import Markup
from starlette.datastructures import QueryParams

from common.colours import SERIES, assign
from common.text import natural_order
from server import storage_paths
from server.jsontext import flatten_media, load_object
from server.pages import query_string, run_table
from server.pages.charts import histories, metric_charts
from server.pages.charts.line_chart import CROWD, Line, Point, View, chart, series_style, smooth
from server.pages.charts.metric_charts import SPLITS
from server.pages.media import image_viewer, table_join, wandb_tables
from server.pages.media.image_viewer import Link
from server.pages.media.images import Picture, lowest_indices, names, pictures_in
from server.pages.render import number as written
from server.pages.run_table import filter_syntax
from server.pages.run_table.columns import Keys, is_judged, is_minimized, survey_runs
from server.pages.run_table.fields import config_of, logged_values, test_digest
from server.store import Connection, Refused, Row, Store, projects, runs
from server.store.users import Person

MAX_RUNS = 200
CHARTS = 6  # on a page
CURVES = 40  # of runs in one chart of a metric
FEW = 4  # runs whose points are marked
SIDE_BY_SIDE = 16  # runs in the tables
MAX_KEYS = 300
REFRESH = 10  # seconds
WITH_PICTURES, MAX_PICTURES = 8, 24


def gather(
    store: Store, sign: Callable[[str], str], project: Row | None, asked: QueryParams, person: Person
) -> dict[str, Any]:
    """Values of the page. `project`: that of runs named without one; `sign` makes addresses of files."""

    def link(run: Row, name: str) -> str:
        return sign(storage_paths.run_file(run["id"], name))

    found, keys, fault, more = _select_runs(store, project, asked, person)
    grouping = _grouping(asked, keys, found)
    found = _distinguish_names(found)
    labels = _labels(store, found, grouping)
    numbers = assign(labels.values())
    view = query_string.view(asked)
    beside = ([run for run in found if run["state"] != "pending"] or found)[:SIDE_BY_SIDE]
    alive = any(run["state"] in (*runs.ALIVE, "pending") for run in found)
    drawn = _charts(store, found, labels, numbers, grouping is not None, asked, view)
    drawn |= _pictures(store, link, beside)
    return drawn | {
        "project": project,
        "runs": found,
        "beside": beside,
        "more": more,
        "fault": fault,
        "asked": asked,
        "view": view,
        "axis": _axis(asked),
        "keys": keys,
        "url": partial(query_string.address, asked),
        "legend": _legend(found, labels, numbers, grouping is not None),
        "styles": {run["id"]: series_style(numbers[labels[run["id"]]]) for run in found},
        "settings": _differences([config_of(run) for run in beside], asked.get("all") == "1"),
        "results": _results(beside),
        "n_pictured": WITH_PICTURES,
        "tables": table_join.gather(store, beside[:WITH_PICTURES], asked.get("rows", "")),
        "picture": partial(wandb_tables.picture, store, sign=sign),
        "filters": image_viewer.filters(),
        "refresh": REFRESH if alive else None,
    }


def _select_runs(
    store: Store, project: Row | None, asked: QueryParams, person: Person
) -> tuple[list[Row], Keys | None, str, int]:
    """The runs, their keys, the fault of the filter, and the number of further runs that passed it."""
    named = [part for text in asked.getlist("runs") for part in text.split(",") if part]
    if named or project is None:
        ids = [run["id"] for name in dict.fromkeys(named) if (run := _find_run(store.db, project, name, person))]
        keys = survey_runs(store, project["id"], ids) if project and ids else None
        return runs.get_many(store.db, ids[:MAX_RUNS]), keys, "", max(0, len(ids) - MAX_RUNS)
    within = [{"sweep": asked["sweep"]}] if asked.get("sweep") else []
    newest = runs.ids(store.db, project["id"], None, "-created_at")[: run_table.SURVEYED]
    try:
        every = survey_runs(store, project["id"], newest)
        order = asked.get("sort") or "-created_at"
        ids = run_table.filter_runs(store, project["id"], asked.get("q", ""), every, within, order)
    except Refused as error:
        return [], None, str(error), 0
    keys = survey_runs(store, project["id"], ids[: run_table.SURVEYED])
    return runs.get_many(store.db, ids[:MAX_RUNS]), keys, "", max(0, len(ids) - MAX_RUNS)


def _find_run(db: Connection, project: Row | None, name: str, person: Person) -> Row | None:
    """`RUN` of the project, or `ENTITY/PROJECT/RUN`; None if there is none that the person may see."""
    entity, _, rest = name.partition("/")
    if not rest:
        return runs.find(db, project["id"], name) if project else None
    place, _, run = rest.rpartition("/")
    other = projects.find(db, entity, place) if person.sees(entity) else None
    return runs.find(db, other["id"], run) if other else None


def _distinguish_names(found: Sequence[Row]) -> list[Row]:
    """The runs with a `display_name` each; equal ones are followed by the settings that differ, or by the id."""
    same: dict[str, list[Row]] = {}
    for run in found:
        same.setdefault(run["display_name"] or run["name"], []).append(run)
    names: dict[int, str] = {}
    for name, of in same.items():
        configs = [config_of(run) for run in of] if len(of) > 1 else []
        keys = [key for key, values, _ in _differences(configs, False) if all(map(_is_short, values))][:2]
        texts = [", ".join([name, *(f"{key} {written(config.get(key))}" for key in keys)]) for config in configs]
        for run, text in zip(of, texts or [name], strict=True):
            names[run["id"]] = f"{text}, {run['name']}" if texts.count(text) > 1 else text
    return [run | {"display_name": names[run["id"]]} for run in found]


def _is_short(setting: Any) -> bool:
    return isinstance(setting, str | int | float | None) and len(str(setting)) <= 24


def _grouping(asked: QueryParams, keys: Keys | None, found: Sequence[Row]) -> list[str] | None:
    """Keys, as in filters, by which runs are grouped; None without groups."""
    names = query_string.words(asked, "group", 5)
    if not names or keys is None or not found:
        return None
    if run_table.SETTINGS in names:
        return [column.key for column in keys.distinct_settings]
    return [key for name in names if (key := filter_syntax.resolve(name, keys.names))] or None


def _labels(store: Store, found: Sequence[Row], grouping: list[str] | None) -> dict[int, str]:
    """Run → the name of its line or group."""
    if grouping is None:
        return {run["id"]: run["name"] for run in found}
    values = runs.values_of(store.db, [run["id"] for run in found], grouping)
    return {
        run_id: ", ".join("–" if value is None else str(value) for value in of) or "all runs"
        for run_id, of in values.items()
    }


def _legend(
    found: Sequence[Row], labels: Mapping[int, str], numbers: Mapping[str, int], grouped: bool
) -> list[dict[str, Any]]:
    """Entries of the legend; `run` is None for a group of `n`."""
    if not grouped:
        return [
            {
                "run": run,
                "key": run["name"],
                "name": run["display_name"] or run["name"],
                "style": series_style(numbers[run["name"]]),
            }
            for run in found
        ]
    members: dict[str, int] = {}
    for label in labels.values():
        members[label] = members.get(label, 0) + 1
    return [
        {"run": None, "key": label, "name": label, "n": n, "style": series_style(numbers[label])}
        for label, n in sorted(members.items())
    ]


def _axis(asked: QueryParams) -> str:
    """step, epoch or time; "" chooses by the logged keys."""
    return asked.get("x", "") if asked.get("x") in histories.AXES else ""


def _charts(
    store: Store,
    found: Sequence[Row],
    labels: Mapping[int, str],
    numbers: Mapping[str, int],
    grouped: bool,
    asked: QueryParams,
    view: View,
) -> dict[str, Any]:
    """A page of charts, one for each metric with its splits; lines of one run differ by their dashes."""
    read, share = histories.read(store, found)
    found_titles = _titles(read.values())
    titles = _select_charts(found_titles, asked)
    pages = max(1, -(-len(titles) // CHARTS))
    page = query_string.whole_number(asked, "page", 1, pages)
    shown = titles[(page - 1) * CHARTS : page * CHARTS]
    n_lines = sum(len(metrics) for _, metrics in shown) * (len(set(labels.values())) if grouped else len(found))
    most = histories.points_per_line(n_lines)
    make = partial(_group_lines if grouped else _lines, found, read, labels, numbers, view, most)
    charts = []
    for title, metrics in shown:
        axis = _axis(asked) or _common_axis(read.values(), metrics)
        gaps = sum(history.gaps(metric) for metric in metrics for history in read.values())
        dashes = metric_charts.dashes(metrics)
        lines = {metric: make(metric, axis, dashes[metric]) for metric in metrics}
        charts.append(_chart(title, lines, dashes, axis, view, gaps))
    thinned = any(n > most for history in read.values() for n in history.metrics.values())
    chooser = [(title, (title, metrics) in titles) for title, metrics in found_titles[:MAX_KEYS]]
    return {"charts": charts, "page": page, "pages": pages, "chart_chooser": chooser, "share": share} | {
        "most": most if thinned and not grouped else None
    }


def _select_charts(titles: list[tuple[str, list[str]]], asked: QueryParams) -> list[tuple[str, list[str]]]:
    """Charts that the address names with `chart=`, in its order, or all; of these, those with `search=` in a name."""
    named, search = dict(titles), asked.get("search", "").lower()
    chosen = [(title, named[title]) for title in query_string.words(asked, "chart", MAX_KEYS) if title in named]
    return [(title, of) for title, of in chosen or titles if any(search in metric.lower() for metric in of)]


def metric_chart(store: Store, found: Sequence[Row], metric: str) -> list[Markup]:
    """A chart of one metric of the newest of some runs; empty if no run has it."""
    n, found = len(found), _distinguish_names(found[-CURVES:])
    read, _ = histories.read(store, found)
    axis, numbers = _common_axis(read.values(), [metric]), assign(run["name"] for run in found)
    labels, most = {run["id"]: run["name"] for run in found}, histories.points_per_line(len(found))
    lines = _lines(found, read, labels, numbers, View(), most, metric, axis, "")
    note = f"of {'each run' if n == len(found) else f'the newest {len(found)} runs'}"
    return [chart(metric, lines, axis, note, legend=len(lines) <= len(SERIES))] if lines else []


def _chart(
    title: str, by_metric: Mapping[str, list[Line]], dashes: Mapping[str, str], axis: str, view: View, gaps: int
) -> Markup:
    """A chart; `gaps`: number of values that are not finite."""
    unit = "time (s)" if axis == "time" else axis
    lines = [line for of in by_metric.values() for line in of]
    others = {metric: dash for metric, dash in dashes.items() if dash and by_metric[metric]}
    if len(lines) > CROWD:
        notes = [f"pale: {', '.join(map(_split, others))}"] if others else []
    else:
        notes = [f"{dash}: {_split(metric)}" for metric, dash in others.items()]
    notes += [f"{gaps} {'value' if gaps == 1 else 'values'} NaN or infinite"] if gaps else []
    return chart(title, lines, unit, ", ".join(notes), replace(view, smooth=0), legend=False)


def _titles(read: Any) -> list[tuple[str, list[str]]]:
    """Title and metrics of each chart: those with most splits, and validation, first."""
    counts: dict[str, int] = {}
    for history in read:
        for metric, n in history.metrics.items():
            counts[metric] = max(counts.get(metric, 0), n)
    groups: dict[str, list[str]] = {}
    for metric in sorted(name for name, n in counts.items() if n > 1 and name != metric_charts.EPOCH):
        groups.setdefault(metric_charts.title(metric), []).append(metric)
    return sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))


def _common_axis(read: Any, metrics: Sequence[str]) -> str:
    """The epoch, if each row of these metrics has one; else the step."""
    return "epoch" if all(history.has(metric, "epoch") for history in read for metric in metrics) else "step"


def _split(metric: str) -> str:
    """The word for a metric beside others of its chart."""
    head = metric.partition("/")[0]
    return "training" if SPLITS.get(head) == "train" else head


def _name(metric: str, label: str) -> str:
    head = metric.partition("/")[0]
    return f"{label} {head}" if head in SPLITS else label


def _lines(
    found: Sequence[Row],
    read: Mapping[int, histories.History],
    labels: Mapping[int, str],
    numbers: Mapping[str, int],
    view: View,
    most: int,
    metric: str,
    axis: str,
    dash: str,
) -> list[Line]:
    lines = []
    for run in found:
        points = _apply_view(read[run["id"]].points(metric, axis), view)
        if points:
            key = labels[run["id"]]
            name = _name(metric, run["display_name"] or run["name"])
            style = f"{series_style(numbers[key])} {dash}".rstrip()
            lines.append(Line(name, histories.thin(points, most), style, key=key, marks=len(found) < FEW))
    return lines


def _apply_view(points: list[Point], view: View) -> list[Point]:
    """Points smoothed with all of the past, then cut to the visible stretch."""
    whole = _smoothed(points, view)
    return [point for point in whole if view.shows(point[0])] if view.is_zoomed else whole


def _smoothed(points: list[Point], view: View) -> list[Point]:
    return smooth(points, view.smooth) if view.smooth else points


def _group_lines(
    found: Sequence[Row],
    read: Mapping[int, histories.History],
    labels: Mapping[int, str],
    numbers: Mapping[str, int],
    view: View,
    most: int,
    metric: str,
    axis: str,
    dash: str,
) -> list[Line]:
    """The mean of each group, in a band from its lowest to its highest run."""
    members: dict[str, list[list[tuple[float, float]]]] = {}
    for run in found:
        if points := _smoothed(read[run["id"]].points(metric, axis), view):
            members.setdefault(labels[run["id"]], []).append(points)
    lines = []
    for label, series in sorted(members.items()):
        mean, ends = histories.band(series, most, view)
        style = f"{series_style(numbers[label])} {dash}".rstrip()
        lines.append(
            Line(_name(metric, label), mean, style, band=ends if len(series) > 1 else (), key=label, marks=False)
        )
    return lines


def _differences(configs: Sequence[dict[str, Any]], everything: bool) -> list[tuple[str, list[Any], bool]]:
    """Key, its value in each run, and whether they differ; all keys, or those that do."""
    keys = sorted({key for config in configs for key in config})
    rows = [(key, [config.get(key) for config in configs]) for key in keys]
    compared = [(key, values, len(set(map(repr, values))) > 1) for key, values in rows]
    return [row for row in compared if everything or row[2]][:MAX_KEYS]


def _results(found: Sequence[Row]) -> list[tuple[str, list[Any], int | None]]:
    """Key of the summary, its value in each run, and the index of the best; test and validation first."""
    summaries = [logged_values(load_object(run["summary"])) for run in found]
    keys = {key for summary in summaries for key in summary}
    order = sorted(keys, key=lambda key: (not key.startswith("test"), not key.startswith("val"), key))
    return [(key, values := [each.get(key) for each in summaries], best_of(key, values)) for key in order[:MAX_KEYS]]


def best_of(key: str, values: Sequence[Any]) -> int | None:
    """Index of the best value; None if all are equal, or the name of the metric does not tell its goal."""
    numbers = [(value, at) for at, value in enumerate(values) if type(value) in (int, float) and value == value]
    if len({value for value, _ in numbers}) < 2 or not is_judged(key):
        return None
    return (min if is_minimized(key) else max)(numbers)[1]


def _pictures(store: Store, link: Link, found: Sequence[Row]) -> dict[str, Any]:
    """A row for each picture with masks that the runs showed last, by key, name and test set; a column for each run.

    `worst`: index of the cell with the lowest IoU. Runs without pictures have no column.
    """
    shown: dict[tuple[str, str, str], dict[int, Picture]] = {}
    for run in found:
        tested = test_digest(run)
        for key, value in flatten_media(load_object(run["summary"])).items():
            logged = pictures_in(key, value)
            for picture, name in zip(logged, names(logged), strict=True):
                shown.setdefault((key, name, tested), {}).setdefault(run["id"], picture)
    places = sorted(shown, key=lambda place: (place[0], natural_order(place[1]), place[2]))
    chosen = [(place, shown[place]) for place in places if any(each.masks for each in shown[place].values())]
    chosen = chosen[:MAX_PICTURES]
    with_any = [run for run in found if any(run["id"] in of for _, of in chosen)]
    pictured = with_any[:WITH_PICTURES]
    present = {
        run["id"]: image_viewer.uploaded_files(
            store.db, run["id"], [of[run["id"]] for _, of in chosen if run["id"] in of]
        )
        for run in pictured
    }
    rows = [
        {
            "key": key,
            "name": name,
            "cells": [
                image_viewer.load_layers(store, link, run, of[run["id"]], present[run["id"]])
                if run["id"] in of
                else None
                for run in pictured
            ],
            "worst": lowest_indices([of[run["id"]].iou if run["id"] in of else None for run in pictured]),
        }
        for (key, name, _), of in chosen
    ]
    return {"pictures": rows, "pictured": pictured, "n_with_pictures": len(with_any)}
