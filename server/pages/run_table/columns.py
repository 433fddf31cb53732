"""Columns of a table of runs: settings, metrics and texts of its runs, and the goal of each metric."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from common.keys import METRICS
from server.jsontext import load_object
from server.pages.run_table import filter_syntax
from server.scheduler import sweep_config
from server.store import Row, Store, runs, sweeps

DEFAULT_SETTINGS, DEFAULT_METRICS = 8, 3
REPEATED = re.compile(r"(?:.*[._])?(?:seed|fold)")
"""Settings that repeat a configuration instead of changing it."""
MINIMIZED = re.compile(r"(?i)loss|err|mae|mse|rmse|nll|perplexity|distance|hausdorff|seconds|time|gap")
MAXIMIZED = re.compile(rf"(?i)(^|_)({'|'.join(METRICS)}|acc|dice|auc|score)$")
TITLES = {
    "display_name": "name",
    "name": "id",
    "group": "group",
    "job_type": "job type",
    "username": "user",
    "created_at": "created",
    "duration": "lasted",
    "number": "#",
    "stop_reason": "why stopped",
}


@dataclass(frozen=True)
class Column:
    """A column; `key`: its name in filters, orders and the address: state, config.lr, high.val/iou."""

    key: str

    @property
    def source(self) -> str:
        """config, summary, low or high; "" for a column of every run."""
        head, dot, _ = self.key.partition(".")
        return head if dot and f"{head}." in filter_syntax.SOURCES else ""

    @property
    def title(self) -> str:
        return self.key[len(self.source) + 1 :] if self.source else TITLES.get(self.key, self.key)

    @property
    def is_metric(self) -> bool:
        return self.source in ("low", "high", "summary")

    @property
    def sign(self) -> int:
        """-1 if more is better."""
        return 1 if self.source == "low" else -1


@dataclass(frozen=True)
class Keys:
    """Columns that the runs of a table have; `differing`: settings that are not all equal; `goals`: of sweeps.

    `texts` stand in summaries; `rules` are texts and settings that differ and stand under the same head as a goal, as
    test/rule beside test/iou. `judged`: keys of metrics with a known goal.
    """

    settings: list[Column]
    differing: list[Column]
    metrics: list[Column]
    goals: list[Column]
    texts: list[Column]
    rules: list[Column]
    judged: frozenset[str]

    @property
    def names(self) -> dict[str, str]:
        """Title of a setting or metric → its key in filters."""
        columns = (*self.texts, *self.metrics, *self.settings)
        return {column.title: column.key for column in columns}

    @property
    def distinct_settings(self) -> list[Column]:
        return [column for column in self.differing if not REPEATED.fullmatch(column.title)]


def survey_runs(store: Store, project_id: int, run_ids: list[int]) -> Keys:
    """Columns of these runs; the metrics of the project's sweeps are the goals, with the test metric beside each.

    Runs that no client has opened yet have a sweep's settings only: they count if there are no others.
    """
    run_ids = runs.filter_started(store.db, run_ids) or run_ids
    found = runs.value_statistics(store.db, run_ids)
    settings = [row for row in found if row["source"] == "config"]
    handed = {name for sweep in sweeps.of_project(store.db, project_id) for name in sweep_parameters(sweep)}
    differing = [row for row in settings if row["n_different"] > 1 or row["n"] < len(run_ids)]
    differing.sort(key=lambda row: (row["key"] not in handed, -row["n"], row["key"]))
    logged = [row for row in found if row["source"] == "summary"]
    media = tuple(row["key"].removesuffix("_type") for row in logged if row["key"].endswith("._type"))
    names = dict.fromkeys(row["key"] for row in logged if row["is_number"] and not row["key"].startswith(media))
    names |= dict.fromkeys(_running_metrics(store, run_ids))
    tops = {name: best_key(name, maximize) for name, maximize in sweep_goals(store, project_id).items()}
    metrics = [Column(tops.get(name) or best_key(name)) for name in names if not name.startswith("_")]
    goals_ = _goals([name for name in tops if name in names], [column.title for column in metrics], tops)
    heads = {head for column in goals_ if (head := column.title.rpartition("/")[0])}
    texts = [row for row in logged if not row["is_number"] and _is_own(row["key"])]
    repeated = [row for row in (*texts, *differing) if 1 < row["n_different"] <= max(2, row["n"] // 2)]
    rules = [row for row in repeated if row["key"].rpartition("/")[0] in heads]
    return Keys(
        [Column(f"config.{row['key']}") for row in settings],
        [Column(f"config.{row['key']}") for row in differing],
        sorted(metrics, key=lambda column: column.title),
        goals_,
        [Column(f"summary.{row['key']}") for row in texts],
        [Column(f"{row['source']}.{row['key']}") for row in rules],
        frozenset(column.key for column in metrics if column.title in tops or is_judged(column.title)),
    )


def _running_metrics(store: Store, run_ids: list[int]) -> list[str]:
    """Metrics of runs whose summaries are not indexed yet: numbers at the top level of the newest few."""
    waiting = runs.unindexed_summaries(store.db, run_ids, 20)
    return [key for run in waiting for key, value in load_object(run["summary"]).items() if type(value) in (int, float)]


def sweep_parameters(sweep: Row) -> dict[str, Any]:
    """The names that a sweep hands out, in its order, nested ones under dotted names."""

    def flat(section: Any, prefix: str = "") -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, entry in section.items() if isinstance(section, dict) else ():
            inner = entry.get("parameters") if isinstance(entry, dict) else None
            found |= flat(inner, f"{prefix}{name}.") if isinstance(inner, dict) else {f"{prefix}{name}": entry}
        return found

    return flat(sweep_config.read_config(sweep["config"]).get("parameters"))


def sweep_goals(store: Store, project_id: int) -> dict[str, bool]:
    """The metrics of the project's sweeps, newest first, and whether more is better."""
    from server.search import SearchError  # scipy takes a second to import
    from server.search.past_runs import read_metric  # scipy takes a second to import

    found: dict[str, bool] = {}
    for sweep in sweeps.of_project(store.db, project_id):
        try:
            metric = read_metric(sweep_config.read_config(sweep["config"]))
        except SearchError:
            continue
        if metric is not None:
            found.setdefault(metric.name, metric.maximize)
    return found


def best_key(name: str, maximize: bool | None = None) -> str:
    """The best value of a metric, by its sweep's goal, else by its name."""
    more = not is_minimized(name) if maximize is None else maximize
    return f"{'high' if more else 'low'}.{name}"


def _is_own(key: str) -> bool:
    """Whether the program itself wrote the key: not wandb's own, no member of an object, as a picture's path is."""
    return not key.startswith("_") and "." not in key


def is_minimized(name: str) -> bool:
    """Whether less is better, by the name of a metric."""
    return name.startswith("seconds/") or MINIMIZED.search(name.rpartition("/")[2]) is not None


def is_judged(name: str) -> bool:
    """Whether the name of a metric tells its goal."""
    return is_minimized(name) or MAXIMIZED.search(name.rpartition("/")[2]) is not None


def _goals(tops: list[str], metrics: list[str], keys: Mapping[str, str]) -> list[Column]:
    """Each sweep's metric with its test metric behind it; without a sweep, test metrics, then validation."""
    named = []
    for top in tops[:2]:
        tail = top.rpartition("/")[2]
        tests = [name for name in metrics if re.match(r"(?i)test[/_.]", name)]
        named += [top, *sorted(tests, key=lambda name: (name.rpartition("/")[2] != tail, len(name), name))[:1]]
    if not named:
        order = ("test", "val")
        named = sorted(metrics, key=lambda name: next((i for i, head in enumerate(order) if name.startswith(head)), 2))[
            :DEFAULT_METRICS
        ]
    return [Column(keys.get(name) or best_key(name)) for name in dict.fromkeys(named)]
